"""The number of threads and the instruction set: how they are chosen, set, and survive a fork."""

import os
import subprocess
import sys

import numpy as np
import pytest

import fastcnn._ops as _ops
from fastcnn._ops import cgroup
from fastcnn._ops.threads import choose_isa, default_threads, usable_cores

AVX512 = ["portable", "avx2", "avx512"]


def python(code, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "FASTCNN_ISA")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**env, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("cap", "usable", "chosen"),
    [
        ("", AVX512, "avx512"),
        ("", ["portable", "neon"], "neon"),
        ("portable", AVX512, "portable"),
        ("avx2", AVX512, "avx2"),
        ("avx512", ["portable", "avx2"], "avx2"),
        ("avx512", ["portable"], "portable"),
        (" AVX2 ", AVX512, "avx2"),
        ("neon", ["portable", "neon"], "neon"),
        ("avx2", ["portable", "neon"], "neon"),
    ],
)
def test_the_strongest_instruction_set_below_the_cap_is_chosen(cap, usable, chosen):
    assert choose_isa(cap, usable) == chosen


def test_an_unknown_instruction_set_is_an_error_that_names_the_variable_and_the_known_ones():
    with pytest.raises(ValueError, match=r"FASTCNN_ISA.*'axv2'.*'avx2'.*avx2, avx512, neon, portable"):
        choose_isa("axv2", AVX512)
    ended = python("import fastcnn._ops", FASTCNN_ISA="axv2")
    assert ended.returncode == 1
    assert "FASTCNN_ISA" in ended.stderr


def test_the_environment_caps_the_instruction_set():
    ended = python("import fastcnn._ops as o; print(o.cpu_info()['instruction_set'])", FASTCNN_ISA="portable")
    assert ended.stdout == "portable\n", ended.stderr


@pytest.mark.parametrize(("value", "count"), [("3", 3), ("4,2", 4), (" 5 ", 5), ("100000", 1024)])
def test_omp_num_threads_is_followed(value, count):
    assert default_threads(value) == count
    ended = python("import fastcnn._ops as o; print(o.get_num_threads())", OMP_NUM_THREADS="3")
    assert ended.stdout == "3\n", ended.stderr


@pytest.mark.parametrize("value", ["", "0", "-1", "many", "2x", "٣x"])
def test_without_a_valid_omp_num_threads_the_usable_cores_are_taken(value):
    assert default_threads(value) == usable_cores()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_is_honoured():
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}]); import fastcnn._ops as o; print(o.get_num_threads())"
    assert python(code).stdout == "1\n"


def group(tmp_path, table, files):
    """A /proc/self/cgroup and a mounted hierarchy."""
    (tmp_path / "table").write_text(table)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path / "table"), str(tmp_path / "fs")


@pytest.mark.parametrize(
    ("table", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/seen/only/by/the/host\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/a\n", {"a/cpu.max": "nonsense\n"}, None),
        ("0::/a\n", {"a/cpu.max": "100000 0\n"}, None),
        (
            "4:memory:/m\n3:cpu,cpuacct:/d\n0::/\n",
            {"cpu,cpuacct/d/cpu.cfs_quota_us": "250000", "cpu,cpuacct/d/cpu.cfs_period_us": "100000"},
            3,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("1:cpu:/\n", {}, None),
    ],
)
def test_cores_granted_by_control_groups(tmp_path, table, files, cores):
    assert cgroup.cores(*group(tmp_path, table, files)) == cores


@pytest.mark.parametrize(
    ("table", "files", "memory"),
    [
        ("0::/a\n", {"a/memory.max": "max\n", "memory.max": "1000000\n"}, 1_000_000),
        ("0::/a/b\n", {"a/b/memory.max": "3000\n", "a/memory.max": "2000\n"}, 2000),
        ("4:memory:/d\n1:cpu:/\n", {"memory/d/memory.limit_in_bytes": "4096\n"}, 4096),
        ("0::/\n", {"memory.max": "max\n"}, None),
        ("1:cpu:/\n", {"memory/memory.limit_in_bytes": "4096\n"}, None),
    ],
)
def test_memory_granted_by_control_groups(tmp_path, table, files, memory):
    assert cgroup.memory(*group(tmp_path, table, files)) == memory


def test_no_control_groups(tmp_path):
    assert cgroup.cores(str(tmp_path / "missing"), str(tmp_path)) is None
    assert cgroup.memory(str(tmp_path / "missing"), str(tmp_path)) is None


def test_a_control_group_limits_the_cores(monkeypatch):
    monkeypatch.setattr(cgroup, "cores", lambda: 1)
    assert usable_cores() == 1


def test_set_and_get():
    before = _ops.get_num_threads()
    try:
        _ops.set_num_threads(np.int64(3))
        assert _ops.get_num_threads() == 3
        for bad, error in [(0, ValueError), (-1, ValueError), (1025, ValueError), (2.0, TypeError), ("2", TypeError)]:
            with pytest.raises(error, match=r"num_threads .*received"):
                _ops.set_num_threads(bad)
        assert _ops.get_num_threads() == 3
    finally:
        _ops.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_computes_alone_and_right():
    code = """
import os, sys
import numpy as np
import fastcnn._ops as o
from fastcnn import ops
o.set_num_threads(4)
x = np.arange(4e6, dtype=np.float32) % 7 - 3
expected = ops.relu(x)  # starts OpenMP's threads
child = os.fork()
if child == 0:
    os._exit(0 if o.get_num_threads() == 1 and np.array_equal(ops.relu(x), expected) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or (o.get_num_threads() != 4))
"""
    ended = python(code)
    assert ended.returncode == 0, ended.stderr


def test_cpu_info_says_what_a_bug_report_needs():
    info = _ops.cpu_info()
    assert info["instruction_set"] in info["usable_instruction_sets"]
    assert info["usable_instruction_sets"][0] == "portable"
    assert info["num_threads"] == _ops.get_num_threads()
    assert info["usable_cores"] >= 1
    assert info["compiler"]
    assert all(isinstance(name, str) for name in info["cpu_features"])


def test_importing_brings_in_nothing_heavy():
    code = (
        "import sys; before = set(sys.modules); import fastcnn._ops, fastcnn.ops;"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    loaded = set(python("import numpy;" + code).stdout.split())
    assert "fastcnn" in loaded
    assert not loaded & {"PIL", "tqdm", "safetensors", "matplotlib", "sklearn", "pathlib", "urllib", "ssl"}

"""core.call and core.Program: what they refuse, what they leave alone, and that many threads may use them."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from fastcnn._ops import core

SQUARE, RELU, LOG = 9, 1, 7


def chain(count: int, slots: bool = True, prologue: int = 0) -> tuple[core.Program, np.ndarray]:
    """Y = (x w)^2 + x, where w = 2 v of a fixed array v is made by the prologue; and v."""
    size = count * 4
    v = np.ones(count, np.float32)
    w, product = core.Arena(0, size), core.Arena((size + 63) // 64 * 64, size)
    x, y = core.Slot(0, np.float32, count, "x"), core.Slot(1, np.float32, count, "y")
    flat = {f"d{axis}": 1 for axis in range(4)} | {f"{o}{axis}": 0 for o in "pq" for axis in range(4)}
    flat |= {"d4": count, "p4": 1, "q4": 1}
    steps = [
        ("affine", {"x": v, "y": w, "count": count, "scale": 2.0, "shift": 0.0}),
        ("binary", {"p": x, "q": w, "y": product, "kind": 2, **flat}),
        ("unary_forward", {"x": product, "y": product, "count": count, "kind": SQUARE, "alpha": 0.0, "beta": 0.0}),
        ("binary", {"p": product, "q": x, "y": y, "kind": 0, **flat}),
    ]
    return core.Program(steps, 2 * ((size + 63) // 64 * 64), [x, y], prologue), v


@pytest.mark.parametrize("count", [5, 100_003])
def test_program_runs(count: int, isa: str) -> None:
    program, _ = chain(count)
    x, y = np.arange(count, dtype=np.float32) % 13, np.zeros(count, np.float32)
    program.run([x, y])
    np.testing.assert_array_equal(y, (2 * x) ** 2 + x)


def test_prologue_runs_again_only_for_a_new_version() -> None:
    program, v = chain(8, prologue=1)
    x, y = np.ones(8, np.float32), np.zeros(8, np.float32)
    results = []
    for value, version in ((1, 0), (2, 0), (3, 1), (4, 1)):
        v[:] = value
        program.run([x, y], version)
        results.append(float(y[0]))
    assert results == [5, 5, 37, 37]


def test_program_from_many_threads() -> None:
    """More threads than a program keeps copies of its arena for, each with its own data."""
    program, _ = chain(30_001)
    wrong: list[int] = []

    def work(number: int) -> None:
        x, y = np.full(30_001, number, np.float32), np.empty(30_001, np.float32)
        for _ in range(30):
            y[:] = -1
            program.run([x, y])
            if not np.array_equal(y, (2 * x) ** 2 + x):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def read_only(count: int) -> np.ndarray:
    array = np.zeros(count, np.float32)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ([np.zeros(7, np.float32), np.zeros(8, np.float32)], ValueError, "slot 'x' takes 8 x float32"),
        ([np.zeros(8), np.zeros(8, np.float32)], ValueError, "slot 'x' takes 8 x float32"),
        ([np.zeros(16, np.float32)[::2], np.zeros(8, np.float32)], ValueError, "C-contiguous"),
        ([np.zeros(8, np.float32)], TypeError, "takes 2 arrays, received 1"),
        ([np.zeros(8, np.float32), read_only(8)], ValueError, "slot 'y' is written to"),
    ],
)
def test_run_refuses(arrays: list[np.ndarray], error: type[Exception], words: str) -> None:
    program, _ = chain(8)
    with pytest.raises(error, match=words):
        program.run(arrays)


def test_run_reads_a_read_only_input() -> None:
    program, _ = chain(8)
    y = np.ones(8, np.float32)
    program.run([read_only(8), y])
    np.testing.assert_array_equal(y, np.zeros(8))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"x": core.Arena(0, 28)}, "'x' needs 32 bytes of the arena, received 28"),
        ({"x": core.Arena(64, 32)}, "needs 32 bytes of the arena"),
        ({"x": core.Arena(-4, 32)}, "needs 32 bytes of the arena"),
        ({"x": core.Slot(0, np.float32, 7, "image")}, "slot 'image' has 7 x float32"),
        ({"x": core.Slot(0, np.float64, 8, "image")}, "slot 'image' has 8 x float64"),
        ({"x": np.zeros(7, np.float32)}, "'x' must hold 8 elements, received 7"),
    ],
)
def test_program_refuses_places_too_small(args: dict[str, Any], words: str) -> None:
    step = {"x": core.Arena(0, 32), "y": core.Arena(32, 32), "count": 8, "scale": 1.0, "shift": 0.0, **args}
    with pytest.raises(ValueError, match=words):
        core.Program([("affine", step)], 64, [core.Slot(0, np.float32, 8, "image")])


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ({"x": np.zeros(7, np.float32)}, ValueError, "'x' must hold 8 elements, received 7"),
        ({"x": np.zeros(8)}, TypeError, "'x' must be float32, received float64"),
        ({"x": np.zeros((8, 2), np.float32)[:, 0]}, ValueError, "'x' must be C-contiguous"),
        ({"x": None}, TypeError, "'x' is missing"),
        ({"y": read_only(8)}, ValueError, "'y' is read-only"),
        ({"count": -1}, ValueError, "negative extent"),
        ({"length": 8}, TypeError, "has no argument 'length'"),
    ],
)
def test_call_refuses(args: dict[str, Any], error: type[Exception], words: str) -> None:
    good = {"x": np.zeros(8, np.float32), "y": np.zeros(8, np.float32), "count": 8, "scale": 1.0, "shift": 0.0}
    with pytest.raises(error, match=words):
        core.call("affine", **{**good, **args})


def test_set_isa_and_threads_refuse() -> None:
    with pytest.raises(ValueError, match=r"'mmx' can't run here; usable: .*portable"):
        core.set_isa("mmx")
    with pytest.raises(ValueError, match="at least 1, received 0"):
        core.set_threads(0)


def test_floating_point_state_is_left_alone(isa: str, keep_threads: None) -> None:
    """Denormals are off inside the kernels only: NumPy's arithmetic still has them afterwards, in every thread."""
    tiny = np.float32(1e-40)
    x = np.full(200_000, tiny, np.float32)
    seen: list[bool] = []

    def work() -> None:
        y = np.empty_like(x)
        core.call("affine", x=x, y=y, count=x.size, scale=1.0, shift=0.0)
        core.call("unary_forward", x=x, y=y, count=x.size, kind=LOG, alpha=0.0, beta=0.0)
        seen.append(bool((x[:9] * np.float32(0.5) > 0).all()) and float(x[0] + tiny) > 0)

    for threads in (1, 3):
        core.set_threads(threads)
        work()
        other = threading.Thread(target=work)
        other.start()
        other.join()
    assert seen == [True] * 4


FORK = """
import os, signal, sys
import numpy as np
import fastcnn
from fastcnn._ops import core

core.set_threads(2)
x = np.random.default_rng(0).standard_normal(1_000_000).astype(np.float32)

def total():
    y = np.empty(1, np.float32)
    core.call("reduce", x=x, y=y, outer=1, count=x.size, inner=1, kind=0, scale=1.0)
    z = np.empty_like(x)
    core.call("unary_forward", x=x, y=z, count=x.size, kind=1, alpha=0.0, beta=0.0)
    return y.tobytes() + z.tobytes()

before = total()
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(0 if total() == before else 3)
status = os.waitpid(child, 0)[1]
sys.exit(0 if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0 and total() == before else 1)
"""


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this platform's programs don't fork with threads")
def test_a_forked_child_works() -> None:
    """OpenMP's threads stay with the parent; a child that waited for them would hang."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=120, check=False)
    assert done.returncode == 0

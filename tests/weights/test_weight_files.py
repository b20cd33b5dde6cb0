"""Files of weights: what is read of whole ones, and that harmed and hostile ones give an error and nothing else."""

from __future__ import annotations

import json
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch_writer as tw
from safetensors.numpy import save_file

import fastcnn
from fastcnn import weights
from fastcnn.errors import ModelFileError

FORMATS = {"zip": tw.zip_file, "legacy": tw.legacy_file}


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "conv.weight": rng.standard_normal((4, 3, 3, 2)).astype(np.float32),
        "conv.bias": rng.standard_normal(4),
        "norm.running_mean": rng.standard_normal(5).astype(np.float16),
        "norm.num_batches_tracked": np.array(7),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 3), np.int32),
    }


def write(folder: Path, data: bytes) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(data)
    return path


@pytest.fixture(params=FORMATS)
def writer(request: pytest.FixtureRequest) -> Callable[[dict[str, np.ndarray]], bytes]:
    return FORMATS[request.param]


# ---------------------------------------------------------------- whole files


def test_reads_what_was_written(tmp_path: Path, writer: Callable[[dict[str, np.ndarray]], bytes]) -> None:
    wanted = arrays()
    found = weights.read(write(tmp_path, writer(wanted)))
    assert list(found) == list(wanted)
    for key, array in wanted.items():
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(found[key], array, strict=True)


def test_reads_safetensors(tmp_path: Path) -> None:
    save_file(arrays(), tmp_path / "a.safetensors")
    found = weights.read(tmp_path / "a.safetensors")
    assert all(np.array_equal(found[key], array) for key, array in arrays().items())


def test_reads_bfloat16_of_safetensors(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"BF16","shape":[1,3],"data_offsets":[0,6]}}'
    (tmp_path / "b.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + bytes.fromhex("803f 0040 80ff".replace(" ", ""))
    )
    np.testing.assert_array_equal(weights.read(tmp_path / "b.safetensors")["a"], np.float32([[1, 2, -np.inf]]))


def test_reads_bfloat16_of_pytorch(tmp_path: Path) -> None:
    program = tw.table({"a": tw.tensor(tw.storage("BFloat16Storage", "0", 3), (3,), (1,))})
    data = np.array([0x3F80, 0x4000, 0xC040], "<u2").tobytes()
    for made in (tw.zipped(program, {"0": data}), tw.legacy(program, {"0": (3, data)})):
        np.testing.assert_array_equal(weights.read(write(tmp_path, made))["a"], np.float32([1, 2, -3]))


def test_tensors_share_a_storage(tmp_path: Path) -> None:
    numbers = np.arange(12, dtype=np.float32)
    stored = tw.storage("FloatStorage", "0", 12)
    program = tw.table({"a": tw.tensor(stored, (3, 2), (1, 3)), "b": tw.tensor(stored, (2, 3), (3, 1), offset=6)})
    for made in (tw.zipped(program, {"0": numbers.tobytes()}), tw.legacy(program, {"0": (12, numbers.tobytes())})):
        found = weights.read(write(tmp_path, made))
        np.testing.assert_array_equal(found["a"], numbers[:6].reshape(2, 3).T)
        np.testing.assert_array_equal(found["b"], numbers[6:].reshape(2, 3))


@pytest.mark.parametrize("place", ["state_dict", "model_state_dict", "model"])
def test_a_training_programs_state(tmp_path: Path, place: str) -> None:
    array = np.float32([1, 2])
    program = tw.table({"epoch": tw.number(3), place: tw.table({"a": tw.whole(array, "0")})})
    found = weights.read(write(tmp_path, tw.zipped(program, {"0": array.tobytes()})))
    np.testing.assert_array_equal(found["a"], array)


# ---------------------------------------------------------------- harmed files


def test_every_truncation_is_an_error(tmp_path: Path, writer: Callable[[dict[str, np.ndarray]], bytes]) -> None:
    data = writer(arrays())
    for length in [*range(0, len(data), 5), len(data) - 1]:
        with pytest.raises(ModelFileError):
            weights.read(write(tmp_path, data[:length]))


def test_flipped_bits(tmp_path: Path, writer: Callable[[dict[str, np.ndarray]], bytes]) -> None:
    """Whatever a byte is changed to, the file is read or is an error: nothing else is raised."""
    rng = np.random.default_rng(1)
    data = writer(arrays())
    said = []
    for place in range(0, len(data), 3):
        harmed = bytearray(data)
        harmed[place] ^= int(rng.integers(1, 256))
        try:
            weights.read(write(tmp_path, bytes(harmed)))
        except ModelFileError as error:
            said.append(str(error))
    assert len(said) > len(data) / 30
    assert max(map(len, said)) < 1000


# ---------------------------------------------------------------- hostile files

RUNS = tw.name("os", "system") + tw.row(tw.text("touch harmed")) + tw.REDUCE


@pytest.mark.parametrize(
    ("program", "named"),
    [
        (RUNS, "os.system"),
        (tw.table({"a": RUNS}), "os.system"),
        (tw.name("builtins", "eval") + tw.row(tw.text("1")) + tw.REDUCE, "builtins.eval"),
        (tw.text("torch.nn.modules") + tw.text("Conv2d") + b"\x93", "torch.nn.modules.Conv2d"),
        (tw.name("torch", "load") + tw.row(tw.text("x")) + tw.REDUCE, "torch.load"),
        (tw.name("torch", "serialization.os.system") + tw.row(tw.text("x")) + tw.REDUCE, "serialization.os.system"),
        (b"(" + tw.text("touch harmed") + b"ios\nsystem\n", "INST"),
        (tw.name("collections", "OrderedDict") + b"(I1\nt" + b"\x81", "INT"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: bytes, named: str, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    data = tw.zipped(program, {}) if kind == "zip" else tw.legacy(program, {})
    with pytest.raises(ModelFileError, match=named):
        weights.read(write(tmp_path, data))
    assert not (tmp_path / "harmed").exists()


HUGE = 2**40
STORED = tw.storage("FloatStorage", "0", 4)
TENSORS = {
    "more than the storage has": tw.tensor(STORED, (5,), (1,)),
    "an offset beyond it": tw.tensor(STORED, (2,), (1,), offset=3),
    "strides beyond it": tw.tensor(STORED, (2, 2), (4, 1)),
    "the same number many times": tw.tensor(STORED, (HUGE, HUGE), (0, 0)),
    "a negative size": tw.tensor(STORED, (-1,), (1,)),
    "a negative stride": tw.tensor(STORED, (2,), (-1,), offset=3),
    "a size beyond 64 bits": tw.tensor(STORED, (2**70,), (1,)),
    "more axes than strides": tw.tensor(STORED, (2, 2), (1,)),
    "a hundred axes": tw.tensor(STORED, (1,) * 100, (1,) * 100),
    "a huge storage": tw.tensor(tw.storage("FloatStorage", "0", HUGE), (HUGE,), (1,)),
    "a storage that isn't there": tw.tensor(tw.storage("FloatStorage", "../../etc/passwd", 4), (4,), (1,)),
    "a storage of another type": tw.tensor(tw.storage("DoubleStorage", "0", 4), (4,), (1,)),
    "a storage of no type": tw.tensor(tw.row(tw.text("storage"), *[tw.text("0")] * 4) + b"Q", (4,), (1,)),
    "no storage": tw.tensor(tw.text("0"), (4,), (1,)),
}


@pytest.mark.parametrize("what", TENSORS)
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_tensors_that_cannot_be(tmp_path: Path, what: str, kind: str) -> None:
    program, data = tw.table({"a": TENSORS[what]}), np.zeros(4, np.float32).tobytes()
    path = write(tmp_path, tw.zipped(program, {"0": data}) if kind == "zip" else tw.legacy(program, {"0": (4, data)}))
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            weights.read(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_two_descriptions_of_a_storage(tmp_path: Path) -> None:
    program = tw.table(
        {"a": tw.tensor(STORED, (4,), (1,)), "b": tw.tensor(tw.storage("IntStorage", "0", 4), (4,), (1,))}
    )
    with pytest.raises(ModelFileError, match="two ways"):
        weights.read(write(tmp_path, tw.legacy(program, {"0": (4, bytes(16))})))


def nested(depth: int) -> bytes:
    """A tuple of two tuples of two tuples …, each level made once: 2**depth values to whoever walks it."""
    step = b"q\x00h\x00\x86"  # remember the top, put it there again, join the two
    return tw.EMPTY_TUPLE + step * depth


@pytest.mark.parametrize(
    "program",
    [
        nested(200),
        nested(200) + tw.EMPTY_TUPLE + tw.REDUCE,
        b"}" + nested(200) + tw.number(1) + b"s",
        b"}" + tw.text("a") + nested(200) + b"s",
        tw.name("torch._utils", "_rebuild_parameter") + b"(" + nested(200) + b"t" + tw.REDUCE,
        nested(200) + b"Q",
        b")\x85" * 200_000,
        b"(" * 200_000,
        b"]" + b"q\x00h\x00a" * 1000,
    ],
    ids=["alone", "called", "a key", "a value", "an argument", "a storage", "deep", "marks", "in itself"],
)
def test_nested_without_end(tmp_path: Path, program: bytes) -> None:
    start = time.perf_counter()
    with pytest.raises(ModelFileError) as caught:
        weights.read(write(tmp_path, tw.zipped(program, {})))
    assert time.perf_counter() - start < 20
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("length", [b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff"])
@pytest.mark.parametrize("opcode", [b"X", b"B", b"T", b"\x8b"])
def test_strings_longer_than_the_file(tmp_path: Path, opcode: bytes, length: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match="truncated or damaged"):
            weights.read(write(tmp_path, tw.PROTO + opcode + length + b"abc"))
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_a_compressed_archive(tmp_path: Path) -> None:
    program = tw.table({"a": tw.tensor(tw.storage("FloatStorage", "0", 2**22), (2**22,), (1,))})
    made = tw.zipped(program, {"0": bytes(2**24)}, compression=zipfile.ZIP_DEFLATED)
    assert len(made) < 2**17
    with pytest.raises(ModelFileError, match="compressed"):
        weights.read(write(tmp_path, made))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "neither safetensors nor ONNX nor PyTorch's"),
        (b"hello, world", "neither safetensors nor ONNX nor PyTorch's"),
        (b"\x80\x02K\x01.", "not one that torch.save wrote"),
        (tw.zipped(tw.number(1), {}), "no state dictionary"),
        (tw.zipped(tw.table({"a": tw.number(1)}), {}), "no state dictionary"),
        (tw.zipped(b"", {}, root="a/b"), "no data.pkl"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{", "safetensors"),
    ],
)
def test_other_files(tmp_path: Path, data: bytes, said: str) -> None:
    path = write(tmp_path, data)
    with pytest.raises(ModelFileError, match=said) as caught:
        weights.read(path)
    assert str(path) in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth"):
        weights.read(tmp_path / "nothing.pth")
    with pytest.raises(ModelFileError, match="folder"):
        weights.read(tmp_path)


def soon(seconds: float, function: Callable[[], object]) -> None:
    start = time.process_time()
    function()
    assert time.process_time() - start < seconds


def test_keys_of_one_hash(tmp_path: Path) -> None:
    """Python has the same hash for all multiples of this number: a dictionary of n of them takes n**2 comparisons."""
    keys = b"".join(tw.number(i * (2**61 - 1)) + b"N" for i in range(1, 30_000))
    path = write(tmp_path, tw.zipped(b"}(" + keys + b"u", {}))
    with pytest.raises(ModelFileError, match="dictionary key"):
        weights.read(path)


def test_a_wrapper_around_itself(tmp_path: Path) -> None:
    """All names begin with the same million of wrappers' names."""
    model = fastcnn.Sequential([fastcnn.layers.Input((2,)), fastcnn.layers.Dense(3, name="fc")])
    array = np.ones((3, 2), np.float32)
    path = write(
        tmp_path,
        tw.zip_file({"module." * 1_000_000 + "fc.weight": array, "module." * 1_000_000 + "fc.bias": array[:, 0]}),
    )
    soon(5, lambda: weights.load(model, path))
    np.testing.assert_array_equal(model.layers[-1].kernel.numpy(), array.T)


def test_tensors_of_one_storage_beyond_memory(tmp_path: Path) -> None:
    stored, count = tw.storage("FloatStorage", "0", 2**20), 2**12
    monster = tw.table({f"t{i}": tw.tensor(stored, (2**20,), (1,)) for i in range(count)})
    path = write(tmp_path, tw.zipped(monster, {"0": bytes(2**22)}))
    with weights.files.open_tensors(path) as file:
        assert len(file.tensors) == count
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "memory_limit", lambda: 2**33)
        with pytest.raises(ModelFileError, match="its tensors take"):
            weights.read(path)


def test_tensors_of_one_storage_read_it_once(tmp_path: Path) -> None:
    stored, count = tw.storage("FloatStorage", "0", 2**22), 2**11
    cut = tw.table({f"t{i}": tw.tensor(stored, (1,), (1,), i) for i in range(count)})
    path = write(tmp_path, tw.zipped(cut, {"0": np.arange(2**22, dtype=np.float32).tobytes()}))
    found: dict[str, np.ndarray] = {}
    soon(5, lambda: found.update(weights.read(path)))  # 2048 times 16 MiB
    assert found["t2047"] == 2047


def test_many_of_bfloat16(tmp_path: Path) -> None:
    """The header is read once, not for each tensor."""
    count = 20_000
    header = {f"t{i}": {"dtype": "BF16", "shape": [1], "data_offsets": [2 * i, 2 * i + 2]} for i in range(count)}
    text = json.dumps(header).encode()
    path = write(tmp_path, len(text).to_bytes(8, "little") + text + b"\x80\x3f" * count)
    found: dict[str, np.ndarray] = {}
    soon(10, lambda: found.update(weights.read(path)))
    assert len(found) == count and found["t7"] == 1

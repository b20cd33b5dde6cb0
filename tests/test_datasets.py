"""Datasets: where they are looked for, what is done about damage, and the sample that comes along.

Looking, reading and downloading are tested with a dataset of a few tiny images, and a server on this machine.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import io
import os
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn import datasets
from fastcnn.datasets import DamagedFileError, fashion_mnist, library, mnist, sample
from fastcnn.datasets.download import DownloadError, download
from fastcnn.datasets.idx import IdxFile, OtherDatasetError
from fastcnn.errors import DataNotFoundError

RNG = np.random.default_rng(0)
#: Where the full sets may be: as the user has said before the tests began, or beside the checkout.
FULL = [Path(os.environ.get("FASTCNN_DATA_DIR") or "."), Path(__file__).resolve().parents[2] / "shared" / "data"]


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


ARRAYS = {
    "train-images-idx3-ubyte": RNG.integers(0, 256, (6, 4, 4), dtype=np.uint8),
    "train-labels-idx1-ubyte": RNG.integers(0, 10, 6, dtype=np.uint8),
    "t10k-images-idx3-ubyte": RNG.integers(0, 256, (3, 4, 4), dtype=np.uint8),
    "t10k-labels-idx1-ubyte": RNG.integers(0, 10, 3, dtype=np.uint8),
}
RAW = {name: idx(array) for name, array in ARRAYS.items()}
FILES = tuple(IdxFile(name, a.shape, hashlib.sha256(RAW[name]).hexdigest()) for name, a in ARRAYS.items())
TINY = library.Dataset("Tiny", FILES, "tiny-set", ("http://127.0.0.1:9/",))  # type: ignore[arg-type]
IMAGES = FILES[0]


def put(folder: Path, packed: bool = True, **changed: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in RAW.items():
        path = folder / f"{name}.gz" if packed else folder / name
        path.write_bytes(gzip.compress(content) if packed else content)
    for name, content in changed.items():
        (folder / name).write_bytes(content)
    return folder


def check(arrays: library.Arrays) -> None:
    flat = [array for pair in arrays for array in pair]
    assert all(a.dtype == np.uint8 and a.flags.writeable for a in flat)
    for array, expected in zip(flat, ARRAYS.values()):
        np.testing.assert_array_equal(array, expected)


@pytest.fixture(autouse=True)
def no_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the machine's own datasets, or writes to the user's cache."""
    monkeypatch.delenv("FASTCNN_DATA_DIR", raising=False)
    monkeypatch.setattr(library, "cache_dir", lambda: tmp_path / "cache")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/cut":  # promises more than it gives
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"x" * 10)
            elif self.path == "/endless":  # no length: more and more
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    for _ in range(10_000):
                        self.wfile.write(b"x" * 4096)
            else:
                super().do_GET()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/"
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("inside", ["", "tiny-set", "tiny_set"])
def test_the_users_folder(packed: bool, inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path / "data" / inside, packed)
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(tmp_path / "data"))
    arrays, source = TINY.load()
    check(arrays)
    assert str(source) == f"Tiny from {folder} (FASTCNN_DATA_DIR)"
    assert TINY.find() == source


def test_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = put(tmp_path / "system")
    put(TINY.cache)
    there = replace(TINY, system=((str(system), "a package"),))
    assert there.load()[1].folder == system
    assert str(there.find()) == f"Tiny from {system} (a package)"
    mine = put(tmp_path / "mine")
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(mine))
    assert there.load()[1].folder == mine
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(tmp_path / "nothing"))
    assert there.load()[1].folder == system
    assert TINY.load()[1] == TINY.find() == library.Source("Tiny", TINY.cache, "the cache")


def test_a_folder_that_is_told(tmp_path: Path) -> None:
    folder = put(tmp_path / "here")
    check(TINY.load(str(folder))[0])
    assert TINY.find(folder).folder == folder
    with pytest.raises(DataNotFoundError, match=r"nowhere: Tiny needs train-images-idx3-ubyte, .*\(or .gz\)"):
        TINY.load(tmp_path / "nowhere")
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataNotFoundError, match="needs t10k-images-idx3-ubyte"):
        TINY.load(folder)
    assert str(TINY.find(folder)) == "Tiny: not on this machine"
    put(folder, **{"train-labels-idx1-ubyte.gz": b"nonsense"})
    with pytest.raises(DamagedFileError, match=r"train-labels-idx1-ubyte\.gz: not an IDX file"):
        TINY.load(folder)


def test_an_unpacked_file_that_was_cut_short_yields_to_the_packed_one(tmp_path: Path) -> None:
    folder = put(tmp_path / "both")
    (folder / IMAGES.name).write_bytes(RAW[IMAGES.name][:50])
    check(TINY.load(folder)[0])


def test_another_dataset_in_the_users_folder_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = idx(ARRAYS["t10k-labels-idx1-ubyte"][::-1])
    mine = put(tmp_path / "mine", **{"t10k-labels-idx1-ubyte.gz": gzip.compress(other)})
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(mine))
    put(TINY.cache)
    assert TINY.find().folder == TINY.cache
    arrays, source = TINY.load()  # no warning: they would be errors here
    check(arrays)
    assert source.folder == TINY.cache


RIGHT = RAW[IMAGES.name]
BAD = {
    "empty": (b"", "not an IDX file"),
    "short": (b"\0", "not an IDX file"),
    "text": (b"<html>not found</html>", "begins with 3c 68 74 6d instead of 00 00 08 03"),
    "floats": (b"\0\0\x0d\x03" + RIGHT[4:], "begins with 00 00 0d 03"),
    "cut header": (RIGHT[:10], "holds an array of shape"),
    "cut data": (RIGHT[:-1], f"ends after {len(RIGHT) - 1} bytes, expected {len(RIGHT)}"),
    "longer": (RIGHT + b"\0", f"goes on after the {len(RIGHT)} bytes"),
    "other count": (idx(np.zeros((7, 4, 4), np.uint8)), r"shape \(7, 4, 4\), expected \(6, 4, 4\)"),
    "huge count": (b"\0\0\x08\x03" + b"\xff" * 12 + RIGHT[16:], "4294967295"),
    "one bit": (RIGHT[:-1] + bytes([RIGHT[-1] ^ 1]), "other content"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_damaged_content(case: str, packed: bool, tmp_path: Path) -> None:
    content, message = BAD[case]
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DamagedFileError, match=message) as caught:
        IMAGES.read(path)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, OtherDatasetError) == (
        case in ("other count", "one bit", "huge count", "cut header")
    )


def test_damaged_compression(tmp_path: Path) -> None:
    packed = gzip.compress(RIGHT)
    flipped = bytearray(packed)
    flipped[-6] ^= 1  # in the checksum
    broken = packed[:40] + b"\xff" * 20 + packed[60:]
    for content in (packed[:-4], packed[: len(packed) // 2], bytes(flipped), packed[:12], broken, packed[:2]):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(DamagedFileError, match=r"file: the gzip data are damaged"):
            IMAGES.read(tmp_path / "file")


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = [0]
    original = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        content = original(self, size)
        read[0] += len(content)
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(RIGHT + bytes(50_000_000)))
    with pytest.raises(DamagedFileError, match="goes on after"):
        IMAGES.read(path)
    assert read[0] < 1000


def test_download(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with server(put(tmp_path / "served")) as url:
        there = replace(TINY, mirrors=(f"{url}missing/", url))
        arrays, source = there.load()
    check(arrays)
    assert str(source) == f"Tiny from {TINY.cache} (the cache, just downloaded)"
    assert sorted(os.listdir(TINY.cache)) == sorted(f"{name}.gz" for name in RAW)
    told = capsys.readouterr()
    assert told.out == ""
    assert f"Downloading Tiny t10k-labels-idx1-ubyte from {url}t10k-labels-idx1-ubyte.gz" in told.err
    check(there.load()[0])  # from the cache: the server is gone
    assert TINY.find().folder == TINY.cache


def test_a_damaged_file_in_the_cache_is_named_and_fetched_anew(tmp_path: Path) -> None:
    served = put(tmp_path / "served")
    for name in RAW:  # only what is damaged is on the server, so only that can be fetched
        if name != IMAGES.name:
            (served / f"{name}.gz").unlink()
    for damage in ({f"{IMAGES.name}.gz": b"\x1f\x8bnonsense"}, {IMAGES.name: b"old", f"{IMAGES.name}.gz": RIGHT[:-1]}):
        put(TINY.cache, **damage)
        with server(served) as url, pytest.warns(UserWarning, match=rf"{IMAGES.name}\.gz: .*; looking elsewhere"):
            check(replace(TINY, mirrors=(url,)).load()[0])
        check(TINY.load()[0])
        assert sorted(os.listdir(TINY.cache)) == sorted(f"{name}.gz" for name in RAW)


def test_an_interrupted_download_goes_on(tmp_path: Path) -> None:
    put(TINY.cache)
    (TINY.cache / f"{IMAGES.name}.gz").unlink()
    served = tmp_path / "served"
    served.mkdir()
    (served / f"{IMAGES.name}.gz").write_bytes(gzip.compress(RIGHT))
    with server(served) as url:
        check(replace(TINY, mirrors=(url,)).load()[0])


def test_wrong_content_on_a_server_is_refused(tmp_path: Path) -> None:
    wrong = put(tmp_path / "served", **{f"{IMAGES.name}.gz": gzip.compress(RIGHT[:-1] + b"!")})
    with server(wrong) as url, pytest.raises(DataNotFoundError, match="other content"):
        replace(TINY, mirrors=(url,)).load()
    assert not TINY.cache.exists()


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with (
        server(put(tmp_path / "served")) as url,
        pytest.warns(UserWarning, match="what was downloaded can't be kept"),
    ):
        check(replace(TINY, mirrors=(url,)).load()[0])


def test_servers_that_misbehave(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(2000))
    with server(tmp_path) as url:
        assert download(f"{url}big", "big", 2000) == bytes(2000)
        for path, message in (
            ("missing", "404"),
            ("big", "2000 bytes, expected at most 1999"),
            ("endless", "more than the 1999 bytes"),
            ("cut", "10 .*bytes|ended after 10 of 1000 bytes"),
        ):
            with pytest.raises(DownloadError, match=message) as caught:
                download(f"{url}{path}", path, 1999)
            assert f"{url}{path}: " in str(caught.value)


def test_a_bar_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    (tmp_path / "file").write_bytes(bytes(300_000))
    with server(tmp_path) as url:
        assert len(download(f"{url}file", "the file", 300_000)) == 300_000
    assert "the file:" in terminal.getvalue()
    assert "300k" in terminal.getvalue()


def test_without_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fashion_mnist, mnist):
        offline = replace(
            module.DATASET, mirrors=("http://127.0.0.1:9/",), system=((str(tmp_path / "no"), "a package"),)
        )
        with pytest.raises(DataNotFoundError) as caught:
            offline.load()
        message = str(caught.value)
        for part in ("FASTCNN_DATA_DIR is not set", f"{tmp_path / 'no'} (a package): no such folder",
                     f"{offline.cache} (the cache)", "http://127.0.0.1:9/train-images-idx3-ubyte.gz: ",
                     f"Set FASTCNN_DATA_DIR to a folder that holds {offline.files[0].name}.gz"):  # fmt: skip
            assert message.count(part) == 1
        assert ("load_sample()" in message) == (module is fashion_mnist)
        assert isinstance(caught.value, FileNotFoundError)
        monkeypatch.setitem(datasets._DATASETS, module.__name__.split(".")[-1], offline)
    loaded = datasets.load("fashion_mnist", sample_instead=True)
    assert loaded.source == "the sample of Fashion-MNIST in fastcnn: 2000 training and 500 test images"
    assert "could not be downloaded" in loaded.missing
    assert loaded.arrays[0][0].shape == (2000, 28, 28)
    for name, instead in (("fashion_mnist", False), ("mnist", True)):
        with pytest.raises(DataNotFoundError):
            datasets.load(name, sample_instead=instead)
    assert datasets.find("mnist").folder is None
    for call in (datasets.load, datasets.find):
        with pytest.raises(ValueError, match=r"Unknown dataset 'fashion-mnist'\. Did you mean 'fashion_mnist'"):
            call("fashion-mnist")


def test_sample() -> None:
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_sample()
    for x, y, each in ((x_train, y_train, 200), (x_test, y_test, 50)):
        assert x.shape == (10 * each, 28, 28)
        assert x.dtype == y.dtype == np.uint8
        assert x.flags.writeable
        assert x.flags.c_contiguous
        np.testing.assert_array_equal(np.bincount(y), [each] * 10)
        assert len(np.unique(x.reshape(len(x), -1), axis=0)) == len(x)
        # Real pictures: trousers are dark outside their two columns, boots reach far across the image.
        assert x[y == 1, :, :4].mean() < 10
        assert x[y == 9, 20:, 2:26].mean() > 60
    folder = Path(sample.__file__).parent / "data"
    assert (folder / sample.FILE).stat().st_size < 1_200_000
    assert "Zalando SE" in (folder / "LICENSE-fashion-mnist.txt").read_text(encoding="utf-8")
    assert len(fashion_mnist.CLASS_NAMES) == 10


def test_sample_packing_is_its_unpacking() -> None:
    train, test = (RNG.integers(0, 256, (10, n, 28, 28), dtype=np.uint8) for n in (sample.TRAIN, sample.TEST))
    (x, y), (x_test, y_test) = sample.unpack(sample.pack(train, test))
    for c in (0, 3, 9):
        np.testing.assert_array_equal(x[y == c], train[c])
        np.testing.assert_array_equal(x_test[y_test == c], test[c])


def full_set(dataset: library.Dataset) -> Path:
    """The folder with all of a dataset, or a skip."""
    for folder in (f / inside for f in FULL for inside in ("", dataset.folder)):
        if dataset.find(folder).folder is not None:
            return folder
    pytest.skip(f"{dataset.title} is neither in FASTCNN_DATA_DIR nor in {FULL[1]}")


@pytest.mark.parametrize("module", [fashion_mnist, mnist])
def test_full_sets(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = full_set(module.DATASET)
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(path))
    (x_train, y_train), (x_test, y_test) = module.load_data()
    assert module.find().folder == path
    assert [a.shape for a in (x_train, y_train, x_test, y_test)] == [
        (60000, 28, 28),
        (60000,),
        (10000, 28, 28),
        (10000,),
    ]
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert set(np.unique(y_train)) == set(np.unique(y_test)) == set(range(10))


def test_the_sample_is_the_first_of_each_class() -> None:
    full = fashion_mnist.load_data(full_set(fashion_mnist.DATASET))
    for (x, y), (x_small, y_small) in zip(full, fashion_mnist.load_sample()):
        for c in range(10):
            mine = x_small[y_small == c]
            np.testing.assert_array_equal(mine, x[y == c][: len(mine)])


def test_fashion_mnist_is_not_taken_for_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = full_set(fashion_mnist.DATASET)
    with pytest.raises(OtherDatasetError, match="t10k-labels-idx1-ubyte"):
        mnist.load_data(folder)
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(folder))
    assert mnist.find().folder is None
    assert fashion_mnist.find().folder == folder

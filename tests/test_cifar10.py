"""CIFAR-10 in its three forms, each small here: what is read, from where, and what is refused."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastcnn import datasets
from fastcnn.datasets import DamagedFileError, cifar10
from fastcnn.datasets.download import DownloadError
from fastcnn.errors import DataNotFoundError

EACH = 3
RNG = np.random.default_rng(0)
ROWS = {name: RNG.integers(0, 10, (EACH, cifar10._ROW), dtype=np.uint8) for name in cifar10._FILES}


def packed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, rows in ROWS.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = rows.nbytes
            archive.addfile(member, io.BytesIO(rows.tobytes()))
    return buffer.getvalue()


PACKED = packed()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three pictures a file, two and one of each class in the zip archive, and nothing of the machine's own."""
    for name, value in {
        "_EACH": EACH, "_TRAIN": 2, "_TEST": 1,
        "_FILES": {name: hashlib.sha256(rows.tobytes()).hexdigest() for name, rows in ROWS.items()},
        "_ARCHIVE": (cifar10._ARCHIVE[0], hashlib.sha256(PACKED).hexdigest()), "_ARCHIVE_SIZE": len(PACKED),
        "URL": "http://127.0.0.1:9/cifar-10-binary.tar.gz", "cache_dir": lambda: tmp_path / "cache",
    }.items():  # fmt: skip
        monkeypatch.setattr(cifar10, name, value)
    monkeypatch.delenv("FASTCNN_DATA_DIR", raising=False)


def check(arrays: Any) -> None:
    (x, y), (x_test, y_test) = arrays
    together = np.concatenate([ROWS[f"data_batch_{i}.bin"] for i in range(1, 6)])
    for images, labels, rows in ((x, y, together), (x_test, y_test, ROWS["test_batch.bin"])):
        assert images.dtype == labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, rows[:, :1])
        # A row holds the red pixels of all places, then the green ones, then the blue ones.
        np.testing.assert_array_equal(images[..., 2], rows[:, 1 + 2 * 1024 :].reshape(-1, 32, 32))
        np.testing.assert_array_equal(images[:, 0, 1], rows[:, [2, 1026, 2050]])


def unpacked(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, rows in ROWS.items():
        (folder / name).write_bytes(rows.tobytes())
    return folder


@pytest.mark.parametrize("inside", ["", "cifar-10", "cifar10"])
def test_the_binary_version(inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(tmp_path))
    place = tmp_path / inside
    place.mkdir(exist_ok=True)
    (place / "cifar-10-binary.tar.gz").write_bytes(PACKED)
    check(cifar10.load_data())
    assert cifar10.find().folder == place / "cifar-10-binary.tar.gz"
    folder = unpacked(place / "cifar-10-batches-bin")
    assert str(cifar10.find()) == f"CIFAR-10 from {folder} (FASTCNN_DATA_DIR)"
    loaded = datasets.load("cifar10")
    check(loaded.arrays)
    assert loaded.source == str(datasets.find("cifar10"))
    assert loaded.class_names[3] == "cat"
    for told in (folder, place, place / "cifar-10-binary.tar.gz"):
        check(cifar10.load_data(told))


def pictures(path: Path, leave_out: str = "", spoil: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for part, count in (("train", 2), ("test", 1)):
            for label, name in enumerate(cifar10.CLASS_NAMES):
                for i in range(count):
                    buffer = io.BytesIO()
                    Image.new("RGB", (32, 32), (20 * label, 100 * i, 50)).save(buffer, "JPEG", quality=95)
                    member = f"{part}/{name}/{i:04}.jpg"
                    if member != leave_out:
                        archive.writestr(member, b"spoilt" if member == spoil else buffer.getvalue())
    return path


def test_jpeg_files(tmp_path: Path) -> None:
    path = pictures(tmp_path / "cifar10-jpeg.zip")
    (x, y), (x_test, y_test) = cifar10.load_data(tmp_path)
    assert (x.shape, x_test.shape) == ((20, 32, 32, 3), (10, 32, 32, 3))
    assert y.ravel().tolist() == [*range(10), *range(10)]
    assert y_test.shape == (10, 1)
    colours = np.stack([20 * y.ravel(), 100 * np.repeat([0, 1], 10), np.full(20, 50)], axis=1)
    assert np.abs(x.astype(int) - colours[:, None, None]).max() <= 4
    assert cifar10.find(path).folder == path
    for broken in ({"leave_out": "test/dog/0000.jpg"}, {"spoil": "train/cat/0001.jpg"}):
        pictures(path, **broken)
        with pytest.raises(DamagedFileError, match=next(iter(broken.values()))):
            cifar10.load_data(path)


def test_other_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(tmp_path / "cifar-10-batches-bin")
    (folder / "data_batch_3.bin").write_bytes(ROWS["data_batch_3.bin"].tobytes()[:-1] + b"!")
    with pytest.raises(DamagedFileError, match=r"data_batch_3\.bin has other content"):
        cifar10.load_data(tmp_path)
    (tmp_path / "mine.gz").write_bytes(PACKED[:-1])
    with pytest.raises(DamagedFileError, match=r"mine\.gz: has other content"):
        cifar10.load_data(tmp_path / "mine.gz")
    (tmp_path / "mine.zip").write_bytes(b"PK nonsense")
    with pytest.raises(DamagedFileError, match=r"mine\.zip can't be read as a zip archive"):
        cifar10.load_data(tmp_path / "mine.zip")
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(cifar10, "download", lambda url, title, limit: PACKED)
    with pytest.warns(UserWarning, match="looking elsewhere"):
        check(cifar10.load_data())
    assert cifar10.find(cifar10._cache()).folder == cifar10._cache() / "cifar-10-binary.tar.gz"


def test_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataNotFoundError, match=r"no cifar-10-binary\.tar\.gz, cifar-10-batches-bin or cifar10-jpeg"):
        cifar10.load_data(tmp_path)

    def offline(url: str, title: str, limit: int) -> bytes:
        raise DownloadError(f"{url}: no network")

    monkeypatch.setattr(cifar10, "download", offline)
    with pytest.raises(DataNotFoundError, match=r"(?s)FASTCNN_DATA_DIR is not set.*no network.*Set FASTCNN_DATA_DIR"):
        cifar10.load_data()
    monkeypatch.setattr(cifar10, "download", lambda url, title, limit: PACKED[:-1])
    with pytest.raises(DataNotFoundError, match="other content"):
        cifar10.load_data()
    assert not cifar10._cache().exists()
    assert cifar10.find().folder is None

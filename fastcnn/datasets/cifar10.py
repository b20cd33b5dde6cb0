"""CIFAR-10: 60,000 colour pictures of ten classes, 32x32.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009).

The data come in three forms: the authors' binary version, packed (``cifar-10-binary.tar.gz``) or unpacked
(``cifar-10-batches-bin``), and the same pictures as JPEG files in a zip archive (``cifar10-jpeg.zip``), with a folder
for each class. The authors' Python version is made of pickles, which can hold any program, and is not read.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.files import Archive
from ..errors import DataNotFoundError
from ..utils.files import atomic_write, cache_dir
from .download import DownloadError, download
from .idx import DamagedFileError
from .library import ENVIRONMENT, Arrays, Source

#: The names of classes 0 to 9.
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

TITLE = "CIFAR-10"
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
#: SHA-256 of the archive and of the files in it.
_ARCHIVE = ("cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")
_ARCHIVE_SIZE = 170_052_171
_FILES = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
_FOLDER, _JPEG = "cifar-10-batches-bin", "cifar10-jpeg.zip"
#: Pictures of a file, and of a class in the zip archive's two parts.
_EACH, _TRAIN, _TEST = 10_000, 5_000, 1_000
_SHAPE = (32, 32, 3)
_ROW = 1 + 32 * 32 * 3


def load_data(path: str | os.PathLike[str] | None = None) -> Arrays:
    """CIFAR-10: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    path : path-like, optional
        ``cifar-10-binary.tar.gz``, ``cifar-10-batches-bin`` or ``cifar10-jpeg.zip``, or a folder with one of them.
        Without it they are looked for in ``$FASTCNN_DATA_DIR`` and its folders ``cifar-10`` and ``cifar10``, and in
        the user's cache; then the first is downloaded into the cache (170 MB).

    Returns
    -------
    x_train, y_train, x_test, y_test
        uint8 arrays of shapes (50000, 32, 32, 3), (50000, 1), (10000, 32, 32, 3), (10000, 1). Of the zip archive the
        classes take turns, and pixels differ from the others' by what JPEG loses.

    Raises
    ------
    DataNotFoundError
        Nowhere, and no network: the message says what was tried.
    DamagedFileError
        A file at `path` holds something else.
    """
    return load(path)[0]


def find(path: str | os.PathLike[str] | None = None) -> Source:
    """Where `load_data` would take the data from, by the files' names; ``str()`` of it is a sentence, its `folder` None
    if it is nowhere.
    """
    for place, how in _places(path):
        for found, _ in _forms(place):
            return Source(TITLE, found, how)
    return Source(TITLE, None, "not on this machine")


def load(path: str | os.PathLike[str] | None = None) -> tuple[Arrays, Source]:
    """The arrays, and where they came from; see `load_data`."""
    notes: list[str] = [] if path is not None or os.environ.get(ENVIRONMENT) else [f"{ENVIRONMENT} is not set"]
    for place, how in _places(path):
        for found, read in _forms(place):
            try:
                return read(found), Source(TITLE, found, how)
            except (OSError, DamagedFileError) as error:
                if path is not None:
                    raise
                notes.append(f"{error} ({how})")
                warnings.warn(f"{TITLE}: {error}; looking elsewhere", stacklevel=3)
        notes.append(f"{place} ({how}): no {_ARCHIVE[0]}, {_FOLDER} or {_JPEG}")
    if path is None:
        try:
            return _downloaded(), Source(TITLE, _cache(), "the cache, just downloaded")
        except (DownloadError, DamagedFileError) as error:
            notes.append(str(error))
    tried = "\n  ".join(notes)
    raise DataNotFoundError(
        f"{TITLE} is not on this machine and could not be downloaded. Tried:\n  {tried}\n"
        f"Set {ENVIRONMENT} to a folder that holds {_ARCHIVE[0]}, {_FOLDER} or {_JPEG}."
    )


def _cache() -> Path:
    return cache_dir() / "cifar-10"


def _places(path: str | os.PathLike[str] | None) -> Iterator[tuple[Path, str]]:
    if path is not None:
        yield Path(path), "as told"
        return
    if chosen := os.environ.get(ENVIRONMENT):
        for folder in (Path(chosen), Path(chosen) / "cifar-10", Path(chosen) / "cifar10"):
            yield folder, ENVIRONMENT
    yield _cache(), "the cache"


def _forms(place: Path) -> Iterator[tuple[Path, Callable[[Path], Arrays]]]:
    """The forms in which the data are at a place, each with the function that reads it."""
    forms: tuple[tuple[str, Callable[[Path], Arrays]], ...]
    forms = ((_FOLDER, _read_folder), (_ARCHIVE[0], _read_archive), (_JPEG, _read_pictures))
    for name, read in forms:
        here = place.suffix == Path(name).suffix != ""
        for path in (place / name, *([place] if here else [])):
            if path.is_dir() if read is _read_folder else path.is_file():
                yield path, read
    if all((place / name).is_file() for name in _FILES):
        yield place, _read_folder


# ---------------------------------------------------------------- the binary version


def _read_folder(folder: Path) -> Arrays:
    def content(name: str) -> bytes:
        with open(folder / name, "rb") as file:
            return file.read(_EACH * _ROW + 1)

    return _from_files(content, str(folder))


def _read_archive(path: Path) -> Arrays:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() != _ARCHIVE[1]:
        raise DamagedFileError(f"{path}: has other content (SHA-256 {digest.hexdigest()})")
    with tarfile.open(path, "r:gz") as archive:

        def content(name: str) -> bytes:
            member = archive.extractfile(f"{_FOLDER}/{name}")
            assert member is not None  # the digest is right
            return member.read(_EACH * _ROW + 1)

        return _from_files(content, str(path))


def _from_files(content: Callable[[str], bytes], origin: str) -> Arrays:
    """Files of 10,000 rows each: a class, then the red, green and blue pixels."""
    images, labels = np.empty((len(_FILES) * _EACH, *_SHAPE), np.uint8), np.empty((len(_FILES) * _EACH, 1), np.uint8)
    for number, (name, digest) in enumerate(_FILES.items()):
        raw = content(name)
        found = hashlib.sha256(raw).hexdigest()
        if found != digest:
            raise DamagedFileError(f"{origin}: {name} has other content (SHA-256 {found})")
        rows, part = np.frombuffer(raw, np.uint8).reshape(_EACH, _ROW), slice(number * _EACH, (number + 1) * _EACH)
        labels[part] = rows[:, :1]
        images[part] = rows[:, 1:].reshape(_EACH, 3, 32, 32).transpose(0, 2, 3, 1)
    cut = len(images) - _EACH
    return (images[:cut], labels[:cut]), (images[cut:], labels[cut:])


def _downloaded() -> Arrays:
    """The binary version, kept in the cache: for others in its packed form."""
    content = download(URL, f"{TITLE} {_ARCHIVE[0]}", limit=_ARCHIVE_SIZE)
    found = hashlib.sha256(content).hexdigest()
    if found != _ARCHIVE[1]:
        raise DamagedFileError(f"{URL}: has other content (SHA-256 {found})")
    path = _cache() / _ARCHIVE[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as out:
        out.write(content)
    return _read_archive(path)


# ---------------------------------------------------------------- JPEG files


def _read_pictures(path: Path) -> Arrays:
    try:
        archive = Archive(path)
    except ValueError as error:
        raise DamagedFileError(str(error)) from None
    return _read_part(archive, "train", _TRAIN), _read_part(archive, "test", _TEST)


def _read_part(archive: Archive, part: str, each: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The classes take turns: whoever cuts off the end, for validation, gets as many of each."""
    from ..data.decoding import Decoder, PictureError  # late: Pillow takes longer to import than all other datasets

    classes = len(CLASS_NAMES)
    images = np.empty((each * classes, *_SHAPE), np.uint8)
    decoder = Decoder(*_SHAPE)
    try:
        # By one thread: several would mostly wait for each other, as these files are so small.
        for i, image in enumerate(images):
            decoder.read(archive, f"{part}/{CLASS_NAMES[i % classes]}/{i // classes:04}.jpg", image)
    except PictureError as error:
        raise DamagedFileError(str(error)) from None
    return images, np.tile(np.arange(classes, dtype=np.uint8), each)[:, None]

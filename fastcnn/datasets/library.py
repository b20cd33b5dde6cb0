"""Where a dataset is looked for, how it is had from there, and what is said when it can't be had."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataNotFoundError
from ..utils.files import atomic_write, cache_dir
from .download import DownloadError, download
from .idx import DamagedFileError, IdxFile, OtherDatasetError

Images = NDArray[np.uint8]
#: (x_train, y_train), (x_test, y_test)
Arrays = tuple[tuple[Images, Images], tuple[Images, Images]]
ENVIRONMENT = "FASTCNN_DATA_DIR"


class Source(NamedTuple):
    """Where a dataset is; as a string, a sentence about it.

    Attributes
    ----------
    title : str
        The dataset's name.
    folder : Path or None
        None where it is not on this machine.
    how : str
        Why it was looked for there.
    """

    title: str
    folder: Path | None
    how: str

    def __str__(self) -> str:
        return f"{self.title} from {self.folder} ({self.how})" if self.folder else f"{self.title}: {self.how}"


@dataclass(frozen=True)
class Dataset:
    """A dataset of four IDX files: training images and labels, test images and labels.

    Parameters
    ----------
    title : str
        As people write it.
    files : four IdxFiles
    folder : str
        Its folder's name in the cache and in FASTCNN_DATA_DIR.
    mirrors : tuple of str
        Addresses of folders with the files, compressed with gzip.
    system : tuple of (folder, package)
        Where systems' packages put the files.
    advice : str
        What to do where it can't be had.
    """

    title: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    folder: str
    mirrors: tuple[str, ...]
    system: tuple[tuple[str, str], ...] = ()
    advice: str = ""

    @property
    def cache(self) -> Path:
        return cache_dir() / self.folder

    def places(self) -> Iterator[tuple[Path, str]]:
        """Folders in the order in which they are looked at, each with the reason."""
        if chosen := os.environ.get(ENVIRONMENT):
            for folder in (Path(chosen), Path(chosen) / self.folder, Path(chosen) / self.folder.replace("-", "_")):
                yield folder, ENVIRONMENT
        for name, package in self.system:
            yield Path(name), package
        yield self.cache, "the cache"

    def find(self, path: str | os.PathLike[str] | None = None) -> Source:
        """Where `load` takes it from; looks at the names of the files and at the smallest of them only."""
        for folder, how in [(Path(path), "as told")] if path is not None else self.places():
            try:
                if all(_present(folder, file) for file in self.files):
                    self._read(folder, self.files[3])
                    return Source(self.title, folder, how)
            except (OSError, DamagedFileError):
                continue
        return Source(self.title, None, "not on this machine")

    def load(self, path: str | os.PathLike[str] | None = None) -> tuple[Arrays, Source]:
        """The arrays, and where they came from.

        Parameters
        ----------
        path : path-like, optional
            The folder with the four files, which may be compressed. Without it: `places`, then a download into the
            cache.

        Raises
        ------
        DataNotFoundError
            It is not there, or nowhere.
        DamagedFileError
            A file in `path` holds something else.
        """
        if path is not None:
            folder = Path(path)
            if missing := [file.name for file in self.files if not _present(folder, file)]:
                raise DataNotFoundError(f"{folder}: {self.title} needs {', '.join(missing)} (or .gz)")
            return self._read_all(folder), Source(self.title, folder, "as told")
        notes: list[str] = [] if os.environ.get(ENVIRONMENT) else [f"{ENVIRONMENT} is not set"]
        for folder, how in self.places():
            if missing := [file.name for file in self.files if not _present(folder, file)]:
                what = f"no {missing[0]}(.gz)" if folder.is_dir() else "no such folder"
                notes.append(f"{folder} ({how}): {what}")
                continue
            try:
                return self._read_all(folder), Source(self.title, folder, how)
            except (OSError, DamagedFileError) as error:
                notes.append(f"{error} ({how})")
                # The datasets' files have the same names: in the user's folder another's are no fault.
                if not (isinstance(error, OtherDatasetError) and how == ENVIRONMENT):
                    warnings.warn(f"{self.title}: {error}; looking elsewhere", stacklevel=4)
        return self._download(notes), Source(self.title, self.cache, "the cache, just downloaded")

    def _read_all(self, folder: Path) -> Arrays:
        # The smallest first: if that is another dataset's, the others needn't be read.
        order = sorted(self.files, key=lambda file: file.size)
        arrays = {file.name: self._read(folder, file) for file in order}
        x_train, y_train, x_test, y_test = (arrays[file.name] for file in self.files)
        return (x_train, y_train), (x_test, y_test)

    @staticmethod
    def _read(folder: Path, file: IdxFile) -> Images:
        """The file, from its unpacked form if that is there and whole, or else from the packed one."""
        paths = _present(folder, file)
        for path in paths[:-1]:
            try:
                return file.read(path)
            except (OSError, DamagedFileError):
                continue
        return file.read(paths[-1])

    def _download(self, notes: list[str]) -> Arrays:
        arrays = []
        for file in self.files:
            array = self._kept(file)
            arrays.append(self._fetch(file, notes) if array is None else array)
        x_train, y_train, x_test, y_test = arrays
        return (x_train, y_train), (x_test, y_test)

    def _kept(self, file: IdxFile) -> Images | None:
        """The file from the cache, if it is there and whole: an earlier download may have been interrupted."""
        try:
            return self._read(self.cache, file) if _present(self.cache, file) else None
        except (OSError, DamagedFileError):
            return None

    def _fetch(self, file: IdxFile, notes: list[str]) -> Images:
        """One file from the first mirror that has it, kept in the cache."""
        for mirror in self.mirrors:
            url = f"{mirror}{file.name}.gz"
            try:
                content = download(url, f"{self.title} {file.name}", limit=file.size + 65536)
                array = file.unpack(content, url)
            except (DownloadError, DamagedFileError) as error:
                notes.append(str(error))
                continue
            path = self.cache / f"{file.name}.gz"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(path) as out:
                    out.write(content)
                # A damaged unpacked file beside it would be tried first, again and again.
                path.with_suffix("").unlink(missing_ok=True)
            except OSError as error:
                warnings.warn(f"{self.title}: what was downloaded can't be kept: {error}", stacklevel=6)
            return array
        tried = "\n  ".join(notes)
        raise DataNotFoundError(
            f"{self.title} is not on this machine and could not be downloaded. Tried:\n  {tried}\n"
            f"Set {ENVIRONMENT} to a folder that holds {self.files[0].name}.gz and its three companions{self.advice}."
        )


def _present(folder: Path, file: IdxFile) -> list[Path]:
    """The forms in which the file is in the folder: unpacked, packed."""
    return [path for path in (folder / file.name, folder / f"{file.name}.gz") if path.is_file()]

"""Files in a folder or in a zip archive, read alike."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from ..errors import shown

#: What counts as a picture where files are looked for; what is listed by name may be called anything.
EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
#: A member of an archive that claims to be larger is refused: a small archive can hold any number of zeros.
_LARGEST_MEMBER = 1 << 28
#: What unpacking a damaged or locked member raises.
_DAMAGES: tuple[type[Exception], ...] = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error)
try:  # a Python may be built without it
    from lzma import LZMAError

    _DAMAGES += (LZMAError,)
except ImportError:
    pass


class Tree(Protocol):
    """Files by their names relative to a root, with slashes."""

    def names(self) -> list[str]:
        """All files, sorted, but for hidden ones (a name that begins with a dot) and those in hidden folders."""

    def read(self, name: str) -> bytes:
        """A file's content.

        Raises
        ------
        OSError, ValueError
            There is no such file, or it can't be read.
        """

    def path(self, name: str) -> str:
        """The file's name for people."""


class Folder:
    """Files below a folder."""

    def __init__(self, root: str | os.PathLike[str], follow_links: bool = False) -> None:
        self.root, self.follow_links = os.fspath(root), follow_links

    def names(self) -> list[str]:
        found = []
        for place, folders, files in os.walk(self.root, followlinks=self.follow_links):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inside = os.path.relpath(place, self.root).replace(os.sep, "/")
            prefix = "" if inside == "." else f"{inside}/"
            found += [prefix + name for name in files if not name.startswith(".")]
        return sorted(found)

    def read(self, name: str) -> bytes:
        with open(self.path(name), "rb") as file:
            return file.read()

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)


class Archive:
    """Files of a zip archive, below one of its folders. Nothing is unpacked to the disk.

    Parameters
    ----------
    file : path-like
    inside : str
        The folder, with slashes; "" for all of the archive.
    """

    def __init__(self, file: str | os.PathLike[str], inside: str = "") -> None:
        self.file, self.inside = os.fspath(file), inside.strip("/")
        # Given as an open file: zipfile counts the readers of one that it opened itself, and not safely in threads.
        self._handle = open(self.file, "rb")  # noqa: SIM115
        try:
            self._zip = zipfile.ZipFile(self._handle)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            self._handle.close()
            raise ValueError(f"{self.file} can't be read as a zip archive: {error}") from None

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self._handle.close()

    def names(self) -> list[str]:
        prefix = f"{self.inside}/" if self.inside else ""
        found = [name[len(prefix) :] for name in self._zip.namelist() if name.startswith(prefix)]
        return sorted(name for name in found if not name.endswith("/") and not _hidden(name))

    def read(self, name: str) -> bytes:
        try:
            member = self._zip.getinfo(f"{self.inside}/{name}" if self.inside else name)
        except KeyError:
            raise FileNotFoundError("no such file in the archive") from None
        if member.file_size > _LARGEST_MEMBER:
            raise ValueError(f"unpacked it has {member.file_size} bytes, more than {_LARGEST_MEMBER} are refused")
        try:
            return self._zip.read(member)
        except _DAMAGES as error:
            raise ValueError(f"can't be unpacked: {error}") from None

    def path(self, name: str) -> str:
        return "/".join([self.file, *([self.inside] if self.inside else []), name])


def _hidden(name: str) -> bool:
    """Also what macOS puts into archives beside the files themselves."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def open_tree(place: str | os.PathLike[str], argument: str = "directory", follow_links: bool = False) -> Tree:
    """A folder, a zip archive (``pictures.zip``), or a folder in one (``pictures.zip/train``).

    Raises
    ------
    FileNotFoundError, ValueError
        `place` is none of them.
    """
    if not isinstance(place, (str, os.PathLike)):
        raise TypeError(f"{argument} must be a path, received {shown(place)}")
    path = Path(os.fspath(place))
    if path.is_dir():
        return Folder(path, follow_links)
    for file in (path, *path.parents):
        if file.is_file():
            inside = PurePosixPath(*path.parts[len(file.parts) :]).as_posix()
            archive = Archive(file, "" if inside == "." else inside)
            if not archive.names():
                raise FileNotFoundError(f"{argument}: there are no files in {os.fspath(place)}")
            return archive
    raise FileNotFoundError(f"{argument} must be a folder or a zip archive, there is no {os.fspath(place)}")


def pictures(names: Iterable[str]) -> list[str]:
    """Those that are called as pictures are."""
    return [name for name in names if name.lower().endswith(EXTENSIONS)]

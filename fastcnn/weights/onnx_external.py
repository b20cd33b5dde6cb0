"""Tensors of an ONNX model that lie in files beside it: in its own folder, and nowhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx

from ..errors import shown


def external_bytes(tensor: onnx.TensorProto, folder: Path | None, nbytes: int, what: str) -> bytes:
    """The data of a tensor that lies in another file.

    Raises
    ------
    ValueError
        The model has no folder, the path leads out of it (``..``, absolute, through a link, or to a file that has
        another name elsewhere), or the file is shorter than the tensor.
    """
    entries = {e.key: e.value for e in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise ValueError(f"{what}: its data lies in {shown(location)}, and a model that isn't a file has no folder")
    path = _inside(folder, location, what)
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(nbytes)))
    except ValueError:
        raise ValueError(f"{what}: offset and length of its data must be numbers, received {shown(entries)}") from None
    if offset < 0 or length != nbytes:
        raise ValueError(f"{what}: it needs {nbytes} bytes, received offset {offset} and length {length}")
    # Not through a link that takes the file's place after it was looked at, and without waiting at a pipe.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise ValueError(f"{what}: its data file {shown(location)} can't be read: {error.strerror}") from None
    # A folder can be opened so far, but not as a file.
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise ValueError(f"{what}: its data {location!r} must be a file")
    with open(handle, "rb") as file:
        if about.st_nlink > 1:
            raise ValueError(f"{what}: its data file {location!r} has another name elsewhere (a hard link)")
        if about.st_size < offset + nbytes:
            raise ValueError(f"{what}: its data file {location!r} ends before byte {offset + nbytes}")
        file.seek(offset)
        return file.read(nbytes)


def _inside(folder: Path, location: str, what: str) -> Path:
    """The file's path, if it lies in the folder by its name alone."""
    parts = PurePosixPath(location).parts
    outside = PurePosixPath(location).is_absolute() or PureWindowsPath(location).is_absolute()
    if not parts or outside or ".." in PureWindowsPath(location).parts or "\0" in location or ":" in location:
        raise ValueError(f"{what}: its data must lie in the model's folder, received the path {shown(location)}")
    path = folder
    for part in parts:
        path = path / part
        try:
            linked = path.is_symlink()
        except OSError as error:
            raise ValueError(f"{what}: its data {shown(location)} can't be looked for: {error.strerror}") from None
        if linked:
            raise ValueError(f"{what}: its data {location!r} lies behind a link, {path.name!r}")
    return path

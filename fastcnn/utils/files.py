"""Files that are either whole or not there, and where caches live."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

#: Errors of a write itself, which Python raises without a file name.
_WRITE_ERRORS = {errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "wb", encoding: str | None = None) -> Iterator[IO[Any]]:
    """Write a file so that nobody, not even after a power cut, finds half of it at `path`.

    What is written goes to a temporary name in the same folder. When the block ends well, the data are forced to the
    disk and the name is moved over `path`; when it raises, the temporary file is removed and `path` stays as it was.

    Parameters
    ----------
    path : path-like
        The file to make or replace. A symbolic link stays, and the file it points to is replaced. A device or a pipe
        (``/dev/stdout``) can't be replaced and is written to directly.
    mode : {"wb", "w"}
        Bytes or text.
    encoding : str, optional
        Of text; UTF-8 by default.

    Yields
    ------
    file
        Open for writing (and seeking, unless it is a pipe).

    Raises
    ------
    OSError
        With `path` in its message: no such folder, no permission, no space, `path` is a folder.

    Notes
    -----
    A new file gets the permissions that the umask leaves; one that replaces another gets the other's.
    """
    if mode not in ("wb", "w"):
        raise ValueError(f'mode must be "wb" or "w", received {mode!r}')
    name = os.fspath(path)
    if mode == "w" and encoding is None:
        encoding = "utf-8"
    target = os.path.realpath(name)
    old = _status(target, name)
    if old is not None and not stat.S_ISREG(old.st_mode):
        with open(name, mode, encoding=encoding) as file:
            yield file
        return
    folder, start = _temporary_start(target)
    temporary = os.path.join(folder, f"{start}{secrets.token_hex(6)}.tmp")
    try:
        handle = os.open(temporary, _NEW_FILE, 0o666)
    except OSError as error:
        raise _naming(error, name) from None
    try:
        try:
            # The handle is kept apart from the file, so that a writer that closes its file doesn't skip the fsync.
            with open(handle, mode, encoding=encoding, closefd=False) as file:
                yield file
            os.fsync(handle)
        finally:
            os.close(handle)
        if old is not None:
            os.chmod(temporary, stat.S_IMODE(old.st_mode))
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and (error.filename == temporary or error.errno in _WRITE_ERRORS):
            raise _naming(error, name) from None
        raise
    _sync_folder(folder)


def _temporary_start(target: str) -> tuple[str, str]:
    """The folder, and how names of temporary files for `target` begin."""
    folder, base = os.path.split(target)
    # A file name has 255 bytes; long ones lose their end rather than make the temporary name too long.
    return folder, f".{os.fsdecode(os.fsencode(base)[:200])}."


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed within `atomic_write` left beside `path`. Nobody may be writing it."""
    folder, start = _temporary_start(os.path.realpath(os.fspath(path)))
    leftover = re.compile(re.escape(start) + r"[0-9a-f]{12}\.tmp")
    with suppress(OSError):
        for name in os.listdir(folder):
            if leftover.fullmatch(name):
                os.unlink(os.path.join(folder, name))


def cache_dir() -> Path:
    r"""The folder where fastcnn may keep what can be had again, as the platform has it; it may not exist yet.

    ``$XDG_CACHE_HOME/fastcnn`` or ``~/.cache/fastcnn``; ``~/Library/Caches/fastcnn`` on macOS;
    ``%LOCALAPPDATA%\fastcnn\Cache`` on Windows.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")) / "fastcnn" / "Cache"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg):  # the XDG specification says to ignore a relative one
        return Path(xdg) / "fastcnn"
    home = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    return Path(os.path.expanduser(home)) / "fastcnn"


def _status(target: str, name: str) -> os.stat_result | None:
    """What is at `target` now; None for nothing."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _naming(error, name) from None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    return status


def _naming(error: OSError, name: str) -> OSError:
    """The same error, about the file that the caller asked for."""
    return type(error)(error.errno, error.strerror, name)


def _sync_folder(folder: str) -> None:
    """Force the new name to the disk, where the system lets a folder be opened (not on Windows)."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

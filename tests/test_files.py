"""Atomic writing: what is at the path is the old file or the new one, whole."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fastcnn.utils.files import atomic_write, cache_dir

posix = pytest.mark.skipif(os.name != "posix", reason="permission bits, links and signals as POSIX has them")


def test_new_bytes_and_text(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.bin") as file:
        file.write(b"\x00\xff")
        assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\xff"
    with atomic_write(str(tmp_path / "ü.txt"), "w") as file:
        file.write("Größe\n")
    assert (tmp_path / "ü.txt").read_bytes().decode() == f"Größe{os.linesep}"
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "ü.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_text("old")

    def half_a_write(error: BaseException) -> None:
        with atomic_write(path, "w") as file:
            file.write("new")
            file.flush()
            raise error

    for error in (RuntimeError("broken"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            half_a_write(error)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_an_error_of_another_file_keeps_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic_write(tmp_path / "a"):
        (tmp_path / "another").read_bytes()
    assert caught.value.filename == str(tmp_path / "another")


def test_a_writer_may_close_the_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a") as file:
        file.write(b"all")
        file.close()
    assert (tmp_path / "a").read_bytes() == b"all"


@posix
def test_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a"
    before = os.umask(0o027)
    try:
        with atomic_write(path) as file:
            file.write(b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        with atomic_write(path) as file:
            file.write(b"2")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert path.read_bytes() == b"2"


@posix
def test_a_link_stays_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "file", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_write(link, "w") as file:
        file.write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    with atomic_write(os.devnull) as file:
        file.write(b"gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_errors_name_the_path(tmp_path: Path) -> None:
    for path, kind in ((tmp_path / "no" / "such", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(kind) as caught, atomic_write(path):
            pass
        assert caught.value.filename == str(path)
        assert str(path) in str(caught.value)
    with pytest.raises(OSError) as full, atomic_write(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert full.value.filename == str(tmp_path / "a")
    with pytest.raises(ValueError, match="mode must be"), atomic_write(tmp_path / "a", "ab"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    with atomic_write(path) as file:
        file.write(b"1")
    assert path.read_bytes() == b"1"


@posix
def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"old" * 1000)
    program = """
import os, signal, sys
from fastcnn.utils.files import atomic_write
with atomic_write(sys.argv[1]) as file:
    file.write(b"new" * 100000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False, env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old" * 1000


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_dir() == tmp_path / "caches" / "fastcnn"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == tmp_path / ".cache" / "fastcnn"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_dir() == tmp_path / "Library" / "Caches" / "fastcnn"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    assert cache_dir() == tmp_path / "Local" / "fastcnn" / "Cache"

"""PyTorch's files: the zip archives of today and the row of pickles of before 1.6, read without PyTorch.

A zip archive has a folder with `data.pkl`, the state dictionary without its numbers, and `data/<key>`, the numbers of
each storage. The older format is five pickles one after the other (a magic number, a version, the writer's machine, the
state dictionary, the storages' keys) and behind them the storages, each with its count of numbers before it.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError, shown
from . import pickles
from .pickles import Storage, Tensor
from .stored import StoredTensor, TensorFile, brief, widen

#: The first pickle of the older format.
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
#: Where training programs put the state dictionary in what they save.
_PLACES = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")
#: What zipfile raises for damaged archives.
_BAD_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    OverflowError,
)

#: The bytes of a storage, which holds as many as its description says.
_Bytes = Callable[[Storage], bytes]


@contextmanager
def opened(path: str) -> Iterator[TensorFile]:
    """The tensors of a file that `torch.save` wrote."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        zipped = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        yield TensorFile(path, _zip_tensors(file, size) if zipped else _legacy_tensors(file, size))


def itemsize(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


# ---------------------------------------------------------------- zip archives


def _zip_tensors(file: IO[bytes], size: int) -> dict[str, StoredTensor]:
    try:
        archive = zipfile.ZipFile(file)
        infos = {info.filename: info for info in archive.infolist()}
    except _BAD_ZIP as error:
        raise ModelFileError(f"its zip archive is truncated or damaged ({brief(error)})") from None
    roots = [name[: -len("data.pkl")] for name in infos if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(roots) != 1:
        raise ModelFileError("it is a zip archive, but not one that torch.save wrote: it has no data.pkl")

    def member(name: str) -> bytes:
        info = infos.get(roots[0] + name)
        if info is None:
            raise ModelFileError(f"its zip archive has no {shown(name)}")
        # PyTorch never compresses; then no member can be larger than the file.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.file_size > size:
            raise ModelFileError(f"its zip archive has {shown(name)} compressed or beyond the file's end")
        try:
            return archive.read(info)
        except _BAD_ZIP as error:
            raise ModelFileError(f"its zip archive is damaged at {shown(name)} ({brief(error)})") from None

    def numbers(storage: Storage) -> bytes:
        return member(f"data/{storage.key}")

    def check(storage: Storage) -> None:
        info = infos.get(f"{roots[0]}data/{storage.key}")
        expected = storage.size * itemsize(storage.dtype)
        if info is None or info.file_size != expected:
            held = "isn't there" if info is None else f"has {info.file_size} bytes"
            raise ModelFileError(f"its storage {shown(storage.key)} {held}, {expected} are needed")

    order = "<"
    if roots[0] + "byteorder" in infos:
        order = {b"little": "<", b"big": ">"}.get(member("byteorder"), "")
        if not order:
            raise ModelFileError("its byteorder is neither little nor big")
    program = member("data.pkl")
    state = pickles.load(io.BytesIO(program), len(program))
    return _described(state, numbers, check, order)


# ---------------------------------------------------------------- rows of pickles


def _legacy_tensors(file: IO[bytes], size: int) -> dict[str, StoredTensor]:
    if file.read(1) != b"\x80":
        raise ModelFileError("it is no file of tensors: neither safetensors nor ONNX nor PyTorch's")
    file.seek(0)
    if pickles.load(file, size) != _MAGIC:
        raise ModelFileError("it is a pickle, but not one that torch.save wrote")
    if pickles.load(file, size) != _VERSION:
        raise ModelFileError("it has an unknown version of PyTorch's older format")
    machine = pickles.load(file, size)
    if not isinstance(machine, dict) or not isinstance(machine.get("little_endian"), bool):
        raise ModelFileError("it doesn't say in what order its bytes are")
    order = "<" if machine["little_endian"] else ">"
    state = pickles.load(file, size)
    keys = pickles.load(file, size)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ModelFileError("the list of its storages is damaged")
    found = {tensor.storage.key: tensor.storage for tensor in _state_of(state).values()}
    places = _places(file, size, keys, found, order)

    def numbers(storage: Storage) -> bytes:
        file.seek(places[storage.key])
        data = file.read(storage.size * itemsize(storage.dtype))
        if len(data) < storage.size * itemsize(storage.dtype):
            raise ModelFileError("it became shorter while it was read")
        return data

    def check(storage: Storage) -> None:
        if storage.key not in places or found[storage.key] != storage:
            raise ModelFileError(f"its storage {shown(storage.key)} is missing, or described in two ways")

    return _described(state, numbers, check, order)


def _places(file: IO[bytes], size: int, keys: list[str], found: dict[str, Storage], order: str) -> dict[str, int]:
    """Where each storage's numbers start."""
    places: dict[str, int] = {}
    for key in keys:
        head = file.read(8)
        storage = found.get(key)
        if len(head) < 8:
            raise ModelFileError("it is truncated: not all of its storages are there")
        if storage is None:
            raise ModelFileError(f"its storage {shown(key)} belongs to no tensor of the state dictionary")
        places[key] = file.tell()
        end = places[key] + storage.size * itemsize(storage.dtype)
        if int.from_bytes(head, "little" if order == "<" else "big") != storage.size or end > size:
            raise ModelFileError(f"its storage {shown(key)} is truncated or not of the size that its tensors need")
        file.seek(end)
    return places


# ---------------------------------------------------------------- both


def _state_of(saved: Any) -> dict[str, Tensor]:
    """The state dictionary in what was saved: that itself, or one of the usual entries of it."""
    if isinstance(saved, dict):
        inner = [saved, *(saved[place] for place in _PLACES if isinstance(saved.get(place), dict))]
        for candidate in inner:
            tensors = {name: value for name, value in candidate.items() if isinstance(value, Tensor)}
            if tensors and all(isinstance(name, str) for name in tensors):
                return tensors
    raise ModelFileError("it has no state dictionary: save one with torch.save(model.state_dict(), path)")


def _described(saved: Any, numbers: _Bytes, check: Callable[[Storage], None], order: str) -> dict[str, StoredTensor]:
    tensors = _state_of(saved)
    for tensor in tensors.values():
        check(tensor.storage)
    kept: list[tuple[Storage, bytes]] = []

    def once(storage: Storage) -> bytes:
        """All of a model may be cut from one storage, which is then not read for each of its tensors."""
        if not kept or kept[0][0] != storage:
            kept[:] = [(storage, numbers(storage))]
        return kept[0][1]

    return {name: _stored(tensor, once, order) for name, tensor in tensors.items()}


def _stored(tensor: Tensor, numbers: _Bytes, order: str) -> StoredTensor:
    dtype = tensor.storage.dtype

    def read() -> NDArray[np.generic]:
        kind = np.dtype(order + np.dtype("uint16" if dtype == "bfloat16" else dtype).str[1:])
        strides = [stride * kind.itemsize for stride in tensor.strides]
        if 0 in tensor.shape:
            array: NDArray[Any] = np.empty(tensor.shape, kind)
        else:
            array = np.ndarray(tensor.shape, kind, numbers(tensor.storage), tensor.offset * kind.itemsize, strides)
        native = array.astype(kind.newbyteorder("="), order="C")
        return widen(native) if dtype == "bfloat16" else native

    return StoredTensor(tensor.shape, dtype, read)

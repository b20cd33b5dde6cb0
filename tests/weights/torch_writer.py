"""Files as PyTorch writes them, put together by hand, whole and harmed."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

STORAGES = {
    "float64": "DoubleStorage", "float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage",
    "int32": "IntStorage", "uint8": "ByteStorage", "bool": "BoolStorage",
}  # fmt: skip
PROTO, STOP, EMPTY_TUPLE, REDUCE = b"\x80\x02", b".", b")", b"R"


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def row(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def storage(kind: str, key: str, count: int) -> bytes:
    return row(text("storage"), name("torch", kind), text(key), text("cpu"), number(count)) + b"Q"


def tensor(stored: bytes, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    sizes, steps = (row(*(number(n) for n in values)) for values in (shape, strides))
    hooks = name("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE
    return (
        name("torch._utils", "_rebuild_tensor_v2") + row(stored, number(offset), sizes, steps, b"\x89", hooks) + REDUCE
    )


def table(items: Mapping[str, bytes]) -> bytes:
    body = b"".join(text(key) + value for key, value in items.items())
    return name("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE + b"(" + body + b"u"


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))


def whole(array: np.ndarray, key: str, kind: str | None = None) -> bytes:
    stored = storage(kind or STORAGES[array.dtype.name], key, array.size)
    return tensor(stored, array.shape, strides_of(array.shape))


def state(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The pickle of a state dictionary without its start and end; storages are numbered."""
    return table({key: whole(array, str(i)) for i, (key, array) in enumerate(arrays.items())})


def zipped(
    program: bytes, storages: Mapping[str, bytes], root: str = "archive", compression: int = zipfile.ZIP_STORED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr(f"{root}/data.pkl", PROTO + program + STOP)
        archive.writestr(f"{root}/byteorder", "little")
        for key, data in storages.items():
            archive.writestr(f"{root}/data/{key}", data)
        archive.writestr(f"{root}/version", "3\n")
    return buffer.getvalue()


def zip_file(arrays: Mapping[str, np.ndarray]) -> bytes:
    """As PyTorch writes it since 1.6."""
    return zipped(state(arrays), {str(i): array.tobytes() for i, array in enumerate(arrays.values())})


def legacy(program: bytes, storages: Mapping[str, tuple[int, bytes]]) -> bytes:
    magic = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
    keys = b"](" + b"".join(text(key) for key in storages) + b"e"
    parts = [magic, number(1001), b"}" + text("little_endian") + b"\x88s", program, keys]
    numbers = b"".join(struct.pack("<q", count) + data for count, data in storages.values())
    return b"".join(PROTO + part + STOP for part in parts) + numbers


def legacy_file(arrays: Mapping[str, np.ndarray]) -> bytes:
    """As PyTorch wrote it before 1.6."""
    return legacy(state(arrays), {str(i): (a.size, a.tobytes()) for i, a in enumerate(arrays.values())})

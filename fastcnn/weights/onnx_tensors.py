"""ONNX files and their tensors, whose sizes are held against the data that is there before anything is allocated."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .._ops.arrays import memory_limit
from ..errors import shown
from ..shapes import MAX_SIZE
from .onnx_external import external_bytes

#: Where a tensor's numbers may lie, besides raw_data.
_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def parsed(model: Any) -> tuple[onnx.ModelProto, Path | None]:
    """A model from a path, from bytes, or as it is; and the folder that its data may lie in."""
    if isinstance(model, onnx.ModelProto):
        return model, None
    if isinstance(model, (str, os.PathLike)):
        path = Path(model)
        try:
            data, folder, what = path.read_bytes(), path.parent, str(path)
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no file {path}") from None
        except OSError as error:
            raise ValueError(f"{shown(str(path))} can't be read: {error.strerror}") from None
    elif isinstance(model, (bytes, bytearray, memoryview)):
        data, folder, what = bytes(model), None, "the bytes"
    else:
        raise TypeError(f"model must be a path, bytes or an onnx.ModelProto, received {shown(model)}")
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as error:  # protobuf's DecodeError is another class with each of its implementations
        raise ValueError(f"{what}: not an ONNX model: {error}") from None
    if not proto.HasField("graph"):
        raise ValueError(f"{what}: not an ONNX model: it has no graph")
    return proto, folder


def some(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(map(repr, names[:limit])) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def check_external(tensors: Iterable[onnx.TensorProto]) -> None:
    """Data in other files fits into memory: many tensors may lie in one place, or a file be larger than its disk."""
    outside = [t for t in tensors if t.data_location == onnx.TensorProto.EXTERNAL]
    needed = 0
    for tensor in outside:
        what = f"tensor {tensor.name!r}"
        needed += _bytes_of(tensor, dtype_of(tensor, what), what)
    if needed > memory_limit():
        raise ValueError(
            f"tensors {some([t.name for t in outside])}: {needed} bytes lie in other files; this process can have "
            f"{memory_limit()}"
        )


def dtype_of(tensor: onnx.TensorProto, what: str) -> np.dtype[Any]:
    if tensor.data_type in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        raise ValueError(f"{what}: must hold numbers, its type is {tensor.data_type}")
    try:
        return helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"{what}: unknown type {tensor.data_type}") from None


def _bits(dtype: np.dtype[Any]) -> int:
    """Of a number in a file."""
    return {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}.get(dtype.name, 8 * dtype.itemsize)


def _bytes_of(tensor: onnx.TensorProto, dtype: np.dtype[Any], what: str) -> int:
    """What a tensor of these sizes takes in a file."""
    if any(not 0 <= d <= MAX_SIZE for d in tensor.dims):
        raise ValueError(f"{what}: sizes must be from 0 to {MAX_SIZE}, received {list(tensor.dims)}")
    return -(-math.prod(tensor.dims) * _bits(dtype) // 8)


def read_tensor(tensor: onnx.TensorProto, folder: Path | None, what: str = "") -> np.ndarray:
    """A stored array; its sizes are held against its data before anything is allocated."""
    what = what or f"tensor {tensor.name!r}"
    dtype = dtype_of(tensor, what)
    nbytes = _bytes_of(tensor, dtype, what)
    count, bits = math.prod(tensor.dims), _bits(dtype)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        data = external_bytes(tensor, folder, nbytes, what)
        return np.frombuffer(data, dtype.newbyteorder("<")).reshape(list(tensor.dims)).astype(dtype, copy=False)
    if tensor.HasField("raw_data"):
        present, wanted = len(tensor.raw_data), nbytes
    else:
        present, wanted = max(len(getattr(tensor, f)) for f in _FIELDS), count
        if dtype.kind == "c" or bits < 8:
            wanted = present if present else wanted  # several numbers share a place, or one has two: NumPy checks
    if present != wanted:
        raise ValueError(
            f"{what}: sizes {list(tensor.dims)} need {wanted} bytes or numbers of data, there are {present}"
        )
    try:
        return np.array(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what}: {error}") from None

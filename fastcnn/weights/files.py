"""Files of tensors, whoever wrote them: told apart by what they start with, not by what they are called."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from . import torch_files
from .stored import StoredTensor, TensorFile, brief, widen

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool", "U16": "uint16", "U32": "uint32", "U64": "uint64",
}  # fmt: skip


@contextmanager
def open_tensors(path: str | os.PathLike[str]) -> Iterator[TensorFile]:
    """The tensors of a file: safetensors, ONNX, or what PyTorch's `torch.save` wrote.

    Names and shapes are known, and checked against the file's size, before any number is read.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        It is of another format, truncated or damaged, or holds what is no tensor.
    ImportError
        It is an ONNX file, and the package onnx isn't there.
    """
    name = os.fspath(path)
    if not os.path.exists(name):
        raise FileNotFoundError(f"there is no file {name}")
    if os.path.isdir(name):
        raise ModelFileError(f"{name} is a folder, not a file of weights")
    with open(name, "rb") as file:
        start = file.read(9)
    # A safetensors file begins with the length of its header in eight bytes, and the header is a JSON object.
    # ONNX begins with its version, protocol buffers' field 1.
    reader = _opened_safetensors if start[8:] == b"{" else _opened_onnx if start[:1] == b"\x08" else torch_files.opened
    try:
        with reader(name) as tensors:
            yield tensors
    except ModelFileError as error:
        text = str(error)
        raise (error if text.startswith(name) else ModelFileError(f"{name}: {text}")) from None


def _opened_onnx(path: str) -> AbstractContextManager[TensorFile]:
    try:
        from . import onnx_files
    except ImportError:
        raise ImportError(
            f"{path} is an ONNX file, which needs the package onnx: pip install 'fastcnn[onnx]'"
        ) from None
    return onnx_files.opened(path)


@contextmanager
def _opened_safetensors(path: str) -> Iterator[TensorFile]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            tensors: dict[str, StoredTensor] = {}
            bfloats = _Bfloats(path)
            for key in file.keys():  # noqa: SIM118
                part = file.get_slice(key)
                dtype = _DTYPES.get(part.get_dtype())
                if dtype is None:
                    raise ModelFileError(f"tensor {key!r} has type {part.get_dtype()}, which can't be read")
                read = partial(bfloats, key) if dtype == "bfloat16" else partial(file.get_tensor, key)
                tensors[key] = StoredTensor(tuple(part.get_shape()), dtype, read)
            yield TensorFile(path, tensors, (file.metadata() or {}).get("format") == "fastcnn", ordered=False)
    except SafetensorError as error:
        raise ModelFileError(f"it is no safetensors file, or is damaged: {brief(error)}") from None


class _Bfloats:
    """Tensors of bfloat16, for which safetensors needs a type that NumPy doesn't have: their bytes, then, by hand."""

    def __init__(self, path: str) -> None:
        self._path = path

    @cached_property
    def _header(self) -> tuple[dict[str, Any], int]:
        """What the file says of each tensor, and where the numbers start."""
        with open(self._path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return json.loads(file.read(length)), 8 + length

    def __call__(self, wanted: str) -> NDArray[Any]:
        header, first = self._header
        start, end = header[wanted]["data_offsets"]
        with open(self._path, "rb") as file:
            file.seek(first + start)
            data = file.read(end - start)
        return widen(np.frombuffer(data, "<u2")).reshape(header[wanted]["shape"])

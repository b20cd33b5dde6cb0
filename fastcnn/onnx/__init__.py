"""Models in the ONNX format.

Needs the package onnx: ``pip install 'fastcnn[onnx]'``.
"""

from __future__ import annotations

try:
    from onnx import defs as _defs  # noqa: F401
except ImportError:
    raise ImportError("fastcnn.onnx needs the package onnx: pip install 'fastcnn[onnx]'") from None

from .operator import Operator
from .reader import load
from .saving import save, to_proto

__all__ = ["Operator", "load", "save", "to_proto"]

"""Models in the ONNX format."""

from __future__ import annotations

try:
    import onnx as _onnx  # noqa: F401
except ImportError:
    raise ImportError("fastcnn.onnx needs the package onnx: pip install 'fastcnn[onnx]'") from None

"""From an operator of ONNX to the layers that it is; a family of operators a file.

A converter takes the reader and a node, and returns whether it made the node's results; False leaves the node to
`Reader.operator`.
"""

from . import combining, convolution, elementwise, normalization, pooling, reductions, shapes  # noqa: F401
from .table import CONVERTERS

__all__ = ["CONVERTERS"]

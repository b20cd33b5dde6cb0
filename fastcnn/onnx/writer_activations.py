"""Element-wise functions of one argument as operators of ONNX."""

from __future__ import annotations

from ..graph import Node
from .writer import Writer

#: Those that ONNX has by a name of its own, without numbers.
_NAMED = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "negative": "Neg",
}


def activate(w: Writer, y: str, node: Node) -> str:
    """The activation that a convolution, dense or normalization node applies to its result."""
    return unary(w, y, node.attrs.get("activation", "linear"), node.attrs.get("alpha", 0.0), 0.0, node.name)


def unary(w: Writer, x: str, kind: str, alpha: float, beta: float, name: str) -> str:
    """The function `kind` of `_ops.kinds.UNARY` applied to the tensor x; the result's name."""
    if kind == "linear":
        return x
    if kind in _NAMED:
        return w.emit(_NAMED[kind], [x], name)
    if kind == "leaky_relu":
        return w.emit("LeakyRelu", [x], name, alpha=float(alpha))
    if kind == "relu6":
        return w.emit("Clip", [x, w.constant(0.0, name), w.constant(6.0, name)], name)
    if kind == "square":
        return w.emit("Mul", [x, x], name)
    raise ValueError(f"layer {name!r}: the function {kind!r} can't be written as ONNX")

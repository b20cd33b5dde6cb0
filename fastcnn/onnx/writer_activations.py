"""Element-wise functions of one argument as operators of ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable

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
    "softsign": "Softsign",
    "reciprocal": "Reciprocal",
    "floor": "Floor",
    "ceil": "Ceil",
    "round": "Round",
    "sign": "Sign",
    "softplus": "Softplus",
    "erf": "Erf",
}

#: Those that it has with numbers: the operator and what it calls ours, alpha and beta.
_NUMBERED = {
    "leaky_relu": ("LeakyRelu", ("alpha",)),
    "hard_sigmoid": ("HardSigmoid", ("alpha", "beta")),
    "selu": ("Selu", ("alpha", "gamma")),
    "shrink": ("Shrink", ("lambd", "bias")),
}


def activate(w: Writer, y: str, node: Node) -> str:
    """The activation that a convolution, dense or normalization node applies to its result."""
    attrs = node.attrs
    return unary(w, y, attrs.get("activation", "linear"), attrs.get("alpha", 0.0), attrs.get("beta", 0.0), node.name)


def unary(w: Writer, x: str, kind: str, alpha: float, beta: float, name: str) -> str:
    """The function `kind` of `_ops.kinds.UNARY` applied to the tensor x; the result's name."""
    if kind == "linear":
        return x
    if kind in _NAMED:
        return w.emit(_NAMED[kind], [x], name)
    if kind in _NUMBERED:
        operator, called = _NUMBERED[kind]
        return w.emit(operator, [x], name, **dict(zip(called, (float(alpha), float(beta)))))
    if kind in _MADE:
        return _MADE[kind](w, x, alpha, beta, name)
    raise ValueError(f"layer {name!r}: the function {kind!r} can't be written as ONNX")


def _clip(w: Writer, x: str, low: float, high: float, name: str) -> str:
    bounds = ["" if math.isinf(bound) else w.constant(bound, name) for bound in (low, high)]
    return w.emit("Clip", [x, *bounds], name)


def _threshold(w: Writer, x: str, limit: float, value: float, name: str) -> str:
    if value == 0:
        return w.emit("ThresholdedRelu", [x], name, alpha=float(limit))
    below = w.emit("LessOrEqual", [x, w.constant(limit, name)], name)
    return w.emit("Where", [below, w.constant(value, name), x], name)


def _elu(w: Writer, x: str, alpha: float, beta: float, name: str) -> str:
    if beta == 1:
        return w.emit("Elu", [x], name, alpha=float(alpha))
    if math.isclose(alpha * beta, 1, rel_tol=1e-6):
        return w.emit("Celu", [x], name, alpha=float(alpha))
    below = w.emit("Min", [x, w.constant(0, name)], name)
    below = w.emit("Elu", [w.emit("Mul", [below, w.constant(beta, name)], name)], name, alpha=float(alpha))
    return w.emit("Add", [w.emit("Relu", [x], name), below], name)


def _hard_silu(w: Writer, x: str, alpha: float, beta: float, name: str) -> str:
    if w.opset >= 14:
        return w.emit("HardSwish", [x], name)
    return w.emit("Mul", [x, w.emit("HardSigmoid", [x], name, alpha=1 / 6, beta=0.5)], name)


def _silu(w: Writer, x: str, alpha: float, beta: float, name: str) -> str:
    inner = x if alpha == 1 else w.emit("Mul", [x, w.constant(alpha, name)], name)
    return w.emit("Mul", [x, w.emit("Sigmoid", [inner], name)], name)


def _mish(w: Writer, x: str, alpha: float, beta: float, name: str) -> str:
    if w.opset >= 18:
        return w.emit("Mish", [x], name)
    return w.emit("Mul", [x, w.emit("Tanh", [w.emit("Softplus", [x], name)], name)], name)


def _gelu(w: Writer, x: str, alpha: float, beta: float, name: str) -> str:
    if w.opset >= 20:
        return w.emit("Gelu", [x], name)
    # x times the normal distribution function, (1 + erf(x / sqrt(2))) / 2
    inner = w.emit("Erf", [w.emit("Mul", [x, w.constant(math.sqrt(0.5), name)], name)], name)
    return _half_of(w, x, inner, name)


def _gelu_tanh(w: Writer, x: str, alpha: float, beta: float, name: str) -> str:
    if w.opset >= 20:
        return w.emit("Gelu", [x], name, approximate="tanh")
    # The function's argument is sqrt(2 / pi) (x + 0.044715 x^3).
    cube = w.emit("Mul", [x, w.emit("Mul", [x, x], name)], name)
    sum_ = w.emit("Add", [x, w.emit("Mul", [cube, w.constant(0.044715, name)], name)], name)
    inner = w.emit("Mul", [sum_, w.constant(math.sqrt(2 / math.pi), name)], name)
    return _half_of(w, x, w.emit("Tanh", [inner], name), name)


def _half_of(w: Writer, x: str, y: str, name: str) -> str:
    """x (1 + y) / 2"""
    more = w.emit("Add", [y, w.constant(1, name)], name)
    return w.emit("Mul", [w.emit("Mul", [x, more], name), w.constant(0.5, name)], name)


_MADE: dict[str, Callable[[Writer, str, float, float, str], str]] = {
    "relu6": lambda w, x, alpha, beta, name: _clip(w, x, 0.0, 6.0, name),
    "clip": _clip,
    "square": lambda w, x, alpha, beta, name: w.emit("Mul", [x, x], name),
    "power": lambda w, x, alpha, beta, name: w.emit("Pow", [x, w.constant(alpha, name)], name),
    "threshold": _threshold,
    "elu": _elu,
    "hard_silu": _hard_silu,
    "silu": _silu,
    "mish": _mish,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}

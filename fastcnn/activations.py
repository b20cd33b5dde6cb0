"""Activation functions by name, as layers apply them; of graph values and of arrays, with Keras' names and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import ops
from ._ops.kinds import FUSED
from .errors import unknown_name
from .graph import Value, emit
from .shapes import real_number

ActivationFunction = Callable[[Value], Value]


def linear(x: Any) -> Any:
    """The input itself."""
    return emit("identity", [x]) if isinstance(x, Value) else x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max(x, 0), or with Keras' further arguments: x above the threshold, at most max_value; below it a line.

    That line is 0 at the threshold and has the slope negative_slope.

    Parameters
    ----------
    negative_slope, threshold : float
        At least 0.
    max_value : float, optional
        At least 0.
    """
    slope, threshold = real_number(negative_slope, "negative_slope"), real_number(threshold, "threshold")
    top = None if max_value is None else real_number(max_value, "max_value")
    if threshold:
        y = ops.threshold(x, threshold, 0.0)
    elif slope:
        y = ops.leaky_relu(x, slope)
    else:
        return ops.relu(x) if top is None else ops.relu6(x) if top == 6 else ops.clip(x, 0.0, top)
    if top is not None:
        y = ops.clip(y, -math.inf, top)
    if threshold and slope:
        # What is below the threshold is 0 in y.
        y = ops.subtract(y, ops.multiply(ops.relu(ops.subtract(threshold, x)), slope))
    return y


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return ops.relu6(x)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """X where positive, else negative_slope * x."""
    return ops.leaky_relu(x, negative_slope)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """X where positive, else alpha (exp(x) - 1)."""
    return ops.elu(x, alpha)


def selu(x: Any) -> Any:
    """1.0507 x where positive, else 1.0507 * 1.6733 (exp(x) - 1)."""
    return ops.selu(x)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """X where positive, else alpha (exp(x / alpha) - 1)."""
    return ops.celu(x, alpha)


def gelu(x: Any, approximate: bool = False) -> Any:
    """X times the normal distribution function at x, or with `approximate` nearly so, by tanh."""
    return ops.gelu(x, approximate)


def silu(x: Any) -> Any:
    """x sigmoid(x), also called swish."""
    return ops.silu(x)


def mish(x: Any) -> Any:
    """x tanh(softplus(x))."""
    return ops.mish(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """x / (1 + abs(x))."""
    return ops.softsign(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """min(max(x / 6 + 1 / 2, 0), 1)."""
    return ops.hard_sigmoid(x)


def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x), also called hard_swish."""
    return ops.hard_silu(x)


def hard_tanh(x: Any) -> Any:
    """min(max(x, -1), 1)."""
    return ops.hard_tanh(x)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """X where abs(x) is above the threshold, else 0."""
    return ops.hard_shrink(x, threshold)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """X moved towards 0 by the threshold where abs(x) is above it, else 0."""
    return ops.soft_shrink(x, threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """X where it is above the threshold, else default_value."""
    return ops.threshold(x, threshold, default_value)


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x))."""
    return ops.negative(ops.softplus(ops.negative(x)))


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


def tanh_shrink(x: Any) -> Any:
    """X - tanh(x)."""
    return ops.subtract(x, ops.tanh(x))


def exponential(x: Any) -> Any:
    """exp(x)."""
    return ops.exp(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis."""
    return ops.softmax(x, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of softmax along an axis."""
    return ops.log_softmax(x, axis)


#: By name. `threshold`, which has arguments without defaults, is none for a layer.
NAMED: dict[str, ActivationFunction] = {
    f.__name__: f
    for f in (
        linear, relu, relu6, leaky_relu, elu, selu, celu, gelu, silu, mish, softplus, softsign, sigmoid, hard_sigmoid,
        hard_silu, hard_tanh, hard_shrink, soft_shrink, log_sigmoid, tanh, tanh_shrink, exponential, softmax,
        log_softmax,
    )
}  # fmt: skip
swish, hard_swish = silu, hard_silu
#: Other names that Keras has for some of them.
_ALIASES = {"swish": silu, "hard_swish": hard_silu}


def get(activation: Any) -> ActivationFunction | None:
    """The function of a name, a callable itself, or None for no activation.

    Raises
    ------
    ValueError
        The name is unknown (the closest known one is suggested).
    TypeError
        Neither a name nor callable.
    """
    if activation is None:
        return None
    if isinstance(activation, str):
        known = NAMED | _ALIASES
        if activation not in known:
            raise unknown_name("activation", activation, known)
        return known[activation]
    if callable(activation):
        return activation
    raise TypeError(f"activation must be a name or a callable, received {activation!r}")


def serialize(activation: ActivationFunction | None) -> str | None:
    """The name to store in a configuration; only named functions can be stored."""
    if activation is None:
        return None
    name = getattr(activation, "__name__", "")
    if NAMED.get(name) is not activation:
        raise ValueError(f"the activation {activation!r} has no name to be saved by; use one of {', '.join(NAMED)}")
    return name


def fused(activation: ActivationFunction | None) -> tuple[str, float] | None:
    """(kind, alpha) if a convolution or dense layer can apply it itself, else None."""
    if activation is None or activation is linear:
        return "linear", 0.0
    if activation is leaky_relu:
        return "leaky_relu", 0.2
    name = getattr(activation, "__name__", "")
    return (name, 0.0) if NAMED.get(name) is activation and name in FUSED else None


def apply(activation: ActivationFunction, x: Value, name: str) -> Value:
    """The activation of a layer's result, as a part of that layer."""
    y = activation(x)
    if not isinstance(y, Value):
        raise TypeError(f"layer {name!r}: the activation must return a graph value, received {type(y).__name__}")
    if y.node is not None and y is not x:
        y.node.name = y.name = name
    return y

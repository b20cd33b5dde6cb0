"""Activation functions by name, as layers apply them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._ops.kinds import FUSED
from .errors import unknown_name
from .graph import Value, emit
from .graph.functional import unary

ActivationFunction = Callable[[Value], Value]


def linear(x: Value) -> Value:
    """The input itself."""
    return emit("identity", [x])


def relu(x: Value, negative_slope: float = 0.0, max_value: float | None = None) -> Value:
    """max(x, 0), with Keras' optional slope below zero or ceiling of 6."""
    if max_value is not None:
        if max_value != 6 or negative_slope:
            raise ValueError(
                f"relu: max_value must be None, or 6 without negative_slope, received {max_value!r}, {negative_slope!r}"
            )
        return unary(x, "relu6")
    return unary(x, "leaky_relu", negative_slope) if negative_slope else unary(x, "relu")


def relu6(x: Value) -> Value:
    """min(max(x, 0), 6)."""
    return unary(x, "relu6")


def leaky_relu(x: Value, negative_slope: float = 0.2) -> Value:
    """X where positive, else negative_slope * x."""
    return unary(x, "leaky_relu", negative_slope)


def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x))."""
    return unary(x, "sigmoid")


def tanh(x: Value) -> Value:
    """Hyperbolic tangent."""
    return unary(x, "tanh")


def exponential(x: Value) -> Value:
    """exp(x)."""
    return unary(x, "exp")


def softmax(x: Value) -> Value:
    """exp(x) / sum(exp(x)) over the last axis."""
    return emit("softmax", [x])


NAMED: dict[str, ActivationFunction] = {
    f.__name__: f for f in (linear, relu, relu6, leaky_relu, sigmoid, tanh, exponential, softmax)
}


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
        if activation not in NAMED:
            raise unknown_name("activation", activation, NAMED)
        return NAMED[activation]
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

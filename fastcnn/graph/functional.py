"""Operations on values by name: what layers and losses are written with."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._ops.kinds import NUMBERS, POWERS, RISING
from .values import Value, constant, emit


def as_value(x: Any) -> Value:
    """`x` itself if it is a value, else a constant: numbers and arrays mix freely with values."""
    if isinstance(x, Value):
        return x
    array = np.asarray(x, dtype=np.float32)
    return constant(array.reshape(1) if array.ndim == 0 else array)


def binary(p: Any, q: Any, kind: str, name: str = "") -> Value:
    """p + q, p - q, p * q, p / q … with broadcasting; numbers become part of the operation where they can."""
    if isinstance(p, Value) and np.isscalar(q):
        number = float(q)  # type: ignore[arg-type]
        scale_shift = {
            "add": (1.0, number),
            "subtract": (1.0, -number),
            "multiply": (number, 0.0),
        }.get(kind)
        if kind == "divide" and number != 0:
            scale_shift = (1.0 / number, 0.0)
        if scale_shift is not None:
            return affine(p, *scale_shift, name=name)
    return emit("binary", [as_value(p), as_value(q)], {"kind": kind}, name)


def unary(x: Value, kind: str, alpha: float | None = None, name: str = "", beta: float | None = None) -> Value:
    """One of the element-wise functions `_ops.kinds.UNARY`; alpha and beta: its numbers, Keras' where left out."""
    usual = NUMBERS.get(kind, (0.0, 0.0))
    a, b = (float(usual[i] if given is None else given) for i, given in enumerate((alpha, beta)))
    if kind in RISING and not a >= 0:
        # The derivative is taken from the result, whose sign then wouldn't tell that of x.
        what = "the slope of negative values" if kind == "leaky_relu" else "alpha"
        raise ValueError(f"{kind}: {what} must be at least 0, received {a}")
    return emit("unary", [x], {"kind": kind, "alpha": a, "beta": b}, name)


def affine(x: Value, scale: float, shift: float, name: str = "") -> Value:
    return emit("affine", [x], {"scale": float(scale), "shift": float(shift)}, name)


def power(x: Value, exponent: float, name: str = "") -> Value:
    """x to a power that is a number; NaN for negative x unless it is whole."""
    return unary(x, POWERS.get(float(exponent), "power"), exponent, name)


def softmax(x: Value, axis: int = -1, name: str = "") -> Value:
    """Along an axis other than the batch."""
    return emit("softmax", [x], {"axis": axis}, name)


def log_softmax(x: Value, axis: int = -1, name: str = "") -> Value:
    """The logarithm of softmax along an axis other than the batch."""
    return emit("log_softmax", [x], {"axis": axis}, name)


def reduce(x: Value, axes: int | tuple[int, ...] | None, kind: str, keepdims: bool = False) -> Value:
    """Sum, mean or max over axes (None: all, giving a scalar)."""
    wanted = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    normal = tuple(sorted({a + x.ndim if a < 0 else a for a in wanted}))
    if any(not 0 <= a < x.ndim for a in normal):
        raise ValueError(f"axis {axes} is out of range for a value of shape {x.shape}")
    return emit("reduce", [x], {"axes": normal, "kind": kind, "keepdims": keepdims})


def total(x: Value, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Value:
    return reduce(x, axis, "sum", keepdims)

"""Functions of one number, element by element, and softmax."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from fastcnn.errors import unknown_name

from ._arrays import Array, real, same_shape


def relu(x: ArrayLike) -> Array:
    """max(x, 0); NaN stays NaN."""
    return np.maximum(real(x, "x"), 0.0)


def leaky_relu(x: ArrayLike, alpha: float = 0.2) -> Array:
    """The identity above 0, alpha x below.

    Maas et al. 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    x = real(x, "x")
    return np.where(x < 0, alpha * x, x)


def relu6(x: ArrayLike) -> Array:
    """min(max(x, 0), 6); NaN stays NaN. Howard et al. 2017, "MobileNets"."""
    return np.minimum(relu(x), 6.0)


def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + exp(-x)), written so that nothing overflows."""
    x = real(x, "x")
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def tanh(x: ArrayLike) -> Array:
    """Hyperbolic tangent."""
    return np.tanh(real(x, "x"))


#: name: (f, its derivative), both of (x, alpha). At a corner the derivative is the left one: 0 for relu and relu6 at 0,
#: alpha for leaky_relu at 0; relu6 at 6 and abs at 0 have 0.
UNARY: dict[str, tuple[Callable[[Array, float], Array], Callable[[Array, float], Array]]] = {
    "linear": (lambda x, alpha: x, lambda x, alpha: np.ones_like(x)),
    "relu": (lambda x, alpha: relu(x), lambda x, alpha: np.where(x > 0, 1.0, 0.0)),
    "leaky_relu": (leaky_relu, lambda x, alpha: np.where(x > 0, 1.0, alpha)),
    "relu6": (lambda x, alpha: relu6(x), lambda x, alpha: np.where((x > 0) & (x < 6), 1.0, 0.0)),
    "sigmoid": (lambda x, alpha: sigmoid(x), lambda x, alpha: sigmoid(x) * sigmoid(-x)),
    "tanh": (lambda x, alpha: np.tanh(x), lambda x, alpha: 1.0 / np.cosh(np.clip(x, -300, 300)) ** 2),
    "exp": (lambda x, alpha: np.exp(x), lambda x, alpha: np.exp(x)),
    "log": (lambda x, alpha: np.log(x), lambda x, alpha: 1.0 / x),
    "sqrt": (lambda x, alpha: np.sqrt(x), lambda x, alpha: 0.5 / np.sqrt(x)),
    "square": (lambda x, alpha: x * x, lambda x, alpha: 2.0 * x),
    "abs": (lambda x, alpha: np.abs(x), lambda x, alpha: np.sign(x)),
    "negative": (lambda x, alpha: -x, lambda x, alpha: -np.ones_like(x)),
}


def _known(kind: str) -> tuple[Callable[[Array, float], Array], Callable[[Array, float], Array]]:
    if kind not in UNARY:
        raise unknown_name("function", kind, UNARY)
    return UNARY[kind]


def unary(x: ArrayLike, kind: str, alpha: float = 0.0) -> Array:
    """The function `kind` of `UNARY`, element by element; infinities and NaN where real numbers have none."""
    with np.errstate(all="ignore"):
        return _known(kind)[0](real(x, "x"), alpha)


def unary_backward(dy: ArrayLike, x: ArrayLike, kind: str, alpha: float = 0.0) -> Array:
    """Gradient dx of `unary`: dy f'(x)."""
    with np.errstate(all="ignore"):
        return real(dy, "dy") * _known(kind)[1](real(x, "x"), alpha)


def log_softmax(x: ArrayLike) -> Array:
    """log(softmax(x)) over the last axis, without overflow."""
    x = real(x, "x")
    shifted = x - x.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(x: ArrayLike) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, which has at least one element."""
    return np.exp(log_softmax(x))


def softmax_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """Gradient dx of `softmax` at x: y (dy - sum(dy y))."""
    dy, y = real(dy, "dy"), softmax(x)
    same_shape(dy, y.shape, "dy")
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))

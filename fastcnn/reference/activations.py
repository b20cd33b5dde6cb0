"""Functions of one number, element by element, and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from fastcnn.errors import unknown_name

from ._arrays import Array, real, same_shape

_erf = np.vectorize(math.erf, otypes=[np.float64])


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


def elu(x: ArrayLike, alpha: float = 1.0, beta: float = 1.0) -> Array:
    """The identity above 0, alpha (exp(beta x) - 1) below.

    Clevert et al. 2015, "Fast and accurate deep network learning by exponential linear units"; with beta = 1 / alpha,
    Barron 2017, "Continuously differentiable exponential linear units".
    """
    x = real(x, "x")
    return np.where(x > 0, x, alpha * np.expm1(beta * np.minimum(x, 0.0)))


def selu(x: ArrayLike, alpha: float, beta: float) -> Array:
    """beta times `elu`. Klambauer et al. 2017, "Self-normalizing neural networks"."""
    return beta * elu(x, alpha)


def softplus(x: ArrayLike) -> Array:
    """log(1 + exp(x)). Glorot et al. 2011, "Deep sparse rectifier neural networks"."""
    return np.logaddexp(real(x, "x"), 0.0)


def softsign(x: ArrayLike) -> Array:
    """x / (1 + |x|)."""
    x = real(x, "x")
    return _with_limits(x / (1.0 + np.abs(x)), x, -1.0, 1.0)


def silu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """x sigmoid(alpha x). Ramachandran et al. 2017, "Searching for activation functions"."""
    x = real(x, "x")
    return _with_limits(x * sigmoid(alpha * x), x, 0.0, np.inf)


def hard_sigmoid(x: ArrayLike, alpha: float = 1 / 6, beta: float = 0.5) -> Array:
    """alpha x + beta, but never below 0 nor above 1."""
    return np.clip(alpha * real(x, "x") + beta, 0.0, 1.0)


def hard_silu(x: ArrayLike) -> Array:
    """x hard_sigmoid(x). Howard et al. 2019, "Searching for MobileNetV3"."""
    x = real(x, "x")
    return _with_limits(x * hard_sigmoid(x), x, 0.0, np.inf)


def erf(x: ArrayLike) -> Array:
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) over t = 0 .. x."""
    return np.asarray(_erf(real(x, "x")), dtype=np.float64)


def gelu(x: ArrayLike, approximate: bool = False) -> Array:
    """x times the standard normal distribution function at x, or its approximation by tanh.

    Hendrycks and Gimpel 2016, "Gaussian error linear units".
    """
    x = real(x, "x")
    inner = erf(x / math.sqrt(2)) if not approximate else np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return _with_limits(0.5 * x * (1.0 + inner), x, 0.0, np.inf)


def mish(x: ArrayLike) -> Array:
    """x tanh(softplus(x)). Misra 2019, "Mish: a self regularized non-monotonic activation function"."""
    x = real(x, "x")
    return _with_limits(x * np.tanh(softplus(x)), x, 0.0, np.inf)


def clip(x: ArrayLike, low: float, high: float) -> Array:
    """min(max(x, low), high); NaN stays NaN."""
    return np.minimum(np.maximum(real(x, "x"), low), high)


def threshold(x: ArrayLike, limit: float, value: float = 0.0) -> Array:
    """x where it is above the limit, else the value. Konda et al. 2014, "Zero-bias autoencoders", has it with 0."""
    x = real(x, "x")
    return np.where(x <= limit, value, x)


def shrink(x: ArrayLike, limit: float = 0.5, bias: float = 0.0) -> Array:
    """x moved towards 0 by the bias where |x| is above the limit, else 0."""
    x = real(x, "x")
    return np.where(np.abs(x) <= limit, 0.0, x - np.sign(x) * bias)


def power(x: ArrayLike, exponent: float) -> Array:
    """x^exponent; NaN for negative x, -infinity among them, unless the exponent is whole."""
    x = real(x, "x")
    return np.where((x < 0) & (exponent != round(exponent)), np.nan, np.power(x, exponent))


def _with_limits(y: Array, x: Array, low: float, high: float) -> Array:
    """`y`, and the function's limits where x is infinite."""
    return np.where(x == -np.inf, low, np.where(x == np.inf, high, y))


def _density(x: Array) -> Array:
    """Of the standard normal distribution."""
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _gelu_tanh_slope(x: Array) -> Array:
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)


def _mish_slope(x: Array) -> Array:
    t = np.tanh(softplus(x))
    return t + x * (1 - t * t) * sigmoid(x)


_Function = Callable[[Array, float, float], Array]

#: name: (f, its derivative), both of (x, alpha, beta). At a corner the derivative is that of the flatter side, as
#: csrc/kernels.def says; at 0 it is alpha for leaky_relu, and the left one for elu and selu.
UNARY: dict[str, tuple[_Function, _Function]] = {
    "linear": (lambda x, a, b: x, lambda x, a, b: np.ones_like(x)),
    "relu": (lambda x, a, b: relu(x), lambda x, a, b: np.where(x > 0, 1.0, 0.0)),
    "leaky_relu": (lambda x, a, b: leaky_relu(x, a), lambda x, a, b: np.where(x > 0, 1.0, a)),
    "relu6": (lambda x, a, b: relu6(x), lambda x, a, b: np.where((x > 0) & (x < 6), 1.0, 0.0)),
    "sigmoid": (lambda x, a, b: sigmoid(x), lambda x, a, b: sigmoid(x) * sigmoid(-x)),
    "tanh": (lambda x, a, b: np.tanh(x), lambda x, a, b: 1.0 / np.cosh(np.clip(x, -300, 300)) ** 2),
    "exp": (lambda x, a, b: np.exp(x), lambda x, a, b: np.exp(x)),
    "log": (lambda x, a, b: np.log(x), lambda x, a, b: 1.0 / x),
    "sqrt": (lambda x, a, b: np.sqrt(x), lambda x, a, b: 0.5 / np.sqrt(x)),
    "square": (lambda x, a, b: x * x, lambda x, a, b: 2.0 * x),
    "abs": (lambda x, a, b: np.abs(x), lambda x, a, b: np.sign(x)),
    "negative": (lambda x, a, b: -x, lambda x, a, b: -np.ones_like(x)),
    "clip": (clip, lambda x, a, b: np.where((x > a) & (x < b), 1.0, 0.0)),
    "threshold": (threshold, lambda x, a, b: np.where(x > a, 1.0, 0.0)),
    "shrink": (shrink, lambda x, a, b: np.where(np.abs(x) > a, 1.0, 0.0)),
    "hard_sigmoid": (hard_sigmoid, lambda x, a, b: np.where((a * x + b > 0) & (a * x + b < 1), a, 0.0)),
    "hard_silu": (
        lambda x, a, b: hard_silu(x),
        lambda x, a, b: np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, x / 3 + 0.5)),
    ),
    "softsign": (lambda x, a, b: softsign(x), lambda x, a, b: 1.0 / (1.0 + np.abs(x)) ** 2),
    "reciprocal": (lambda x, a, b: 1.0 / x, lambda x, a, b: -1.0 / (x * x)),
    "floor": (lambda x, a, b: np.floor(x), lambda x, a, b: np.zeros_like(x)),
    "ceil": (lambda x, a, b: np.ceil(x), lambda x, a, b: np.zeros_like(x)),
    "round": (lambda x, a, b: np.round(x), lambda x, a, b: np.zeros_like(x)),
    "sign": (lambda x, a, b: np.sign(x), lambda x, a, b: np.zeros_like(x)),
    "elu": (elu, lambda x, a, b: np.where(x > 0, 1.0, a * b * np.exp(b * np.minimum(x, 0.0)))),
    "selu": (selu, lambda x, a, b: np.where(x > 0, b, a * b * np.exp(np.minimum(x, 0.0)))),
    "softplus": (lambda x, a, b: softplus(x), lambda x, a, b: sigmoid(x)),
    "silu": (
        lambda x, a, b: silu(x, a),
        lambda x, a, b: sigmoid(a * x) * (1.0 + a * x * sigmoid(-a * x)),
    ),
    "gelu": (lambda x, a, b: gelu(x), lambda x, a, b: 0.5 * (1.0 + erf(x / math.sqrt(2))) + x * _density(x)),
    "gelu_tanh": (lambda x, a, b: gelu(x, True), lambda x, a, b: _gelu_tanh_slope(x)),
    "mish": (lambda x, a, b: mish(x), lambda x, a, b: _mish_slope(x)),
    "erf": (lambda x, a, b: erf(x), lambda x, a, b: 2.0 / math.sqrt(math.pi) * np.exp(-x * x)),
    "power": (lambda x, a, b: power(x, a), lambda x, a, b: a * power(x, a - 1.0)),
}


def _known(kind: str) -> tuple[_Function, _Function]:
    if kind not in UNARY:
        raise unknown_name("function", kind, UNARY)
    return UNARY[kind]


def unary(x: ArrayLike, kind: str, alpha: float = 0.0, beta: float = 0.0) -> Array:
    """The function `kind` of `UNARY`, element by element; infinities and NaN where real numbers have none."""
    with np.errstate(all="ignore"):
        return _known(kind)[0](real(x, "x"), alpha, beta)


def unary_backward(dy: ArrayLike, x: ArrayLike, kind: str, alpha: float = 0.0, beta: float = 0.0) -> Array:
    """Gradient dx of `unary`: dy f'(x)."""
    with np.errstate(all="ignore"):
        return real(dy, "dy") * _known(kind)[1](real(x, "x"), alpha, beta)


def log_softmax(x: ArrayLike) -> Array:
    """log(softmax(x)) over the last axis, without overflow."""
    x = real(x, "x")
    shifted = x - x.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(x: ArrayLike) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, which has at least one element."""
    return np.exp(log_softmax(x))


def log_softmax_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """Gradient dx of `log_softmax` at x: dy - softmax(x) sum(dy)."""
    dy, y = real(dy, "dy"), softmax(x)
    same_shape(dy, y.shape, "dy")
    return dy - y * dy.sum(axis=-1, keepdims=True)


def softmax_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """Gradient dx of `softmax` at x: y (dy - sum(dy y))."""
    dy, y = real(dy, "dy"), softmax(x)
    same_shape(dy, y.shape, "dy")
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))

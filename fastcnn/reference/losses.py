"""Losses: one number for each row, and their gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from fastcnn.errors import unknown_name

from ._arrays import Array, real, same_shape
from .activations import log_softmax, sigmoid

#: Probabilities are kept this far from 0 and 1 before their logarithm is taken, as in Keras.
EPSILON = 1e-7


def categorical_targets(targets: ArrayLike, classes: int, smoothing: float = 0.0) -> Array:
    """Targets as distributions (rows, classes), smoothed.

    Labels (rows,) become one-hot rows; a label outside 0 .. classes - 1 becomes a row of NaN. Smoothing mixes in the
    uniform distribution: (1 - smoothing) target + smoothing / classes (Szegedy et al. 2016, "Rethinking the Inception
    architecture for computer vision", section 7).
    """
    given = np.asarray(targets)
    if given.ndim == 1:
        rows = np.full((len(given), classes), np.nan)
        known = (given >= 0) & (given < classes)
        rows[known] = np.eye(classes)[given[known].astype(np.int64)]
    else:
        rows = real(given, "targets", 2)
    return (1.0 - smoothing) * rows + smoothing / classes


def _weights(weight: ArrayLike | None, rows: int) -> Array:
    column = np.ones(rows) if weight is None else real(weight, "weight", 1)
    same_shape(column, (rows,), "weight")
    return column


def softmax_crossentropy(
    logits: ArrayLike, targets: ArrayLike, weight: ArrayLike | None = None, smoothing: float = 0.0
) -> Array:
    """Cross entropy between targets and softmax(logits), one number a row.

    Parameters
    ----------
    logits : array (rows, classes)
    targets : labels (rows,) or distributions (rows, classes)
    weight : array (rows,), optional
        Factor of each row's loss.
    smoothing : float
        Label smoothing, see `categorical_targets`.
    """
    logits = real(logits, "logits", 2)
    wanted = categorical_targets(targets, logits.shape[1], smoothing)
    # A class of probability 0 that isn't wanted costs nothing, though its logarithm is -inf.
    terms = np.where(wanted == 0, 0.0, wanted * log_softmax(logits))
    return -_weights(weight, len(logits)) * terms.sum(axis=1)


def softmax_crossentropy_backward(
    logits: ArrayLike,
    targets: ArrayLike,
    weight: ArrayLike | None = None,
    smoothing: float = 0.0,
    scale: float = 1.0,
) -> Array:
    """Gradient with respect to the logits of scale times the sum of `softmax_crossentropy` over the rows."""
    logits = real(logits, "logits", 2)
    wanted = categorical_targets(targets, logits.shape[1], smoothing)
    probabilities = np.exp(log_softmax(logits))
    gradient = probabilities * wanted.sum(axis=1, keepdims=True) - wanted
    return scale * _weights(weight, len(logits))[:, None] * gradient


def _clip(p: Array) -> Array:
    return np.clip(p, EPSILON, 1.0 - EPSILON)


def _inside(p: Array) -> Array:
    """1 where clipping changes nothing, else 0: the derivative of the clip. NaN stays NaN."""
    return np.where(np.isnan(p), np.nan, (p >= EPSILON) & (p <= 1.0 - EPSILON))


def _log_loss(p: Array, t: Array) -> Array:
    return -(t * np.log(_clip(p)) + (1.0 - t) * np.log1p(-_clip(p)))


def _log_loss_slope(p: Array, t: Array) -> Array:
    return _inside(p) * (_clip(p) - t) / (_clip(p) * (1.0 - _clip(p)))


def _logits_loss(p: Array, t: Array) -> Array:
    return np.maximum(p, 0.0) - p * t + np.log1p(np.exp(-np.abs(p)))


#: name: (f, its derivative in p), both of (p, t), a prediction and its target.
POINTWISE: dict[str, tuple[Callable[[Array, Array], Array], Callable[[Array, Array], Array]]] = {
    "squared_error": (lambda p, t: (p - t) ** 2, lambda p, t: 2.0 * (p - t)),
    "absolute_error": (lambda p, t: np.abs(p - t), lambda p, t: np.sign(p - t)),
    "binary_crossentropy": (_log_loss, _log_loss_slope),
    "binary_crossentropy_logits": (_logits_loss, lambda p, t: sigmoid(p) - t),
    "categorical_crossentropy": (lambda p, t: -t * np.log(_clip(p)), lambda p, t: -t * _inside(p) / _clip(p)),
}


def _pointwise(kind: str) -> tuple[Callable[[Array, Array], Array], Callable[[Array, Array], Array]]:
    if kind not in POINTWISE:
        raise unknown_name("loss", kind, POINTWISE)
    return POINTWISE[kind]


def pointwise_loss(
    p: ArrayLike, t: ArrayLike, kind: str, weight: ArrayLike | None = None, row_scale: float = 1.0
) -> Array:
    """weight[r] row_scale times the sum of f(p, t) over row r; p and t are (rows, cols).

    `row_scale` is 1 for a sum and 1 / cols for a mean, as in mean squared error.
    """
    p, t = real(p, "p", 2), real(t, "t", 2)
    same_shape(t, p.shape, "t")
    return _weights(weight, len(p)) * row_scale * _pointwise(kind)[0](p, t).sum(axis=1)


def pointwise_loss_backward(
    p: ArrayLike,
    t: ArrayLike,
    kind: str,
    weight: ArrayLike | None = None,
    row_scale: float = 1.0,
    scale: float = 1.0,
) -> Array:
    """Gradient with respect to p of scale times the sum of `pointwise_loss` over the rows."""
    p, t = real(p, "p", 2), real(t, "t", 2)
    same_shape(t, p.shape, "t")
    return scale * row_scale * _weights(weight, len(p))[:, None] * _pointwise(kind)[1](p, t)


def binary_focal_loss(
    p: ArrayLike,
    t: ArrayLike,
    gamma: float,
    balance: tuple[float, float] = (1.0, 1.0),
    smoothing: float = 0.0,
    from_logits: bool = False,
    weight: ArrayLike | None = None,
    row_scale: float = 1.0,
) -> Array:
    """weight[r] row_scale times the sum over row r of w u^gamma B, as in Lin et al., "Focal loss", ICCV 2017.

    u = t (1 - p) + (1 - t) p is how wrong the probability p is, B the binary cross entropy, and w = balance[0] t +
    balance[1] (1 - t). Targets are smoothed first: (1 - smoothing) t + smoothing / 2.
    """
    u, entropy, balanced, _ = _binary_focal_parts(p, t, balance, smoothing, from_logits)
    return _weights(weight, len(u)) * row_scale * (balanced * u**gamma * entropy).sum(axis=1)


def binary_focal_loss_backward(
    p: ArrayLike,
    t: ArrayLike,
    gamma: float,
    balance: tuple[float, float] = (1.0, 1.0),
    smoothing: float = 0.0,
    from_logits: bool = False,
    weight: ArrayLike | None = None,
    row_scale: float = 1.0,
    scale: float = 1.0,
) -> Array:
    """Gradient with respect to p (with `from_logits` the logits) of scale times the sum of `binary_focal_loss`."""
    u, entropy, balanced, wanted = _binary_focal_parts(p, t, balance, smoothing, from_logits)
    given = real(p, "p", 2)
    if from_logits:
        du, dentropy = (1 - 2 * wanted) * sigmoid(given) * sigmoid(-given), sigmoid(given) - wanted
    else:
        du, dentropy = _inside(given) * (1 - 2 * wanted), _log_loss_slope(given, wanted)
    # Where u is 0, so is B, and more so.
    turn = np.where(u == 0, 0.0, gamma * np.where(u == 0, 1.0, u) ** (gamma - 1.0) * du * entropy)
    slope = balanced * (turn + u**gamma * dentropy)
    return scale * row_scale * _weights(weight, len(u))[:, None] * slope


def _binary_focal_parts(
    p: ArrayLike, t: ArrayLike, balance: tuple[float, float], smoothing: float, from_logits: bool
) -> tuple[Array, Array, Array, Array]:
    """u, B, w, and the smoothed targets."""
    p, t = real(p, "p", 2), real(t, "t", 2)
    same_shape(t, p.shape, "t")
    wanted = (1.0 - smoothing) * t + smoothing / 2
    yes, no = (sigmoid(p), sigmoid(-p)) if from_logits else (_clip(p), 1.0 - _clip(p))
    entropy = (_logits_loss if from_logits else _log_loss)(p, wanted)
    return wanted * no + (1 - wanted) * yes, entropy, balance[0] * wanted + balance[1] * (1 - wanted), wanted


def softmax_focal(
    logits: ArrayLike,
    targets: ArrayLike,
    gamma: float,
    alpha: ArrayLike = 1.0,
    weight: ArrayLike | None = None,
    smoothing: float = 0.0,
) -> Array:
    """weight[r] times the sum over the classes of -alpha t (1 - p)^gamma log p with p = softmax(logits).

    Parameters
    ----------
    logits, targets, weight, smoothing
        As for `softmax_crossentropy`.
    gamma : float
        At least 0.
    alpha : float or array (classes,)
    """
    wanted, log_p, rest = _softmax_focal_parts(logits, targets, alpha, smoothing)
    terms = wanted * rest**gamma * np.where(wanted == 0, 0.0, log_p)
    return -_weights(weight, len(log_p)) * terms.sum(axis=1)


def softmax_focal_backward(
    logits: ArrayLike,
    targets: ArrayLike,
    gamma: float,
    alpha: ArrayLike = 1.0,
    weight: ArrayLike | None = None,
    smoothing: float = 0.0,
    scale: float = 1.0,
) -> Array:
    """Gradient with respect to the logits of scale times the sum of `softmax_focal` over the rows."""
    wanted, log_p, rest = _softmax_focal_parts(logits, targets, alpha, smoothing)
    p = np.exp(log_p)
    # d loss / d log p; p log p is 0 at p = 0, and log p / (1 - p) is -1 at p = 1.
    ratio = np.where(rest == 0, -1.0, p * np.where(p == 0, 0.0, log_p) / np.where(rest == 0, 1.0, rest))
    slope = np.where(wanted == 0, 0.0, wanted * rest**gamma * (gamma * ratio - 1.0))
    gradient = slope - p * slope.sum(axis=1, keepdims=True)
    return scale * _weights(weight, len(p))[:, None] * gradient


def _softmax_focal_parts(
    logits: ArrayLike, targets: ArrayLike, alpha: ArrayLike, smoothing: float
) -> tuple[Array, Array, Array]:
    """Targets times alpha, log p, and 1 - p."""
    log_p = log_softmax(real(logits, "logits", 2))
    wanted = categorical_targets(targets, log_p.shape[1], smoothing) * np.asarray(alpha, np.float64)
    return wanted, log_p, -np.expm1(log_p)

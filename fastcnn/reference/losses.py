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

"""Cross entropies as metrics: the same numbers as the losses, in float64 and without gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown
from .base import ElementwiseMetric, MeanMetricWrapper, class_labels, same_shape
from .regression import EPSILON


def _log_softmax(logits: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def _log_probabilities(y_pred: NDArray[Any], from_logits: bool, axis: int) -> NDArray[np.float64]:
    pred = y_pred.astype(np.float64)
    if from_logits:
        return _log_softmax(pred, axis)
    return np.log(np.clip(pred / pred.sum(axis, keepdims=True), EPSILON, 1 - EPSILON))


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> NDArray[np.float64]:
    """-y log p - (1 - y) log(1 - p), mean over the last axis."""
    labels, predictions = same_shape(y_true, y_pred)
    true, pred = np.atleast_1d(labels.astype(np.float64)), np.atleast_1d(predictions.astype(np.float64))
    true = true * (1 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        # log(1 + e^x) without overflow.
        return (np.logaddexp(0, pred) - true * pred).mean(-1)
    pred = np.clip(pred, EPSILON, 1 - EPSILON)
    return -(true * np.log(pred) + (1 - true) * np.log(1 - pred)).mean(-1)


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> NDArray[np.float64]:
    """-sum of y log p along `axis`; predictions that are not logits are divided by their sum."""
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if true.shape != pred.shape:
        raise ValueError(
            f"y_true must have the shape of y_pred, {pred.shape}, received shape {true.shape} "
            f"(for class numbers use the sparse categorical metric)"
        )
    true = true.astype(np.float64) * (1 - label_smoothing) + label_smoothing / pred.shape[axis]
    return -(true * _log_probabilities(pred, from_logits, axis)).sum(axis)


def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, axis: int = -1
) -> NDArray[np.float64]:
    """-log p of the class in `y_true`, whose shape is that of `y_pred` without `axis`."""
    pred = np.moveaxis(np.asarray(y_pred), axis, -1)
    true = class_labels(y_true, pred)
    classes = pred.shape[-1]
    if true.size and not (true.min() >= 0 and true.max() < classes):
        raise ValueError(f"y_true must hold classes from 0 to {classes - 1}, received {true.min()} to {true.max()}")
    logs = _log_probabilities(pred, from_logits, -1)
    return -np.take_along_axis(logs, true.astype(np.intp)[..., None], -1)[..., 0]


def _checked_smoothing(label_smoothing: float) -> float:
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1, received {shown(label_smoothing)}")
    return float(label_smoothing)


class BinaryCrossentropy(ElementwiseMetric):
    """The cross entropy of probabilities (or logits) and labels 0 and 1."""

    _direction = "down"

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        smoothing = _checked_smoothing(label_smoothing)
        super().__init__(binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=smoothing)


class CategoricalCrossentropy(MeanMetricWrapper):
    """The cross entropy of class probabilities (or logits) and rows with a single one."""

    _direction = "down"

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        smoothing = _checked_smoothing(label_smoothing)
        super().__init__(
            categorical_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=smoothing, axis=axis
        )


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The cross entropy of class probabilities (or logits) and class numbers."""

    _direction = "down"

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(sparse_categorical_crossentropy, name, dtype, from_logits=from_logits, axis=axis)

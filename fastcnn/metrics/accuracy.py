"""How often the prediction is right. Each metric stands beside the function of one batch that it averages.

The functions return booleans, one a sample (or pixel, or label); nothing is converted to floating point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import whole_number
from .base import MeanMetricWrapper, checked_threshold, class_labels, same_shape


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.bool_]:
    """Where two arrays of class numbers are equal."""
    true, pred = same_shape(y_true, y_pred)
    return np.equal(true, pred)


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> NDArray[np.bool_]:
    """Where a probability is above `threshold` just if the label is 1."""
    true, pred = same_shape(y_true, y_pred)
    return np.equal(true, pred > threshold)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.bool_]:
    """Where the largest of the last axis (…, classes) is at the same place in both."""
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if true.shape != pred.shape or not pred.ndim:
        raise ValueError(
            f"y_true must have the shape of y_pred, {pred.shape}, received shape {true.shape} "
            f"(for class numbers use the sparse categorical metric)"
        )
    return true.argmax(-1) == pred.argmax(-1)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.bool_]:
    """Where the largest of the last axis of `y_pred` (…, classes) is at the class number in `y_true` (…)."""
    pred = np.asarray(y_pred)
    return np.equal(class_labels(y_true, pred), pred.argmax(-1))


def sparse_top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> NDArray[np.bool_]:
    """Where fewer than `k` classes have a larger prediction than the right one; NaN is never among the first."""
    pred = np.asarray(y_pred)
    true = class_labels(y_true, pred).astype(np.intp)
    classes = pred.shape[-1]
    known = (true >= 0) & (true < classes)
    right = np.take_along_axis(pred, np.where(known, true, 0)[..., None], -1)
    return known & ((pred > right).sum(-1) < k) & np.isfinite(right[..., 0])


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> NDArray[np.bool_]:
    """As `sparse_top_k_categorical_accuracy`, the right class being the largest of the last axis of `y_true`."""
    true, pred = same_shape(y_true, y_pred)
    return sparse_top_k_categorical_accuracy(true.argmax(-1), pred, k)


class Accuracy(MeanMetricWrapper):
    """How often `y_pred` equals `y_true`, both class numbers.

    The string ``"accuracy"`` in a model's metrics is not this class, but the one of `BinaryAccuracy`,
    `CategoricalAccuracy` and `SparseCategoricalAccuracy` that fits the shapes (`fastcnn.metrics.get`).
    """

    _direction = "up"

    def __init__(self, name: str = "accuracy", dtype: str | None = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often a probability is on the right side of `threshold`; labels are 0 and 1."""

    _direction = "up"

    def __init__(self, name: str = "binary_accuracy", dtype: str | None = None, threshold: float = 0.5) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=checked_threshold(threshold))
        self.threshold = float(threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is the right class; labels are rows with a single one."""

    _direction = "up"

    def __init__(self, name: str = "categorical_accuracy", dtype: str | None = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is the right class; labels are class numbers, (samples,) or (samples, 1)."""

    _direction = "up"

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: str | None = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the right class is among the `k` largest predictions; labels are rows with a single one."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: str | None = None) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=whole_number(k, "k"))
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the right class is among the `k` largest predictions; labels are class numbers."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: str | None = None) -> None:
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=whole_number(k, "k"))
        self.k = k


def accuracy_for(y_true_shape: tuple[Any, ...], y_pred_shape: tuple[Any, ...]) -> type[MeanMetricWrapper]:
    """The accuracy that fits labels and predictions of these shapes (unknown sizes are None)."""
    if not y_pred_shape or len(y_pred_shape) == 1 or y_pred_shape[-1] == 1:
        return BinaryAccuracy
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return SparseCategoricalAccuracy
    return CategoricalAccuracy

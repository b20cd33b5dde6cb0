"""Distances between numbers, averaged over the last axis as Keras does; the metrics then average over samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .base import ElementwiseMetric, Result, same_shape

#: Below this a number counts as this, where it is divided by or its logarithm is taken.
EPSILON = 1e-7


def _floats(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Widened first: differences of uint8 labels would wrap around.
    true, pred = same_shape(y_true, y_pred)
    true, pred = true.astype(np.float64), pred.astype(np.float64)
    return (true, pred) if true.ndim else (true.reshape(1), pred.reshape(1))


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.float64]:
    """(y_true - y_pred)**2, mean over the last axis."""
    true, pred = _floats(y_true, y_pred)
    return np.square(true - pred).mean(-1)


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.float64]:
    """|y_true - y_pred|, mean over the last axis."""
    true, pred = _floats(y_true, y_pred)
    return np.abs(true - pred).mean(-1)


def mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.float64]:
    """100 |y_true - y_pred| / |y_true|, mean over the last axis."""
    true, pred = _floats(y_true, y_pred)
    return 100 * np.abs((true - pred) / np.maximum(np.abs(true), EPSILON)).mean(-1)


def mean_squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.float64]:
    """(log(1 + y_true) - log(1 + y_pred))**2, mean over the last axis; negative numbers count as 0."""
    true, pred = _floats(y_true, y_pred)
    return np.square(np.log1p(np.maximum(true, EPSILON)) - np.log1p(np.maximum(pred, EPSILON))).mean(-1)


class MeanSquaredError(ElementwiseMetric):
    """The mean of the squared differences."""

    _direction = "down"

    def __init__(self, name: str = "mean_squared_error", dtype: str | None = None) -> None:
        super().__init__(mean_squared_error, name, dtype)


class RootMeanSquaredError(ElementwiseMetric):
    """The square root of the mean of the squared differences over everything seen."""

    _direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: str | None = None) -> None:
        super().__init__(mean_squared_error, name, dtype)

    def result(self) -> Result:
        return math.sqrt(super().result())


class MeanAbsoluteError(ElementwiseMetric):
    """The mean of the absolute differences."""

    _direction = "down"

    def __init__(self, name: str = "mean_absolute_error", dtype: str | None = None) -> None:
        super().__init__(mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(ElementwiseMetric):
    """The mean of the absolute differences in percent of the true value."""

    _direction = "down"

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: str | None = None) -> None:
        super().__init__(mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(ElementwiseMetric):
    """The mean of the squared differences of logarithms."""

    _direction = "down"

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: str | None = None) -> None:
        super().__init__(mean_squared_logarithmic_error, name, dtype)

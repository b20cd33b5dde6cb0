"""Metrics that are fed batch after batch: the base class, and those that are a mean or a sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown
from ..utils.registry import snake_case

#: A metric's value: most have one number, some one a class or threshold.
Result = Any


class Metric:
    """Base class of streaming metrics. State is kept in float64 (or exact integers), whatever the data's dtype.

    Parameters
    ----------
    name : str, optional
        Under which the value stands in a model's logs; by default the class's name in snake case.
    dtype : str, optional
        Accepted as in Keras, and kept for `get_config`; results are always float64.

    Notes
    -----
    A metric of your own implements `update_state`, `result` and `reset_state`, and sets `_direction` to "up" or
    "down" if callbacks are to know which way is better.
    """

    #: "up" where more is better, "down" where less is, None where nobody said.
    _direction: str | None = None

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        self.name = snake_case(type(self).__name__) if name is None else str(name)
        self.dtype = dtype

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in one batch."""
        raise NotImplementedError(f"{type(self).__name__} must implement update_state(y_true, y_pred, sample_weight)")

    def result(self) -> Result:
        """The value over all batches since the last `reset_state`."""
        raise NotImplementedError(f"{type(self).__name__} must implement result()")

    def reset_state(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} must implement reset_state()")

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class _Reduction(Metric):
    """What `Mean` and `Sum` share: a running total of (weighted) values."""

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.total, self.count = 0.0, 0.0

    def reset_state(self) -> None:
        self.total, self.count = 0.0, 0.0

    def _add(self, values: NDArray[Any], sample_weight: ArrayLike | None) -> None:
        """Add values, one or several a sample: the samples' means count, each once or with its weight."""
        if sample_weight is None:
            if values.dtype == np.bool_:  # the accuracies: counting is several times faster than a float64 sum
                added: Any = np.count_nonzero(values)
            else:
                added = values.sum(dtype=np.float64)
            per_sample = math.prod(values.shape[1:])
            self.total += float(added) / per_sample if per_sample else 0.0
            self.count += len(values) if values.ndim else 1
            return
        values, weights = weighted(values, sample_weight)
        per_sample = math.prod(values.shape[1:])
        self.total += float((values * weights).sum()) / per_sample if per_sample else 0.0
        self.count += float(weights.sum()) / per_sample if per_sample else 0.0


class Mean(_Reduction):
    """The (weighted) mean of the values given to it.

    Examples
    --------
    >>> Mean()([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    2.0
    """

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Take in values, shape (samples, …), and weights of the same shape or (samples,)."""
        self._add(np.asarray(values), sample_weight)

    def result(self) -> Result:
        return self.total / self.count if self.count else 0.0


class Sum(_Reduction):
    """The (weighted) sum of the values given to it."""

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Take in values, shape (samples, …), and weights of the same shape or (samples,)."""
        array = np.asarray(values)
        if sample_weight is not None:
            weights = np.asarray(sample_weight, np.float64)
            _check_weights(array, weights)
            array = array * weights.reshape(weights.shape + (1,) * (array.ndim - weights.ndim))
        self.total += float(array.sum(dtype=np.float64))

    def result(self) -> Result:
        return self.total


class MeanMetricWrapper(Mean):
    """The mean of what a function returns for each sample.

    Parameters
    ----------
    fn : callable
        ``fn(y_true, y_pred, **kwargs)`` -> values, shape (samples,) or (samples, …).
    name : str, optional
        By default the function's.
    **kwargs
        Passed on to `fn`.
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None), dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(  # type: ignore[override]
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        self._add(np.asarray(self._fn(y_true, y_pred, **self._fn_kwargs)), sample_weight)

    def get_config(self) -> dict[str, Any]:
        if type(self) is MeanMetricWrapper:
            raise TypeError(
                f"metric {self.name!r} wraps a Python function, which can't be written into a configuration"
            )
        return {**super().get_config(), **self._fn_kwargs}


class ElementwiseMetric(MeanMetricWrapper):
    """A MeanMetricWrapper whose function averages over the last axis of labels and predictions of one shape.

    Vectors (samples,) are taken as columns (samples, 1), or that average would already be the whole batch's.
    """

    def update_state(  # type: ignore[override]
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        true, pred = same_shape(y_true, y_pred)
        if pred.ndim == 1:
            true, pred = true[:, None], pred[:, None]
        super().update_state(true, pred, sample_weight)


def weighted(values: NDArray[Any], sample_weight: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values averaged to the weights' rank, and the weights in their shape.

    Weights may be a number, (samples,), or have further axes of the values; a last axis of size 1 too many is dropped.
    """
    weights = np.asarray(sample_weight, np.float64)
    values = np.asarray(values, np.float64)
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    _check_weights(values, weights)
    if 0 < weights.ndim < values.ndim:
        values = values.mean(axis=tuple(range(weights.ndim, values.ndim)))
    return values, np.broadcast_to(weights, values.shape)


def _check_weights(values: NDArray[Any], weights: NDArray[Any]) -> None:
    leading = values.shape[: weights.ndim]
    if len(leading) != weights.ndim or any(w not in (v, 1) for w, v in zip(weights.shape, leading)):
        raise ValueError(
            f"sample_weight must have the shape of the values, {values.shape}, or its first axes, "
            f"received shape {weights.shape}"
        )


def same_shape(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as arrays of one shape; one may have a last axis of size 1 more than the other.

    Raises
    ------
    ValueError
        The shapes differ otherwise.
    """
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if true.shape == pred.shape:
        return true, pred
    if true.ndim == pred.ndim + 1 and true.shape[-1] == 1:
        true = true[..., 0]
    elif pred.ndim == true.ndim + 1 and pred.shape[-1] == 1:
        pred = pred[..., 0]
    if true.shape != pred.shape:
        raise ValueError(f"y_true must have the shape of y_pred, {pred.shape}, received shape {true.shape}")
    return true, pred


def class_labels(y_true: ArrayLike, y_pred: NDArray[Any]) -> NDArray[Any]:
    """Class numbers of the shape of `y_pred` without its last axis; (…, 1) is accepted for (…)."""
    true = np.asarray(y_true)
    if true.ndim == y_pred.ndim and true.shape[-1] == 1:
        true = true[..., 0]
    if true.shape != y_pred.shape[:-1]:
        raise ValueError(
            f"y_true must hold one class number for each row of y_pred: shape {y_pred.shape[:-1]}, received shape "
            f"{np.shape(y_true)} (for rows with a single one use the categorical metric)"
        )
    return true


def checked_threshold(threshold: Any, name: str = "threshold") -> float:
    """A threshold as a number from 0 to 1."""
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float, np.number)) or not 0 <= threshold <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1, received {shown(threshold)}")
    return float(threshold)

"""Metrics counted from right and wrong positives and negatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import whole_number
from .base import Metric, Result, checked_threshold, same_shape, weighted
from .inputs import ratio

Thresholds = float | Sequence[float] | None


class _Counts(Metric):
    """Counts true and false positives and negatives at one or several thresholds.

    Parameters
    ----------
    thresholds : float or sequence of floats, optional
        A prediction above it is positive. By default 0.5; with `top_k`, every prediction among the first k.
    top_k : int, optional
        Only the k largest predictions along the last axis can be positive.
    class_id : int, optional
        Count only this place of the last axis.
    """

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        listed = [] if thresholds is None else list(np.atleast_1d(np.asarray(thresholds, object)))
        self.thresholds = thresholds
        self.top_k = None if top_k is None else whole_number(top_k, "top_k")
        self.class_id = None if class_id is None else whole_number(class_id, "class_id", 0)
        default = 0.5 if top_k is None else -np.inf
        self._levels = np.array([checked_threshold(t, "thresholds") for t in listed] or [default])
        self.reset_state()

    def reset_state(self) -> None:
        zeros = np.zeros(len(self._levels))
        self.true_positives, self.false_positives = zeros.copy(), zeros.copy()
        self.true_negatives, self.false_negatives = zeros.copy(), zeros.copy()

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in labels 0 and 1 and probabilities of one shape, (samples,) or (samples, …, classes)."""
        labels, pred = same_shape(y_true, y_pred)
        true = labels > 0 if labels.dtype != np.bool_ else labels
        if self.top_k is not None:
            pred = _only_top(pred, self.top_k)
        if self.class_id is not None:
            if not pred.ndim or self.class_id >= pred.shape[-1]:
                raise ValueError(f"class_id {self.class_id} is not a place of the last axis of y_pred, {pred.shape}")
            true, pred = true[..., self.class_id], pred[..., self.class_id]
        weights = None if sample_weight is None else _expanded(sample_weight, pred)
        for i, level in enumerate(self._levels):
            positive = pred > level
            tp, said = _total(positive & true, weights), _total(positive, weights)
            real, everything = _total(true, weights), _total(None, weights, pred.size)
            self.true_positives[i] += tp
            self.false_positives[i] += said - tp
            self.false_negatives[i] += real - tp
            self.true_negatives[i] += everything - said - real + tp

    def _shaped(self, values: NDArray[np.float64]) -> Result:
        return float(values[0]) if len(values) == 1 else values.copy()

    def get_config(self) -> dict[str, Any]:
        thresholds = self.thresholds
        if thresholds is not None and not isinstance(thresholds, (int, float)):
            thresholds = [float(t) for t in thresholds]
        return {"thresholds": thresholds, "top_k": self.top_k, "class_id": self.class_id, **super().get_config()}


class Precision(_Counts):
    """True positives among all said to be positive; 0 where nothing is.

    Parameters
    ----------
    thresholds : float or sequence of floats, optional
        A prediction above it is positive; several give several results. By default 0.5, or none with `top_k`.
    top_k : int, optional
        Only the k largest predictions along the last axis can be positive.
    class_id : int, optional
        Count only this place of the last axis.
    """

    _direction = "up"

    def result(self) -> Result:
        return self._shaped(ratio(self.true_positives, self.true_positives + self.false_positives))


class Recall(_Counts):
    """True positives among all that are positive; 0 where nothing is. Parameters as `Precision`."""

    _direction = "up"

    def result(self) -> Result:
        return self._shaped(ratio(self.true_positives, self.true_positives + self.false_negatives))


class _OneCount(_Counts):
    _attribute: ClassVar[str]

    def __init__(self, thresholds: Thresholds = None, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(thresholds, name=name, dtype=dtype)

    def result(self) -> Result:
        return self._shaped(getattr(self, self._attribute))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {key: config[key] for key in ("thresholds", "name", "dtype")}


class TruePositives(_OneCount):
    """How many positives were found."""

    _direction, _attribute = "up", "true_positives"


class TrueNegatives(_OneCount):
    """How many negatives were left alone."""

    _direction, _attribute = "up", "true_negatives"


class FalsePositives(_OneCount):
    """How many negatives were called positive."""

    _direction, _attribute = "down", "false_positives"


class FalseNegatives(_OneCount):
    """How many positives were missed."""

    _direction, _attribute = "down", "false_negatives"


def _total(marked: NDArray[np.bool_] | None, weights: NDArray[np.float64] | None, size: int = 0) -> float:
    """The weight of the marked places, or of all `size` of them."""
    if marked is None:
        return size if weights is None else float(weights.sum())
    return int(np.count_nonzero(marked)) if weights is None else float(weights[marked].sum())


def _expanded(sample_weight: ArrayLike, values: NDArray[Any]) -> NDArray[np.float64]:
    """One weight for every value; weights (samples,) count for all values of the sample."""
    weights = np.asarray(sample_weight, np.float64)
    weights = weighted(np.zeros(values.shape[: weights.ndim]), weights)[1]
    return np.broadcast_to(weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim)), values.shape)


def _only_top(pred: NDArray[Any], k: int) -> NDArray[np.float64]:
    """`pred` with all but the k largest of the last axis at minus infinity; of equal ones the first stays."""
    if pred.ndim < 2 or k > pred.shape[-1]:
        raise ValueError(f"top_k={k} needs y_pred of shape (samples, at least {k} classes), received {pred.shape}")
    values = pred.astype(np.float64)
    places = np.argsort(-values, axis=-1, kind="stable")[..., :k]
    out = np.full(values.shape, -np.inf)
    np.put_along_axis(out, places, np.take_along_axis(values, places, -1), -1)
    return out

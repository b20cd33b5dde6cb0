"""Areas and points of ROC and precision-recall curves from counts at fixed thresholds, as Keras has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import unknown_name
from ..shapes import real_number, whole_number
from .base import Metric, Result, same_shape, weighted
from .inputs import ratio
from .regression import EPSILON

Floats = NDArray[np.float64]


class _AtThresholds(Metric):
    """Weights of positives and negatives above each threshold: their number doesn't grow with the data.

    A sample is put into the interval of thresholds that its score falls into; how many are above each is summed from
    these when it is asked for.
    """

    def __init__(self, thresholds: Floats, name: str | None, dtype: str | None) -> None:
        super().__init__(name, dtype)
        self._levels = thresholds
        self.reset_state()

    def reset_state(self) -> None:
        # Negatives and positives by interval and label; the labels' number comes with the first batch.
        self._held: NDArray[np.float64] = np.zeros((2, len(self._levels) + 1, 0))

    def _add(self, true: NDArray[np.bool_], pred: Floats, weights: Floats) -> None:
        """Count arrays of shape (samples, labels)."""
        labels = pred.shape[1]
        if self._held.shape[2] == 0:
            self._held = np.zeros((2, len(self._levels) + 1, labels))
        if self._held.shape[2] != labels:
            raise ValueError(f"y_pred must have {self._held.shape[2]} labels as before, received {labels}")
        # NaN is above no threshold, where searchsorted would put it last.
        interval = np.where(np.isnan(pred), 0, np.searchsorted(self._levels, pred))
        place = (true * (len(self._levels) + 1) + interval) * labels + np.arange(labels)
        counts = np.bincount(place.ravel(), weights.ravel(), self._held.size)
        self._held = self._held + counts.reshape(self._held.shape)

    def _counts(self) -> tuple[Floats, Floats, Floats, Floats]:
        """True positives, false positives, true negatives, false negatives: (thresholds, labels) each."""
        negative, positive = (np.cumsum(part[::-1], 0)[::-1] for part in self._held)
        fp, tp = negative[1:], positive[1:]
        return tp, fp, negative[:1] - fp, positive[:1] - tp


class AUC(_AtThresholds):
    """The area under the ROC or precision-recall curve, from counts at a number of thresholds, as in Keras.

    Parameters
    ----------
    num_thresholds : int
        More than 1; evenly spaced from 0 to 1. The more, the closer to `ROCAUC`, which is exact.
    curve : {"ROC", "PR"}
    summation_method : {"interpolation", "minoring", "majoring"}
        How the curve goes between its points: straight (for "PR" as Davis and Goadrich 2006 have it), or as low or as
        high as either end.
    thresholds : sequence of float, optional
        From 0 to 1, instead of `num_thresholds`.
    multi_label : bool
        Whether each place of the last axis is a label with an area of its own, of which the (weighted) mean is given.
        Otherwise all places are counted together.
    num_labels : int, optional
        With `multi_label`, known from the first batch if not given.
    label_weights : sequence of float, optional
        Of the mean over labels; without `multi_label`, of what the labels' places count.
    from_logits : bool
        Whether predictions are logits, and go through the sigmoid first.

    Notes
    -----
    `y_true` (0 and 1) and `y_pred` have one shape, (samples,) or (samples, labels).
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str = "auc",
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        self.curve = _one_of(str(curve).upper(), "curve", ("ROC", "PR"))
        self.summation_method = _one_of(summation_method, "summation_method", tuple(_SUMMATIONS))
        self.multi_label, self.from_logits = bool(multi_label), bool(from_logits)
        self.num_labels = None if num_labels is None else whole_number(num_labels, "num_labels")
        if self.num_labels is not None and not self.multi_label:
            raise ValueError("num_labels needs multi_label=True")
        self.label_weights = None if label_weights is None else [real_number(w, "label_weights") for w in label_weights]
        self.thresholds = None if thresholds is None else [real_number(t, "thresholds", 0, 1) for t in thresholds]
        if self.thresholds is not None and not self.thresholds:
            raise ValueError("thresholds must not be empty")
        inner = _between(num_thresholds) if self.thresholds is None else np.unique(self.thresholds)
        self.num_thresholds = num_thresholds if self.thresholds is None else len(inner) + 2
        super().__init__(_with_ends(inner), name, dtype)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        true, pred, weights = _flat(y_true, y_pred, sample_weight)
        if self.from_logits:
            pred = np.where(pred >= 0, 1, np.exp(-np.abs(pred))) / (1 + np.exp(-np.abs(pred)))
        _check_probabilities(pred)
        labels = pred.shape[1]
        for given, name in ((self.num_labels, "num_labels"), (self.label_weights, "label_weights")):
            count = given if given is None or isinstance(given, int) else len(given)
            if count is not None and count != labels:
                raise ValueError(f"y_pred must have {count} labels, as {name} says, received {labels}")
        if not self.multi_label:
            if self.label_weights is not None:
                weights = weights * np.asarray(self.label_weights)
            true, pred, weights = (a.reshape(-1, 1) for a in (true, pred, weights))
        self._add(true, pred, weights)

    def result(self) -> Result:
        tp, fp, tn, fn = self._counts()
        if not tp.size:
            return 0.0
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_pr(tp, fp, fn)
        else:
            recall = ratio(tp, tp + fn)
            x, y = (ratio(fp, fp + tn), recall) if self.curve == "ROC" else (recall, ratio(tp, tp + fp))
            areas = ((x[:-1] - x[1:]) * _SUMMATIONS[self.summation_method](y[:-1], y[1:])).sum(0)
        if not self.multi_label or self.label_weights is None:
            return float(areas.mean())
        return float(ratio((areas * self.label_weights).sum(), np.sum(self.label_weights)))

    def get_config(self) -> dict[str, Any]:
        # Thresholds made of their number are made of it again.
        names = (
            "num_thresholds", "curve", "summation_method", "multi_label", "num_labels", "label_weights", "from_logits",
            "thresholds",
        )  # fmt: skip
        return {**{name: getattr(self, name) for name in names}, **super().get_config()}


class _BestPoint(_AtThresholds):
    """The best of one ratio among the thresholds at which another is at least so much.

    Parameters
    ----------
    num_thresholds : int
        Evenly spaced from 0 to 1; with 1 it is 0.5.
    class_id : int, optional
        Count only this place of the last axis.
    """

    _direction = "up"
    #: The argument that says how much is asked for.
    _asked: ClassVar[str]

    def __init__(
        self, asked: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: str | None
    ) -> None:
        setattr(self, self._asked, real_number(asked, self._asked, 0, 1))
        self.class_id = None if class_id is None else whole_number(class_id, "class_id", 0)
        self.num_thresholds = whole_number(num_thresholds, "num_thresholds")
        levels = np.array([0.5]) if num_thresholds == 1 else _with_ends(_between(num_thresholds))
        super().__init__(levels, name, dtype)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        true, pred, weights = _flat(y_true, y_pred, sample_weight)
        _check_probabilities(pred)
        if self.class_id is not None:
            if self.class_id >= pred.shape[1]:
                raise ValueError(f"class_id {self.class_id} is not one of the {pred.shape[1]} columns of y_pred")
            chosen = slice(self.class_id, self.class_id + 1)
            true, pred, weights = true[:, chosen], pred[:, chosen], weights[:, chosen]
        self._add(*(a.reshape(-1, 1) for a in (true, pred, weights)))

    def _ratios(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> tuple[Floats, Floats]:
        """(the one that must be at least so much, the one to be best), at each threshold."""
        raise NotImplementedError

    def result(self) -> Result:
        if not self._held.size:
            return 0.0
        limited, wanted = self._ratios(*(a[:, 0] for a in self._counts()))
        allowed = wanted[limited >= getattr(self, self._asked)]
        return float(allowed.max()) if allowed.size else 0.0

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in (self._asked, "num_thresholds", "class_id")}
        return {**own, **super().get_config()}


class SensitivityAtSpecificity(_BestPoint):
    """The highest recall where at least so much of the negatives is left alone, as in Keras.

    Parameters
    ----------
    specificity : float
        From 0 to 1.
    num_thresholds : int
    class_id : int, optional
        Count only this place of the last axis.
    """

    _asked = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str = "sensitivity_at_specificity",
        dtype: str | None = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def _ratios(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> tuple[Floats, Floats]:
        return ratio(tn, tn + fp), ratio(tp, tp + fn)


class SpecificityAtSensitivity(_BestPoint):
    """How much of the negatives can be left alone where recall is at least `sensitivity`, as in Keras."""

    _asked = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str = "specificity_at_sensitivity",
        dtype: str | None = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def _ratios(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> tuple[Floats, Floats]:
        return ratio(tp, tp + fn), ratio(tn, tn + fp)


class PrecisionAtRecall(_BestPoint):
    """The highest precision where recall is at least `recall`, as in Keras."""

    _asked = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str = "precision_at_recall",
        dtype: str | None = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def _ratios(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> tuple[Floats, Floats]:
        return ratio(tp, tp + fn), ratio(tp, tp + fp)


class RecallAtPrecision(_BestPoint):
    """The highest recall where precision is at least `precision`, as in Keras."""

    _asked = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str = "recall_at_precision",
        dtype: str | None = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def _ratios(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> tuple[Floats, Floats]:
        return ratio(tp, tp + fp), ratio(tp, tp + fn)


_SUMMATIONS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "interpolation": lambda a, b: (a + b) / 2,
    "minoring": np.minimum,
    "majoring": np.maximum,
}


def _interpolated_pr(tp: Floats, fp: Floats, fn: Floats) -> Floats:
    """The area under precision over recall where, between two thresholds, false positives are taken to grow in
    proportion to true ones (Davis and Goadrich, "The Relationship Between Precision-Recall and ROC Curves", 2006):
    precision (a + s p) / p is integrated over the positives said, p, with a and s of the straight line between.
    """
    said = tp + fp
    found, more = tp[:-1] - tp[1:], said[:-1] - said[1:]
    slope = ratio(found, np.maximum(more, 0))
    start = tp[1:] - slope * said[1:]
    both = (said[:-1] > 0) & (said[1:] > 0)
    growth = np.where(both, ratio(said[:-1], np.maximum(said[1:], 0)), 1.0)
    return ratio(slope * (found + start * np.log(growth)), np.maximum(tp[1:] + fn[1:], 0)).sum(0)


def _flat(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Any, Any, Any]:
    """Whether positive, scores and weights: (samples, labels) each; axes between count as samples."""
    if np.ndim(y_pred) == 2 and np.shape(y_pred)[1] > 1 and np.size(y_true) == len(np.asarray(y_pred)):
        raise ValueError(
            f"y_true must have a 0 or 1 for each number of y_pred, shape {np.shape(y_pred)}, received shape "
            f"{np.shape(y_true)}; ROCAUC and AveragePrecision take class numbers"
        )
    labels, pred = same_shape(y_true, y_pred)
    pred = pred.astype(np.float64)
    weights = np.ones(pred.shape)
    if sample_weight is not None:
        given = np.asarray(sample_weight, np.float64)
        given = weighted(np.zeros(pred.shape[: given.ndim]), given)[1]
        weights = np.broadcast_to(given.reshape(given.shape + (1,) * (pred.ndim - given.ndim)), pred.shape)
    shape = (-1, pred.shape[-1]) if pred.ndim > 1 else (-1, 1)
    if not pred.size:
        shape = (0, shape[1])
    return (labels > 0).reshape(shape), pred.reshape(shape), weights.reshape(shape)


def _check_probabilities(pred: Floats) -> None:
    if (pred < 0).any() or (pred > 1).any():
        raise ValueError(f"y_pred must hold probabilities from 0 to 1, received {pred.min():g} to {pred.max():g}")


def _between(num_thresholds: Any) -> Floats:
    count = whole_number(num_thresholds, "num_thresholds", 2)
    return np.arange(1, count - 1) / (count - 1)


def _with_ends(inner: Floats) -> Floats:
    """With one threshold below all probabilities and one above."""
    return np.r_[-EPSILON, inner, 1 + EPSILON]


def _one_of(value: str, name: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise unknown_name(name, value, known)
    return value

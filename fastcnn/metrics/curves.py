"""ROC and precision-recall curves, and the areas under them, from every distinct score: nothing is binned."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import unknown_name
from .base import Metric, Result
from .inputs import check_length, membership, sample_weights, score_rows

Floats = NDArray[np.float64]
_AVERAGES = ("micro", "macro", "weighted")


def roc_curve(
    y_true: ArrayLike, y_score: ArrayLike, sample_weight: ArrayLike | None = None, drop_intermediate: bool = True
) -> tuple[Floats, Floats, Floats]:
    """How many of the positives are found, for how many false alarms, at every threshold.

    Parameters
    ----------
    y_true : array, shape (samples,)
        1 (True) for positives, 0 for negatives.
    y_score : array, shape (samples,)
        Probabilities or any other numbers that are larger for positives.
    sample_weight : array, shape (samples,), optional
    drop_intermediate : bool
        Leave out points on a straight line between their neighbours.

    Returns
    -------
    fpr, tpr, thresholds : arrays
        Rates rise from 0 to 1, thresholds fall from infinity: a score of at least the threshold is positive. The rate
        of a kind that doesn't occur is NaN.
    """
    false, true, levels = _steps(*_binary(y_true, y_score, sample_weight))
    if drop_intermediate and len(true) > 2:
        bent = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
        kept = np.r_[True, bent, True]
        false, true, levels = false[kept], true[kept], levels[kept]
    false, true, levels = np.r_[0.0, false], np.r_[0.0, true], np.r_[np.inf, levels]
    return _share(false), _share(true), levels


def precision_recall_curve(
    y_true: ArrayLike, y_score: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """Precision and recall at every threshold; parameters as of `roc_curve`.

    Returns
    -------
    precision, recall, thresholds : arrays
        Thresholds rise; a score of at least the threshold is positive. The first two have a last point more, (1, 0).
        Without positives recall is 1, as there is none to miss.
    """
    false, true, levels = _steps(*_binary(y_true, y_score, sample_weight))
    said = false + true
    precision = np.divide(true, said, out=np.zeros_like(true), where=said != 0)
    recall = true / true[-1] if len(true) and true[-1] else np.ones_like(true)
    return np.r_[precision[::-1], 1.0], np.r_[recall[::-1], 0.0], levels[::-1]


def roc_auc_score(
    y_true: ArrayLike, y_score: ArrayLike, average: str | None = "macro", sample_weight: ArrayLike | None = None
) -> Any:
    """The area under the ROC curve: how often a positive has a higher score than a negative.

    Parameters
    ----------
    y_true : array
        Class numbers, (samples,) or (samples, 1), or rows of zeros and ones, (samples, classes), with several ones
        where a sample is of several classes.
    y_score : array
        (samples, classes), or of class 1 alone, (samples,) or (samples, 1).
    average : {"macro", "weighted", "micro", None}
        Of several classes each is held against the rest: the mean of their areas, one weighted with the number of
        their samples, the area of all pairs of sample and class together, or an array with the area of each class.
    sample_weight : array, shape (samples,), optional

    Returns
    -------
    float or array of shape (classes,)
        NaN for a class that has no samples, or all, or a score that is NaN, and for means over such.
    """
    return _averaged(_roc_area, y_true, y_score, average, sample_weight)


def average_precision_score(
    y_true: ArrayLike, y_score: ArrayLike, average: str | None = "macro", sample_weight: ArrayLike | None = None
) -> Any:
    """Precision, averaged over the steps by which recall rises: the area under the precision-recall curve, as steps.

    Parameters as of `roc_auc_score`.

    Returns
    -------
    float or array of shape (classes,)
        0 for a class without samples.
    """
    return _averaged(_average_precision, y_true, y_score, average, sample_weight)


class _Area(Metric):
    """Keeps labels and scores until the area is asked for.

    Parameters
    ----------
    average : {"macro", "weighted", "micro", None}
        Over classes; None gives one number a class.
    """

    _direction = "up"
    _area: ClassVar[Any]

    def __init__(self, average: str | None = "macro", name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.average = _checked_average(average)
        self.reset_state()

    def reset_state(self) -> None:
        self._value: Result | None = None
        self._true: list[NDArray[np.bool_]] = []
        self._pred: list[NDArray[Any]] = []
        self._weights: list[Floats] = []

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in labels and scores, in any form that `roc_auc_score` takes."""
        scores = score_rows(y_pred)
        true = membership(y_true, scores.shape[1])
        check_length(true, scores)
        if self._pred and self._pred[0].shape[1] != scores.shape[1]:
            raise ValueError(f"y_pred must have {self._pred[0].shape[1]} columns as before, received {scores.shape[1]}")
        weights = sample_weights(sample_weight, len(true))
        self._value = None
        self._true.append(true)
        # As they came: float32 takes half of the memory, and compares as its float64 does.
        self._pred.append(np.asarray(y_pred).reshape(scores.shape).copy())
        self._weights.append(weights)

    def result(self) -> Result:
        """The area over all batches; 0 before the first."""
        if not self._pred:
            return 0.0
        if self._value is None:
            true, pred, weights = (np.concatenate(parts) for parts in (self._true, self._pred, self._weights))
            self._value = _mean_area(type(self)._area, true, pred, self.average, weights)
        return self._value

    def get_config(self) -> dict[str, Any]:
        return {"average": self.average, **super().get_config()}


def _binary(y_true: ArrayLike, y_score: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Any, Any, Any]:
    scores = score_rows(y_score)
    if scores.shape[1] != 1:
        raise ValueError(f"y_score must have shape (samples,): of one class, received {np.shape(y_score)}")
    true = membership(y_true, 1)
    check_length(true, scores)
    return true[:, 0], scores[:, 0], sample_weights(sample_weight, len(true))


def _steps(true: NDArray[np.bool_], scores: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """The weight of negatives and positives with at least each distinct score, from the highest score on."""
    if np.isnan(scores).any():
        raise ValueError("y_score must hold numbers that can be put in order, received NaN")
    kept = weights != 0
    true, scores, weights = true[kept], scores[kept], weights[kept]
    order = np.argsort(-scores)  # equal scores are counted together, so their order doesn't matter
    scores, true, weights = scores[order], true[order], weights[order]
    # Compared, not subtracted: the difference of equal infinities is NaN.
    ends = np.flatnonzero(scores[1:] != scores[:-1])
    last = np.r_[ends, len(scores) - 1] if len(scores) else np.zeros(0, np.intp)
    found, all_ = np.cumsum(true * weights)[last], np.cumsum(weights)[last]
    # As a difference for whole weights it is exact; else a rounding may push it below the one before.
    return np.maximum.accumulate(all_ - found), found, scores[last]


def _share(counts: Floats) -> Floats:
    return counts / counts[-1] if counts[-1] else np.full_like(counts, np.nan)


def _roc_area(true: NDArray[np.bool_], scores: Floats, weights: Floats) -> float:
    if np.isnan(scores).any():
        return float("nan")
    if (weights == 1).all():
        # As a count of pairs: only the negatives are sorted, and every number is whole.
        positives, negatives = scores[true], np.sort(scores[~true])
        pairs = len(positives) * len(negatives)
        below, not_above = (int(np.searchsorted(negatives, positives, side).sum()) for side in ("left", "right"))
        return (below + not_above) / 2 / pairs if pairs else float("nan")
    false, found, _ = _steps(true, scores, weights)
    if not len(found) or not found[-1] or not false[-1]:
        return float("nan")
    width, height = np.diff(false, prepend=0), found + np.r_[0.0, found[:-1]]
    return float((width * height).sum() / 2 / found[-1] / false[-1])


def _average_precision(true: NDArray[np.bool_], scores: Floats, weights: Floats) -> float:
    if np.isnan(scores).any():
        return float("nan")
    if (weights == 1).all():
        # Recall rises at the scores of positives alone.
        positives, negatives = np.sort(scores[true]), np.sort(scores[~true])
        levels, rises = np.unique(positives, return_counts=True)
        right = len(positives) - np.searchsorted(positives, levels)
        wrong = len(negatives) - np.searchsorted(negatives, levels)
        return float((rises * (right / (right + wrong))).sum() / len(positives)) if len(positives) else 0.0
    false, found, _ = _steps(true, scores, weights)
    if not len(found) or not found[-1]:
        return 0.0
    said = false + found
    precision = np.divide(found, said, out=np.zeros_like(found), where=said != 0)
    return float((np.diff(found, prepend=0) * precision).sum() / found[-1])


def _averaged(
    area: Any, y_true: ArrayLike, y_score: ArrayLike, average: str | None, sample_weight: ArrayLike | None
) -> Any:
    _checked_average(average)
    scores = score_rows(y_score)
    true = membership(y_true, scores.shape[1])
    check_length(true, scores)
    return _mean_area(area, true, scores, average, sample_weights(sample_weight, len(true)))


def _mean_area(area: Any, true: NDArray[np.bool_], scores: Floats, average: str | None, weights: Floats) -> Any:
    columns = scores.shape[1]
    if columns == 1:
        return area(true[:, 0], scores[:, 0], weights)
    if average == "micro":
        return area(true.ravel(), scores.ravel(), np.repeat(weights, columns))
    areas = np.array([area(*column, weights) for column in zip(true.T.copy(), scores.T.copy())])
    if average is None:
        return areas
    if average == "macro":
        return float(areas.mean())
    support = (true * weights[:, None]).sum(0)
    held = support != 0  # a class without samples has no weight, whatever its area
    return float((areas[held] * support[held]).sum() / support.sum()) if held.any() else float("nan")


def _checked_average(average: str | None) -> str | None:
    if average is not None and average not in _AVERAGES:
        raise unknown_name("average", average, _AVERAGES)
    return average


class ROCAUC(_Area):
    """The area under the ROC curve over all batches, exactly; see `roc_auc_score`.

    Where Keras' `AUC` counts at 200 thresholds, this one keeps every label and score (some 5 to 10 bytes for each), and
    sorts the scores when its value is asked for.
    """

    _area = staticmethod(_roc_area)

    def __init__(self, average: str | None = "macro", name: str = "roc_auc", dtype: str | None = None) -> None:
        super().__init__(average, name, dtype)


class AveragePrecision(_Area):
    """Average precision over all batches, exactly; see `average_precision_score`. It keeps what `ROCAUC` keeps."""

    _area = staticmethod(_average_precision)

    def __init__(
        self, average: str | None = "macro", name: str = "average_precision", dtype: str | None = None
    ) -> None:
        super().__init__(average, name, dtype)

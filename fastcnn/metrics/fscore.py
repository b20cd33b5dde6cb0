"""Precision, recall, F and specificity of each class, and their averages; as metrics and as functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown, unknown_name
from ..shapes import real_number
from .base import Metric, Result, checked_threshold, weighted
from .inputs import check_length, class_numbers, membership, ratio
from .report import confusion_matrix

Floats = NDArray[np.float64]
_AVERAGES = ("micro", "macro", "weighted")


class _ByClass(Metric):
    """Counts of each class: rightly said, said, real, and all samples.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None gives an array with one number a class; "micro" counts all classes together; "macro" is the mean over
        classes; "weighted" weights each class with its number of samples.
    threshold : float, optional
        Predictions above it are positive. By default the largest of each row is; of one column, what is above 0.5.

    Notes
    -----
    `y_pred` has shape (samples, classes); `y_true` the same, with ones, or it holds class numbers, (samples,) or
    (samples, 1). Probabilities of class 1 alone, (samples,) or (samples, 1), are judged by that class.
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        if average is not None and average not in _AVERAGES:
            raise unknown_name("average", average, _AVERAGES)
        self.average = average
        self.threshold = None if threshold is None else checked_threshold(threshold)
        self.reset_state()

    def reset_state(self) -> None:
        # Empty until the first batch says how many classes there are.
        self.true_positives = self.said = self.real = np.zeros(0)
        self.total = 0.0

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        pred = np.asarray(y_pred)
        pred = pred[:, None] if pred.ndim == 1 else pred
        labels = self._labels(y_true, pred)
        if not self.real.size:
            self.true_positives, self.said, self.real = np.zeros((3, pred.shape[1]))
        if self.threshold is None and pred.shape[1] == 1:
            positive = pred > 0.5  # the largest of one says nothing
        elif self.threshold is None:
            # A row of zeros has no largest: none of it is positive.
            largest = pred.max(-1, keepdims=True, initial=-np.inf)
            positive = (pred >= largest) & (np.abs(pred) > 1e-9)
        else:
            positive = pred > self.threshold
        weights: Any = 1.0
        total = float(len(pred))
        if sample_weight is not None:
            _, row_weights = weighted(np.zeros(len(pred)), sample_weight)
            weights, total = row_weights[:, None], float(row_weights.sum())
        true = labels.astype(np.float64) * weights
        self.true_positives = self.true_positives + (positive * true).sum(0)
        self.said = self.said + (positive * weights).sum(0)
        self.real = self.real + true.sum(0)
        self.total += total

    def _labels(self, y_true: ArrayLike, pred: NDArray[Any]) -> NDArray[Any]:
        labels = np.asarray(y_true)
        if pred.ndim == 2 and pred.shape[1] == 1:
            labels = membership(y_true, 1)
            check_length(labels, pred)
        if pred.ndim == 2 and labels.shape == pred.shape:
            return labels
        if pred.ndim != 2 or labels.shape not in (pred.shape[:1], (len(pred), 1)):
            raise ValueError(
                f"{type(self).__name__}: y_true and y_pred must have one shape (samples, classes), or y_true class "
                f"numbers (samples,), received shapes {labels.shape} and {pred.shape}"
            )
        numbers, _ = class_numbers(labels, "y_true")
        if numbers.size and numbers.max() >= pred.shape[1]:
            raise ValueError(f"y_true must hold classes from 0 to {pred.shape[1] - 1}, received {numbers.max()}")
        return numbers[:, None] == np.arange(pred.shape[1])

    def _scores(self, right: Any, said: Any, real: Any, total: Any) -> Any:
        """The ratio, from counts of each class or of all together."""
        raise NotImplementedError

    def result(self) -> Result:
        return _averaged(self._scores, self.true_positives, self.said, self.real, self.total, self.average)

    def get_config(self) -> dict[str, Any]:
        return {"average": self.average, "threshold": self.threshold, **super().get_config()}


class FBetaScore(_ByClass):
    """(1 + beta²) precision · recall / (beta² precision + recall), for each class or averaged; 0 where there is none.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None gives an array with one score a class; "micro" counts all classes together; "macro" is the mean over
        classes; "weighted" weights each class with its number of samples.
    beta : float
        Above 0; how much more recall counts than precision.
    threshold : float, optional
        Predictions above it are positive. By default the largest of each row is; of one column, what is above 0.5.

    Notes
    -----
    `y_pred` has shape (samples, classes); `y_true` the same, as Keras wants it, or it holds class numbers. Of class 1
    alone it may be (samples,) or (samples, 1). Keras adds 1e-7 to what it divides by, where here nothing is added, and
    takes all of one column for positive.
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, threshold, name, dtype)
        self.beta = _checked_beta(beta)

    def _scores(self, right: Any, said: Any, real: Any, total: Any) -> Any:
        return _fbeta(self.beta)(right, said, real, total)

    def get_config(self) -> dict[str, Any]:
        return {"beta": self.beta, **super().get_config()}


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall: `FBetaScore` with beta 1."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config


class PrecisionScore(_ByClass):
    """Of each class, how much of what is said to be of it is; parameters as of `F1Score`.

    Keras' `Precision` counts all places of a prediction together, above a threshold.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "precision_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, threshold, name, dtype)

    def _scores(self, right: Any, said: Any, real: Any, total: Any) -> Any:
        return _precision(right, said, real, total)


class RecallScore(_ByClass):
    """Of each class, how much of it is found; parameters as of `F1Score`."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "recall_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, threshold, name, dtype)

    def _scores(self, right: Any, said: Any, real: Any, total: Any) -> Any:
        return _recall(right, said, real, total)


class SpecificityScore(_ByClass):
    """Of each class, how much of the other classes is not taken for it; parameters as of `F1Score`."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "specificity_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, threshold, name, dtype)

    def _scores(self, right: Any, said: Any, real: Any, total: Any) -> Any:
        return _specificity(right, said, real, total)


def precision_score(
    y_true: ArrayLike, y_pred: ArrayLike, average: str | None = "binary", sample_weight: ArrayLike | None = None
) -> Any:
    """True positives among all said to be positive.

    Parameters
    ----------
    y_true, y_pred : arrays
        Class numbers, (samples,) or (samples, 1), or rows (samples, classes), which count as their largest's class.
    average : {"binary", "micro", "macro", "weighted", None}
        "binary" is that of class 1, with two classes; None gives an array with one number a class; "micro" counts all
        classes together; "macro" is the mean over classes; "weighted" weights each class with its samples.
    sample_weight : array, shape (samples,), optional

    Returns
    -------
    float or array of shape (classes,)
        0 where there is nothing to divide by. Averages are over the classes that occur in either array.
    """
    return _score(_precision, y_true, y_pred, average, sample_weight)


def recall_score(
    y_true: ArrayLike, y_pred: ArrayLike, average: str | None = "binary", sample_weight: ArrayLike | None = None
) -> Any:
    """True positives among all that are positive; parameters and result as of `precision_score`."""
    return _score(_recall, y_true, y_pred, average, sample_weight)


def fbeta_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    beta: float = 1.0,
    average: str | None = "binary",
    sample_weight: ArrayLike | None = None,
) -> Any:
    """(1 + beta²) precision · recall / (beta² precision + recall); else as `precision_score`."""
    return _score(_fbeta(_checked_beta(beta)), y_true, y_pred, average, sample_weight)


def f1_score(
    y_true: ArrayLike, y_pred: ArrayLike, average: str | None = "binary", sample_weight: ArrayLike | None = None
) -> Any:
    """The harmonic mean of precision and recall; parameters and result as of `precision_score`."""
    return _score(_fbeta(1.0), y_true, y_pred, average, sample_weight)


def specificity_score(
    y_true: ArrayLike, y_pred: ArrayLike, average: str | None = "binary", sample_weight: ArrayLike | None = None
) -> Any:
    """True negatives among all that are negative; parameters and result as of `precision_score`."""
    return _score(_specificity, y_true, y_pred, average, sample_weight)


def _precision(right: Any, said: Any, real: Any, total: Any) -> Any:
    return ratio(right, said)


def _recall(right: Any, said: Any, real: Any, total: Any) -> Any:
    return ratio(right, real)


def _specificity(right: Any, said: Any, real: Any, total: Any) -> Any:
    return ratio(total - said - real + right, total - real)


def _fbeta(beta: float) -> Any:
    def score(right: Any, said: Any, real: Any, total: Any) -> Any:
        return ratio((1 + beta**2) * right, beta**2 * real + said)

    return score


def _checked_beta(beta: Any) -> float:
    value = real_number(beta, "beta")
    if not value > 0:
        raise ValueError(f"beta must be above 0, received {shown(beta)}")
    return value


def _averaged(function: Any, right: Floats, said: Floats, real: Floats, total: float, average: str | None) -> Any:
    if average == "micro":
        return float(function(right.sum(), said.sum(), real.sum(), total * len(real)))
    scores = function(right, said, real, total)
    if average is None:
        return scores
    if not len(scores):
        return 0.0
    return float(ratio((scores * real).sum(), real.sum()) if average == "weighted" else scores.mean())


def _score(
    function: Any, y_true: ArrayLike, y_pred: ArrayLike, average: str | None, sample_weight: ArrayLike | None
) -> Any:
    if average is not None and average not in (*_AVERAGES, "binary"):
        raise unknown_name("average", average, (*_AVERAGES, "binary"))
    matrix = confusion_matrix(y_true, y_pred, sample_weight=sample_weight)
    if average == "binary":
        if len(matrix) > 2:
            raise ValueError(
                f'average="binary" is for classes 0 and 1, received {len(matrix)} classes: give "micro", "macro", '
                f'"weighted" or None'
            )
        matrix = np.pad(matrix, (0, 2 - len(matrix)))
    right, said, real = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    if average == "binary":
        return float(function(right, said, real, matrix.sum())[1])
    if average is not None:
        occurs = said + real != 0
        right, said, real = right[occurs], said[occurs], real[occurs]
    return _averaged(function, right, said, real, matrix.sum(), average)

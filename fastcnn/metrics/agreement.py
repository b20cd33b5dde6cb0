"""Single numbers that a confusion matrix says more with than accuracy does, where classes are unequally frequent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import unknown_name
from .base import Result
from .report import ConfusionMatrix, confusion_matrix

Floats = NDArray[np.float64]


def balanced_accuracy_score(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None, adjusted: bool = False
) -> float:
    """The mean of the recalls of all classes that occur in `y_true`.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As of `confusion_matrix`.
    adjusted : bool
        Give 0 for guessing and 1 for being always right.
    """
    return _balanced(confusion_matrix(y_true, y_pred, sample_weight=sample_weight), adjusted)


def cohen_kappa_score(
    y_true: ArrayLike, y_pred: ArrayLike, weights: str | None = None, sample_weight: ArrayLike | None = None
) -> float:
    """How much more often two judgements agree than by chance (Cohen 1960): 1 always, 0 as often as by chance.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As of `confusion_matrix`.
    weights : {None, "linear", "quadratic"}
        How much it matters to be far off, where classes are steps of a scale: by the distance of class numbers, or by
        its square (Cohen 1968).

    Returns
    -------
    float
        NaN where both always say the same one class.
    """
    return _kappa(confusion_matrix(y_true, y_pred, sample_weight=sample_weight), _checked(weights))


def matthews_corrcoef(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The correlation of labels and predictions, from -1 to 1, for any number of classes (Gorodkin 2004).

    Parameters are those of `confusion_matrix`. 0 where either is always the same class.
    """
    return _matthews(confusion_matrix(y_true, y_pred, sample_weight=sample_weight))


class BalancedAccuracy(ConfusionMatrix):
    """`balanced_accuracy_score` over all batches.

    Parameters
    ----------
    adjusted : bool
        Give 0 for guessing and 1 for being always right.
    num_classes, threshold
        As of `ConfusionMatrix`.
    """

    _direction = "up"

    def __init__(
        self,
        adjusted: bool = False,
        num_classes: int | None = None,
        threshold: float = 0.5,
        name: str = "balanced_accuracy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(num_classes, threshold, name, dtype)
        self.adjusted = bool(adjusted)

    def result(self) -> Result:
        return _balanced(self._matrix, self.adjusted)

    def get_config(self) -> dict[str, Any]:
        return {"adjusted": self.adjusted, **super().get_config()}


class CohenKappa(ConfusionMatrix):
    """`cohen_kappa_score` over all batches.

    Parameters
    ----------
    weights : {None, "linear", "quadratic"}
        How much it matters to be far off, where classes are steps of a scale.
    num_classes, threshold
        As of `ConfusionMatrix`.
    """

    _direction = "up"

    def __init__(
        self,
        weights: str | None = None,
        num_classes: int | None = None,
        threshold: float = 0.5,
        name: str = "cohen_kappa",
        dtype: str | None = None,
    ) -> None:
        super().__init__(num_classes, threshold, name, dtype)
        self.weights = _checked(weights)

    def result(self) -> Result:
        return _kappa(self._matrix, self.weights)

    def get_config(self) -> dict[str, Any]:
        return {"weights": self.weights, **super().get_config()}


class MatthewsCorrelation(ConfusionMatrix):
    """`matthews_corrcoef` over all batches; parameters as of `ConfusionMatrix`."""

    _direction = "up"

    def __init__(
        self,
        num_classes: int | None = None,
        threshold: float = 0.5,
        name: str = "matthews_correlation",
        dtype: str | None = None,
    ) -> None:
        super().__init__(num_classes, threshold, name, dtype)

    def result(self) -> Result:
        return _matthews(self._matrix)


def _balanced(matrix: NDArray[Any], adjusted: bool) -> float:
    real = matrix.sum(1)
    held = real != 0
    if not held.any():
        return 0.0
    score = float((matrix.diagonal()[held] / real[held]).mean())
    if not adjusted:
        return score
    chance = 1 / int(held.sum())
    return (score - chance) / (1 - chance) if chance < 1 else float("nan")


def _kappa(matrix: NDArray[Any], weights: str | None) -> float:
    real, said = matrix.sum(1).astype(np.float64), matrix.sum(0).astype(np.float64)
    total = real.sum()
    places = np.arange(len(matrix))
    apart = np.abs(places[:, None] - places)
    cost = {None: apart != 0, "linear": apart, "quadratic": apart**2}[weights]
    by_chance = (cost * np.outer(real, said)).sum()
    return float(1 - (cost * matrix).sum() * total / by_chance) if by_chance else float("nan")


def _matthews(matrix: NDArray[Any]) -> float:
    real, said = matrix.sum(1).astype(np.float64), matrix.sum(0).astype(np.float64)
    total, right = real.sum(), float(matrix.trace())
    spread = (total**2 - (said**2).sum()) * (total**2 - (real**2).sum())
    return float((right * total - (real * said).sum()) / np.sqrt(spread)) if spread > 0 else 0.0


def _checked(weights: str | None) -> str | None:
    if weights not in (None, "linear", "quadratic"):
        raise unknown_name("weights", weights, ("linear", "quadratic"))
    return weights

"""How good probabilities are as probabilities: log loss, Brier score, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import unknown_name
from ..shapes import whole_number
from .base import Metric, Result
from .inputs import class_scores, sample_weights

Floats = NDArray[np.float64]


def log_loss(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The mean of -log of the probability given to the right class.

    Parameters
    ----------
    y_true : array
        Class numbers, (samples,) or (samples, 1), or rows with a single one, (samples, classes).
    y_pred : array
        Probabilities: (samples, classes), or of class 1 alone, (samples,) or (samples, 1). They count as they are, at
        least the smallest step between numbers of their type around 1 (2.2e-16 for float64, 1.2e-7 for float32).
    sample_weight : array, shape (samples,), optional
    """
    return _mean(_log_losses(y_true, y_pred), sample_weight)


def brier_score(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The mean squared distance between probabilities and what came true (Brier 1950): 0 at best.

    Parameters as of `log_loss`.

    Returns
    -------
    float
        Of two classes the mean of (p - y)^2 for class 1, from 0 to 1; of more the sum over classes, from 0 to 2, as
        Brier has it and scikit-learn does.
    """
    return _mean(_brier_terms(y_true, y_pred), sample_weight)


def reliability_curve(
    y_true: ArrayLike, y_pred: ArrayLike, num_bins: int = 15, sample_weight: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """How sure the model was, and how often it was right, in bins of equal width of how sure it was.

    Parameters
    ----------
    num_bins : int
        Bin i has the predictions whose highest probability is above i / num_bins and at most (i + 1) / num_bins.
    y_true, y_pred, sample_weight
        As of `log_loss`.

    Returns
    -------
    accuracy, confidence, weight : arrays of shape (num_bins,)
        The first two are NaN in bins without weight.
    """
    sums = _bin_sums(y_true, y_pred, whole_number(num_bins, "num_bins"), sample_weight)
    return _per_bin(sums)


def expected_calibration_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    num_bins: int = 15,
    norm: str = "l1",
    sample_weight: ArrayLike | None = None,
) -> float:
    """How far the model is from being right as often as it is sure (Guo et al., "On Calibration of Modern Neural
    Networks", 2017, sections 2 and 3): the distance between accuracy and mean confidence over the bins of
    `reliability_curve`.

    Parameters
    ----------
    norm : {"l1", "l2", "max"}
        The mean over samples, the root of the mean square, or the largest (the maximum calibration error).
    y_true, y_pred, num_bins, sample_weight
        As of `reliability_curve`.
    """
    _checked_norm(norm)
    return _calibration_error(_bin_sums(y_true, y_pred, whole_number(num_bins, "num_bins"), sample_weight), norm)


class _MeanOfSamples(Metric):
    """The mean of a number for each sample, without a division by the classes or pixels."""

    _direction = "down"

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.reset_state()

    def reset_state(self) -> None:
        self.total, self.count = 0.0, 0.0

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        terms = self._terms(y_true, y_pred)
        weights = sample_weights(sample_weight, len(terms))
        self.total += float((terms * weights).sum())
        self.count += float(weights.sum())

    def _terms(self, y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
        raise NotImplementedError

    def result(self) -> Result:
        return self.total / self.count if self.count else 0.0


class LogLoss(_MeanOfSamples):
    """`log_loss` over all batches: the cross entropy, of class numbers or rows, without smoothing."""

    def __init__(self, name: str = "log_loss", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def _terms(self, y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
        return _log_losses(y_true, y_pred)


class BrierScore(_MeanOfSamples):
    """`brier_score` over all batches."""

    def __init__(self, name: str = "brier_score", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def _terms(self, y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
        return _brier_terms(y_true, y_pred)


class ExpectedCalibrationError(Metric):
    """`expected_calibration_error` over all batches: as if they had come as one.

    Parameters
    ----------
    num_bins : int
    norm : {"l1", "l2", "max"}
    """

    _direction = "down"

    def __init__(
        self,
        num_bins: int = 15,
        norm: str = "l1",
        name: str = "expected_calibration_error",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.num_bins, self.norm = whole_number(num_bins, "num_bins"), _checked_norm(norm)
        self.reset_state()

    def reset_state(self) -> None:
        self._sums = np.zeros((3, self.num_bins))

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._sums = self._sums + _bin_sums(y_true, y_pred, self.num_bins, sample_weight)

    def result(self) -> Result:
        return _calibration_error(self._sums, self.norm)

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """Accuracy, confidence and weight of each bin, as `reliability_curve` gives them."""
        return _per_bin(self._sums)

    def get_config(self) -> dict[str, Any]:
        return {"num_bins": self.num_bins, "norm": self.norm, **super().get_config()}


def _log_losses(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    true, pred = class_scores(y_true, y_pred)
    kind = np.asarray(y_pred).dtype
    least = np.finfo(kind if kind.kind == "f" else np.float64).eps
    return -np.log(np.clip(pred[np.arange(len(true)), true], least, 1 - least))


def _brier_terms(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    true, pred = class_scores(y_true, y_pred)
    off = pred.copy()
    off[np.arange(len(true)), true] -= 1
    return np.square(off).sum(1) / (2 if pred.shape[1] == 2 else 1)


def _mean(terms: Floats, sample_weight: ArrayLike | None) -> float:
    weights = sample_weights(sample_weight, len(terms))
    total = float(weights.sum())
    return float((terms * weights).sum()) / total if total else 0.0


def _bin_sums(y_true: ArrayLike, y_pred: ArrayLike, num_bins: int, sample_weight: ArrayLike | None) -> Floats:
    """Of each bin the weight, the weight of right predictions, and the weighted sum of confidences: (3, num_bins)."""
    true, pred = class_scores(y_true, y_pred)
    weights = sample_weights(sample_weight, len(true))
    said = pred.argmax(1) if len(pred) else np.zeros(0, np.intp)
    sure = pred[np.arange(len(pred)), said]
    bins = np.searchsorted(np.linspace(0, 1, num_bins + 1)[1:-1], sure)  # NaN, which it stays, goes into the last
    return np.stack([np.bincount(bins, w, num_bins) for w in (weights, weights * (said == true), weights * sure)])


def _per_bin(sums: Floats) -> tuple[Floats, Floats, Floats]:
    weight, right, sure = sums
    accuracy, confidence = np.full((2, len(weight)), np.nan)
    np.divide(right, weight, out=accuracy, where=weight != 0)
    np.divide(sure, weight, out=confidence, where=weight != 0)
    return accuracy, confidence, weight.copy()


def _calibration_error(sums: Floats, norm: str) -> float:
    accuracy, confidence, weight = _per_bin(sums)
    held = weight != 0
    if not held.any():
        return 0.0
    gaps, shares = np.abs(accuracy - confidence)[held], weight[held] / weight.sum()
    if norm == "max":
        return float(gaps.max())
    return float((gaps * shares).sum() if norm == "l1" else np.sqrt((gaps**2 * shares).sum()))


def _checked_norm(norm: str) -> str:
    if norm not in ("l1", "l2", "max"):
        raise unknown_name("norm", norm, ("l1", "l2", "max"))
    return norm

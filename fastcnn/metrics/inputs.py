"""Labels and predictions in the forms that models and people have them, brought to one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown


def class_numbers(y: ArrayLike, name: str, threshold: float | None = None) -> tuple[NDArray[np.int64], int]:
    """Class numbers (samples,), and how many classes the array's width says there are (0: it doesn't).

    Parameters
    ----------
    y : array
        Class numbers, (samples,) or (samples, 1), or rows (samples, classes), which count as their largest's class.
    name : str
        Of the argument, for errors.
    threshold : float, optional
        With it, numbers from 0 to 1 in (samples,) or (samples, 1) that are not all whole are probabilities of class 1:
        above it they count as 1, else (NaN as well) as 0.
    """
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    width = 0
    if array.ndim == 2 and array.shape[1]:
        width = array.shape[1]
        array = array.argmax(1)
    if array.ndim != 1 or array.dtype.kind not in "iufb":
        raise ValueError(
            f"{name} must hold class numbers, shape (samples,), or rows (samples, classes), "
            f"received shape {array.shape} of {array.dtype}"
        )
    with np.errstate(invalid="ignore"):  # NaN becomes some integer, which the comparison turns away
        whole = array.astype(np.int64)
    wrong = (whole != array) | (whole < 0)
    if wrong.any():
        if threshold is not None and (((array >= 0) & (array <= 1)) | np.isnan(array)).all():
            return (array > threshold).astype(np.int64), 2
        other = "" if threshold is None else ", or probabilities from 0 to 1"
        raise ValueError(f"{name} must hold class numbers from 0{other}, received {shown(array[wrong][0].item())}")
    return whole, width


def class_scores(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Class numbers (samples,) and a probability for each class, (samples, classes), in float64.

    Parameters
    ----------
    y_true : array
        Class numbers, (samples,) or (samples, 1), or rows with a single one, (samples, classes).
    y_pred : array
        Probabilities: (samples, classes), or of class 1 alone, (samples,) or (samples, 1).

    Raises
    ------
    ValueError
        Other shapes, labels beyond the classes, probabilities beyond 0 to 1. NaN passes.
    """
    pred = score_rows(y_pred)
    if (pred < 0).any() or (pred > 1).any():
        raise ValueError(
            f"y_pred must hold probabilities from 0 to 1, received {pred.min():g} to {pred.max():g} "
            f"(apply softmax or sigmoid to logits first)"
        )
    if pred.shape[1] == 1:
        pred = np.concatenate([1 - pred, pred], 1)
    true, _ = class_numbers(y_true, "y_true")
    check_length(true, pred)
    if true.size and true.max() >= pred.shape[1]:
        raise ValueError(f"y_true must hold classes from 0 to {pred.shape[1] - 1}, received {true.max()}")
    return true, pred


def score_rows(y_pred: ArrayLike) -> NDArray[np.float64]:
    """Scores as (samples, classes) in float64; of (samples,) as one column."""
    pred = np.asarray(y_pred)
    if pred.ndim == 1:
        pred = pred[:, None]
    if pred.ndim != 2 or not pred.shape[1] or pred.dtype.kind not in "iufb":
        raise ValueError(
            f"y_pred must hold scores, shape (samples,) or (samples, classes), received shape {pred.shape} "
            f"of {pred.dtype}"
        )
    return pred.astype(np.float64)


def membership(y_true: ArrayLike, columns: int) -> NDArray[np.bool_]:
    """Which sample is of which class, (samples, columns), from class numbers or rows of zeros and ones.

    With one column, of class 1 or not.
    """
    true = np.asarray(y_true)
    if true.ndim == 2 and true.shape[1] == columns > 1:
        if not np.isin(true, (0, 1)).all():
            raise ValueError("y_true must hold class numbers, or rows of zeros and ones")
        return true.astype(bool)
    labels, width = class_numbers(y_true, "y_true")
    known = max(columns, 2)
    if width > known or (labels.size and labels.max() >= known):
        raise ValueError(
            f"y_true must hold classes from 0 to {known - 1}, as y_pred has "
            f"{columns} column{'s' * (columns > 1)}, received {max(width - 1, int(labels.max()))}"
        )
    return (labels == 1)[:, None] if columns == 1 else labels[:, None] == np.arange(columns)


def surest_mistakes(true: NDArray[np.int64], scores: NDArray[Any]) -> NDArray[np.intp]:
    """The samples whose highest score (samples, classes) is another class's than their own, the highest first."""
    said = scores.argmax(1)
    wrong = np.flatnonzero(said != true)
    return wrong[np.argsort(-scores[wrong, said[wrong]], kind="stable")]


def ratio(part: Any, whole: Any) -> Any:
    """`part` / `whole` in float64, elementwise; 0 where there is nothing to divide by."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def check_length(true: NDArray[Any], pred: NDArray[Any]) -> None:
    if len(true) != len(pred):
        raise ValueError(f"y_true and y_pred must have the same length, received {len(true)} and {len(pred)}")


def sample_weights(sample_weight: ArrayLike | None, count: int) -> NDArray[np.float64]:
    """One weight of at least 0 a sample; ones where none are given."""
    if sample_weight is None:
        return np.ones(count)
    weights = np.asarray(sample_weight, np.float64)
    if weights.shape == (count, 1):
        weights = weights[:, 0]
    if weights.shape != (count,):
        raise ValueError(f"sample_weight must have shape ({count},), received {weights.shape}")
    if not (weights >= 0).all() or np.isinf(weights).any():
        bad = weights[~(weights >= 0) | np.isinf(weights)][0]
        raise ValueError(f"sample_weight must hold finite numbers of at least 0, received {bad:g}")
    return weights

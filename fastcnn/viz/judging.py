"""Pictures of how good a model is: confusion matrix, reliability diagram, ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics import (
    average_precision_score,
    confusion_matrix,
    expected_calibration_error,
    precision_recall_curve,
    reliability_curve,
    roc_auc_score,
    roc_curve,
)
from ..metrics.inputs import membership, sample_weights, score_rows
from .figures import BLUE, GREY, ORANGE, Target, check_target, class_labels, colour, new_figure, plain_text, save, tidy

#: Up to so many classes a confusion matrix has numbers, and curves have colours and lines in the legend.
_NUMBERED, _COLOURED = 30, 12


def plot_confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    path: Target,
    class_names: Sequence[str] | None = None,
    *,
    normalize: bool = False,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
) -> None:
    """Draw which classes are taken for which: blue what is right, orange what is not, the darker the more of its row.

    Parameters
    ----------
    y_true, y_pred : arrays
        Class numbers, (samples,) or (samples, 1), or rows of scores, (samples, classes).
    path : path-like or binary file
        Picture to write: ``.png``, ``.svg`` or ``.pdf``, there whole or not at all. An open file gets a PNG.
    class_names : sequence of str, optional
        Of class 0, 1, …
    normalize : bool
        Write shares of the true class's samples instead of numbers.
    sample_weight : array, shape (samples,), optional
    title : str, optional

    Raises
    ------
    ImportError
        matplotlib is not installed (``pip install "fastcnn[plot]"``).
    ValueError
        There are no samples, too few names, or the ending of `path` is of no known picture format.
    """
    check_target(path)
    count = None if class_names is None else max(1, len(class_names))
    matrix = confusion_matrix(y_true, y_pred, count, sample_weight)
    if not matrix.sum():
        raise ValueError("y_true and y_pred must not be empty")
    names = class_labels(class_names, len(matrix))
    side = 2.2 + 0.48 * min(len(matrix), _NUMBERED)
    figure = new_figure("plot_confusion_matrix", side + 0.2, side)
    axes = figure.add_subplot()
    rows = matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.zeros(matrix.shape), where=rows != 0)
    axes.imshow(_confusion_colours(shares), aspect="equal")
    for edge in range(len(matrix) + 1):
        axes.axhline(edge - 0.5, color="white", linewidth=0.8)
        axes.axvline(edge - 0.5, color="white", linewidth=0.8)
    if len(matrix) <= _NUMBERED:
        for (row, column), value in np.ndenumerate(shares if normalize else matrix):
            if value:
                dark = shares[row, column] > (0.6 if row == column else 0.35)
                text = f"{value:.2f}" if normalize else f"{value:.{0 if float(value).is_integer() else 1}f}"
                axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "#222222")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"accuracy {matrix.trace() / matrix.sum():.4f}" if title is None else plain_text(title))
    save(figure, path)


def _confusion_colours(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of white and a colour, by the share of the row; mistakes, which are few, by its root, so that they are seen."""
    depth = np.sqrt(shares)
    np.fill_diagonal(depth, shares.diagonal())
    full = np.where(np.eye(len(shares), dtype=bool)[..., None], (0.03, 0.25, 0.55), (0.75, 0.22, 0.02))
    return 1 - np.minimum(depth, 1)[..., None] * (1 - full)


def plot_reliability(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    path: Target,
    *,
    num_bins: int = 15,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
) -> None:
    """Draw how often the model is right where it is so and so sure, and below how often it is so sure.

    Parameters
    ----------
    y_true : array
        Class numbers, (samples,) or (samples, 1), or rows with a single one, (samples, classes).
    y_pred : array
        Probabilities: (samples, classes), or of class 1 alone, (samples,) or (samples, 1).
    num_bins : int
        Of how sure the model is, from 0 to 1.
    path, sample_weight, title
        As of `plot_confusion_matrix`.
    """
    check_target(path)
    accuracy, confidence, weight = reliability_curve(y_true, y_pred, num_bins, sample_weight)
    if not weight.sum():
        raise ValueError("y_true and y_pred must not be empty")
    error = expected_calibration_error(y_true, y_pred, num_bins, sample_weight=sample_weight)
    figure = new_figure("plot_reliability", 5.6, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    left, width = np.arange(num_bins) / num_bins, 1 / num_bins
    held = weight > 0
    upper.bar(left[held], accuracy[held], width, align="edge", color=BLUE, edgecolor="white", label="accuracy")
    over = np.where(held, confidence - accuracy, 0)
    upper.bar(
        left[held], over[held], width, bottom=accuracy[held], align="edge", facecolor="none", hatch="///",
        edgecolor=ORANGE, linewidth=0.8, label="gap to confidence",
    )  # fmt: skip
    upper.plot((0, 1), (0, 1), color=GREY, linestyle="--", linewidth=1.2, label="perfectly calibrated")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    upper.set_title(f"expected calibration error {error:.4f}" if title is None else plain_text(title))
    upper.legend(edgecolor="none", loc="upper left")
    lower.bar(left, weight / weight.sum(), width, align="edge", color=GREY, edgecolor="white")
    lower.set(xlabel="confidence: the highest probability", ylabel="share")
    for axes in (upper, lower):
        tidy(axes)
        axes.set_axisbelow(True)
    save(figure, path)


def plot_roc(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    path: Target,
    class_names: Sequence[str] | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
) -> None:
    """Draw the ROC curve of each class against the rest, with the area under it; of two classes that of class 1.

    Parameters
    ----------
    y_true : array
        Class numbers, (samples,) or (samples, 1), or rows of zeros and ones, (samples, classes).
    y_pred : array
        Scores: (samples, classes), or of class 1 alone, (samples,) or (samples, 1).
    path, class_names, sample_weight, title
        As of `plot_confusion_matrix`. Classes without samples, or with all of them, have no curve.
    """
    axes, draw = _curves("plot_roc", y_true, y_pred, path, class_names, sample_weight)

    def one(true: Any, scores: Any, weights: Any) -> tuple[Any, Any, float]:
        false, found, _ = roc_curve(true, scores, weights)
        return false, found, roc_auc_score(true, scores, sample_weight=weights)

    mean = draw(one, "area")
    axes.plot((0, 1), (0, 1), color=GREY, linestyle="--", linewidth=1.2)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.set_title(f"ROC, mean area {mean:.4f}" if title is None else plain_text(title))
    save(axes.figure, path)


def plot_precision_recall(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    path: Target,
    class_names: Sequence[str] | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
) -> None:
    """Draw precision over recall of each class against the rest, with its average precision; else as `plot_roc`."""
    axes, draw = _curves("plot_precision_recall", y_true, y_pred, path, class_names, sample_weight)

    def one(true: Any, scores: Any, weights: Any) -> tuple[Any, Any, float]:
        precision, recall, _ = precision_recall_curve(true, scores, weights)
        return recall, precision, average_precision_score(true, scores, sample_weight=weights)

    mean = draw(one, "average precision")
    axes.set(xlabel="recall", ylabel="precision")
    axes.set_title(f"mean average precision {mean:.4f}" if title is None else plain_text(title))
    save(axes.figure, path)


def _curves(
    what: str, y_true: ArrayLike, y_pred: ArrayLike, path: Target, class_names: Any, sample_weight: ArrayLike | None
) -> tuple[Any, Callable[[Any, str], float]]:
    """Axes, and what draws a curve of each class on them and returns the mean of their areas."""
    check_target(path)
    scores = score_rows(y_pred)
    true = membership(y_true, scores.shape[1])
    weights = sample_weights(sample_weight, len(true))
    if len(true) != len(scores):
        raise ValueError(f"y_true and y_pred must have the same length, received {len(true)} and {len(scores)}")
    names = class_labels(class_names, max(2, scores.shape[1]))
    if scores.shape[1] <= 2:
        true, scores, names = true[:, -1:], scores[:, -1:], names[-1:]
    weight = (true * weights[:, None]).sum(0)
    drawn = [c for c in range(scores.shape[1]) if 0 < weight[c] < weights.sum()]
    if not drawn:
        raise ValueError("y_true must have samples of at least two classes")
    axes = new_figure(what, 6.4, 5.6).add_subplot()

    def draw(one: Any, word: str) -> float:
        areas = []
        for number in drawn:
            x, y, area = one(true[:, number], scores[:, number], weights)
            areas.append(area)
            few = len(drawn) <= _COLOURED
            shade = tuple(v / 255 for v in colour(number)) if few else GREY
            label = f"{names[number]}: {area:.3f}" if few else None
            axes.plot(x, y, color=shade, linewidth=1.6 if few else 0.8, alpha=1 if few else 0.5, label=label)
        if len(drawn) <= _COLOURED:
            axes.legend(edgecolor="none", fontsize=8, title=word, loc="lower left" if "precision" in word else "best")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        tidy(axes)
        return float(np.mean(areas))

    return axes, draw

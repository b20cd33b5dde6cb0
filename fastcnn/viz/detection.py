"""Pictures of how good a detector is: precision over recall, and what its mistakes cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import shown
from ..metrics import CocoMetrics, DetectionErrors, PrecisionRecall, VocMetrics
from .figures import BLUE, GREY, ORANGE, Target, check_target, colour, new_figure, plain_text, save, tidy

#: Up to so many classes have a colour, and a line in the legend.
_COLOURED = 12


def plot_detection_curves(
    metrics: CocoMetrics | VocMetrics,
    path: Target,
    labels: Sequence[int | str] | None = None,
    *,
    iou: float = 0.5,
    title: str | None = None,
) -> None:
    """Draw of each class the precision that is kept up to each recall, whose area is its average precision.

    Parameters
    ----------
    metrics : CocoMetrics or VocMetrics
        With images taken in.
    path : path-like or binary file
        Picture to write: ``.png``, ``.svg`` or ``.pdf``, there whole or not at all. An open file gets a PNG.
    labels : sequence of int or str, optional
        The classes to draw, numbers or names; all that have objects, if not given. More than a dozen are grey.
    iou : float
        The overlap that it takes to find an object; `VocMetrics` have theirs.
    title : str, optional

    Raises
    ------
    ImportError
        matplotlib is not installed (``pip install "fastcnn[plot]"``).
    ValueError
        No class has an object, there is no such class, or the ending of `path` is of no known picture format.
    """
    check_target(path)
    if not isinstance(metrics, (CocoMetrics, VocMetrics)):
        raise TypeError(f"metrics must be CocoMetrics or VocMetrics, received {shown(metrics)}")
    names = metrics.names
    chosen = [metrics.class_number(label) for label in (range(len(names)) if labels is None else labels)]
    overlap = iou if isinstance(metrics, CocoMetrics) else metrics.iou_threshold
    curves = [
        metrics.precision_recall(c, iou) if isinstance(metrics, CocoMetrics) else metrics.precision_recall(c)
        for c in chosen
    ]
    drawn = [(c, curve) for c, curve in zip(chosen, curves) if curve.objects]
    if not drawn:
        raise ValueError("metrics must have taken in an object of at least one of the classes")
    axes = new_figure("plot_detection_curves", 6.4, 5.6).add_subplot()
    few = len(drawn) <= _COLOURED
    for place, (c, curve) in enumerate(drawn):
        x, y = _outline(curve)
        shade = tuple(v / 255 for v in colour(place)) if few else GREY
        label = f"{plain_text(names[c])}: {curve.ap:.3f}" if few else None
        axes.plot(x, y, color=shade, linewidth=1.6 if few else 0.8, alpha=1 if few else 0.5, label=label)
    if not few:
        recalls = np.linspace(0, 1, 1001)
        mean_curve = np.mean([_highest(curve, recalls) for _, curve in drawn], axis=0)
        axes.plot(recalls, mean_curve, color=BLUE, linewidth=2, label="mean of the classes")
        axes.legend(edgecolor="none", fontsize=8)
    else:
        axes.legend(edgecolor="none", fontsize=8, title="average precision", loc="lower left")
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    tidy(axes)
    mean = np.mean([curve.ap for _, curve in drawn])
    words = f"mean average precision {mean:.4f} at an IoU of {overlap:g}"
    axes.set_title(words if title is None else plain_text(title))
    save(axes.figure, path)


def _highest(curve: PrecisionRecall, recalls: np.ndarray) -> np.ndarray:
    """The highest precision at each of these recalls or a higher one, 0 where it is not reached."""
    highest = np.maximum.accumulate(curve.precision[::-1])[::-1]
    return np.append(highest, 0.0)[np.searchsorted(curve.recall, recalls)]


def _outline(curve: PrecisionRecall) -> tuple[np.ndarray, np.ndarray]:
    """The highest precision at each recall or a higher one, in steps, down to 0 where recall ends."""
    if not len(curve.precision):
        return np.zeros(2), np.zeros(2)
    highest = np.maximum.accumulate(curve.precision[::-1])[::-1]
    rises = np.flatnonzero(np.diff(curve.recall, prepend=0.0) > 0)
    if not len(rises):
        return np.zeros(2), np.zeros(2)
    ends, level = curve.recall[rises], highest[rises]
    begins = np.concatenate([[0.0], ends[:-1]])
    x = np.append(np.stack([begins, ends], 1).ravel(), ends[-1])
    return x, np.append(np.repeat(level, 2), 0.0)


def plot_detection_errors(errors: DetectionErrors, path: Target, *, title: str | None = None) -> None:
    """Draw what the mistakes of each kind cost, in points of average precision, and how many they are.

    Parameters
    ----------
    errors : DetectionErrors
        Of `CocoMetrics.errors`.
    path : path-like or binary file
        As of `plot_detection_curves`.
    title : str, optional

    Raises
    ------
    ImportError, ValueError
        As of `plot_detection_curves`; ValueError also where there is no object.
    """
    check_target(path)
    if not isinstance(errors, DetectionErrors):
        raise TypeError(f"errors must be DetectionErrors, received {shown(errors)}")
    if errors.ap < 0:
        raise ValueError("errors must be of images with at least one object, received none")
    figure = new_figure("plot_detection_errors", 6.8, 4.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(len(errors.gains), 2))
    rows = [(kind, gain, f"{errors.counts[kind]:,}") for kind, gain in errors.gains.items()]
    totals = [
        ("all false alarms", errors.false_positives, f"{sum(errors.counts.values()) - errors.counts['missed']:,}"),
        ("all not found", errors.false_negatives, f"{errors.not_found:,}"),
    ]
    for axes, bars, shade in ((upper, rows, BLUE), (lower, totals, ORANGE)):
        places = range(len(bars))
        axes.barh(places, [100 * gain for _, gain, _ in bars], color=shade, height=0.7)
        for place, (_, gain, count) in zip(places, bars):
            axes.text(100 * gain, place, f" +{100 * gain:.1f}  ({count})", va="center", fontsize=8)
        axes.set_yticks(places, [kind for kind, _, _ in bars])
        axes.invert_yaxis()
        tidy(axes)
        axes.grid(axis="y", visible=False)
        axes.set_axisbelow(True)
    longest = max(gain for _, gain, _ in (*rows, *totals))
    lower.set(xlabel="points of AP to be gained (how many mistakes)", xlim=(0, max(1.0, 122 * longest)))
    upper.set_title(f"AP {100 * errors.ap:.1f} at an IoU of {errors.iou:g}" if title is None else plain_text(title))
    save(figure, path)

"""The rules of COCO's judging, on the kernels: which detections find an object, and precision by recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..._ops import core
from .records import Floats, Groups, Ints

#: What a detection counts as; `fc_judgement` of csrc/fastcnn.h.
WRONG, FOUND, IGNORED = range(3)


def match(
    groups: Groups, ranges: Floats, thresholds: Floats, taken: bool = False
) -> tuple[NDArray[np.uint8], Ints | None]:
    """What each detection counts as at each range of areas and threshold: WRONG, FOUND or IGNORED.

    Parameters
    ----------
    ranges : array, shape (ranges, 2)
        Smallest and largest area of objects that count.
    thresholds : array, shape (thresholds,)
        Of the intersection over union, from above 0 to 1.
    taken : bool
        Whether to say which object each takes.

    Returns
    -------
    states, taken : arrays of shape (detections, ranges, thresholds)
        The second, if asked for: the object's place in `groups.truths`, -1 for none.
    """
    shape = len(groups.boxes), len(ranges), len(thresholds)
    states = np.empty(shape, np.uint8)
    matched = np.empty(shape, np.int64) if taken else None
    if states.size:
        core.call(
            "match_detections", boxes=np.ascontiguousarray(groups.boxes), starts=_whole(groups.starts),
            truths=groups.truths, truth_starts=_whole(groups.truth_starts), crowd=groups.flags.astype(np.uint8),
            areas=groups.areas, ranges=ranges, thresholds=thresholds, states=states, matched=matched,
            detections=len(groups.boxes), n_truths=len(groups.truths), groups=len(groups.starts) - 1,
            most_truths=int(np.diff(groups.truth_starts).max(initial=0)), n_ranges=len(ranges),
            n_thresholds=len(thresholds),
        )  # fmt: skip
    return states, matched


def positives(groups: Groups, ranges: Floats) -> Ints:
    """How many objects of each class count within each range of areas, (classes, ranges); crowds never do."""
    counts = np.empty((groups.classes, len(ranges)), np.int64)
    for r, (low, high) in enumerate(ranges):
        counting = ~groups.flags & (groups.areas >= low) & (groups.areas <= high)
        counts[:, r] = np.bincount(groups.truth_labels[counting], minlength=groups.classes)
    return counts


def curves(
    groups: Groups, states: NDArray[np.uint8], counts: Ints, recalls: Floats, limits: Ints
) -> tuple[Floats, Floats]:
    """Precision at each recall, and the recall that is reached.

    Parameters
    ----------
    states : array, shape (detections, ranges, thresholds)
    counts : array, shape (classes, ranges)
        As `positives` has them.
    recalls : array, shape (recalls,)
        Rising.
    limits : array, shape (limits,)
        Up to how many detections of a class in an image are counted, for the recall.

    Returns
    -------
    precision : array, shape (classes, ranges, thresholds, recalls)
        The highest precision at so much recall or more; 0 where that is not reached, -1 where no object counts.
    recall : array, shape (classes, ranges, thresholds, limits)
        Likewise.
    """
    order, starts = groups.ranking
    return _curves(states, order, starts, groups.ranks, counts, recalls, limits)


def average_precision(
    labels: Ints, scores: Floats, images: Ints, states: NDArray[np.uint8], counts: Ints, recalls: Floats
) -> Floats:
    """The mean precision of each class over these recalls; -1 where there is no object.

    Parameters
    ----------
    labels, scores, images, states : arrays, shape (detections,)
        Of equal scores, those of earlier images come first.
    counts : array, shape (classes,)
        How many objects there are.
    """
    order = np.lexsort((images, -scores, labels))
    starts = np.searchsorted(labels[order], np.arange(len(counts) + 1))
    ranks, limit = np.zeros(len(order), np.int64), np.ones(1, np.int64)
    precision, _ = _curves(states[:, None, None], order, starts, ranks, counts[:, None], recalls, limit)
    mean: Floats = precision[:, 0, 0].mean(-1)
    return mean


def _curves(
    states: NDArray[np.uint8], order: Ints, starts: Ints, ranks: Ints, counts: Ints, recalls: Floats, limits: Ints
) -> tuple[Floats, Floats]:
    shape = len(counts), *states.shape[1:]
    precision, recall = np.empty((*shape, len(recalls))), np.empty((*shape, len(limits)))
    core.call(
        "precision_at_recall", states=np.ascontiguousarray(states), order=_whole(order), starts=_whole(starts),
        ranks=_whole(ranks), positives=_whole(counts), recalls=recalls, limits=limits, precision=precision,
        recall=recall, detections=len(order), classes=len(counts), most_positives=int(counts.max(initial=0)),
        n_ranges=states.shape[1], n_thresholds=states.shape[2], n_recalls=len(recalls), n_limits=len(limits),
    )  # fmt: skip
    absent = counts == 0
    precision[absent] = recall[absent] = -1.0
    return precision, recall


def _whole(numbers: Ints) -> Ints:
    """As kernels take them: NumPy's whole numbers are shorter on some machines."""
    return np.ascontiguousarray(numbers, np.int64)


def known_mean(values: Floats) -> float:
    """The mean of what isn't -1; -1 if all is."""
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.0

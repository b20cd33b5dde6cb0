"""Detections judged as COCO judges them: what finds an object, and precision by recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import Array, real

#: What a detection counts as; `fc_judgement` of csrc/fastcnn.h.
WRONG, FOUND, IGNORED = range(3)


def overlaps(found: ArrayLike, objects: ArrayLike, crowd: ArrayLike) -> Array:
    """Intersection over union of boxes (x, y, width, height), (n, 4) and (m, 4); over the area of what was found where
    the object is a crowd.

    Returns
    -------
    array of shape (n, m)
    """
    a, b = real(found, "found").reshape(-1, 1, 4), real(objects, "objects").reshape(1, -1, 4)
    ends = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    sides = np.maximum(ends - np.maximum(a[..., :2], b[..., :2]), 0)
    both, mine, other = sides.prod(-1), a[..., 2:].prod(-1), b[..., 2:].prod(-1)
    whole = np.where(np.asarray(crowd, bool), mine, mine + other - both)
    return np.divide(both, whole, out=np.zeros(both.shape), where=both > 0)


def match_detections(
    found: ArrayLike, objects: ArrayLike, crowd: ArrayLike, areas: ArrayLike, ranges: ArrayLike, thresholds: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """What each detection of one class in one image counts as, and which object it takes.

    Parameters
    ----------
    found : array, shape (n, 4)
        Detections (x, y, width, height), the surest first.
    objects : array, shape (m, 4)
    crowd : array of bool, shape (m,)
    areas : array, shape (m,)
        As annotated: it need not be the box's.
    ranges : array, shape (r, 2)
        Smallest and largest area of what counts.
    thresholds : array, shape (t,)
        The overlap that is needed.

    Returns
    -------
    states, taken : arrays of shape (n, r, t)
        0 wrong, 1 found, 2 ignored; the object's number, -1 for none.
    """
    boxes, sizes, limits = real(found, "found").reshape(-1, 4), real(areas, "areas"), real(thresholds, "thresholds")
    bounds, many = real(ranges, "ranges").reshape(-1, 2), np.asarray(crowd, bool)
    share = overlaps(boxes, objects, many)
    states = np.zeros((len(boxes), len(bounds), len(limits)), np.uint8)
    taken = np.full(states.shape, -1, np.int64)
    for r, (low, high) in enumerate(bounds):
        ignored = many | (sizes < low) | (sizes > high)
        for t, limit in enumerate(np.minimum(limits, 1 - 1e-10)):
            free = np.ones(len(sizes), bool)
            for d in range(len(boxes)):
                fits = free & (share[d] >= limit)
                fits = fits & ~ignored if (fits & ~ignored).any() else fits
                if fits.any():
                    best = np.flatnonzero(fits & (share[d] == share[d][fits].max()))[-1]
                    free[best] = many[best]
                    taken[d, r, t], states[d, r, t] = best, IGNORED if ignored[best] else FOUND
                elif not low <= boxes[d, 2] * boxes[d, 3] <= high:
                    states[d, r, t] = IGNORED
    return states, taken


def precision_at_recall(states: ArrayLike, positives: int, recalls: ArrayLike) -> Array:
    """The highest precision at each recall or a higher one; 0 where that is not reached.

    Parameters
    ----------
    states : array, shape (n,)
        What the detections of one class count as, the surest first.
    positives : int
        How many objects there are to find.
    recalls : array, shape (r,)
    """
    kind = np.asarray(states)
    found, wrong = np.cumsum(kind == FOUND), np.cumsum(kind == WRONG)
    precision = found / np.maximum(found + wrong, 1)
    reached = found / max(positives, 1)
    return np.array([max(precision[reached >= r], default=0.0) for r in real(recalls, "recalls")], np.float64)

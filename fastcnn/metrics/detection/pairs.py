"""Detections beside the objects of their images: how far they overlap, and which of them most."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .records import Floats, Groups, Ints

#: So many pairs are looked at together.
_PAIRS = 1 << 20


def overlaps(found: Floats, objects: Floats) -> Floats:
    """Intersection over union of boxes (left, top, width, height) with others, each with its own: (n, 4), (n, 4)."""
    ends = np.minimum(found[:, :2] + found[:, 2:], objects[:, :2] + objects[:, 2:])
    sides = ends - np.maximum(found[:, :2], objects[:, :2])
    both = np.where((sides > 0).all(1), sides[:, 0] * sides[:, 1], 0.0)
    union = found[:, 2] * found[:, 3] + objects[:, 2] * objects[:, 3] - both
    return np.divide(both, union, out=np.zeros(len(both)), where=both > 0)


def closest(groups: Groups, chosen: Ints, usable: np.ndarray, same_class: bool) -> tuple[Floats, Ints]:
    """The largest overlap of each of these detections with an object of its image, and which object that is.

    Parameters
    ----------
    chosen : array of int, shape (n,)
        The detections' places in `groups`.
    usable : array of bool, shape (objects,)
        The objects to look at.
    same_class : bool
        Only those of the detection's class, or only those of others.

    Returns
    -------
    overlap : array, shape (n,)
    object : array of int, shape (n,)
        Its place, of equal ones the first; -1 where the overlap is 0.
    """
    best, which = np.zeros(len(chosen)), np.full(len(chosen), -1, np.int64)
    objects = np.flatnonzero(usable)
    objects = objects[np.argsort(groups.truth_images[objects], kind="stable")]
    begins = np.searchsorted(groups.truth_images[objects], np.arange(len(groups.ids) + 1))
    images = groups.images[chosen]
    counts = begins[images + 1] - begins[images]
    for part in _parts(counts):
        number = counts[part]
        rows = np.repeat(np.arange(part.start, part.stop), number)
        firsts = np.cumsum(number) - number  # where the pairs of a detection begin
        truth = objects[np.repeat(begins[images[part]] - firsts, number) + np.arange(len(rows))]
        detection = chosen[rows]
        share = overlaps(groups.boxes[detection], groups.truths[truth])
        share[(groups.labels[detection] == groups.truth_labels[truth]) != same_class] = 0.0
        some = part.start + np.flatnonzero(number)
        if len(rows):
            best[some] = np.maximum.reduceat(share, firsts[number > 0])
        hit = np.flatnonzero((share == best[rows]) & (share > 0))[::-1]  # backwards: the first is written last
        which[rows[hit]] = truth[hit]
    return best, which


def _parts(counts: Ints) -> Iterator[slice]:
    """Slices of about so many pairs."""
    total = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        done = total[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(total, done + _PAIRS, side="right")))
        yield slice(begin, end)
        begin = end

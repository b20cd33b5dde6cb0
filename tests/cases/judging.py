"""Detections that are judged: groups of one class in one image, with crowds, ties and areas on the border."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastcnn.reference.judging import match_detections, precision_at_recall

from .case import Case, Problem

#: Detections and objects of each group.
GROUPS: dict[str, list[tuple[int, int]]] = {
    "one": [(1, 1)],
    "no_groups": [],
    "nothing_found": [(0, 3), (0, 1)],
    "no_objects": [(3, 0), (1, 0)],
    "several": [(5, 3), (0, 2), (9, 12), (4, 0), (1, 1), (0, 0), (30, 7)],
    "large": [(16, 4)] * 200,
}
#: Smallest and largest area; number of thresholds.
SETTINGS = {
    "coco": ([(0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10)], np.linspace(0.5, 0.95, 10)),
    "voc": ([(0, 1e10)], np.array([0.5])),
    "strict": ([(0, 36), (36, 64), (64, 1e3)], np.array([1e-3, 0.3, 1.0])),
}
CLASSES = 3


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Few whole places and sizes, so that overlaps are equal, and areas lie on the ranges' borders."""
    return np.concatenate([rng.integers(0, 12, (count, 2)), rng.integers(1, 5, (count, 2)) * 8], 1).astype(np.float64)


def _starts(counts: list[int]) -> np.ndarray:
    return np.cumsum([0, *counts]).astype(np.int64)


def _match(rng: np.random.Generator, groups: str, setting: str, ask: bool) -> Problem:
    ranges, thresholds = np.array(SETTINGS[setting][0], np.float64), SETTINGS[setting][1]
    starts, truth_starts = (_starts([g[i] for g in GROUPS[groups]]) for i in (0, 1))
    found, objects = boxes(rng, starts[-1]), boxes(rng, truth_starts[-1])
    crowd = (rng.random(len(objects)) < 0.2).astype(np.uint8)
    areas = objects[:, 2] * objects[:, 3] - (rng.random(len(objects)) < 0.3)
    states, taken = [], []
    for g in range(len(GROUPS[groups])):
        mine, its = slice(*starts[g : g + 2]), slice(*truth_starts[g : g + 2])
        state, which = match_detections(found[mine], objects[its], crowd[its], areas[its], ranges, thresholds)
        states.append(state.ravel())
        taken.append(np.where(which < 0, -1, which + truth_starts[g]).ravel())
    expected = {"states": np.concatenate([*states, np.zeros(0, np.uint8)])}
    if ask:
        expected["matched"] = np.concatenate([*taken, np.zeros(0, np.int64)])
    return Problem().add(
        "match_detections",
        {
            "boxes": found, "starts": starts, "truths": objects, "truth_starts": truth_starts, "crowd": crowd,
            "areas": areas, "ranges": ranges, "thresholds": thresholds,
        },
        expected, detections=len(found), n_truths=len(objects), groups=len(GROUPS[groups]),
        most_truths=max((g[1] for g in GROUPS[groups]), default=0), n_ranges=len(ranges), n_thresholds=len(thresholds),
    ).exactly()  # fmt: skip


#: Detections of each class.
COUNTS = {"one": [1], "no_classes": [], "some": [7, 0, 20], "many": [40] * 9, "large": [1500, 900, 1100]}


def _precision(rng: np.random.Generator, which: str, n_ranges: int, n_thresholds: int) -> Problem:
    starts = _starts(COUNTS[which])
    total, classes = int(starts[-1]), len(COUNTS[which])
    states = rng.choice(np.array([0, 0, 1, 1, 1, 2], np.uint8), (total, n_ranges, n_thresholds))
    order = np.concatenate([rng.permutation(np.arange(*starts[c : c + 2])) for c in range(classes)] + [[]])
    order, ranks = order.astype(np.int64), rng.integers(0, 12, total)
    limits, recalls = np.array([1, 10, 100]), np.linspace(0, 1, 101)
    positives = np.zeros((classes, n_ranges), np.int64)
    precision = np.zeros((classes, n_ranges, n_thresholds, len(recalls)))
    recall = np.zeros((classes, n_ranges, n_thresholds, len(limits)))
    for c in range(classes):
        mine = order[slice(*starts[c : c + 2])]
        for r in range(n_ranges):
            most = int((states[mine, r] == 1).sum(0).max(initial=0))
            positives[c, r] = most + rng.integers(0, 4) if (c + r) % 4 < 3 or most else 0
            for t in range(n_thresholds):
                precision[c, r, t] = precision_at_recall(states[mine, r, t], int(positives[c, r]), recalls)
                hits = [np.sum((states[mine, r, t] == 1) & (ranks[mine] < limit)) for limit in limits]
                recall[c, r, t] = np.array(hits) / max(positives[c, r], 1)
    return Problem().add(
        "precision_at_recall",
        {
            "states": states, "order": order, "starts": starts, "ranks": ranks, "positives": positives,
            "recalls": recalls, "limits": limits,
        },
        {"precision": precision, "recall": recall}, detections=total, classes=classes,
        most_positives=int(positives.max(initial=0)), n_ranges=n_ranges, n_thresholds=n_thresholds,
        n_recalls=len(recalls), n_limits=len(limits),
    ).exactly()  # fmt: skip


def cases() -> Iterator[Case]:
    for groups in GROUPS:
        for setting in SETTINGS if groups == "several" else ("coco",):
            for ask in (False, True) if groups == "several" else (groups == "large",):
                yield Case(
                    f"match_detections-{groups}-{setting}{'-taken' if ask else ''}", ("match_detections",),
                    lambda rng, g=groups, s=setting, a=ask: _match(rng, g, s, a), groups == "large",
                )  # fmt: skip
    for which in COUNTS:
        for ranges, thresholds in ((4, 10), (1, 1)) if which == "some" else ((4, 10),):
            yield Case(
                f"precision_at_recall-{which}-{ranges}x{thresholds}", ("precision_at_recall",),
                lambda rng, w=which, r=ranges, t=thresholds: _precision(rng, w, r, t), which == "large",
            )  # fmt: skip

"""Boxes: how far they agree, which are kept, and parts of images at one size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from fastcnn import reference as ref

from .case import Case, Problem, floats

#: numbers of boxes p and q
PAIRS = {"one": (1, 1), "row": (1, 19), "column": (19, 1), "none": (0, 7), "of_none": (7, 0), "tail": (13, 37)}
#: boxes, groups
CROWDS = {"none": (0, 1), "one": (1, 1), "no_group": (0, 0), "tail": (37, 1), "classes": (61, 5), "sparse": (9, 30)}
#: shape of x, regions, size of the result, scale, samples, aligned
ROI: dict[str, tuple[Any, ...]] = {
    "pixel": ((1, 1, 1, 1), 3, (1, 1), 1.0, 0, True),
    "adaptive": ((2, 9, 12, 5), 7, (3, 4), 0.25, 0, True),
    "two_points": ((2, 11, 8, 18), 6, (7, 7), 0.25, 2, True),
    "corners": ((1, 6, 7, 3), 5, (2, 3), 0.5, 3, False),
    "old_adaptive": ((1, 6, 7, 33), 5, (2, 2), 0.5, 0, False),
    "larger": ((1, 4, 3, 2), 4, (9, 5), 0.1, 1, True),
    "no_regions": ((1, 4, 3, 2), 0, (2, 2), 1.0, 0, True),
    "no_channels": ((1, 4, 3, 0), 2, (2, 2), 1.0, 0, True),
    "no_images": ((0, 4, 3, 2), 0, (2, 2), 1.0, 0, True),
    "large": ((2, 30, 40, 24), 40, (5, 7), 0.25, 2, True),
}


def some_boxes(rng: np.random.Generator, count: int, size: float = 100.0, clusters: int = 4) -> np.ndarray:
    """Boxes around a few places, so that many overlap."""
    middle = rng.uniform(0, size, (clusters, 2))[rng.integers(0, clusters, count)]
    half = np.exp(rng.uniform(np.log(size / 20), np.log(size / 3), (count, 2)))
    middle = middle + rng.normal(0, size / 30, (count, 2))
    return np.concatenate([middle - half, middle + half], 1).astype(np.float32)


def odd_boxes(boxes: np.ndarray) -> np.ndarray:
    """Among them: points, lines, turned round, far off, equal ones, infinite and NaN."""
    boxes = boxes.copy()
    strange = [
        [5, 5, 5, 5], [5, 5, 9, 5], [9, 9, 4, 4], [1e6, 1e6, 1e6 + 64, 1e6 + 64], boxes[-1], boxes[-1],
        [0, 0, np.inf, 9], [0, np.nan, 9, 9],
    ]  # fmt: skip
    boxes[: len(strange)] = strange
    return boxes


def _iou(rng: np.random.Generator, which: str, kind: int, crowd: bool) -> Problem:
    rows, cols = (300, 400) if which == "large" else (20, 25) if which == "odd" else PAIRS[which]
    p, q = some_boxes(rng, rows), some_boxes(rng, cols)
    if which == "odd":
        p, q = odd_boxes(p), odd_boxes(q)
        p[6] = q[6] = p[7]  # What infinite boxes have in common is nobody's business.
    if which == "tail":
        q[:5] = p[:5]
    flags = {"crowd": rng.integers(0, 2, cols).astype(np.uint8)} if crowd else {}
    wanted = ref.box_iou(p, q, ref.OVERLAPS[kind], flags.get("crowd"))
    return Problem().add("box_iou", {"p": p, "q": q, **flags}, {"y": wanted}, rows=rows, cols=cols, kind=kind)


def _order(rng: np.random.Generator, which: str, grouped: bool) -> Problem:
    count, groups = (9000, 7) if which == "large" else (40, 3) if which == "odd" else CROWDS[which]
    groups = groups if grouped else 1
    boxes, scores = some_boxes(rng, count), floats(rng, count)
    if which == "odd":
        boxes = odd_boxes(boxes)
        scores = np.round(scores * 2) / 2  # many equal ones
        scores[20:26] = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0]
    inputs = {"boxes": boxes, "scores": scores}
    if grouped:
        inputs["group"] = rng.integers(0, max(1, groups), count).astype(np.int32)
    order, by_group, starts = ref.nms_order(boxes, scores, inputs.get("group"), groups, -0.75)
    expected = {"order": order, "grouped": by_group, "starts": starts}
    return Problem().add("nms_order", inputs, expected, count=count, groups=groups, threshold=-0.75).exactly()


def _nms(rng: np.random.Generator, which: str, kind: int, limit: int) -> Problem:
    count, groups = (700, 5) if which == "large" else (40, 3) if which == "odd" else CROWDS[which]
    boxes, scores = some_boxes(rng, count), np.asarray(rng.random(count), np.float32)
    if which == "odd":
        boxes = odd_boxes(boxes)
    group = rng.integers(0, max(1, groups), count).astype(np.int32)
    _, grouped, starts = ref.nms_order(boxes, scores, group, groups, 0.1)
    kept = np.full(count, np.nan)
    numbers: dict[str, Any] = {"iou_threshold": 0.45, "sigma": 0.5, "score_threshold": 0.1}
    for first, last in pairwise(starts):
        member = grouped[first:last]
        kept[first:last] = ref.nms(boxes[member], scores[member], ref.NMS[kind], limit=limit, **numbers)
    inputs = {"boxes": boxes, "scores": scores, "grouped": grouped, "starts": starts}
    numbers |= {"count": count, "groups": groups, "kind": kind, "limit": limit}
    return Problem().add("nms", inputs, {"kept": kept}, **numbers)


def _roi(rng: np.random.Generator, which: str, backward: bool) -> Problem:
    (n, h, w, c), regions, (oh, ow), scale, samples, aligned = ROI[which]
    boxes = some_boxes(rng, regions, max(h, w) / scale)
    if regions > 3:  # the whole image and more; far outside; turned round; NaN
        boxes[:3] = np.array([[-3.1, -2.2, w + 2.3, h + 5.4], [-90, 0, -80, 9], [2, 3, 1, 1]]) / scale
        boxes[3, 1] = np.nan
    if regions > 4:
        boxes[4] = [-9e3, -9e3, 9e3, 9e3]
    numbers = {"scale": scale, "samples": samples, "aligned": int(aligned)}
    how = (scale, samples, aligned)
    image = rng.integers(0, max(1, n), regions).astype(np.int32)
    inputs: dict[str, np.ndarray] = {"boxes": boxes, "image": image}
    if n and regions % n == 0 and which != "large":
        image = np.repeat(np.arange(n), regions // n)
        del inputs["image"]
    numbers |= {"n": n, "h": h, "w": w, "c": c, "regions": regions, "oh": oh, "ow": ow}
    x, dy = floats(rng, n, h, w, c), floats(rng, regions, oh, ow, c)
    if backward:
        wanted = ref.roi_align_backward(dy, x, boxes, image, *how)
        return Problem().add("roi_align_backward", {"dy": dy, **inputs}, {"dx": wanted}, **numbers)
    wanted = ref.roi_align(x, boxes, image, (oh, ow), *how)
    return Problem().add("roi_align", {"x": x, **inputs}, {"y": wanted}, **numbers)


def cases() -> Iterator[Case]:
    for which in (*PAIRS, "odd", "large"):
        large = which == "large"
        for kind, name in enumerate(ref.OVERLAPS[: 1 if large else None]):
            make = lambda rng, a=(which, kind, False): _iou(rng, *a)  # noqa: E731
            yield Case(f"box_iou/{which}/{name}", ("box_iou",), make, large)
        if not large:
            yield Case(f"box_iou/{which}/crowd", ("box_iou",), lambda rng, w=which: _iou(rng, w, 0, True))
    for which in (*CROWDS, "odd", "large"):
        large = which == "large"
        yield Case(f"nms_order/{which}", ("nms_order",), lambda rng, w=which: _order(rng, w, True), large)
        if which not in ("no_group", "large"):
            yield Case(f"nms_order/{which}/one_group", ("nms_order",), lambda rng, w=which: _order(rng, w, False))
        for kind, name in enumerate(ref.NMS[: 1 if large else None]):
            make = lambda rng, a=(which, kind, 10**6): _nms(rng, *a)  # noqa: E731
            yield Case(f"nms/{which}/{name}", ("nms",), make, large)
    for kind, name in enumerate(ref.NMS):
        yield Case(f"nms/classes/{name}/limit", ("nms",), lambda rng, k=kind: _nms(rng, "classes", k, 3))
    for which in ROI:
        for name in ("roi_align", "roi_align_backward"):
            make = lambda rng, a=(which, name != "roi_align"): _roi(rng, *a)  # noqa: E731
            yield Case(f"{name}/{which}", (name,), make, which == "large")

"""Boxes: which of them to keep, and what lies in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from .host_node import HostNode


def non_max_suppression(
    node: HostNode,
    boxes: np.ndarray,
    scores: np.ndarray,
    most: np.ndarray | None = None,
    iou_threshold: np.ndarray | None = None,
    score_threshold: np.ndarray | None = None,
) -> np.ndarray:
    """The boxes to keep of each image and class, the best first: rows of image, class, box.

    Parameters
    ----------
    boxes : ndarray
        (batch, boxes, 4): two opposite corners as y, x, y, x; or with center_point_box centres and sizes as x, y.
    scores : ndarray
        (batch, classes, boxes)
    most : ndarray, optional
        Boxes to keep of each class; without it none.
    """
    if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.ndim != 3 or scores.shape[::2] != boxes.shape[:2]:
        raise ValueError(f"boxes of shape {boxes.shape} and scores of shape {scores.shape} don't fit each other")
    limit = 0 if most is None else max(int(_one(most)), 0)
    least = None if score_threshold is None else float(_one(score_threshold))
    threshold = 0.0 if iou_threshold is None else float(_one(iou_threshold))
    image, label, box = np.nonzero(np.ones(scores.shape, bool) if least is None else scores > least)
    if node["center_point_box"]:
        corners = ops.convert_boxes(boxes, "center_xywh", "xyxy")
    else:
        sides = np.stack([boxes[..., :2], boxes[..., 2:]])
        corners = np.concatenate([sides.min(0), sides.max(0)], -1)[..., [1, 0, 3, 2]]
    group = image * scores.shape[1] + label
    kept, _ = ops.nms(corners[image, box], scores[image, label, box], threshold, labels=group, score_threshold=-np.inf)
    kept = kept[np.argsort(group[kept], kind="stable")]
    group = group[kept]
    # How many of its class come before it.
    rank = np.arange(len(kept)) - np.searchsorted(group, group)
    kept = kept[rank < limit]
    return np.stack([image[kept], label[kept], box[kept]], -1).astype(np.int64)


def _one(number: np.ndarray) -> Any:
    return np.asarray(number).reshape(-1)[0]


def roi_align(node: HostNode, x: np.ndarray, rois: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Regions of images resampled to one size (He et al., "Mask R-CNN", 2017, section 3).

    Parameters
    ----------
    x : ndarray
        (batch, channels, height, width)
    rois : ndarray
        (regions, 4): left, top, right, bottom.
    batch : ndarray
        (regions,): the image of each.
    """
    # Until opset 15 there was no such attribute, and no half pixel.
    half = node["coordinate_transformation_mode"] == "half_pixel"
    if node["mode"] == "max":
        return _largest(node, x, rois, batch, half)
    maps = ops.roi_align(
        np.moveaxis(x, 1, -1), rois, (node["output_height"], node["output_width"]), image=batch,
        spatial_scale=node["spatial_scale"], sampling_ratio=max(node["sampling_ratio"], 0), aligned=half,
    )  # fmt: skip
    return np.moveaxis(maps, -1, 1).astype(x.dtype)


def _largest(node: HostNode, x: np.ndarray, rois: np.ndarray, batch: np.ndarray, half: bool) -> np.ndarray:
    """The largest of the pixels around a bin's points, each times its weight."""
    rows, columns, ratio = node["output_height"], node["output_width"], node["sampling_ratio"]
    result = np.zeros((len(rois), x.shape[1], rows, columns), x.dtype)
    for number, (roi, image) in enumerate(zip(rois.astype(np.float64), batch)):
        left, top, right, bottom = roi * node["spatial_scale"] - (0.5 if half else 0.0)
        height, width = bottom - top, right - left
        if not half:
            height, width = max(height, 1.0), max(width, 1.0)
        ys, y_weights = _samples(top, height, rows, ratio, x.shape[2])
        xs, x_weights = _samples(left, width, columns, ratio, x.shape[3])
        parts = [
            x[image][:, ys[i][:, None], xs[j][None]] * (y_weights[i][:, None] * x_weights[j][None])
            for i in range(2)
            for j in range(2)
        ]
        shape = (x.shape[1], rows, len(ys[0]) // rows, columns, len(xs[0]) // columns)
        if 0 not in shape:
            result[number] = np.maximum.reduce(parts).reshape(shape).max(axis=(2, 4))
    return result


def _samples(start: float, length: float, bins: int, ratio: int, size: int) -> tuple[list[Any], list[Any]]:
    """Of all sampling points along an axis: the pixels before and behind, and how much each counts."""
    count = ratio if ratio > 0 else max(int(np.ceil(length / bins)), 0)
    points = start + (np.arange(bins * count) + 0.5) * (length / bins / max(count, 1))
    outside = (points < -1) | (points > size)
    points = np.clip(points, 0, size - 1)
    before = np.minimum(points.astype(np.int64), size - 1)
    behind = np.minimum(before + 1, size - 1)
    fraction = points - before
    return [before, behind], [np.where(outside, 0, 1 - fraction), np.where(outside, 0, fraction)]


BOXES: dict[str, list[tuple[int, int | None, Callable[..., Any]]]] = {
    "NonMaxSuppression": [(10, None, non_max_suppression)],
    "RoiAlign": [(10, None, roi_align)],
}

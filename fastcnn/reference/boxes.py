"""Boxes (left, top, right, bottom), which of them to keep, and parts of images at one size."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import Array, real

#: In the order of the header's fc_nms.
NMS = ("hard", "diou", "linear", "gaussian")


#: Plain numbers, which Python is quicker with.
Box = list[float]


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _overlap(p: Box, q: Box, kind: str, crowd: bool) -> float:
    if math.isnan(sum(p) + sum(q)):
        return math.nan
    width, height = (max(0.0, min(p[i + 2], q[i + 2]) - max(p[i], q[i])) for i in (0, 1))
    both = width * height
    union = _area(p) + _area(q) - both
    whole = _area(p) if crowd else union
    iou = both / whole if whole else 0.0
    if kind == "iou":
        return iou
    width, height = (max(0.0, max(p[i + 2], q[i + 2]) - min(p[i], q[i])) for i in (0, 1))
    if kind == "giou":
        return iou - ((width * height - union) / (width * height) if width * height else 0.0)
    apart = sum(((p[i] + p[i + 2]) - (q[i] + q[i + 2])) ** 2 / 4 for i in (0, 1))
    diagonal = width**2 + height**2
    diou = iou - (apart / diagonal if diagonal else 0.0)
    if kind == "diou":
        return diou
    angles = [math.atan2(max(0.0, b[2] - b[0]), max(0.0, b[3] - b[1])) for b in (p, q)]
    v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return diou - (v**2 / (1 - iou + v) if 1 - iou + v > 0 else 0.0)


def box_iou(p: ArrayLike, q: ArrayLike, kind: str = "iou", crowd: ArrayLike | None = None) -> Array:
    """How far each of the boxes p agrees with each of q, (len(p), len(q)).

    IoU; GIoU (Rezatofighi et al. 2019); DIoU and CIoU (Zheng et al. 2020). For crowds, the share of p that lies within.
    """
    rows, columns = real(p, "p", 2).tolist(), real(q, "q", 2).tolist()
    crowds = np.zeros(len(columns), bool) if crowd is None else np.asarray(crowd, bool)
    pairs = [[_overlap(a, b, kind, bool(c)) for b, c in zip(columns, crowds)] for a in rows]
    return np.array(pairs, np.float64).reshape(len(rows), len(columns))


def nms_order(
    boxes: ArrayLike, scores: ArrayLike, group: ArrayLike | None, groups: int, threshold: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Which boxes may be kept, best first; the same by groups; and where in that each group starts."""
    corners, values = real(boxes, "boxes", 2), real(scores, "scores", 1)
    of = np.zeros(len(values), int) if group is None else np.asarray(group)
    good = [i for i in range(len(values)) if values[i] > threshold and np.isfinite(corners[i]).all()]
    best = sorted(good, key=lambda i: (-values[i], i))
    parts = [[i for i in best if of[i] == g] for g in range(groups)]
    rest = [-1] * (len(values) - len(best))
    starts = np.cumsum([0, *map(len, parts)])
    grouped = [i for part in parts for i in part]
    return np.array(best + rest, np.int32), np.array(grouped + rest, np.int32), starts.astype(np.int32)


def nms(
    boxes: ArrayLike,
    scores: ArrayLike,
    kind: str = "hard",
    iou_threshold: float = 0.5,
    sigma: float = 0.5,
    score_threshold: float = 0.0,
    limit: int | None = None,
) -> Array:
    """The scores of the boxes that are kept, NaN for the others. Boxes come best first. Soft: Bodla et al. 2017."""
    corners, left = real(boxes, "boxes", 2).tolist(), real(scores, "scores", 1).copy()
    kept = np.full(len(left), np.nan)
    for _ in range(len(left) if limit is None else limit):
        if not (left > score_threshold).any():
            break
        best = int(np.argmax(left))
        kept[best] = left[best]
        left[best] = -np.inf
        for i in np.flatnonzero(left > score_threshold):
            overlap = _overlap(corners[best], corners[i], "diou" if kind == "diou" else "iou", False)
            if kind == "gaussian":
                left[i] *= math.exp(-(overlap**2) / sigma)
            elif overlap > iou_threshold:
                left[i] = left[i] * (1 - overlap) if kind == "linear" else -np.inf
    return kept


def _weights(start: float, length: float, bins: int, samples: int, size: int) -> Array:
    """What each bin takes of an image along one axis: a matrix (bins, size)."""
    matrix = np.zeros((bins, size))
    points = samples or max(0, math.ceil(length / bins))
    for i in range(bins):
        for k in range(points):
            at = start + (i + (k + 0.5) / points) * (length / bins)
            if -1 <= at <= size:
                at = min(max(at, 0.0), size - 1.0)
                low = math.floor(at)
                matrix[i, low] += (1 - at + low) / points
                matrix[i, min(low + 1, size - 1)] += (at - low) / points
    return matrix


def roi_weights(
    box: ArrayLike, size: tuple[int, int], out: tuple[int, int], scale: float, samples: int, aligned: bool
) -> tuple[Array, Array]:
    """The matrices for rows and columns whose product with an image is RoI align (He et al., "Mask R-CNN", 2017)."""
    left, top, right, bottom = (float(v) * scale for v in real(box, "box", 1))
    found = []
    for start, end, pixels, bins in ((top, bottom, size[0], out[0]), (left, right, size[1], out[1])):
        length = end - start if aligned else max(1.0, end - start)
        found.append(_weights(start - 0.5 * aligned, length, bins, samples, pixels))
    return found[0], found[1]


def roi_align(
    x: ArrayLike,
    boxes: ArrayLike,
    image: ArrayLike,
    out: tuple[int, int],
    scale: float = 1.0,
    samples: int = 0,
    aligned: bool = True,
) -> Array:
    """Parts of images (n, height, width, c), (boxes, rows, columns, c); `image` has the image of each box."""
    images, corners = real(x, "x", 4), real(boxes, "boxes", 2)
    y = np.full((len(corners), *out, images.shape[3]), np.nan)
    for number, (box, i) in enumerate(zip(corners, np.asarray(image))):
        if np.isfinite(box).all():
            rows, columns = roi_weights(box, images.shape[1:3], out, scale, samples, aligned)
            y[number] = np.einsum("ih,jw,hwc->ijc", rows, columns, images[i])
    return y


def roi_align_backward(
    dy: ArrayLike,
    x: ArrayLike,
    boxes: ArrayLike,
    image: ArrayLike,
    scale: float = 1.0,
    samples: int = 0,
    aligned: bool = True,
) -> Array:
    """The gradient of `roi_align` with respect to x."""
    upstream, corners = real(dy, "dy", 4), real(boxes, "boxes", 2)
    dx = np.zeros(real(x, "x", 4).shape)
    for gradient, box, i in zip(upstream, corners, np.asarray(image)):
        if np.isfinite(box).all():
            size, out = dx.shape[1:3], gradient.shape[:2]
            rows, columns = roi_weights(box, size, out, scale, samples, aligned)  # type: ignore[arg-type]
            dx[i] += np.einsum("ih,jw,ijc->hwc", rows, columns, gradient)
    return dx

"""Images made of several: MixUp, CutMix, mosaic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._ops import core
from ...errors import shown
from ...shapes import real_number, whole_number
from .annotations import LEAST_VISIBLE, Rows, clip_boxes
from .base import Batch, Mixing

if TYPE_CHECKING:
    from numpy.random import Generator


def _generator(rng: NDArray[np.uint64]) -> Generator:
    from numpy.random import Generator, Philox  # slow to import, and few need it

    return Generator(Philox(key=rng))


def mix(
    images: NDArray[Any],
    sources: NDArray[np.int32],
    shares: NDArray[np.float32],
    boxes: NDArray[np.int32],
    shifts: NDArray[np.int32] | None = None,
) -> NDArray[Any]:
    """Rectangles of other images of the batch laid over each image.

    Parameters
    ----------
    images : (n, h, w, c) uint8 or float32
    sources : (n, p)
        Which image each of p rectangles comes from.
    shares : (n, p)
        How much of what was there before stays.
    boxes : (n, p, 4)
        top, left, bottom, right.
    shifts : (n, p, 2), optional
        How far down and right of its place in the result a rectangle lies in its image.
    """
    n, h, w, c = images.shape
    p = sources.shape[1]
    if shifts is None:
        shifts = np.zeros((n, p, 2), np.int32)
    seen = boxes + np.tile(shifts, 2)
    for name, part in (("boxes", boxes), ("shifts", seen)):
        if part.size and (part.min() < 0 or (part[..., 2:] > (h, w)).any() or (part[..., 2:] < part[..., :2]).any()):
            raise ValueError(f"{name} must stay within images of {h} x {w}, received {shown(part.tolist())}")
    if sources.size and not 0 <= sources.min() <= sources.max() < n:
        raise ValueError(f"sources must be from 0 to {n - 1}, received {shown(sources.tolist())}")
    y = np.empty_like(images)
    kernel = f"augment_mix_{'u8' if images.dtype == np.uint8 else 'f32'}"
    arrays = {"from": sources, "share": shares, "box": boxes, "shift": shifts}
    dtypes = {"from": np.int32, "share": np.float32, "box": np.int32, "shift": np.int32}
    core.call(kernel, x=images, y=y, n=n, h=h, w=w, c=c, p=p,
              **{k: np.ascontiguousarray(a, dtypes[k]) for k, a in arrays.items()})  # fmt: skip
    return y


class _MixedLabels(Mixing):
    """Labels are blended as images are."""

    def __init__(self, seed: int | None, num_classes: int | None) -> None:
        super().__init__(seed)
        self.num_classes = None if num_classes is None else whole_number(num_classes, "num_classes")

    def get_config(self) -> dict[str, Any]:
        return {"num_classes": self.num_classes, **super().get_config()}

    def _blend(self, labels: Any, sources: NDArray[Any], weights: NDArray[np.float32]) -> Any:
        """The sum of the labels of images (n, p) with weights (n, p)."""
        if labels is None:
            return None
        if labels.ndim == 1 and labels.dtype.kind in "iu":
            if self.num_classes is None:
                raise ValueError(
                    f"labels must be one-hot for {type(self).__name__}, since it mixes them, received class numbers of "
                    f"shape {labels.shape}; give it num_classes, and the loss categorical_crossentropy"
                )
            if labels.size and not 0 <= labels.min() <= labels.max() < self.num_classes:
                raise ValueError(f"labels must be from 0 to {self.num_classes - 1}, received {shown(labels.tolist())}")
            labels = np.eye(self.num_classes, dtype=np.float32)[labels]
        labels = labels.astype(np.float32, copy=False)
        wide = weights.reshape(*weights.shape, *[1] * (labels.ndim - 1))
        return (labels[sources] * wide).sum(axis=1)

    def _blend_two(self, labels: Any, other: NDArray[Any], share: NDArray[np.float32]) -> Any:
        """Each image's labels, with a share (n, 1) of those of an `other` one (n, 1)."""
        sources = np.concatenate([np.arange(len(other))[:, None], other], axis=1)
        return self._blend(labels, sources, np.concatenate([1 - share, share], axis=1))


class MixUp(_MixedLabels):
    """Each image blended with another one of the batch, and so are their labels (Zhang et al. 2018, "mixup: beyond
    empirical risk minimization", section 2). Boxes and keypoints of both are there in the result, unless less than a
    tenth is left of their image.

    Parameters
    ----------
    alpha : float
        Of the Beta distribution that the share is drawn from, above 0. Pictures with boxes are mixed about evenly, with
        8 or more.
    seed : int, optional
    num_classes : int, optional
        For labels that are class numbers: they become one-hot.
    """

    def __init__(self, alpha: float = 0.2, seed: int | None = None, num_classes: int | None = None) -> None:
        super().__init__(seed, num_classes)
        self.alpha = real_number(alpha, "alpha", low=1e-6)

    def get_config(self) -> dict[str, Any]:
        return {"alpha": self.alpha, **super().get_config()}

    def _run(self, batch: Batch, rng: NDArray[np.uint64], training: bool) -> Batch:
        if not training:
            return batch
        n, h, w, _ = batch.images.shape
        drawn = _generator(rng)
        share = drawn.beta(self.alpha, self.alpha, (n, 1)).astype(np.float32)
        other = drawn.permutation(n).astype(np.int32)[:, None]
        whole = np.tile(np.array([0, 0, h, w], np.int32), (n, 1, 1))
        y = mix(batch.images, other, share, whole)
        labels = self._blend_two(batch.labels, other, 1 - share)
        boxes, keypoints = (_both(rows, other[:, 0], share[:, 0]) for rows in (batch.boxes, batch.keypoints))
        return Batch(y, labels, boxes, keypoints)


def _both(rows: Rows | None, other: NDArray[np.int32], share: NDArray[np.float32]) -> Rows | None:
    """What is in each image and in its other one, as far as they can be seen in the shares that they have."""
    if rows is None:
        return None
    found = []
    for i, (j, mine) in enumerate(zip(other, share)):
        seen = [rows[i]] if mine >= LEAST_VISIBLE or i == j else []
        seen += [rows[j]] if 1 - mine >= LEAST_VISIBLE and i != j else []
        found.append(np.concatenate(seen))
    return found


class CutMix(_MixedLabels):
    """A rectangle of each image taken from another one of the batch; labels are blended by the areas (Yun et al. 2019,
    "CutMix: regularization strategy to train strong classifiers with localizable features", section 3.1).

    Parameters
    ----------
    factor : float
        Both numbers of the Beta distribution that the share of the image that stays is drawn from, above 0.
    seed : int, optional
    num_classes : int, optional
        For labels that are class numbers: they become one-hot.
    """

    def __init__(self, factor: float = 1.0, seed: int | None = None, num_classes: int | None = None) -> None:
        super().__init__(seed, num_classes)
        self.factor = real_number(factor, "factor", low=1e-6)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, **super().get_config()}

    def _run(self, batch: Batch, rng: NDArray[np.uint64], training: bool) -> Batch:
        if not training:
            return batch
        if batch.boxes is not None or batch.keypoints is not None:
            raise ValueError("CutMix doesn't mix boxes or keypoints; Mosaic and MixUp do")
        n, h, w, _ = batch.images.shape
        drawn = _generator(rng)
        side = np.sqrt(1 - drawn.beta(self.factor, self.factor, n))
        centre = drawn.random((n, 2)) * (h, w)
        half = side[:, None] * (h / 2, w / 2)
        box = np.concatenate([centre - half, centre + half], axis=1)
        box = np.clip(np.rint(box), 0, (h, w, h, w)).astype(np.int32)[:, None]
        other = drawn.permutation(n).astype(np.int32)[:, None]
        y = mix(batch.images, other, np.zeros((n, 1), np.float32), box)
        taken = ((box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) / (h * w)).astype(np.float32)
        return Batch(y, self._blend_two(batch.labels, other, taken), None, None)


class Mosaic(_MixedLabels):
    """Each image made of four of the batch, which meet at a random place (Bochkovskiy et al. 2020, "YOLOv4: optimal
    speed and accuracy of object detection", section 3.3). Each shows a random part of it, as large as its place. Boxes
    and keypoints come along; labels are blended by the areas.

    Parameters
    ----------
    factor : float
        The share of the images that it is done to.
    centre : (float, float)
        Between which shares of height and width the four meet.
    seed : int, optional
    num_classes : int, optional
        For labels that are class numbers: they become one-hot.
    """

    def __init__(
        self,
        factor: float = 1.0,
        centre: tuple[float, float] = (0.25, 0.75),
        seed: int | None = None,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(seed, num_classes)
        self.factor = real_number(factor, "factor", high=1.0)
        low, high = (real_number(v, "centre", high=1.0) for v in centre)
        self.centre = (min(low, high), max(low, high))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "centre": list(self.centre), **super().get_config()}

    def _run(self, batch: Batch, rng: NDArray[np.uint64], training: bool) -> Batch:
        if not training:
            return batch
        n, h, w, _ = batch.images.shape
        drawn = _generator(rng)
        done = np.less(drawn.random(n), self.factor)
        sources = np.concatenate([np.arange(n)[:, None], drawn.integers(0, max(n, 1), (n, 3))], axis=1)
        middle = drawn.uniform(*self.centre, (n, 2)) * (h, w)
        y, x = np.where(done[:, None], np.rint(middle), (h, w)).astype(np.int32).T
        zero = np.zeros(n, np.int32)
        full = (zero + h, zero + w)
        corners = ((zero, zero, y, x), (zero, x, y, full[1]), (y, zero, full[0], x), (y, x, *full))
        boxes = np.stack([np.stack(c, axis=-1) for c in corners], axis=1)
        room = np.array([h, w]) - (boxes[..., 2:] - boxes[..., :2])
        starts = np.floor(drawn.random((n, 4, 2)) * (room + 1)).astype(np.int32)
        shifts = starts - boxes[..., :2]
        images = mix(batch.images, sources.astype(np.int32), np.zeros((n, 4), np.float32), boxes, shifts)
        areas = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]) / (h * w)
        labels = self._blend(batch.labels, sources, areas.astype(np.float32))
        moved = _together(batch.boxes, sources, boxes, shifts, True)
        points = _together(batch.keypoints, sources, boxes, shifts, False)
        return Batch(images, labels, moved, points)


def _together(
    rows: Rows | None, sources: NDArray[Any], places: NDArray[np.int32], shifts: NDArray[np.int32], are_boxes: bool
) -> Rows | None:
    """The boxes (or points) of the four images where they lie in the result."""
    if rows is None:
        return None
    found = []
    for mine, parts, moves in zip(sources, places, shifts):
        four = []
        for source, part, (down, right) in zip(mine, parts, moves):
            top, left, bottom, end = (int(v) for v in part)
            new = rows[source].copy()
            if are_boxes:
                new[:, :4] -= (right, down, right, down)
                new = clip_boxes(new, (top, left, bottom, end))
            else:
                new[:, :2] -= (right, down)
                inside = (new[:, 0] >= left) & (new[:, 0] <= end) & (new[:, 1] >= top) & (new[:, 1] <= bottom)
                new = new[inside & (bottom > top) & (end > left)]
            four.append(new)
        found.append(np.concatenate(four))
    return found

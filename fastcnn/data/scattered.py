"""A detection set made on the fly: pictures of single things, scattered over a noisy ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from .. import random
from .._ops.arrays import check_memory
from ..errors import shown
from ..shapes import pair, real_number, whole_number
from .box_listing import check_class_names
from .dataset import Dataset
from .details import Details
from .nodes import ArrayRows, Node, PromptRows
from .placing import Placement
from .structure import Element

#: Pixels up to this are the ground of a thing's own picture.
_GROUND = 15
#: The ground of the pictures: its brightness is drawn from here, and noise of this deviation lies on it.
_BRIGHTNESS, _NOISE = (10, 70), 10.0
#: Noise is drawn once, larger than a picture by so much, of which each picture has a part.
_MARGIN = 64
#: So often is a place looked for where a thing hides no other too much; then it is left out.
_ATTEMPTS = 12


def scattered_objects(
    images: Any,
    labels: Any,
    count: int,
    size: Any = (128, 128),
    objects: tuple[int, int] = (1, 8),
    scale: tuple[float, float] = (0.75, 2.0),
    overlap: float = 0.3,
    channels: int = 3,
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    shuffle: bool = True,
    seed: int | None = 0,
    details: bool = False,
) -> Dataset:
    """Pictures with boxes, made of small pictures of single things, such as Fashion-MNIST's, on a dark, noisy ground.

    A picture follows from the seed and its number alone, and is made when it is asked for: the same in every epoch.
    ``scattered_objects(...).to_arrays()`` has all of them in memory.

    Parameters
    ----------
    images : (n, height, width) or (n, height, width, 1 or 3), uint8
        One thing each, on black.
    labels : (n,) int
        Their classes.
    count : int
        How many pictures there are.
    size : int or (int, int)
        Their height and width.
    objects : (int, int)
        How many things are in a picture, at least and at most: drawn evenly, fewer where they find no place.
    scale : (float, float)
        How much larger things become, at least and at most; drawn evenly by ratio. None is larger than its picture.
    overlap : float
        The largest share of a thing that others may hide, from 0 to 1.
    channels : {1, 3}
    class_names : list of str, optional
        Numbers if not given.
    batch_size : int or None
        None: single samples.
    shuffle : bool
        Every epoch in another order.
    seed : int, optional
        Of the pictures and of their order; None takes one from `fastcnn.set_seed`'s random numbers.
    details : bool
        Whether batches have `Details` of each picture.

    Returns
    -------
    Dataset
        Batches ``(images, labels, boxes)``, as of `detection_dataset_from_voc`. Boxes lie close around all of a thing,
        also where others hide a part of it.

    Raises
    ------
    ValueError, TypeError
        Arguments that are none of those above; an image that is black.
    """
    things, kinds, names = _checked(images, labels, channels, class_names)
    number = whole_number(count, "count")
    height, width = pair(size, "size")
    least, most = (whole_number(v, "objects", 0) for v in _two(objects, "objects"))
    low, high = (real_number(v, "scale", 0.01, 1000.0) for v in _two(scale, "scale"))
    if least > most or low > high:
        raise ValueError(f"objects and scale must be (least, most), received {shown(objects)} and {shown(scale)}")
    drawn = random.next_seed() if seed is None else random.check_seed(seed)
    limits = (least, most), (low, high), real_number(overlap, "overlap", high=1.0)
    rows = ScatteredRows(things, kinds, number, (height, width, channels), *limits, drawn, details)
    dataset = Dataset(rows, names)
    if shuffle:
        dataset = dataset.shuffle(seed=drawn)
    return dataset if batch_size is None else dataset.batch(batch_size).prefetch()


def _checked(
    images: Any, labels: Any, channels: int, class_names: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The arrays as they are used, images with as many channels as the pictures; and what the classes are called."""
    things, kinds = np.asarray(images), np.asarray(labels)
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, received {shown(channels)}")
    if things.ndim == 3:
        things = things[..., None]
    if things.ndim != 4 or things.dtype != np.uint8 or not things.size or things.shape[3] not in (1, channels):
        raise ValueError(
            f"images must be uint8 (n, height, width) or (n, height, width, 1 or {channels}), received "
            f"{np.asarray(images).dtype} of shape {np.asarray(images).shape}"
        )
    if kinds.shape != (len(things),) or kinds.dtype.kind not in "iu" or kinds.min() < 0:
        raise ValueError(
            f"labels must be {len(things)} class numbers from 0, received {kinds.dtype} of shape {kinds.shape}"
        )
    dark = things.max(axis=(1, 2, 3)) <= _GROUND
    if dark.any():
        raise ValueError(f"images[{int(dark.argmax())}] is black: there is nothing in it")
    given, classes = check_class_names(class_names), int(kinds.max()) + 1
    if given is not None and len(given) < classes:
        raise ValueError(f"class_names must be {classes} names at least, received {shown(given)}")
    return things, kinds.astype(np.int64), given or [str(i) for i in range(classes)]


def _two(given: Any, name: str) -> tuple[Any, Any]:
    try:
        first, second = given
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be two numbers, the least and the most, received {shown(given)}") from None
    return first, second


class ScatteredRows(PromptRows):
    """Pictures made when they are read: see `scattered_objects`."""

    def __init__(
        self,
        things: np.ndarray,
        labels: np.ndarray,
        count: int,
        shape: tuple[int, int, int],
        objects: tuple[int, int],
        scale: tuple[float, float],
        overlap: float,
        seed: int,
        details: bool,
    ) -> None:
        super().__init__(count)
        self.things, self.labels, self.shape = things, labels, shape
        self.objects, self.scale, self.overlap = objects, scale, overlap
        # Not called seed: the pictures' is no position of a dataset.
        self.drawn_from, self.details = seed, details
        noise = np.random.default_rng(seed).normal(0, _NOISE, (shape[0] + _MARGIN, shape[1] + _MARGIN, shape[2]))
        self._noise = np.rint(noise).astype(np.int16)

    def cached(self) -> Node:
        height, width, channels = self.shape
        check_memory((-(-self.count * height * width * channels // 4),), f"{self.count} pictures in memory")
        return ArrayRows(self.at(self.order(0)), self.count)

    def at(self, index: np.ndarray) -> Element:
        images = np.empty((len(index), *self.shape), np.uint8)
        labels, boxes = [], []
        for image, number in zip(images, index):
            kinds, places = self._picture(int(number), image)
            labels.append(kinds)
            boxes.append(places)
        parts = images, labels, boxes
        return (*parts, [self._details(int(n), b) for n, b in zip(index, boxes)]) if self.details else parts

    def _details(self, number: int, boxes: np.ndarray) -> Details:
        size = self.shape[:2]
        areas = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).prod(axis=1)
        placement = Placement(1.0, 1.0, 0.0, 0.0, size)
        return Details(f"{number}", number, size, placement, np.zeros(len(boxes), bool), areas)

    def _picture(self, number: int, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A picture into `image`; the labels and boxes of what is in it."""
        generator = np.random.default_rng([self.drawn_from, number])
        height, width, _ = self.shape
        top, left = generator.integers(0, _MARGIN, 2)
        ground = self._noise[top : top + height, left : left + width] + generator.integers(*_BRIGHTNESS)
        image[:] = np.clip(ground, 0, 255)
        # Whose pixel each one is, 0 the ground's, and of how many pixels each thing is made and is to be seen.
        owners = np.zeros((height, width), np.int64)
        whole, seen = [0], np.zeros(1, np.int64)
        labels: list[int] = []
        boxes: list[tuple[int, int, int, int]] = []
        for _ in range(int(generator.integers(self.objects[0], self.objects[1], endpoint=True))):
            chosen = int(generator.integers(len(self.things)))
            pixels, mask = self._thing(chosen, generator)
            rows, columns = mask.shape
            for _ in range(_ATTEMPTS):
                y = int(generator.integers(0, height - rows, endpoint=True))
                x = int(generator.integers(0, width - columns, endpoint=True))
                place = np.s_[y : y + rows, x : x + columns]
                left_over = seen - np.bincount(owners[place][mask], minlength=len(seen))
                if (left_over[1:] >= (1 - self.overlap) * np.array(whole[1:])).all():
                    image[place][mask] = pixels[mask]
                    owners[place][mask] = len(whole)
                    whole.append(int(mask.sum()))
                    seen = np.append(left_over, whole[-1])
                    labels.append(int(self.labels[chosen]))
                    boxes.append((x, y, x + columns, y + rows))
                    break
        return np.array(labels, np.int64), np.array(boxes, np.float32).reshape(-1, 4)

    def _thing(self, number: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A thing's pixels in the size that it has in a picture, cut close, and which of them it is made of."""
        thing = _cut(self.things[number])
        low, high = np.log(self.scale)
        factor = float(np.exp(generator.uniform(low, high)))
        factor = min(factor, self.shape[0] / thing.shape[0], self.shape[1] / thing.shape[1])
        rows, columns = (max(1, int(side * factor)) for side in thing.shape[:2])
        small = Image.fromarray(thing[..., 0] if thing.shape[2] == 1 else thing)
        resized = np.asarray(small.resize((columns, rows), Image.Resampling.BILINEAR)).reshape(rows, columns, -1)
        # Smoothed away, a thin thing is darker than it was: as long as anything is left, it is cut close again.
        resized = _cut(resized) if resized.max() > _GROUND else np.maximum(resized, _GROUND + 1)
        pixels = np.broadcast_to(resized, (*resized.shape[:2], self.shape[2]))
        return pixels, _bright(resized)


def _bright(thing: np.ndarray) -> np.ndarray:
    """Which pixels are the thing's."""
    return (thing[..., 0] if thing.shape[2] == 1 else thing.max(axis=2)) > _GROUND


def _cut(thing: np.ndarray) -> np.ndarray:
    """The part of an image that has something in it."""
    there = _bright(thing)
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    return thing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

"""Images with labels and boxes, as a detector learns from them and is judged by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset
from ..errors import shown
from ..metrics import CocoMetrics
from .detections import Detections


def check_images(images: Any, size: tuple[int, int]) -> None:
    """Whether images are of the size that a detector sees."""
    shape = np.shape(images)
    if len(shape) == 3 and shape == (*size, 3):
        raise ValueError("images must come in batches (n, height, width, 3), received a single one: a dataset of such "
                         "needs .batch(16)")  # fmt: skip
    if len(shape) != 4 or shape[1:] != (*size, 3):
        raise ValueError(f"images must have shape (n, {size[0]}, {size[1]}, 3), as the detector sees them, received "
                         f"{shape}; say image_size={size} where the dataset is made")  # fmt: skip


def grouped(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """So many items at a time."""
    group: list[Any] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def batches(x: Any, y: Any, size: int) -> Iterator[tuple[Any, Sequence[Any], Sequence[Any], Any]]:
    """Images, labels, boxes and details (or None) from a dataset, or from arrays."""
    if isinstance(x, Dataset) or (y is None and hasattr(x, "__iter__") and not hasattr(x, "__array__")):
        if y is not None:
            raise ValueError("x gives batches that hold labels and boxes themselves; don't give y as well")
        for element in x:
            if not isinstance(element, tuple) or len(element) not in (3, 4):
                raise ValueError(f"a detector is judged by batches (images, labels, boxes), or with details as well, "
                                 f"received {shown(element)}")  # fmt: skip
            images, labels, boxes, *details = element
            yield images, labels, boxes, details[0] if details else None
        return
    if not isinstance(y, (tuple, list)) or len(y) != 2:
        raise ValueError(f"y must be (labels, boxes), two lists with an array for each image, received {shown(y)}")
    labels, boxes = y
    if not len(x) == len(labels) == len(boxes):
        raise ValueError(f"x, labels and boxes must be equally long, received {len(x)}, {len(labels)}, {len(boxes)}")
    for start in range(0, len(x), size):
        part = slice(start, start + size)
        yield x[part], labels[part], boxes[part], None


def update(metrics: CocoMetrics, found: Sequence[Detections], labels: Any, boxes: Any, details: Any) -> None:
    """Judge what was found in images; with details as they lie in the pictures' files."""
    for i, one in enumerate(found):
        true = np.asarray(boxes[i], np.float32).reshape(-1, 4)
        more: dict[str, Any] = {}
        key: Any = len(metrics)
        if details is not None:
            known = details[i]
            one, true, key = one.in_picture(known.placement, known.size), known.placement.inverse(true), known.image_id
            more = {"crowd": known.ignored, "areas": known.areas}
        metrics.update(key, one.boxes, one.scores, one.labels, true, np.asarray(labels[i], np.int64), **more)


def of_targets(targets: NDArray[np.float32]) -> tuple[list[Any], list[Any], None]:
    """Labels, boxes and no details of targets (n, boxes, 5), as a loss takes them."""
    real = [rows[rows[:, 0] >= 0] for rows in targets]
    return [rows[:, 0].astype(np.int64) for rows in real], [rows[:, 1:] for rows in real], None

"""Boxes as a loss takes them: an array of one shape for all batches."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import shown
from ..shapes import whole_number
from .details import Details

if TYPE_CHECKING:
    from numpy.typing import NDArray


def detection_targets(
    labels: Sequence[Any], boxes: Sequence[Any], max_boxes: int, ignored: Sequence[Any] | None = None
) -> NDArray[np.float32]:
    """Labels and boxes of images as one array.

    Parameters
    ----------
    labels : list of (k,) int
        Of each image, from 0.
    boxes : list of (k, 4)
        Left, top, right, bottom.
    max_boxes : int
        Of an image that has more, the smallest are left out.
    ignored : list of (k,) bool, optional
        Those that are not to be trained on.

    Returns
    -------
    (n, max_boxes, 5) float32
        Label, left, top, right, bottom; the label -1 where there is no box.

    Raises
    ------
    ValueError
        Different numbers of labels and boxes, labels below 0, or boxes that are not finite or have no area.

    Warns
    -----
    UserWarning
        Boxes are left out.
    """
    targets, left_out = _targets(labels, boxes, whole_number(max_boxes, "max_boxes"), ignored, None)
    if left_out:
        warnings.warn(_told(left_out, max_boxes), stacklevel=2)
    return targets


class DetectionTargets:
    """A step of a pipeline, ``dataset.map(DetectionTargets(100))``, behind which batches are ``(images, targets)``, as
    training takes them.

    Boxes that are `Details.ignored` are left out. Of the first boxes that there is no room for, a warning tells.

    Parameters
    ----------
    max_boxes : int
        As for `detection_targets`.
    num_classes : int, optional
        Labels from here on are an error; where not given, any are taken.

    Attributes
    ----------
    left_out : int
        How many boxes there was no room for, so far.
    """

    def __init__(self, max_boxes: int = 100, num_classes: int | None = None) -> None:
        self.max_boxes = whole_number(max_boxes, "max_boxes")
        self.num_classes = None if num_classes is None else whole_number(num_classes, "num_classes")
        self.left_out = 0

    def __call__(
        self, images: Any, labels: Sequence[Any], boxes: Sequence[Any], details: Sequence[Details] | None = None
    ) -> tuple[Any, NDArray[np.float32]]:
        ignored = None if details is None else [one.ignored for one in details]
        targets, left_out = _targets(labels, boxes, self.max_boxes, ignored, self.num_classes)
        if left_out and not self.left_out:
            warnings.warn(_told(left_out, self.max_boxes) + "; more may follow", stacklevel=2)
        self.left_out += left_out
        return images, targets


def _told(count: int, most: int) -> str:
    which = "1 box" if count == 1 else f"{count} boxes"
    return f"{which} left out, the smallest of images with more than max_boxes={most}"


def _targets(
    labels: Sequence[Any], boxes: Sequence[Any], most: int, ignored: Sequence[Any] | None, classes: int | None
) -> tuple[NDArray[np.float32], int]:
    """The targets, and how many boxes there was no room for."""
    if len(labels) != len(boxes) or (ignored is not None and len(ignored) != len(boxes)):
        counts = [len(given) for given in (labels, boxes, ignored) if given is not None]
        raise ValueError(f"labels, boxes and ignored must be of as many images, received {counts}")
    targets = np.zeros((len(boxes), most, 5), np.float32)
    targets[:, :, 0] = -1
    left_out = 0
    for number, (kinds, places) in enumerate(zip(labels, boxes)):
        rows = _rows(np.asarray(kinds), np.asarray(places, np.float32), number, classes)
        if ignored is not None:
            rows = rows[~np.asarray(ignored[number], bool)]
        if len(rows) > most:
            left_out += len(rows) - most
            areas = (rows[:, 3] - rows[:, 1]) * (rows[:, 4] - rows[:, 2])
            rows = rows[np.sort(np.argsort(-areas, kind="stable")[:most])]
        targets[number, : len(rows)] = rows
    return targets, left_out


def _rows(labels: NDArray[Any], boxes: NDArray[np.float32], number: int, classes: int | None) -> NDArray[np.float32]:
    """The targets of one image, checked."""
    boxes = boxes.reshape(-1, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or labels.shape != boxes.shape[:1]:
        raise ValueError(
            f"labels[{number}] and boxes[{number}] must be (k,) and (k, 4), received {labels.shape} and {boxes.shape}"
        )
    end = np.inf if classes is None else classes
    if len(boxes) and (labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() < end):
        most = "" if classes is None else f" to {classes - 1}"
        raise ValueError(f"labels[{number}] must be class numbers from 0{most}, received {shown(labels.tolist())}")
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ValueError(
            f"boxes[{number}] must be finite, left < right and top < bottom, received {shown(boxes.tolist())}"
        )
    return np.concatenate([labels[:, None].astype(np.float32), boxes], axis=1)

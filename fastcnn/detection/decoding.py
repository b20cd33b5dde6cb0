"""From a detector's raw output to what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import ops
from ..shapes import pair, real_number, whole_number
from .backbones import STRIDES
from .detections import Detections


@dataclass(frozen=True)
class Selection:
    """Which of all that a detector sees is taken.

    Parameters
    ----------
    score_threshold : float
        The least score, from 0 to 1.
    iou_threshold : float
        Of two boxes of a class that share more than this (intersection over union) only the surer one stays.
    max_boxes : int
        In one picture.
    candidates : int
        So many of a picture, the surest, are compared with each other at most.
    """

    score_threshold: float = 0.25
    iou_threshold: float = 0.5
    max_boxes: int = 100
    candidates: int = 1000

    def __post_init__(self) -> None:
        real_number(self.score_threshold, "score_threshold", high=1.0)
        real_number(self.iou_threshold, "iou_threshold", high=1.0)
        whole_number(self.max_boxes, "max_boxes")
        whole_number(self.candidates, "candidates")


def decode(
    raw: ArrayLike,
    image_size: int | tuple[int, int],
    selection: Selection | None = None,
    strides: Sequence[int] = STRIDES,
) -> list[Detections]:
    """Read a detector's raw output.

    Parameters
    ----------
    raw : (n, places, 4 + classes)
        For each place of the maps, those of the smallest stride first: how far it is from the place's centre to the
        box's left, top, right and bottom edge, in strides; the classes' logits.
    image_size : int or (int, int)
        Height and width of the images that the network saw, in pixels.
    selection : Selection, optional
    strides : sequence of int
        Of the maps.

    Returns
    -------
    list of Detections
        Of each image, in its pixels.

    Raises
    ------
    ValueError
        The output has another shape than that of these images and strides.
    """
    selection = Selection() if selection is None else selection
    array, size = np.asarray(raw, np.float32), pair(image_size, "image_size")
    points, steps = ops.anchor_points(size, strides)
    if array.ndim != 3 or array.shape[1] != len(points) or array.shape[2] < 5:
        raise ValueError(f"raw must have shape (n, {len(points)}, 4 + classes) for images of {size[0]}x"
                         f"{size[1]}, received {array.shape}")  # fmt: skip
    return [_decoded(one, points, steps, size, selection) for one in array]


def _decoded(
    raw: NDArray[np.float32],
    points: NDArray[np.float32],
    steps: NDArray[np.float32],
    image_size: tuple[int, int],
    selection: Selection,
) -> Detections:
    # Logits are compared with the threshold's: scores are worked out for what passes, a few of many thousands.
    least = selection.score_threshold
    limit = -math.inf if least <= 0 else math.inf if least >= 1 else math.log(least / (1 - least))
    # All numbers are compared, boxes' too, as whole memory is gone through many times faster than a part of each row.
    passed = raw >= limit
    passed[:, :4] = False
    places, channels = np.divmod(np.flatnonzero(passed), raw.shape[1])
    labels, logits = channels - 4, raw[places, channels]
    if len(logits) > selection.candidates:
        # A stable order, so that ties go to the first places.
        best = np.sort(np.argsort(-logits, kind="stable")[: selection.candidates])
        places, labels, logits = places[best], labels[best], logits[best]
    reach = raw[places, :4] * steps[places, None]
    centres = points[places]
    height, width = image_size
    boxes = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1)
    boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    with np.errstate(over="ignore"):
        scores = 1 / (1 + np.exp(-logits))
    kept, sure = ops.nms(boxes, scores, selection.iou_threshold, labels=labels, max_boxes=selection.max_boxes)
    return Detections(boxes[kept], sure, labels[kept])

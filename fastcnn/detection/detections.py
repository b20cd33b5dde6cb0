"""What was found in one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Placement


@dataclass(frozen=True)
class Detections:
    """The things found in one image, the best first.

    Attributes
    ----------
    boxes : float32 (k, 4)
        Left, top, right, bottom, in pixels of the image as it was given.
    scores : float32 (k,)
    labels : int64 (k,)
        Class numbers from 0.
    keypoints : float32 (k, points, 2), or None
        x and y, in the same pixels, of detectors that find such.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    keypoints: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def in_picture(self, placement: Placement, size: tuple[int, int]) -> Detections:
        """From the pixels of a network's image to those of the picture of (height, width) that lies in it: cut off at
        its edges, and without what is beside it, in the margins.
        """
        limits = np.array([size[1], size[0]] * 2, np.float32)
        boxes = np.clip(placement.inverse(self.boxes), 0, limits)
        there = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        points = None
        if self.keypoints is not None:
            flat = self.keypoints.reshape(-1, 2)
            points = placement.inverse(np.concatenate([flat, flat], axis=1))[:, :2].reshape(self.keypoints.shape)[there]
        return Detections(boxes[there], self.scores[there], self.labels[there], points)

"""What was found in one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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

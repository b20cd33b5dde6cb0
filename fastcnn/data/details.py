"""What else is known of a picture with boxes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from .placing import Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, eq=False)
class Details:
    """What a listing says of a picture beside its boxes; in batches with ``details=True``.

    Attributes
    ----------
    name : str
        Its file, below the dataset's folder.
    image_id : int or str
        COCO's id; else the name, in VOC's data without folder and extension.
    size : (int, int)
        Height and width of the picture itself.
    placement : Placement
        How its pixels came to lie in the batch: ``placement.inverse(boxes)`` brings a detector's boxes back to the
        picture's own pixels. Augmentation doesn't change it.
    ignored : (k,) bool
        Boxes that are neither trained on nor judged as others: COCO's crowds, what VOC calls difficult.
    areas : (k,) float64
        In the picture's own pixels: COCO's ``area``, which is that of the thing's outline; else the box's.
    """

    name: str
    image_id: int | str
    size: tuple[int, int]
    placement: Placement
    ignored: NDArray[np.bool_]
    areas: NDArray[np.float64]

    def of_boxes(self, kept: NDArray[Any]) -> Details:
        """The same with some of the boxes, by their numbers or by a mask."""
        return dataclasses.replace(self, ignored=self.ignored[kept], areas=self.areas[kept])

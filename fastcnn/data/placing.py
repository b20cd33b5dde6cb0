"""Where pictures come to lie in others of another shape, and boxes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Ways to bring a picture to another ratio of height to width.
FITS = ("stretch", "crop", "pad")


class Placement(NamedTuple):
    """How pixels of a picture have moved: ``x * scale_x + left``, ``y * scale_y + top``.

    Attributes
    ----------
    scale_x, scale_y, left, top : float
    size : (int, int), optional
        The picture's own height and width, where they are known.
    """

    scale_x: float
    scale_y: float
    left: float
    top: float
    size: tuple[int, int] | None = None

    def boxes(self, boxes: ArrayLike) -> NDArray[np.float32]:
        """Boxes (n, 4) of the picture as they lie in the result: left, top, right, bottom."""
        given = np.asarray(boxes, np.float64).reshape(-1, 4)
        return (given * self._scales() + self._offsets()).astype(np.float32)

    def inverse(self, boxes: ArrayLike) -> NDArray[np.float32]:
        """Boxes (n, 4) of the result, a detector's say, as they lie in the picture."""
        given = np.asarray(boxes, np.float64).reshape(-1, 4)
        return ((given - self._offsets()) / self._scales()).astype(np.float32)

    def _scales(self) -> NDArray[np.float64]:
        return np.array([self.scale_x, self.scale_y] * 2, np.float64)

    def _offsets(self) -> NDArray[np.float64]:
        return np.array([self.left, self.top] * 2, np.float64)


def largest_within(rows: int, columns: int, height: int, width: int) -> tuple[int, int, int, int]:
    """The largest part of rows x columns pixels, in its middle, that is as high to wide as height x width: its top,
    left, rows and columns.
    """
    part_rows = max(1, min(rows, columns * height // width))
    part_columns = max(1, min(columns, rows * width // height))
    return (rows - part_rows) // 2, (columns - part_columns) // 2, part_rows, part_columns


def smallest_around(rows: int, columns: int, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The margins ((top, bottom), (left, right)) that make rows x columns pixels as high to wide as height x width."""
    more_rows = max(0, columns * height // width - rows)
    more_columns = max(0, rows * width // height - columns)
    top, left = more_rows // 2, more_columns // 2
    return (top, more_rows - top), (left, more_columns - left)


def fitted(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """The largest size of rows x columns pixels, their ratio kept, that goes into height x width."""
    if rows * width >= columns * height:
        return height, max(1, min(width, round(columns * height / rows)))
    return max(1, min(height, round(rows * width / columns))), width

"""The places at which detectors look for things."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._ops.arrays import check_memory
from ..errors import shown
from ..shapes import pair, real_number, whole_number

if TYPE_CHECKING:
    from .._ops.arrays import Floats


def _strides(strides: int | Iterable[int]) -> list[int]:
    given = list(strides) if isinstance(strides, Iterable) else [strides]
    if not given:
        raise ValueError("strides must name at least one stride, received none")
    return sorted(whole_number(s, "strides") for s in given)


def _level(size: tuple[int, int], stride: int) -> np.ndarray:
    """Centres of a level's places, row by row, (rows * columns, 2)."""
    rows, columns = (-(-pixels // stride) for pixels in size)
    check_memory((rows * columns, 4), "anchors")
    grid = np.empty((rows, columns, 2))
    grid[..., 0] = (np.arange(columns) + 0.5) * stride
    grid[..., 1] = (np.arange(rows)[:, None] + 0.5) * stride
    return grid.reshape(-1, 2)


def anchor_points(image_size: int | Sequence[int], strides: int | Iterable[int]) -> tuple[Floats, Floats]:
    """The centres of all pixels of feature maps, in the image's pixels.

    Parameters
    ----------
    image_size : int or (int, int)
        Rows and columns.
    strides : int or ints
        How many pixels of the image lie between two of each feature map. A map has ceil(size / stride) rows and
        columns.

    Returns
    -------
    points : ndarray, (a, 2)
        x and y: (column + 0.5) * stride, (row + 0.5) * stride. Maps one after the other, from the smallest stride on,
        each row by row.
    stride : ndarray, (a,)
        The stride of each.

    Raises
    ------
    TypeError, ValueError
        A size or stride that is no positive integer, no strides.

    Examples
    --------
    >>> points, stride = ops.anchor_points(32, (8, 16))
    >>> points.shape, points[:2].tolist(), points[-1].tolist()
    ((20, 2), [[4.0, 4.0], [12.0, 4.0]], [24.0, 24.0])
    """
    size = pair(image_size, "image_size")
    known = _strides(strides)
    levels = [_level(size, stride) for stride in known]
    counts = [len(level) for level in levels]
    return np.concatenate(levels).astype(np.float32), np.repeat(np.array(known, np.float32), counts)


def generate_anchors(
    image_size: int | Sequence[int],
    strides: int | Iterable[int] = (8, 16, 32, 64, 128),
    *,
    size: float = 4.0,
    scales: Sequence[float] = (1.0, 2 ** (1 / 3), 2 ** (2 / 3)),
    aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0),
) -> Floats:
    """Anchors: boxes of several sizes and shapes around each place of feature maps (Ren et al., "Faster R-CNN", 2015).

    The defaults are those of RetinaNet (Lin et al., ICCV 2017).

    Parameters
    ----------
    image_size, strides
        As for `anchor_points`.
    size : float
        The side of a square anchor of scale 1, in strides.
    scales, aspect_ratios : sequences of float
        Around each place, for each scale, an anchor for each ratio height / width, all of the same area.

    Returns
    -------
    ndarray, (places * scales * ratios, 4)
        Left, top, right, bottom. Places as in `anchor_points`, around each all scales, of each all ratios. Anchors may
        reach out of the image.

    Raises
    ------
    TypeError, ValueError
        Numbers that aren't positive, or an empty sequence of them.
    """
    pixels = pair(image_size, "image_size")
    side = _positive([size], "size")[0]
    ratios = _positive(aspect_ratios, "aspect_ratios")
    halves = [
        (0.5 * side * scale / ratio**0.5, 0.5 * side * scale * ratio**0.5)
        for scale, ratio in itertools.product(_positive(scales, "scales"), ratios)
    ]
    shapes = np.array([(-x, -y, x, y) for x, y in halves])
    known = _strides(strides)
    levels = [np.tile(_level(pixels, stride), 2)[:, None] + shapes * stride for stride in known]
    return np.concatenate([level.reshape(-1, 4) for level in levels]).astype(np.float32)


def _positive(numbers: Sequence[float], name: str) -> list[float]:
    found = [real_number(n, name) for n in numbers] if hasattr(numbers, "__len__") else []
    if not found or min(found) <= 0:
        raise ValueError(f"{name} must be numbers above 0, received {shown(numbers)}")
    return found

"""Operations that compute nothing: margins of zeros, parts cut off, pixels repeated."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import Array, real

_Sides = tuple[tuple[int, int], tuple[int, int]]


def zero_pad2d(x: ArrayLike, padding: _Sides) -> Array:
    """Rows and columns of zeros, ((top, bottom), (left, right)), around images (n, height, width, channels)."""
    return np.pad(real(x, "x", 4), ((0, 0), *padding, (0, 0)))


def crop2d(x: ArrayLike, cropping: _Sides) -> Array:
    """Images without their outer rows and columns."""
    x = real(x, "x", 4)
    (top, bottom), (left, right) = cropping
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def upsample2d(x: ArrayLike, size: tuple[int, int]) -> Array:
    """Each pixel repeated so many times downward and to the right."""
    return real(x, "x", 4).repeat(size[0], axis=1).repeat(size[1], axis=2)

"""What the families share: float64 arrays, and an image seen through one element of a sliding window."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastcnn.errors import shown

Array = NDArray[np.float64]


def real(value: ArrayLike, name: str, rank: int | None = None) -> Array:
    """`value` as a float64 array, of `rank` axes where given."""
    given: NDArray[Any] = np.asarray(value)
    if given.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, received {given.dtype}")
    array = given.astype(np.float64)
    if rank is not None and array.ndim != rank:
        raise ValueError(f"{name} must have {rank} axes, received shape {array.shape}")
    return array


def same_shape(array: Array, shape: tuple[int, ...], name: str) -> None:
    """An error unless `array` has `shape`."""
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, received {shown(array.shape)}")


class Windows:
    """Which element of a padded image each tap of a sliding window meets.

    Parameters
    ----------
    size, window, strides, dilation : (int, int)
        Rows and columns.
    out : (int, int)
        Number of window positions.
    pads : ((int, int), (int, int))
        Rows above and below, columns left and right.
    """

    def __init__(
        self,
        size: tuple[int, int],
        window: tuple[int, int],
        strides: tuple[int, int],
        dilation: tuple[int, int],
        out: tuple[int, int],
        pads: tuple[tuple[int, int], tuple[int, int]],
    ) -> None:
        self.size, self.window, self.strides, self.dilation = size, window, strides, dilation
        self.out, self.pads = out, pads

    def taps(self) -> list[tuple[int, int]]:
        """The window's elements (r, s), row by row."""
        return [(r, s) for r in range(self.window[0]) for s in range(self.window[1])]

    def at(self, r: int, s: int) -> tuple[slice, slice]:
        """The part of the padded image that tap (r, s) meets: one element for each window position."""
        (oh, ow), (sh, sw) = self.out, self.strides
        top, left = r * self.dilation[0], s * self.dilation[1]
        return slice(top, top + (oh - 1) * sh + 1, sh), slice(left, left + (ow - 1) * sw + 1, sw)

    def pad(self, x: Array, value: float = 0.0) -> Array:
        """(n, height, width, c) with its margins filled with `value`."""
        return np.pad(x, ((0, 0), *self.pads, (0, 0)), constant_values=value)

    def unpad(self, padded: Array) -> Array:
        """The image without its margins."""
        (top, _), (left, _) = self.pads
        return padded[:, top : top + self.size[0], left : left + self.size[1], :]

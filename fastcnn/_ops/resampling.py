"""Which pixels make a pixel of a resized image, and with what weights: the taps that the kernel `resize` reads.

Positions and weights are those of ONNX's Resize, which has names for what others do: Keras and PyTorch place pixels by
"half_pixel" (Keras' and TensorFlow's cubic has cubic_a = -0.5 and leaves out what lies outside; PyTorch's has -0.75).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import unknown_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]

COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
MODES = ("nearest", "linear", "cubic", "area")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(frozen=True)
class Resampling:
    """How an axis is resized.

    Parameters
    ----------
    mode : {"nearest", "linear", "cubic", "area"}
        "cubic" is Keys' convolution ("Cubic convolution interpolation for digital image processing", 1981). "area" is
        the mean over what the result's pixel covers of the image; ONNX has no such mode.
    coordinates : str
        One of `COORDINATES`: where the result's pixels lie in the image.
    rounding : str
        One of `ROUNDINGS`: which pixel is the nearest.
    cubic_a : float
    exclude_outside : bool
        Leave out taps outside of the image and let the weights of the others add up to 1; else the pixels at the edge
        stand for them.
    antialias : bool
        Where an axis is made shorter, stretch the taps over all pixels between those of the result.
    """

    mode: str = "linear"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    cubic_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False

    def __post_init__(self) -> None:
        for kind, name, known in (
            ("resize mode", self.mode, MODES),
            ("resize coordinates", self.coordinates, COORDINATES),
            ("resize rounding", self.rounding, ROUNDINGS),
        ):
            if name not in known:
                raise unknown_name(kind, name, known)

    def smooth(self) -> Resampling:
        """The same with antialiasing, by what lies inside of the image; nearest pixels and areas stay as they are."""
        return self if self.mode in ("nearest", "area") else replace(self, antialias=True, exclude_outside=True)


#: Keras' ways by their names, and TensorFlow's "area". The nearest pixel is the later one of two at the same distance.
KERAS = {
    "nearest": Resampling("nearest", rounding="round_prefer_ceil"),
    "bilinear": Resampling("linear"),
    "bicubic": Resampling("cubic", cubic_a=-0.5, exclude_outside=True),
    "area": Resampling("area"),
}


@dataclass(frozen=True)
class Taps:
    """Output i is the sum of weight[t] x[index[t]] for t from start[i] to start[i + 1] - 1."""

    start: NDArray[np.int32]
    index: NDArray[np.int32]
    weight: NDArray[np.float32]

    def arrays(self, axis: str) -> dict[str, NDArray[Any]]:
        """By the kernel's names, for the axis "row" or "col"."""
        return {f"{axis}_start": self.start, f"{axis}_index": self.index, f"{axis}_weight": self.weight}


def _positions(size: int, out: int, scale: float, coordinates: str) -> Reals:
    i = np.arange(out, dtype=np.float64)
    if coordinates == "align_corners":
        return i * ((size - 1) / (out - 1)) if out > 1 else np.zeros(1)
    if coordinates == "asymmetric":
        return i / scale
    if coordinates == "pytorch_half_pixel" and out == 1:
        return np.zeros(1)
    start = size / 2 * (1 - out / (scale * size)) if coordinates == "half_pixel_symmetric" else 0.0
    return start + (i + 0.5) / scale - 0.5


def _nearest(x: Reals, rounding: str) -> Reals:
    if rounding == "round_prefer_floor":
        return np.ceil(x - 0.5)
    if rounding == "round_prefer_ceil":
        return np.floor(x + 0.5)
    return np.floor(x) if rounding == "floor" else np.ceil(x)


def _kernel(t: Reals, how: Resampling) -> Reals:
    """The weight of a pixel at distance t."""
    t = np.abs(t)
    if how.mode == "linear":
        return np.maximum(0.0, 1.0 - t)
    a = how.cubic_a
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _covered(out: int, length: float) -> tuple[Reals, Reals]:
    """The pixels that each of the result's covers, `length` of them, and how much of each."""
    begin = np.arange(out, dtype=np.float64)[:, None] * length
    index: Reals = np.floor(begin) + np.arange(int(np.ceil(length)) + 1)
    covered = np.minimum(index + 1, begin + length) - np.maximum(index, begin)
    # What is left of a whole number of pixels by rounding alone is nothing.
    return index, np.where(covered > 1e-9 * length, covered, 0.0) / length


@functools.lru_cache(maxsize=256)
def taps(size: int, out: int, how: Resampling, scale: float | None = None, backward: bool = False) -> Taps:
    """The taps of an axis.

    Parameters
    ----------
    size, out : int
        The axis' length, and that of the result's.
    scale : float, optional
        ``out / size`` if not given; in ONNX files it may be a little more.
    backward : bool
        Those of the gradient: from an axis of `out` to one of `size`.
    """
    factor = out / size if scale is None else scale
    x = _positions(size, out, factor, how.coordinates)
    if how.mode == "nearest":
        index, weight = _nearest(x, how.rounding)[:, None], np.ones((out, 1))
    elif how.mode == "area":
        index, weight = _covered(out, 1 / factor)
    else:
        stretch = max(1.0, 1.0 / factor) if how.antialias else 1.0
        reach = (1 if how.mode == "linear" else 2) * stretch
        first = np.floor(x - reach) + 1
        index = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 1)
        weight = _kernel((index - x[:, None]) / stretch, how)
        if how.exclude_outside:
            weight = np.where((index >= 0) & (index < size), weight, 0.0)
        if how.exclude_outside or stretch > 1:
            weight /= weight.sum(axis=1, keepdims=True)
    rows = np.broadcast_to(np.arange(out)[:, None], index.shape)
    columns = np.clip(index, 0, size - 1).astype(np.int64)
    if backward:
        return _listed(columns, rows, weight, size, out)
    return _listed(rows, columns, weight, out, size)


def _listed(rows: NDArray[np.int64], columns: NDArray[np.int64], weight: Reals, out: int, size: int) -> Taps:
    """Taps row by row, those of one pixel joined, without weights of 0: they would let its NaN through."""
    places, which = np.unique(rows.ravel() * size + columns.ravel(), return_inverse=True)
    joined = np.bincount(which.ravel(), weight.ravel(), len(places)).astype(np.float32)
    kept = joined != 0
    places, joined = places[kept], joined[kept]
    start = np.searchsorted(places, np.arange(out + 1) * size)
    found = Taps(start.astype(np.int32), (places % size).astype(np.int32), joined)
    for array in found.arrays("").values():
        array.flags.writeable = False
    return found

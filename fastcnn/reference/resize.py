"""Images of another size, pixel by pixel as ONNX's Resize has it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from fastcnn.errors import unknown_name

from ._arrays import Array, real


def _position(i: int, size: int, out: int, scale: float, coordinates: str) -> float:
    """Where pixel i of the result lies in the image."""
    places = {
        "half_pixel": (i + 0.5) / scale - 0.5,
        "half_pixel_symmetric": size / 2 * (1 - out / (scale * size)) + (i + 0.5) / scale - 0.5,
        "pytorch_half_pixel": (i + 0.5) / scale - 0.5 if out > 1 else 0.0,
        "align_corners": i * (size - 1) / (out - 1) if out > 1 else 0.0,
        "asymmetric": i / scale,
    }
    if coordinates not in places:
        raise unknown_name("resize coordinates", coordinates, places)
    return places[coordinates]


def _rounded(x: float, rounding: str) -> int:
    if rounding.startswith("round"):
        half = x - math.floor(x) == 0.5
        return math.floor(x) + (rounding == "round_prefer_ceil") if half else round(x)
    return math.floor(x) if rounding == "floor" else math.ceil(x)


def _weight(t: float, mode: str, a: float) -> float:
    """Of a pixel at distance t (Keys, "Cubic convolution interpolation for digital image processing", 1981)."""
    t = abs(t)
    if mode == "linear":
        return max(0.0, 1 - t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def resize_matrix(
    size: int,
    out: int,
    mode: str = "linear",
    coordinates: str = "half_pixel",
    rounding: str = "round_prefer_floor",
    cubic_a: float = -0.75,
    exclude_outside: bool = False,
    antialias: bool = False,
    scale: float | None = None,
) -> Array:
    """The matrix (out, size) that resizes an axis; see `_ops.resampling` for what the arguments mean."""
    factor = out / size if scale is None else scale
    stretch = max(1.0, 1 / factor) if antialias else 1.0
    matrix = np.zeros((out, size))
    for i in range(out):
        x = _position(i, size, out, factor, coordinates)
        if mode == "area":
            for place in range(size):
                matrix[i, place] = max(0.0, min(place + 1, (i + 1) / factor) - max(place, i / factor)) * factor
            continue
        if mode == "nearest":
            matrix[i, min(max(_rounded(x, rounding), 0), size - 1)] = 1
            continue
        reach = 2 * math.ceil(stretch) + 1
        for place in range(math.floor(x) - reach, math.floor(x) + reach + 1):
            if not exclude_outside or 0 <= place < size:
                matrix[i, min(max(place, 0), size - 1)] += _weight((place - x) / stretch, mode, cubic_a)
        if exclude_outside or stretch > 1:
            matrix[i] /= matrix[i].sum()
    return matrix


def resize(x: ArrayLike, rows: Array, columns: Array) -> Array:
    """Images (n, height, width, c) by a matrix for each axis (`resize_matrix`); the gradient is by their transposes."""
    return np.einsum("ih,jw,nhwc->nijc", rows, columns, real(x, "x", 4))

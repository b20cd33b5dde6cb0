"""Functions of two arrays with NumPy's broadcasting, and the small linear ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from fastcnn.errors import unknown_name

from ._arrays import Array, real

#: name: the function. maximum and minimum are NaN where either operand is.
BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "prelu": lambda p, q: np.where(p < 0, p * q, p),
    "prelu_slope": lambda p, q: np.where(p <= 0, q, 1.0),
}


def binary(p: ArrayLike, q: ArrayLike, kind: str) -> Array:
    """The function `kind` of `BINARY` of two arrays, broadcast against each other."""
    if kind not in BINARY:
        raise unknown_name("function", kind, BINARY)
    with np.errstate(all="ignore"):
        return BINARY[kind](real(p, "p"), real(q, "q"))


def affine(x: ArrayLike, scale: float, shift: float) -> Array:
    """A line: scale x + shift."""
    return scale * real(x, "x") + shift


def accumulate(y: ArrayLike, x: ArrayLike, scale: float) -> Array:
    """The sum y + scale x."""
    return real(y, "y") + scale * real(x, "x")

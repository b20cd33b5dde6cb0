"""Sums, means and maxima over one axis."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from fastcnn.errors import unknown_name
from fastcnn.shapes import whole_number

from ._arrays import Array, real


def fold(x: ArrayLike) -> Array:
    """Sum over the first axis: partial results joined into one."""
    return real(x, "x").sum(axis=0)


def column_sums(x: ArrayLike, parts: int = 1) -> Array:
    """Sums of the columns of x (rows, cols), over `parts` consecutive shares of the rows: (parts, cols).

    Part p has the rows from ``rows * p // parts`` up to ``rows * (p + 1) // parts``.
    """
    x = real(x, "x", 2)
    parts = whole_number(parts, "parts")
    edges = [len(x) * p // parts for p in range(parts + 1)]
    return np.stack([x[begin:end].sum(axis=0) for begin, end in pairwise(edges)])


def reduce(x: ArrayLike, axis: int, kind: str) -> Array:
    """Sum, mean or max over one axis of at least one element; a maximum is NaN where any element is."""
    x = real(x, "x")
    if kind not in ("sum", "mean", "max"):
        raise unknown_name("reduction", kind, ("sum", "mean", "max"))
    if kind == "max":
        return x.max(axis=axis)
    return x.sum(axis=axis) if kind == "sum" else x.mean(axis=axis)

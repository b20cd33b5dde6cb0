"""Rows picked from a table, as a batch is from a data set."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import Array, real


def gather(x: ArrayLike, index: ArrayLike) -> Array:
    """Rows of x (total, size), or (total, ...), in the order that `index` (rows,) names them."""
    return real(x, "x")[np.asarray(index)]

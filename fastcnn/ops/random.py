"""Dropout, the one random operation: a pure function of its seed, the same for any number of threads."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, result
from ..errors import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def dropout(x: ArrayLike, rate: float, seed: int, step: int = 0, site: int = 0, out: Floats | None = None) -> Floats:
    """Zero each element with probability `rate` and scale the others by 1 / (1 - rate).

    Which elements are kept follows from seed, step, site and the element's place alone, so the gradient's mask needn't
    be stored, and any number of threads gives the same.

    Parameters
    ----------
    x : array_like
        Of any shape.
    rate : float
        From 0 to below 1.
    seed, step : int
        From 0 to 2^64 - 1: the step of training gives each step a mask of its own.
    site : int
        From 0 to 2^32 - 1: tells several dropouts of one step apart.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers; rate, seed, step or site out of range; out doesn't fit.

    References
    ----------
    Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting". Salmon et al.
    (2011), "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10).
    """
    return _drop("x", x, rate, seed, step, site, out)


def dropout_backward(
    dy: ArrayLike, rate: float, seed: int, step: int = 0, site: int = 0, out: Floats | None = None
) -> Floats:
    """The gradient of `dropout` with respect to x: dy through the same mask.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result.
    rate, seed, step, site, out
        As in `dropout`.

    Returns
    -------
    ndarray
        Of dy's shape.
    """
    return _drop("dy", dy, rate, seed, step, site, out)


def _drop(name: str, x: ArrayLike, rate: Any, seed: Any, step: Any, site: Any, out: Floats | None) -> Floats:
    if isinstance(rate, (bool, np.bool_)) or not isinstance(rate, (int, float, np.number)):
        raise TypeError(f"rate must be a number, received {shown(rate)}")
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be at least 0 and below 1, received {rate}")
    rng = np.array([_bits(seed, "seed", 64), _bits(step, "step", 64)], np.uint64)
    place = _bits(site, "site", 32)
    given = as_float32(x, name)
    y = result(out, given.shape, [given], "dropout", in_place=True)
    core.call("dropout", x=given, rng=rng, y=y, count=y.size, site=place, rate=float(rate))
    return y


def _bits(value: Any, name: str, bits: int) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, received {shown(value)}") from None
    if not 0 <= number < 2**bits:
        raise ValueError(f"{name} must be from 0 to 2^{bits} - 1, received {number}")
    return number

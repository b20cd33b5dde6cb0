"""Sums, means and maxima over axes, forward and backward."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, empty, same_shape
from .._ops.kinds import REDUCE
from ..errors import shown
from ..graph import Value, functional

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def sum(x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Floats:
    """The sum over axes, in fixed blocks, so that it stays exact to float32 over millions of elements.

    Parameters
    ----------
    x : array_like
        Of any shape.
    axis : int or tuple of int, optional
        All axes if not given.
    keepdims : bool
        Keep the axes summed over with size 1.

    Returns
    -------
    ndarray
        Of rank 0 if all axes are summed over. A sum of nothing is 0.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, or has no such axis.
    """
    return _reduce("sum", x, axis, keepdims)


def sum_backward(
    dy: ArrayLike, x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> Floats:
    """The gradient of `sum` with respect to x: dy for every element summed.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result.
    x, axis, keepdims
        As given to `sum`; of x only the shape matters.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    given, upstream = _upstream(dy, x, axis, keepdims)
    return np.broadcast_to(upstream, given.shape).copy()


def mean(x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Floats:
    """The mean over axes.

    Parameters
    ----------
    x, axis, keepdims
        As in `sum`.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        As `sum`; no elements to take the mean of.
    """
    return _reduce("mean", x, axis, keepdims)


def mean_backward(
    dy: ArrayLike, x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> Floats:
    """The gradient of `mean` with respect to x: an equal share of dy for every element.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result.
    x, axis, keepdims
        As given to `mean`; of x only the shape matters.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    given, upstream = _upstream(dy, x, axis, keepdims)
    count = given.size // builtins.max(upstream.size, 1)
    return np.broadcast_to(upstream / np.float32(builtins.max(count, 1)), given.shape).copy()


def max(x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Floats:
    """The maximum over axes; NaN if any element is NaN.

    Parameters
    ----------
    x, axis, keepdims
        As in `sum`.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        As `sum`; no elements to take the maximum of.
    """
    return _reduce("max", x, axis, keepdims)


def max_backward(
    dy: ArrayLike, x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> Floats:
    """The gradient of `max` with respect to x: dy to the maximum, in equal shares where several are equal.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result.
    x, axis, keepdims
        As given to `max`.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    given, upstream = _upstream(dy, x, axis, keepdims)
    top = max(given, axis, keepdims=True)
    hit = (given == top) | (np.isnan(given) & np.isnan(top))
    ties = np.sum(hit, axis=axis, keepdims=True, dtype=np.float32)
    return np.where(hit, upstream / ties, np.float32(0))


def _axes(axis: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axis numbers, none negative, in order."""
    rank = len(shape)
    if axis is None:
        return tuple(range(rank))
    found: list[int] = []
    for number in axis if isinstance(axis, (tuple, list)) else (axis,):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            raise TypeError(f"axis must be an integer, a tuple of integers or None, received {shown(axis)}")
        if not -rank <= number < rank:
            raise ValueError(f"axis must be from {-rank} to {rank - 1} for x of shape {shape}, received {number}")
        found.append(int(number) % rank)
    if len(set(found)) != len(found):
        raise ValueError(f"axis must name each axis once, received {shown(axis)}")
    return tuple(sorted(found))


def _kept(shape: tuple[int, ...], axes: Iterable[int], keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if i in axes else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in axes)


def _reduce(kind: str, x: ArrayLike, axis: Any, keepdims: bool) -> Any:
    if isinstance(x, Value):
        return functional.reduce(x, axis, kind, keepdims)
    given = as_float32(x, "x")
    axes = _axes(axis, given.shape)
    y = empty(_kept(given.shape, axes, keepdims), f"{kind}: the result")
    count = math.prod(given.shape[i] for i in axes)
    if count == 0:
        if kind != "sum":
            raise ValueError(f"{kind}: x of shape {given.shape} has no elements along axis {shown(axis)}")
        y.fill(0)
        return y
    if axes and axes != tuple(range(axes[0], axes[-1] + 1)):
        # Axes apart from each other: brought together at the end.
        rest = [i for i in range(given.ndim) if i not in axes]
        given = np.ascontiguousarray(given.transpose(*rest, *axes))
        axes = tuple(range(len(rest), given.ndim))
    inner = math.prod(given.shape[axes[-1] + 1 :]) if axes else 1
    outer = y.size // inner if inner else 0
    core.call("reduce", x=given, y=y, outer=outer, count=count, inner=inner, kind=REDUCE[kind], scale=1.0)
    return y


def _upstream(dy: ArrayLike, x: ArrayLike, axis: Any, keepdims: bool) -> tuple[Floats, Floats]:
    """`x`, and dy with the axes it lacks put back."""
    given = as_float32(x, "x")
    axes = _axes(axis, given.shape)
    upstream = same_shape(dy, "dy", _kept(given.shape, axes, keepdims), "the result")
    return given, upstream.reshape(_kept(given.shape, axes, True))

"""Softmax and its logarithm, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, empty, same_shape
from ..errors import shown
from ..graph import Value, functional

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def softmax(x: ArrayLike, axis: int = -1) -> Floats:
    """exp(x) / sum(exp(x)) along an axis, computed after subtracting the maximum, so that nothing overflows.

    Parameters
    ----------
    x : array_like
        Of rank 1 or more.
    axis : int

    Returns
    -------
    ndarray
        Of x's shape; sums to 1 along `axis`.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, has no such axis, or no elements along it.
    """
    return functional.softmax(x, axis) if isinstance(x, Value) else _forward("softmax", x, axis)


def softmax_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1, y: ArrayLike | None = None) -> Floats:
    """The gradient of `softmax` with respect to x: y (dy - sum(dy y)).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, axis
        As given to `softmax`.
    y : array_like, optional
        The result of ``softmax(x, axis)``, where it is at hand.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return _backward("softmax", dy, x, axis, y)


def log_softmax(x: ArrayLike, axis: int = -1) -> Floats:
    """The logarithm of `softmax`, finite also where that is too small to be a number.

    Parameters
    ----------
    x, axis
        As in `softmax`.

    Returns
    -------
    ndarray
        Of x's shape; its exponentials sum to 1 along `axis`.
    """
    return functional.log_softmax(x, axis) if isinstance(x, Value) else _forward("log_softmax", x, axis)


def log_softmax_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1, y: ArrayLike | None = None) -> Floats:
    """The gradient of `log_softmax` with respect to x: dy - softmax(x) sum(dy).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, axis
        As given to `log_softmax`.
    y : array_like, optional
        The result of ``log_softmax(x, axis)``, where it is at hand.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return _backward("log_softmax", dy, x, axis, y)


def softmax_rows(x: Floats, y: Floats) -> None:
    """Softmax over the last axis of a contiguous array; y may be x."""
    _rows_forward("softmax", x, y)


def _rows_forward(name: str, x: Floats, y: Floats) -> None:
    columns = x.shape[-1]
    core.call(f"{name}_forward", x=x, y=y, rows=x.size // columns, cols=columns)


def _forward(name: str, x: ArrayLike, axis: Any) -> Floats:
    rows = _rows_along(as_float32(x, "x"), axis)
    y = empty(rows.shape, f"{name}: the result")
    _rows_forward(name, rows, y)
    return np.ascontiguousarray(np.moveaxis(y, -1, axis))


def _backward(name: str, dy: ArrayLike, x: ArrayLike, axis: Any, y: ArrayLike | None) -> Floats:
    given = as_float32(x, "x")
    upstream = _rows_along(same_shape(dy, "dy", given.shape, "x"), axis)
    forward = same_shape(_forward(name, given, axis) if y is None else y, "y", given.shape, "x")
    rows = _rows_along(forward, axis)
    dx = empty(rows.shape, f"{name}_backward: the result")
    columns = rows.shape[-1]
    core.call(f"{name}_backward", dy=upstream, y=rows, dx=dx, rows=rows.size // columns, cols=columns)
    return np.ascontiguousarray(np.moveaxis(dx, -1, axis))


def _rows_along(x: Floats, axis: Any) -> Floats:
    """`x` with `axis` moved to the end, contiguous."""
    if x.ndim < 1:
        raise ValueError("x must have rank 1 or more, received a scalar")
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise TypeError(f"axis must be an integer, received {shown(axis)}")
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis must be from {-x.ndim} to {x.ndim - 1} for x of shape {x.shape}, received {axis}")
    if x.shape[axis] == 0:
        raise ValueError(f"x has no elements along axis {axis}: received shape {x.shape}")
    return np.ascontiguousarray(np.moveaxis(x, axis, -1))

"""Arithmetic of two arrays with NumPy's broadcasting, forward and backward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, result, same_shape
from .._ops.kinds import BINARY
from ..graph import Value, functional
from . import reductions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats

#: Axes of the kernel `binary`.
_AXES = 5
_MINUS_ONE = np.float32(-1)


def add(x1: ArrayLike, x2: ArrayLike, out: Floats | None = None) -> Floats:
    """x1 + x2, element by element.

    Parameters
    ----------
    x1, x2 : array_like
        Of shapes that broadcast together.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of the broadcast shape; may be an argument of that shape.

    Returns
    -------
    ndarray
        Of the broadcast shape.

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that don't broadcast, or out doesn't fit.
    """
    return _binary("add", x1, x2, out)


def add_backward(dy: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    """The gradients of `add`: dy to both, summed over what was broadcast.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of the broadcast shape.
    x1, x2 : array_like
        As given to `add`.

    Returns
    -------
    dx1, dx2 : ndarray
        Of the shapes of x1 and x2.
    """
    first, second, upstream = _checked(dy, x1, x2)
    return _summed_to(upstream, first), _summed_to(upstream, second)


def subtract(x1: ArrayLike, x2: ArrayLike, out: Floats | None = None) -> Floats:
    """x1 - x2, element by element.

    Parameters
    ----------
    x1, x2 : array_like
        Of shapes that broadcast together.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of the broadcast shape; may be an argument of that shape.

    Returns
    -------
    ndarray
        Of the broadcast shape.

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that don't broadcast, or out doesn't fit.
    """
    return _binary("subtract", x1, x2, out)


def subtract_backward(dy: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    """The gradients of `subtract`: dy and -dy, summed over what was broadcast.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of the broadcast shape.
    x1, x2 : array_like
        As given to `subtract`.

    Returns
    -------
    dx1, dx2 : ndarray
        Of the shapes of x1 and x2.
    """
    first, second, upstream = _checked(dy, x1, x2)
    return _summed_to(upstream, first), _summed_to(_binary("multiply", upstream, _MINUS_ONE), second)


def multiply(x1: ArrayLike, x2: ArrayLike, out: Floats | None = None) -> Floats:
    """x1 x2, element by element.

    Parameters
    ----------
    x1, x2 : array_like
        Of shapes that broadcast together.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of the broadcast shape; may be an argument of that shape.

    Returns
    -------
    ndarray
        Of the broadcast shape.

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that don't broadcast, or out doesn't fit.
    """
    return _binary("multiply", x1, x2, out)


def multiply_backward(dy: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    """The gradients of `multiply`: dy x2 and dy x1, summed over what was broadcast.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of the broadcast shape.
    x1, x2 : array_like
        As given to `multiply`.

    Returns
    -------
    dx1, dx2 : ndarray
        Of the shapes of x1 and x2.
    """
    first, second, upstream = _checked(dy, x1, x2)
    return _summed_to(_binary("multiply", upstream, second), first), _summed_to(
        _binary("multiply", upstream, first), second
    )


def divide(x1: ArrayLike, x2: ArrayLike, out: Floats | None = None) -> Floats:
    """x1 / x2, element by element.

    Parameters
    ----------
    x1, x2 : array_like
        Of shapes that broadcast together.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of the broadcast shape; may be an argument of that shape.

    Returns
    -------
    ndarray
        Of the broadcast shape.

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that don't broadcast, or out doesn't fit.
    """
    return _binary("divide", x1, x2, out)


def divide_backward(dy: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    """The gradients of `divide`: dy / x2 and -dy x1 / x2^2, summed over what was broadcast.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of the broadcast shape.
    x1, x2 : array_like
        As given to `divide`.

    Returns
    -------
    dx1, dx2 : ndarray
        Of the shapes of x1 and x2.
    """
    first, second, upstream = _checked(dy, x1, x2)
    dx1 = _binary("divide", upstream, second)
    dx2 = _binary("multiply", dx1, _binary("multiply", _binary("divide", first, second), _MINUS_ONE))
    return _summed_to(dx1, first), _summed_to(dx2, second)


def maximum(x1: ArrayLike, x2: ArrayLike, out: Floats | None = None) -> Floats:
    """max(x1, x2), NaN where either is, element by element.

    Parameters
    ----------
    x1, x2 : array_like
        Of shapes that broadcast together.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of the broadcast shape; may be an argument of that shape.

    Returns
    -------
    ndarray
        Of the broadcast shape.

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that don't broadcast, or out doesn't fit.
    """
    return _binary("maximum", x1, x2, out)


def maximum_backward(dy: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    """The gradients of `maximum`: dy to the greater, to x1 where both are equal; summed over what was broadcast.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of the broadcast shape.
    x1, x2 : array_like
        As given to `maximum`.

    Returns
    -------
    dx1, dx2 : ndarray
        Of the shapes of x1 and x2.
    """
    first, second, upstream = _checked(dy, x1, x2)
    dx1, dx2 = _chosen(upstream, np.greater_equal(first, second))
    return _summed_to(dx1, first), _summed_to(dx2, second)


def minimum(x1: ArrayLike, x2: ArrayLike, out: Floats | None = None) -> Floats:
    """min(x1, x2), NaN where either is, element by element.

    Parameters
    ----------
    x1, x2 : array_like
        Of shapes that broadcast together.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of the broadcast shape; may be an argument of that shape.

    Returns
    -------
    ndarray
        Of the broadcast shape.

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that don't broadcast, or out doesn't fit.
    """
    return _binary("minimum", x1, x2, out)


def minimum_backward(dy: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    """The gradients of `minimum`: dy to the smaller, to x1 where both are equal; summed over what was broadcast.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of the broadcast shape.
    x1, x2 : array_like
        As given to `minimum`.

    Returns
    -------
    dx1, dx2 : ndarray
        Of the shapes of x1 and x2.
    """
    first, second, upstream = _checked(dy, x1, x2)
    dx1, dx2 = _chosen(upstream, np.less_equal(first, second))
    return _summed_to(dx1, first), _summed_to(dx2, second)


def _binary(name: str, x1: ArrayLike, x2: ArrayLike, out: Floats | None = None) -> Any:
    if isinstance(x1, Value) or isinstance(x2, Value):
        return functional.binary(x1, x2, name)
    p, q = as_float32(x1, "x1"), as_float32(x2, "x2")
    shape = _broadcast(p, q)
    dims, p_strides, q_strides = _collapsed(shape, p, q)
    if len(dims) > _AXES:
        # Broadcast axes that alternate more often than the kernel has axes: written out, they are one axis.
        p, q = (np.ascontiguousarray(np.broadcast_to(a, shape)) for a in (p, q))
        dims, p_strides, q_strides = _collapsed(shape, p, q)
    y = result(out, shape, [p, q], name, in_place=True)
    fill = _AXES - len(dims)
    numbers = {f"d{i}": v for i, v in enumerate([1] * fill + dims)}
    numbers |= {f"p{i}": v for i, v in enumerate([0] * fill + p_strides)}
    numbers |= {f"q{i}": v for i, v in enumerate([0] * fill + q_strides)}
    core.call("binary", p=p, q=q, y=y, kind=BINARY[name], **numbers)
    return y


def _broadcast(p: Floats, q: Floats) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(p.shape, q.shape)
    except ValueError:
        raise ValueError(
            f"x1 and x2 must have shapes that broadcast together, received {p.shape} and {q.shape}"
        ) from None


def _collapsed(shape: tuple[int, ...], p: Floats, q: Floats) -> tuple[list[int], list[int], list[int]]:
    """Dimensions and both arrays' strides in elements, neighbours joined wherever both step through them evenly."""
    dims: list[int] = []
    steps: list[list[int]] = [[], []]
    strides = [_strides(a, shape) for a in (p, q)]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        inner = [s[axis] for s in strides]
        if dims and all(done[-1] == step * size for done, step in zip(steps, inner)):
            dims[-1] *= size
            for done, step in zip(steps, inner):
                done[-1] = step
        else:
            dims.append(size)
            for done, step in zip(steps, inner):
                done.append(step)
    return dims, steps[0], steps[1]


def _strides(a: Floats, shape: tuple[int, ...]) -> list[int]:
    """Strides in elements of a contiguous array broadcast to `shape`, 0 along what is broadcast."""
    lead = len(shape) - a.ndim
    return [
        0 if axis < lead or a.shape[axis - lead] == 1 else math.prod(a.shape[axis - lead + 1 :])
        for axis in range(len(shape))
    ]


def _checked(dy: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats, Floats]:
    first, second = as_float32(x1, "x1"), as_float32(x2, "x2")
    return first, second, same_shape(dy, "dy", _broadcast(first, second), "the result")


def _chosen(dy: Floats, mask: np.ndarray) -> tuple[Floats, Floats]:
    zero = np.float32(0)
    return np.where(mask, dy, zero), np.where(mask, zero, dy)


def _summed_to(dx: Floats, x: Floats) -> Floats:
    """The sum over the axes along which x was broadcast."""
    lead = dx.ndim - x.ndim
    axes = (*range(lead), *(lead + i for i in range(x.ndim) if x.shape[i] != dx.shape[lead + i]))
    return reductions.sum(dx, axes).reshape(x.shape) if axes else dx.copy()

"""Products of matrices, and axes in another order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, result, same_shape
from .._ops.strides import copy_fields, dense_steps
from ..errors import shown
from . import reductions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def matmul(x1: ArrayLike, x2: ArrayLike, out: Floats | None = None) -> Floats:
    """Products of matrices; axes in front broadcast.

    Parameters
    ----------
    x1 : array_like, (..., m, k)
    x2 : array_like, (..., k, n)
    out : ndarray, (..., m, n), optional
        Where the result goes: float32, C-contiguous, apart from the inputs.

    Returns
    -------
    ndarray, (..., m, n)

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers of at least two axes, shapes that don't fit, or out doesn't fit.
    """
    return _product(*_operands(x1, x2), False, False, out)


def matmul_backward(dy: ArrayLike, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    """The gradients of `matmul`: dy x2' and x1' dy, summed over what was broadcast.

    Parameters
    ----------
    dy : array_like, (..., m, n)
        The gradient with respect to the result.
    x1, x2 : array_like
        As given to `matmul`.

    Returns
    -------
    dx1, dx2 : ndarray
        Of the shapes of x1 and x2.
    """
    a, b = _operands(x1, x2)
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    upstream = same_shape(dy, "dy", shape, "the result")
    da, db = _product(upstream, b, False, True), _product(a, upstream, True, False)
    return _summed_to(da, a.shape), _summed_to(db, b.shape)


def transpose(x: ArrayLike, axes: Sequence[int] | None = None, out: Floats | None = None) -> Floats:
    """Axes in another order: (n, c, h, w) to (n, h, w, c) with axes (0, 2, 3, 1).

    Parameters
    ----------
    x : array_like
    axes : sequence of int, optional
        All of x's axes in their new order; reversed if not given.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, apart from x.

    Returns
    -------
    ndarray
        A new array, C-contiguous.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, axes are not all of its axes, more than five change places at once, or out
        doesn't fit.
    """
    given = as_float32(x, "x")
    order = _order(axes, given.ndim)
    shape = [given.shape[a] for a in order]
    steps = dense_steps(given.shape)
    y = result(out, shape, [given], "transpose")
    core.call("strided_copy", x=given, y=y, x0=0, **copy_fields(shape, [steps[a] for a in order]))
    return y


def transpose_backward(dy: ArrayLike, axes: Sequence[int] | None = None) -> Floats:
    """The gradient of `transpose` with respect to x: dy with its axes back in their places.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result.
    axes : sequence of int, optional
        As given to `transpose`.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    upstream = as_float32(dy, "dy")
    return transpose(upstream, np.argsort(_order(axes, upstream.ndim)).tolist())


def _order(axes: Any, rank: int) -> list[int]:
    """All axes, none negative."""
    if axes is None:
        return list(range(rank))[::-1]
    order = [int(a) + rank if a < 0 else int(a) for a in axes]
    if sorted(order) != list(range(rank)):
        raise ValueError(f"axes must be 0 to {rank - 1} in some order, received {shown(axes)}")
    return order


def _operands(x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    a, b = as_float32(x1, "x1"), as_float32(x2, "x2")
    for array, name in ((a, "x1"), (b, "x2")):
        if array.ndim < 2:
            raise ValueError(f"{name} must have at least two axes, received shape {array.shape}")
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"x1 has {a.shape[-1]} columns, x2 has {b.shape[-2]} rows, received shapes {a.shape} and {b.shape}"
        )
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(f"x1 and x2 of shapes {a.shape} and {b.shape} don't broadcast together") from None
    return a, b


def _product(a: Floats, b: Floats, ta: bool, tb: bool, out: Floats | None = None) -> Floats:
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    k, m = a.shape[-2:] if ta else a.shape[:-3:-1]
    n = b.shape[-2] if tb else b.shape[-1]
    y = result(out, (*batch, m, n), [a, b], "matmul")
    (p, p_step), (q, q_step) = (_matrices(v, batch) for v in (a, b))
    count = math.prod(batch)
    if q_step == 0 and p_step and not ta:
        count, m = 1, count * m  # one matrix of all rows
    core.call("matmul", a=p, b=q, y=y, batch=count, m=m, n=n, k=k, a_step=p_step, b_step=q_step,
              a_transposed=int(ta), b_transposed=int(tb))  # fmt: skip
    return y


def _matrices(v: Floats, batch: tuple[int, ...]) -> tuple[Floats, int]:
    """An operand's matrices, and how far apart they are: copied where only some axes of the batch are stretched."""
    count, size = math.prod(v.shape[:-2]), math.prod(v.shape[-2:])
    if count == math.prod(batch):
        return v, size
    if count == 1:
        return v, 0
    return np.ascontiguousarray(np.broadcast_to(v, (*batch, *v.shape[-2:]))), size


def _summed_to(grad: Floats, shape: tuple[int, ...]) -> Floats:
    """A gradient summed over the axes along which its value was stretched."""
    extra = grad.ndim - len(shape)
    axes = (*range(extra), *(i + extra for i, size in enumerate(shape) if size == 1 and grad.shape[i + extra] != 1))
    return reductions.sum(grad, axes).reshape(shape) if axes else grad

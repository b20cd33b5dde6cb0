"""Pooling, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_images, check_memory, empty, result, same_shape
from .._ops.geometry import PoolGeometry
from .._ops.kinds import BINARY, REDUCE
from ..errors import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats
    from ..shapes import Padding


def max_pool2d(
    x: ArrayLike,
    pool_size: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: Padding = "valid",
    out: Floats | None = None,
) -> Floats:
    """The maximum over each window; padding never wins, NaN does.

    Parameters
    ----------
    x : array_like, (n, h, w, c)
        n may be 0.
    pool_size : int or (int, int)
        Rows and columns of a window.
    strides : int or (int, int), optional
        `pool_size` if not given.
    padding : {"valid", "same"}, int, or ((top, bottom), (left, right))
        As in `conv2d`. A window that lies wholly in the padding gives -inf.
    out : ndarray, (n, oh, ow, c), optional
        Where the result goes: float32, C-contiguous, apart from x.

    Returns
    -------
    ndarray, (n, oh, ow, c)

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind, rank or size; a window larger than the padded input.
    """
    images = as_images(x, "x")
    g = PoolGeometry.of(images.shape, pool_size, strides, padding, "max_pool2d")
    y = result(out, g.y_shape, [images], "max_pool2d")
    core.call("max_pool_forward", x=images, y=y, y_step=g.c, **g.fields())
    return y


def max_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    pool_size: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: Padding = "valid",
) -> Floats:
    """The gradient of `max_pool2d` with respect to x: each dy goes to its window's first maximum.

    Parameters
    ----------
    dy : array_like, (n, oh, ow, c)
        The gradient with respect to the result.
    x, pool_size, strides, padding
        As given to `max_pool2d`.

    Returns
    -------
    ndarray, (n, h, w, c)

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d`; dy is not of the result's shape.
    """
    images = as_images(x, "x")
    g = PoolGeometry.of(images.shape, pool_size, strides, padding, "max_pool2d_backward")
    return _max_backward(g, same_shape(dy, "dy", g.y_shape, "the result"), images, "max_pool2d_backward")


def avg_pool2d(
    x: ArrayLike,
    pool_size: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: Padding = "valid",
    count_include_pad: bool = False,
    out: Floats | None = None,
) -> Floats:
    """The mean over each window.

    Parameters
    ----------
    x, pool_size, strides, padding, out
        As in `max_pool2d`.
    count_include_pad : bool
        Whether zeros of the padding count as elements. Keras' pools don't count them, ONNX and PyTorch let choose.
        A window that lies wholly in the padding gives 0.

    Returns
    -------
    ndarray, (n, oh, ow, c)

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d`.
    """
    images = as_images(x, "x")
    g = PoolGeometry.of(images.shape, pool_size, strides, padding, "avg_pool2d")
    include = _flag(count_include_pad, "count_include_pad")
    y = result(out, g.y_shape, [images], "avg_pool2d")
    core.call("avg_pool_forward", x=images, y=y, y_step=g.c, include_pad=include, **g.fields())
    return y


def avg_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    pool_size: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: Padding = "valid",
    count_include_pad: bool = False,
) -> Floats:
    """The gradient of `avg_pool2d` with respect to x (of which only the shape matters).

    Parameters
    ----------
    dy : array_like, (n, oh, ow, c)
        The gradient with respect to the result.
    x, pool_size, strides, padding, count_include_pad
        As given to `avg_pool2d`.

    Returns
    -------
    ndarray, (n, h, w, c)

    Raises
    ------
    TypeError, ValueError
        As `avg_pool2d`; dy is not of the result's shape.
    """
    images = as_images(x, "x")
    g = PoolGeometry.of(images.shape, pool_size, strides, padding, "avg_pool2d_backward")
    include = _flag(count_include_pad, "count_include_pad")
    upstream = same_shape(dy, "dy", g.y_shape, "the result")
    dx = empty(g.x_shape, "avg_pool2d_backward: dx")
    core.call("avg_pool_backward", dy=upstream, dx=dx, include_pad=include, **g.fields())
    return dx


def global_avg_pool2d(x: ArrayLike, keepdims: bool = False) -> Floats:
    """The mean of each channel over rows and columns (Lin et al. 2013, "Network in network", section 3.2).

    Parameters
    ----------
    x : array_like, (n, h, w, c)
    keepdims : bool
        Keep rows and columns as axes of size 1.

    Returns
    -------
    ndarray, (n, c) or (n, 1, 1, c)

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers of rank 4, or has no rows, columns or channels.
    """
    return _global(x, "mean", keepdims)


def global_avg_pool2d_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """The gradient of `global_avg_pool2d` with respect to x (of which only the shape matters).

    Parameters
    ----------
    dy : array_like, (n, c) or (n, 1, 1, c)
        The gradient with respect to the result.
    x : array_like, (n, h, w, c)

    Returns
    -------
    ndarray, (n, h, w, c)

    Raises
    ------
    TypeError, ValueError
        As `global_avg_pool2d`; dy is not of the result's shape.
    """
    images = as_images(x, "x")
    g = _whole(images, "global_avg_pool2d_backward")
    upstream = _global_dy(dy, g)
    dx = empty(g.x_shape, "global_avg_pool2d_backward: dx")
    share = np.full(1, 1.0 / (g.h * g.w), np.float32)
    # dy [n][1][c] times a scalar, both broadcast to [n][h w][c].
    core.call(
        "binary", p=upstream, q=share, y=dx, kind=BINARY["multiply"],
        d0=1, d1=1, d2=g.n, d3=g.h * g.w, d4=g.c, p0=0, p1=0, p2=g.c, p3=0, p4=1, q0=0, q1=0, q2=0, q3=0, q4=0,
    )  # fmt: skip
    return dx


def global_max_pool2d(x: ArrayLike, keepdims: bool = False) -> Floats:
    """The maximum of each channel over rows and columns; NaN if any element is NaN.

    Parameters
    ----------
    x, keepdims
        As in `global_avg_pool2d`.

    Returns
    -------
    ndarray, (n, c) or (n, 1, 1, c)

    Raises
    ------
    TypeError, ValueError
        As `global_avg_pool2d`.
    """
    return _global(x, "max", keepdims)


def global_max_pool2d_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """The gradient of `global_max_pool2d` with respect to x: dy goes to each channel's first maximum.

    Parameters
    ----------
    dy, x
        As in `global_avg_pool2d_backward`.

    Returns
    -------
    ndarray, (n, h, w, c)

    Raises
    ------
    TypeError, ValueError
        As `global_avg_pool2d_backward`.
    """
    images = as_images(x, "x")
    g = _whole(images, "global_max_pool2d_backward")
    return _max_backward(g, _global_dy(dy, g), images, "global_max_pool2d_backward")


def _max_backward(g: PoolGeometry, dy: Floats, x: Floats, where: str) -> Floats:
    # The places of the maxima are found again rather than taken from the caller: a wrong one would write anywhere.
    dx = empty(g.x_shape, f"{where}: dx")
    check_memory(g.y_shape, f"{where}: the index")
    index = np.empty(g.y_shape, np.uint8 if g.index_name == "index8" else np.int32)
    scratch = empty(g.y_shape, f"{where}: the maxima")
    core.call("max_pool_forward", x=x, y=scratch, y_step=g.c, **{g.index_name: index}, **g.fields())
    core.call("max_pool_backward", dy=dy, dx=dx, **{g.index_name: index}, **g.fields())
    return dx


def _global(x: ArrayLike, kind: str, keepdims: bool) -> Floats:
    images = as_images(x, "x")
    where = "global_avg_pool2d" if kind == "mean" else "global_max_pool2d"
    g = _whole(images, where)
    y = empty((g.n, 1, 1, g.c) if _flag(keepdims, "keepdims") else (g.n, g.c), f"{where}: the result")
    count = g.h * g.w
    core.call("reduce", x=images, y=y, outer=g.n, count=count, inner=g.c, kind=REDUCE[kind], scale=1.0)
    return y


def _whole(x: Floats, where: str) -> PoolGeometry:
    """One window over the whole map."""
    if min(x.shape[1:]) < 1:
        raise ValueError(f"{where}: x must be at least 1x1 with 1 channel, received the shape {x.shape}")
    return PoolGeometry.of(x.shape, (x.shape[1], x.shape[2]), 1, "valid", where)


def _global_dy(dy: ArrayLike, g: PoolGeometry) -> Floats:
    given = np.asarray(dy)
    if given.shape == (g.n, 1, 1, g.c):
        given = given.reshape(g.n, g.c)
    return same_shape(given, "dy", (g.n, g.c), "the result")


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, received {shown(value)}")
    return bool(value)

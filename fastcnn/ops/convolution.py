"""Convolutions and dense layers, forward and backward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._ops import choose, core, verbose
from .._ops.arrays import as_float32, as_images, empty, result, same_shape
from .._ops.geometry import ConvGeometry, row_parts
from .._ops.kinds import FUSED, UNARY
from .activations import activate_in_place, check_activation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats
    from ..shapes import Padding

_W_AXES = "(kernel height, kernel width, channels in / groups, channels out)"
#: Keras' default.
LEAKY_SLOPE = 0.2


def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    strides: int | tuple[int, int] = 1,
    padding: Padding = "valid",
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    activation: str | None = None,
    out: Floats | None = None,
) -> Floats:
    """2-D convolution (cross-correlation, as every framework has it), with bias and activation in the same pass.

    Parameters
    ----------
    x : array_like, (n, h, w, c)
        n may be 0.
    w : array_like, (kh, kw, c / groups, k)
    b : array_like, (k,), optional
    strides, dilation : int or (int, int)
        For rows and columns.
    padding : {"valid", "same"}, int, or ((top, bottom), (left, right))
        Zeros around x. "same" gives ``ceil(h / stride)`` rows and puts an odd row of zeros below.
    groups : int
        Splits the channels; ``groups == c`` is a depthwise convolution.
    activation : str, optional
        "linear", "relu", "relu6", "leaky_relu" (slope 0.2), "sigmoid", "tanh" or "softmax" (over the channels).
    out : ndarray, (n, oh, ow, k), optional
        Where the result goes: float32, C-contiguous, apart from the inputs.

    Returns
    -------
    ndarray, (n, oh, ow, k)

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind, rank or size; a window larger than the padded input.
    MemoryError
        The result doesn't fit into the machine's memory.

    References
    ----------
    Goodfellow, Bengio and Courville (2016), "Deep Learning", section 9.1.
    """
    activation = check_activation(activation)
    images, weights = as_images(x, "x"), as_float32(w, "w", 4, _W_AXES)
    g = ConvGeometry.of(images.shape, weights.shape, strides, padding, dilation, groups, "conv2d")
    return convolve(g, g.y_shape, images, weights, b, activation, out, "conv2d")


def conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    strides: int | tuple[int, int] = 1,
    padding: Padding = "valid",
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> tuple[Floats, Floats, Floats]:
    """The gradients of `conv2d` (without activation) with respect to x, w and b.

    Parameters
    ----------
    dy : array_like, (n, oh, ow, k)
        The gradient with respect to the result.
    x, w, strides, padding, dilation, groups
        As given to `conv2d`.

    Returns
    -------
    dx : ndarray, (n, h, w, c)
    dw : ndarray, (kh, kw, c / groups, k)
    db : ndarray, (k,)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `conv2d`; dy is not of the result's shape.
    """
    images, weights = as_images(x, "x"), as_float32(w, "w", 4, _W_AXES)
    g = ConvGeometry.of(images.shape, weights.shape, strides, padding, dilation, groups, "conv2d_backward")
    return convolve_backward(g, same_shape(dy, "dy", g.y_shape, "the result"), images, weights, "conv2d_backward")


def depthwise_conv2d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    strides: int | tuple[int, int] = 1,
    padding: Padding = "valid",
    dilation: int | tuple[int, int] = 1,
    activation: str | None = None,
    out: Floats | None = None,
) -> Floats:
    """2-D convolution of each channel by itself, each giving `multiplier` channels (Howard et al. 2017, "MobileNets").

    Parameters
    ----------
    x : array_like, (n, h, w, c)
    w : array_like, (kh, kw, c, multiplier)
        Channel ``i multiplier + m`` of the result is channel i of x with ``w[..., i, m]``.
    b : array_like, (c multiplier,), optional
    strides, padding, dilation, activation, out
        As in `conv2d`.

    Returns
    -------
    ndarray, (n, oh, ow, c multiplier)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `conv2d`.
    """
    activation = check_activation(activation)
    g, images, weights = _depthwise(x, w, strides, padding, dilation, "depthwise_conv2d")
    return convolve(g, g.y_shape, images, weights, b, activation, out, "depthwise_conv2d")


def depthwise_conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    strides: int | tuple[int, int] = 1,
    padding: Padding = "valid",
    dilation: int | tuple[int, int] = 1,
) -> tuple[Floats, Floats, Floats]:
    """The gradients of `depthwise_conv2d` with respect to x, w and b.

    Parameters
    ----------
    dy : array_like, (n, oh, ow, c multiplier)
        The gradient with respect to the result.
    x, w, strides, padding, dilation
        As given to `depthwise_conv2d`.

    Returns
    -------
    dx : ndarray, (n, h, w, c)
    dw : ndarray, (kh, kw, c, multiplier)
    db : ndarray, (c multiplier,)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `conv2d_backward`.
    """
    where = "depthwise_conv2d_backward"
    g, images, weights = _depthwise(x, w, strides, padding, dilation, where)
    dx, dw, db = convolve_backward(g, same_shape(dy, "dy", g.y_shape, "the result"), images, weights, where)
    return dx, dw.reshape(weights.shape), db


def dense(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    activation: str | None = None,
    out: Floats | None = None,
) -> Floats:
    """``activation(x @ w + b)`` over the last axis of x.

    Parameters
    ----------
    x : array_like, (..., c)
    w : array_like, (c, k)
    b : array_like, (k,), optional
    activation, out
        As in `conv2d`.

    Returns
    -------
    ndarray, (..., k)

    Raises
    ------
    TypeError, ValueError, MemoryError
        An argument of the wrong kind, rank or size; a result that doesn't fit into the machine's memory.
    """
    activation = check_activation(activation)
    g, rows, weights = _dense(x, w, "dense")
    return convolve(g, (*rows.shape[:-1], g.k), rows, weights, b, activation, out, "dense")


def dense_backward(dy: ArrayLike, x: ArrayLike, w: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """The gradients of `dense` (without activation) with respect to x, w and b.

    Parameters
    ----------
    dy : array_like, (..., k)
        The gradient with respect to the result.
    x : array_like, (..., c)
    w : array_like, (c, k)

    Returns
    -------
    dx : ndarray, (..., c)
    dw : ndarray, (c, k)
    db : ndarray, (k,)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `dense`; dy is not of the result's shape.
    """
    g, rows, weights = _dense(x, w, "dense_backward")
    upstream = same_shape(dy, "dy", (*rows.shape[:-1], g.k), "the result")
    dx, dw, db = convolve_backward(g, upstream, rows, weights, "dense_backward")
    return dx.reshape(rows.shape), dw.reshape(weights.shape), db


def _depthwise(x: ArrayLike, w: ArrayLike, strides: Any, padding: Any, dilation: Any, where: str) -> Any:
    images = as_images(x, "x")
    weights = as_float32(w, "w", 4, "(kernel height, kernel width, channels, multiplier)")
    kh, kw, c, multiplier = weights.shape
    if c != images.shape[3]:
        raise ValueError(
            f"{where}: w of shape {weights.shape} takes {c} channels, x of shape {images.shape} has others"
        )
    # The same memory as the weights of a convolution with one group a channel.
    g = ConvGeometry.of(images.shape, (kh, kw, 1, c * multiplier), strides, padding, dilation, max(c, 1), where)
    return g, images, weights


def _dense(x: ArrayLike, w: ArrayLike, where: str) -> tuple[ConvGeometry, Floats, Floats]:
    rows, weights = as_float32(x, "x"), as_float32(w, "w", 2, "(features in, features out)")
    if rows.ndim < 1 or rows.shape[-1] != weights.shape[0]:
        raise ValueError(
            f"{where}: w of shape {weights.shape} takes {weights.shape[0]} features, received x of shape {rows.shape}"
        )
    return ConvGeometry.dense(math.prod(rows.shape[:-1]), weights.shape[0], weights.shape[1], where), rows, weights


def convolve(
    g: ConvGeometry,
    shape: tuple[int, ...],
    x: Floats,
    w: Floats,
    b: ArrayLike | None,
    activation: str,
    out: Floats | None,
    where: str,
) -> Floats:
    """Any convolution of checked arrays, by the kernels that suit it; `shape` is the result's."""
    bias = None if b is None else same_shape(b, "b", (g.k,), "the output channels")
    y = result(out, shape, [a for a in (x, w, bias) if a is not None], where)
    fused = activation if activation in FUSED else "linear"
    act = {"act": UNARY[fused], "alpha": LEAKY_SLOPE}
    if g.is_depthwise:
        verbose.say("depthwise_forward", g.fields(), "", where)
        core.call("depthwise_forward", x=x, weights=w, bias=bias, y=y, y_step=g.k, beta=0.0, **g.fields(), **act)
    else:
        by_method(choose.forward(g.flat(), True), x, w, y, where, bias=bias, **act)
    if fused != activation:
        activate_in_place(y, activation)
    return y


def convolve_backward(g: ConvGeometry, dy: Floats, x: Floats, w: Floats, where: str) -> tuple[Floats, Floats, Floats]:
    """The gradients (dx, dw, db) of `convolve`, before any activation."""
    dx = empty(g.x_shape, f"{where}: dx")
    gradient = choose.backward_weights(g.flat())
    partial = empty((gradient.parts, *g.w_shape), f"{where}: dw")
    if dx.size == 0:  # an empty batch: sums over nothing
        dw, db = empty(g.w_shape, "dw"), empty((g.k,), "db")
        dw.fill(0)
        db.fill(0)
        return dx, dw, db
    if g.is_depthwise:
        verbose.say("depthwise_backward_data", g.fields(), "", where)
        core.call("depthwise_backward_data", dy=dy, weights=w, dx=dx, **g.fields())
    else:
        by_method(choose.backward_data(g.flat(), True), dy, w, dx, where)
    verbose.say(gradient.kernel, gradient.args, gradient.why, where)
    core.call(gradient.kernel, x=x, dy=dy, dweights=partial, **gradient.args)
    return dx, folded(partial), column_sums(dy, g.k)


def by_method(method: choose.Method, source: Floats, w: Floats, target: Floats, where: str, **args: Any) -> None:
    """Run the two kernels of a method."""
    verbose.say(method.kernel, method.args, method.why, where)
    packed = empty((method.packed_size,), f"{where}: the packed weights")
    core.call(method.pack, weights=w, packed=packed, **method.pack_args)
    core.call(method.kernel, packed=packed, **{method.source: source, method.result: target}, **{**method.args, **args})


def folded(partial: Floats) -> Floats:
    """The sum over the first axis, in its order."""
    if len(partial) == 1:
        return partial[0]
    total = empty(partial.shape[1:], "the sum")
    core.call("fold", x=partial, y=total, parts=len(partial), count=total.size)
    return total


def column_sums(dy: Floats, columns: int) -> Floats:
    """The sum over all axes but the last: the gradient of a bias."""
    rows = dy.size // columns
    parts = row_parts(rows)
    partial = empty((parts, columns), "db")
    core.call("column_sums", x=dy, y=partial, rows=rows, cols=columns, parts=parts)
    return folded(partial)

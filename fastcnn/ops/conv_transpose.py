"""Transposed convolution, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._ops import choose, core, verbose
from .._ops.arrays import as_float32, as_images, empty, result, same_shape
from .._ops.geometry import ConvGeometry
from .._ops.kinds import BINARY
from .activations import activate_in_place, check_activation
from .convolution import LEAKY_SLOPE, by_method, column_sums, folded

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def conv2d_transpose(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    strides: int | tuple[int, int] = 1,
    padding: str = "valid",
    output_padding: int | tuple[int, int] | None = None,
    dilation: int | tuple[int, int] = 1,
    activation: str | None = None,
    out: Floats | None = None,
) -> Floats:
    """Transposed 2-D convolution: each input pixel lays down a window of outputs, and where they overlap they add up.

    Parameters
    ----------
    x : array_like, (n, h, w, c)
        n may be 0.
    w : array_like, (kh, kw, k, c)
        As of the convolution from k to c channels whose gradient with respect to its input this is.
    b : array_like, (k,), optional
    strides, dilation : int or (int, int)
        For rows and columns.
    padding : {"valid", "same"}
        "same" gives ``h * stride`` rows, "valid" keeps whole windows.
    output_padding : int or (int, int), optional
        Rows and columns below and to the right of the smallest result (as in Keras); less than `strides`.
    activation, out
        As in `conv2d`.

    Returns
    -------
    ndarray, (n, oh, ow, k)

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind, rank or size.
    MemoryError
        The result doesn't fit into the machine's memory.

    References
    ----------
    Dumoulin and Visin (2016), "A guide to convolution arithmetic for deep learning", chapter 4.
    """
    where = "conv2d_transpose"
    activation = check_activation(activation)
    g, images, weights = _geometry(x, w, strides, padding, output_padding, dilation, where)
    bias = None if b is None else same_shape(b, "b", (g.c,), "the output channels")
    y = result(out, g.x_shape, [a for a in (images, weights, bias) if a is not None], where)
    by_method(choose.backward_data(g.flat(), True), images, weights, y, where)
    if bias is not None:
        # One row a pixel, and the same bias for each.
        sizes = {"d0": 1, "d1": 1, "d2": 1, "d3": y.size // g.c, "d4": g.c, "p3": g.c, "p4": 1, "q4": 1}
        zeros = dict.fromkeys(("p0", "p1", "p2", "q0", "q1", "q2", "q3"), 0)
        core.call("binary", p=y, q=bias, y=y, kind=BINARY["add"], **sizes, **zeros)
    if activation != "linear":
        activate_in_place(y, activation, LEAKY_SLOPE)
    return y


def conv2d_transpose_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    strides: int | tuple[int, int] = 1,
    padding: str = "valid",
    output_padding: int | tuple[int, int] | None = None,
    dilation: int | tuple[int, int] = 1,
) -> tuple[Floats, Floats, Floats]:
    """The gradients of `conv2d_transpose` (without activation) with respect to x, w and b.

    Parameters
    ----------
    dy : array_like, (n, oh, ow, k)
        The gradient with respect to the result.
    x, w, strides, padding, output_padding, dilation
        As given to `conv2d_transpose`.

    Returns
    -------
    dx : ndarray, (n, h, w, c)
    dw : ndarray, (kh, kw, k, c)
    db : ndarray, (k,)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `conv2d_transpose`; dy is not of the result's shape.
    """
    where = "conv2d_transpose_backward"
    g, images, weights = _geometry(x, w, strides, padding, output_padding, dilation, where)
    upstream = same_shape(dy, "dy", g.x_shape, "the result")
    dx, dw, db = empty(g.y_shape, f"{where}: dx"), empty(g.w_shape, f"{where}: dw"), empty((g.c,), f"{where}: db")
    if dx.size == 0:  # an empty batch: sums over nothing
        dw.fill(0)
        db.fill(0)
        return dx, dw, db
    act = {"bias": None, "act": 0, "alpha": 0.0}
    by_method(choose.forward(g.flat(), True), upstream, weights, dx, where, **act)
    # What x is to the convolution, dy is to its transpose, and the other way round.
    gradient = choose.backward_weights(g.flat())
    partial = empty((gradient.parts, *g.w_shape), f"{where}: dw")
    verbose.say(gradient.kernel, gradient.args, gradient.why, where)
    core.call(gradient.kernel, x=upstream, dy=images, dweights=partial, **gradient.args)
    return dx, folded(partial), column_sums(upstream, g.c)


def _geometry(
    x: ArrayLike, w: ArrayLike, strides: Any, padding: Any, output_padding: Any, dilation: Any, where: str
) -> tuple[ConvGeometry, Floats, Floats]:
    images = as_images(x, "x")
    weights = as_float32(w, "w", 4, "(kernel height, kernel width, channels out, channels in)")
    made = ConvGeometry.transposed(images.shape, weights.shape, strides, padding, output_padding, dilation, where)
    return made, images, weights

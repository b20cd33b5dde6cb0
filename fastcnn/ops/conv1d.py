"""Convolution over one axis, as that of images of height 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._ops.arrays import as_float32, check_out, same_shape
from .._ops.geometry import ConvGeometry
from ..shapes import named_padding, single
from .activations import check_activation
from .convolution import convolve, convolve_backward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def conv1d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    strides: int = 1,
    padding: str = "valid",
    dilation: int = 1,
    groups: int = 1,
    activation: str | None = None,
    out: Floats | None = None,
) -> Floats:
    """1-D convolution (cross-correlation), with bias and activation in the same pass.

    Parameters
    ----------
    x : array_like, (n, steps, c)
        n may be 0.
    w : array_like, (kernel size, c / groups, k)
    b : array_like, (k,), optional
    strides, dilation : int
    padding : {"valid", "same", "causal"}
        "causal" puts all zeros in front, so that no result depends on later steps.
    groups, activation, out
        As in `conv2d`.

    Returns
    -------
    ndarray, (n, new steps, k)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `conv2d`.
    """
    activation = check_activation(activation)
    g, rows, weights = _geometry(x, w, strides, padding, dilation, groups, "conv1d")
    shape = (g.n, g.ow, g.k)
    if out is not None:
        check_out(out, shape, [rows, weights])
        out = out.reshape(g.y_shape)
    return convolve(g, g.y_shape, rows, weights, b, activation, out, "conv1d").reshape(shape)


def conv1d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    strides: int = 1,
    padding: str = "valid",
    dilation: int = 1,
    groups: int = 1,
) -> tuple[Floats, Floats, Floats]:
    """The gradients of `conv1d` (without activation) with respect to x, w and b.

    Parameters
    ----------
    dy : array_like, (n, new steps, k)
        The gradient with respect to the result.
    x, w, strides, padding, dilation, groups
        As given to `conv1d`.

    Returns
    -------
    dx : ndarray, (n, steps, c)
    dw : ndarray, (kernel size, c / groups, k)
    db : ndarray, (k,)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `conv1d`; dy is not of the result's shape.
    """
    where = "conv1d_backward"
    g, rows, weights = _geometry(x, w, strides, padding, dilation, groups, where)
    upstream = same_shape(dy, "dy", (g.n, g.ow, g.k), "the result")
    dx, dw, db = convolve_backward(g, upstream, rows, weights, where)
    return dx.reshape(rows.shape), dw.reshape(weights.shape), db


def _geometry(
    x: ArrayLike, w: ArrayLike, strides: Any, padding: Any, dilation: Any, groups: Any, where: str
) -> tuple[ConvGeometry, Floats, Floats]:
    rows = as_float32(x, "x", 3, "(batch, steps, channels)")
    weights = as_float32(w, "w", 3, "(kernel size, channels in / groups, channels out)")
    steps, spread = single(strides, f"{where}: strides"), single(dilation, f"{where}: dilation")
    sides: Any = named_padding(padding, f"{where}: padding", ("valid", "same", "causal"))
    if sides == "causal":
        sides = (0, 0), ((weights.shape[0] - 1) * spread, 0)
    n, length, c = rows.shape
    images, kernel = (n, 1, length, c), (1, *weights.shape)
    return ConvGeometry.of(images, kernel, (1, steps), sides, (1, spread), groups, where), rows, weights

"""Transposed convolution and its gradients, and convolution over one axis.

y[n, i sh + r dh - top, j sw + s dw - left, o] += x[n, i, j, c] w[r, s, o, c] for all i, j, r, s, c, then + b[o]:
each input pixel lays down a window of outputs. It is the gradient of a convolution with respect to its input, with
the weights of that convolution. Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning",
chapter 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastcnn.shapes import pair, transposed_output

from ._arrays import Array, Windows, real, same_shape
from .conv import conv2d


def _windows(x: Array, w: Array, strides: Any, padding: str, output_padding: Any, dilation: Any) -> Windows:
    """The windows that x's pixels lay down on the result, which may reach over its ends."""
    if x.shape[3] != w.shape[3]:
        raise ValueError(
            f"conv2d_transpose: x has {x.shape[3]} channels and w is {w.shape}: (kh, kw, filters, channels)"
        )
    size, window = (x.shape[1], x.shape[2]), (w.shape[0], w.shape[1])
    steps, spread = pair(strides, "strides"), pair(dilation, "dilation")
    extra = None if output_padding is None else pair(output_padding, "output_padding", 0)
    out, start = transposed_output(size, window, steps, padding, extra, spread)
    reach = [(size[a] - 1) * steps[a] + (window[a] - 1) * spread[a] + 1 for a in range(2)]
    rows, columns = ((start[a], max(0, reach[a] - start[a] - out[a])) for a in range(2))
    return Windows(out, window, steps, spread, size, (rows, columns))


def conv2d_transpose(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    dilation: Any = 1,
) -> Array:
    """Transposed convolution.

    Parameters
    ----------
    x : array (n, height, width, channels)
    w : array (kh, kw, filters, channels)
    b : array (filters,), optional
    strides, dilation : int or (rows, columns)
    padding : "valid" or "same"
    output_padding : int or (rows, columns), optional

    Returns
    -------
    array (n, out height, out width, filters)
    """
    x, w = real(x, "x", 4), real(w, "w", 4)
    win = _windows(x, w, strides, padding, output_padding, dilation)
    y = win.pad(np.zeros((x.shape[0], *win.size, w.shape[2])))
    for r, s in win.taps():
        rows, columns = win.at(r, s)
        y[:, rows, columns] += x @ w[r, s].T
    y = win.unpad(y)
    if b is not None:
        bias = real(b, "b", 1)
        same_shape(bias, (w.shape[2],), "b")
        y = y + bias
    return y


def conv2d_transpose_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    dilation: Any = 1,
) -> tuple[Array, Array, Array]:
    """Gradients dx, dw, db of `conv2d_transpose`."""
    dy, x, w = real(dy, "dy", 4), real(x, "x", 4), real(w, "w", 4)
    win = _windows(x, w, strides, padding, output_padding, dilation)
    same_shape(dy, (x.shape[0], *win.size, w.shape[2]), "dy")
    padded = win.pad(dy)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for r, s in win.taps():
        rows, columns = win.at(r, s)
        dx += padded[:, rows, columns] @ w[r, s]
        dw[r, s] = np.tensordot(padded[:, rows, columns], x, axes=((0, 1, 2), (0, 1, 2)))
    return dx, dw, dy.sum(axis=(0, 1, 2))


def conv1d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    strides: int = 1,
    padding: str = "valid",
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Convolution over one axis.

    Parameters
    ----------
    x : array (n, steps, channels)
    w : array (k, channels / groups, filters)
    padding : "valid", "same" or "causal"
        "causal" puts all zeros in front: no result depends on later steps.

    Returns
    -------
    array (n, out steps, filters)
    """
    x, w = real(x, "x", 3), real(w, "w", 3)
    sides: Any = ((0, 0), ((w.shape[0] - 1) * dilation, 0)) if padding == "causal" else padding
    return conv2d(x[:, None], w[None], b, (1, strides), sides, (1, dilation), groups)[:, 0]

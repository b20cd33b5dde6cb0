"""Convolution (cross-correlation, as the field calls it) and its gradients.

y[n, i, j, o] = b[o] + sum over r, s, c of x[n, i sh + r dh - top, j sw + s dw - left, g C/groups + c] w[r, s, c, o]

with zeros outside x, C input channels, and g = o // (filters / groups) the group of filter o. Dumoulin and Visin 2016,
"A guide to convolution arithmetic for deep learning".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastcnn.shapes import Padding, check_padding, pair, whole_number, window_output

from ._arrays import Array, Windows, real, same_shape


def _windows(x: Array, w: Array, strides: Any, padding: Padding, dilation: Any, groups: int) -> Windows:
    groups = whole_number(groups, "groups")
    if x.shape[3] != w.shape[2] * groups or w.shape[3] % groups:
        raise ValueError(
            f"conv2d: x has {x.shape[3]} channels and w is {w.shape}; with groups={groups} w must be "
            f"(kh, kw, channels / groups, filters) with filters a multiple of groups"
        )
    size, window = (x.shape[1], x.shape[2]), (w.shape[0], w.shape[1])
    steps, spread = pair(strides, "strides"), pair(dilation, "dilation")
    out, pads = window_output(size, window, steps, check_padding(padding), spread)
    return Windows(size, window, steps, spread, out, pads)


def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    strides: Any = 1,
    padding: Padding = "valid",
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    """Convolution of images with filters.

    Parameters
    ----------
    x : array (n, height, width, channels)
    w : array (kh, kw, channels / groups, filters)
    b : array (filters,), optional
    strides, dilation : int or (rows, columns)
    padding : "valid", "same", int or ((top, bottom), (left, right))
    groups : int
        Channels and filters are split into this many independent groups.

    Returns
    -------
    array (n, out height, out width, filters)
    """
    x, w = real(x, "x", 4), real(w, "w", 4)
    win = _windows(x, w, strides, padding, dilation, groups)
    padded = win.pad(x)
    y = np.zeros((x.shape[0], *win.out, w.shape[3]))
    for cin, cout in _groups(w, groups):
        for r, s in win.taps():
            rows, columns = win.at(r, s)
            y[..., cout] += padded[:, rows, columns, cin] @ w[r, s, :, cout]
    if b is not None:
        bias = real(b, "b", 1)
        same_shape(bias, (w.shape[3],), "b")
        y += bias
    return y


def conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    strides: Any = 1,
    padding: Padding = "valid",
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """Gradients of `conv2d`.

    Parameters
    ----------
    dy : array (n, out height, out width, filters)

    Returns
    -------
    dx, dw, db : arrays of the shapes of x, w and the bias
    """
    dy, x, w = real(dy, "dy", 4), real(x, "x", 4), real(w, "w", 4)
    win = _windows(x, w, strides, padding, dilation, groups)
    same_shape(dy, (x.shape[0], *win.out, w.shape[3]), "dy")
    padded = win.pad(x)
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    for cin, cout in _groups(w, groups):
        for r, s in win.taps():
            rows, columns = win.at(r, s)
            dpadded[:, rows, columns, cin] += dy[..., cout] @ w[r, s, :, cout].T
            dw[r, s, :, cout] = np.tensordot(padded[:, rows, columns, cin], dy[..., cout], axes=((0, 1, 2), (0, 1, 2)))
    return win.unpad(dpadded), dw, dy.sum(axis=(0, 1, 2))


def _groups(w: Array, groups: int) -> list[tuple[slice, slice]]:
    """Each group's input channels and filters."""
    c, k = w.shape[2], w.shape[3] // groups
    return [(slice(g * c, (g + 1) * c), slice(g * k, (g + 1) * k)) for g in range(groups)]


def depthwise_conv2d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    strides: Any = 1,
    padding: Padding = "valid",
    dilation: Any = 1,
) -> Array:
    """Each channel convolved with its own `multiplier` filters: w is (kh, kw, channels, multiplier).

    Result channel c * multiplier + m is input channel c under filter w[:, :, c, m].
    """
    w = real(w, "w", 4)
    kh, kw, c, multiplier = w.shape
    return conv2d(x, w.reshape(kh, kw, 1, c * multiplier), b, strides, padding, dilation, groups=c)


def depthwise_conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    strides: Any = 1,
    padding: Padding = "valid",
    dilation: Any = 1,
) -> tuple[Array, Array, Array]:
    """Gradients dx, dw, db of `depthwise_conv2d`."""
    w = real(w, "w", 4)
    kh, kw, c, multiplier = w.shape
    dx, dw, db = conv2d_backward(dy, x, w.reshape(kh, kw, 1, c * multiplier), strides, padding, dilation, groups=c)
    return dx, dw.reshape(w.shape), db

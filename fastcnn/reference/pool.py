"""Maximum and average over sliding windows, and over whole images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastcnn.shapes import Padding, check_padding, pair, window_output

from ._arrays import Array, Windows, real, same_shape


def _windows(x: Array, pool_size: Any, strides: Any, padding: Padding, where: str) -> Windows:
    window = pair(pool_size, "pool_size")
    steps = window if strides is None else pair(strides, "strides")
    size = (x.shape[1], x.shape[2])
    out, pads = window_output(size, window, steps, check_padding(padding), where=where)
    return Windows(size, window, steps, (1, 1), out, pads)


def _maximum_and_index(x: Array, win: Windows) -> tuple[Array, NDArray[np.int64]]:
    """Maximum of each window and the place r * pw + s where it is met first."""
    padded = win.pad(x, -np.inf)
    inside = win.pad(np.ones_like(x), 0.0) > 0
    shape = (x.shape[0], *win.out, x.shape[3])
    best, index, found = np.full(shape, -np.inf), np.zeros(shape, np.int64), np.zeros(shape, bool)
    for place, (r, s) in enumerate(win.taps()):
        rows, columns = win.at(r, s)
        value, real_element = padded[:, rows, columns], inside[:, rows, columns]
        # The first NaN stays: nothing is greater than it.
        better = real_element & (~found | (value > best) | (np.isnan(value) & ~np.isnan(best)))
        best, index, found = np.where(better, value, best), np.where(better, place, index), found | real_element
    return best, index


def max_pool2d(x: ArrayLike, pool_size: Any = 2, strides: Any = None, padding: Padding = "valid") -> Array:
    """Maximum over the part of each window that lies inside the image.

    NaN where any element is NaN; -inf where a window lies wholly in the padding.

    Parameters
    ----------
    x : array (n, height, width, channels)
    pool_size : int or (rows, columns)
    strides : int or (rows, columns), optional
        By default `pool_size`.
    padding : "valid", "same", int or ((top, bottom), (left, right))

    Returns
    -------
    array (n, out height, out width, channels)
    """
    x = real(x, "x", 4)
    return _maximum_and_index(x, _windows(x, pool_size, strides, padding, "max_pool2d"))[0]


def max_pool2d_index(
    x: ArrayLike, pool_size: Any = 2, strides: Any = None, padding: Padding = "valid"
) -> NDArray[np.int64]:
    """Where each window has its first maximum (or first NaN), as r * columns + s; 0 if it lies in the padding."""
    x = real(x, "x", 4)
    return _maximum_and_index(x, _windows(x, pool_size, strides, padding, "max_pool2d"))[1]


def max_pool2d_backward(
    dy: ArrayLike, x: ArrayLike, pool_size: Any = 2, strides: Any = None, padding: Padding = "valid"
) -> Array:
    """Gradient dx of `max_pool2d`: each dy goes to its window's first maximum, and nowhere from the padding."""
    dy, x = real(dy, "dy", 4), real(x, "x", 4)
    win = _windows(x, pool_size, strides, padding, "max_pool2d")
    index = _maximum_and_index(x, win)[1]
    same_shape(dy, index.shape, "dy")
    dpadded = np.zeros_like(win.pad(x))
    for place, (r, s) in enumerate(win.taps()):
        rows, columns = win.at(r, s)
        dpadded[:, rows, columns] += np.where(index == place, dy, 0.0)
    return win.unpad(dpadded)


def _divisors(x: Array, win: Windows, count_include_pad: bool) -> Array:
    """How many elements each window position averages, (out height, out width)."""
    if count_include_pad:
        return np.full(win.out, float(win.window[0] * win.window[1]))
    inside = win.pad(np.ones((1, *win.size, 1)))
    return np.asarray(sum(inside[0, rows, columns, 0] for rows, columns in (win.at(r, s) for r, s in win.taps())))


def avg_pool2d(
    x: ArrayLike,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Padding = "valid",
    count_include_pad: bool = False,
) -> Array:
    """Mean over each window; padding counts as zeros if `count_include_pad`, else not at all.

    A window that lies wholly in the padding gives 0. Arguments as for `max_pool2d`.
    """
    x = real(x, "x", 4)
    win = _windows(x, pool_size, strides, padding, "avg_pool2d")
    padded = win.pad(x)
    total = np.zeros((x.shape[0], *win.out, x.shape[3]))
    for r, s in win.taps():
        rows, columns = win.at(r, s)
        total += padded[:, rows, columns]
    return total / np.maximum(_divisors(x, win, count_include_pad), 1.0)[:, :, None]


def avg_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Padding = "valid",
    count_include_pad: bool = False,
) -> Array:
    """Gradient dx of `avg_pool2d`: each dy in equal shares to the elements it averaged."""
    dy, x = real(dy, "dy", 4), real(x, "x", 4)
    win = _windows(x, pool_size, strides, padding, "avg_pool2d")
    same_shape(dy, (x.shape[0], *win.out, x.shape[3]), "dy")
    share = dy / np.maximum(_divisors(x, win, count_include_pad), 1.0)[:, :, None]
    dpadded = np.zeros_like(win.pad(x))
    for r, s in win.taps():
        rows, columns = win.at(r, s)
        dpadded[:, rows, columns] += share
    return win.unpad(dpadded)


def global_max_pool2d(x: ArrayLike) -> Array:
    """Maximum of each channel over the whole image: (n, height, width, c) to (n, c)."""
    return real(x, "x", 4).max(axis=(1, 2))


def global_max_pool2d_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """Gradient dx of `global_max_pool2d`, all of it to the first maximum."""
    dy, x = real(dy, "dy", 2), real(x, "x", 4)
    return max_pool2d_backward(dy[:, None, None, :], x, pool_size=(x.shape[1], x.shape[2]))


def global_avg_pool2d(x: ArrayLike) -> Array:
    """Mean of each channel over the whole image: (n, height, width, c) to (n, c)."""
    return real(x, "x", 4).mean(axis=(1, 2))


def global_avg_pool2d_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """Gradient dx of `global_avg_pool2d`."""
    dy, x = real(dy, "dy", 2), real(x, "x", 4)
    share = dy[:, None, None, :] / (x.shape[1] * x.shape[2])
    return np.broadcast_to(share, x.shape).copy()

"""Convolutions of any rank and type, tap by tap: a matrix product for each place of the window.

What they take besides their results is a padded copy of the input and one product, which `host_limits` counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .host_node import HostNode
from .host_windows import Windows


def convolve(node: HostNode, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The sums of a convolution, in the type of `x`.

    Parameters
    ----------
    x : ndarray
        (batch, channels, ...), floating-point.
    w : ndarray
        (results, channels / groups, ...), of the same type.
    """
    groups = node["group"]
    if x.ndim != w.ndim or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ValueError(f"{x.shape[1]} channels don't fit weights {w.shape} in {groups} groups")
    windows = Windows(node, x.shape, w.shape[2:])
    batch, outputs = x.shape[0], windows.outputs
    y = np.zeros((batch, groups, w.shape[0] // groups, *outputs), x.dtype)
    if 0 in outputs:
        return y.reshape(batch, w.shape[0], *outputs)
    padded = windows.padded(x, 0)
    kernel = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    for places in np.ndindex(*w.shape[2:]):
        spot: Any = (slice(None), slice(None), *(windows.tap(axis, place) for axis, place in enumerate(places)))
        taps: Any = (slice(None),) * 3 + places
        part = padded[spot].reshape(batch, groups, w.shape[1], -1)
        y += np.matmul(kernel[taps], part).reshape(y.shape)
    return y.reshape(batch, w.shape[0], *outputs)


def _wide(x: np.ndarray) -> np.ndarray:
    """Half-precision numbers are summed in single precision."""
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


def conv(node: HostNode, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    y = convolve(node, _wide(x), _wide(w))
    if b is not None:
        y += b.reshape(-1, *[1] * (x.ndim - 2))
    return y.astype(x.dtype)


def _from_zero(x: np.ndarray, zero_point: np.ndarray | None) -> np.ndarray:
    """Whole numbers as float64, in which products and sums are exact; of several zero points, each row has one."""
    wide = x.astype(np.float64)
    if zero_point is not None:
        wide -= zero_point if zero_point.size == 1 else zero_point.reshape(-1, *[1] * (x.ndim - 1))
    return wide


def conv_integer(
    node: HostNode, x: np.ndarray, w: np.ndarray, x_zero: np.ndarray | None = None, w_zero: np.ndarray | None = None
) -> np.ndarray:
    return convolve(node, _from_zero(x, x_zero), _from_zero(w, w_zero)).astype(np.int32)


def qlinear_conv(
    node: HostNode,
    x: np.ndarray,
    x_scale: np.ndarray,
    x_zero: np.ndarray,
    w: np.ndarray,
    w_scale: np.ndarray,
    w_zero: np.ndarray,
    y_scale: np.ndarray,
    y_zero: np.ndarray,
    b: np.ndarray | None = None,
) -> np.ndarray:
    """Sums of whole numbers, brought to the result's scale, rounded to even and cut to its type's range."""
    columns = (-1, *[1] * (x.ndim - 2))
    sums = convolve(node, _from_zero(x, x_zero), _from_zero(w, w_zero))
    if b is not None:
        sums += b.reshape(columns)
    sums *= (x_scale * w_scale / y_scale).reshape(columns)
    limits = np.iinfo(y_zero.dtype)
    return np.clip(np.rint(sums) + y_zero, limits.min, limits.max).astype(y_zero.dtype)


def conv_transpose(node: HostNode, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Each element lays down a window of weights, strides apart; what overlaps is added.

    Parameters
    ----------
    x : ndarray
        (batch, channels, ...)
    w : ndarray
        (channels, results / groups, ...)
    b : ndarray, optional
        (results,)
    """
    rank, groups = x.ndim - 2, node["group"]
    strides, dilations = node["strides"] or [1] * rank, node["dilations"] or [1] * rank
    extra = node["output_padding"] or [0] * rank
    if x.shape[1] != w.shape[0] or x.shape[1] % groups:
        raise ValueError(f"{x.shape[1]} channels don't fit weights {w.shape} in {groups} groups")
    full = [
        (size - 1) * stride + (k - 1) * dilation + 1
        for size, stride, k, dilation in zip(x.shape[2:], strides, w.shape[2:], dilations)
    ]
    starts, sizes = kept(node, x.shape[2:], full, strides, extra)
    wide = np.float32 if x.dtype.itemsize < 4 else x.dtype
    parts = x.reshape(x.shape[0], groups, x.shape[1] // groups, -1).astype(wide, copy=False)
    kernel = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).astype(wide, copy=False)
    room = [max(f, start + size) for f, start, size in zip(full, starts, sizes)]
    y = np.zeros((x.shape[0], groups, w.shape[1], *room), wide)
    for places in np.ndindex(*w.shape[2:]):
        spot: Any = (slice(None),) * 3 + places
        taps = kernel[spot]
        product = np.matmul(taps.transpose(0, 2, 1), parts).reshape(*y.shape[:3], *x.shape[2:])
        key: Any = (slice(None),) * 3 + tuple(
            slice(place * d, place * d + (size - 1) * s + 1, s)
            for place, d, s, size in zip(places, dilations, strides, x.shape[2:])
        )
        y[key] += product
    part: Any = (slice(None),) * 3 + tuple(slice(start, start + size) for start, size in zip(starts, sizes))
    result = y[part].reshape(x.shape[0], groups * w.shape[1], *sizes)
    if b is not None:
        result = result + b.reshape(-1, *[1] * rank)
    return result.astype(x.dtype)


def kept(
    node: HostNode, spatial: Sequence[int], full: list[int], strides: list[int], extra: list[int]
) -> tuple[list[int], list[int]]:
    """What is kept of the full result: where it starts and how large it is, along each axis."""
    rank = len(full)
    auto, wanted = node["auto_pad"] or "NOTSET", node["output_shape"]
    if wanted is None and auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [size * stride for size, stride in zip(spatial, strides)]
    if wanted is None:
        pads = node["pads"] if node["pads"] is not None and auto == "NOTSET" else [0] * (2 * rank)
        sizes = [full[a] + extra[a] - pads[a] - pads[a + rank] for a in range(rank)]
        return list(pads[:rank]), sizes
    totals = [max(full[a] + extra[a] - wanted[a], 0) for a in range(rank)]
    # Half of what is cut off goes at each end; the odd one in front, unless SAME_UPPER puts it behind.
    starts = [total // 2 if auto == "SAME_UPPER" else total - total // 2 for total in totals]
    return starts, list(wanted)


CONVOLUTIONS: dict[str, list[tuple[int, int | None, Callable[..., Any]]]] = {
    "Conv": [(1, None, conv)],
    "ConvInteger": [(10, None, conv_integer)],
    "QLinearConv": [(10, None, qlinear_conv)],
    "ConvTranspose": [(1, None, conv_transpose)],
}

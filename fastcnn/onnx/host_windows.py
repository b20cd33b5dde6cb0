"""Pooling over windows of any rank, and what else ONNX's reference implementation walks over pixel by pixel.

Windows are taken tap by tap: one strided view of the padded array for each place in the window. Sums and maxima go axis
by axis, which leaves as many taps as the window has rows and columns together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .host_node import HostNode


class Windows:
    """Where windows lie over an array of shape (batch, channels, ...); of the node's kernel_shape, or of `sizes`.

    Attributes
    ----------
    sizes, strides, dilations : list of int
        For each spatial axis.
    pads : list of (int, int)
        Before and behind, as the node asks for them.
    outputs : list of int
        How many windows fit along each axis.
    """

    def __init__(self, node: HostNode, shape: Sequence[int], sizes: Sequence[int] | None = None) -> None:
        spatial, sizes = list(shape[2:]), list(node["kernel_shape"] if sizes is None else sizes)
        rank = len(spatial)
        if len(sizes) != rank:
            raise ValueError(f"kernel_shape must have {rank} numbers, received {sizes}")
        self.sizes = sizes
        self.strides = node["strides"] or [1] * rank
        self.dilations = node["dilations"] or [1] * rank
        reach = [(k - 1) * d + 1 for k, d in zip(sizes, self.dilations)]
        auto = node["auto_pad"] or "NOTSET"
        flat = node["pads"] or [0] * (2 * rank)
        self.pads = list(zip(flat[:rank], flat[rank:]))
        if auto == "VALID":
            self.pads = [(0, 0)] * rank
        elif auto != "NOTSET":
            self.pads = []
            for size, stride, extent in zip(spatial, self.strides, reach):
                total = max((-(-size // stride) - 1) * stride + extent - size, 0)
                small, large = total // 2, total - total // 2
                self.pads.append((small, large) if auto == "SAME_UPPER" else (large, small))
        self.outputs = []
        for size, stride, extent, (before, behind) in zip(spatial, self.strides, reach, self.pads):
            room = size + before + behind - extent
            count = (-(-room // stride) if node["ceil_mode"] else room // stride) + 1
            # With ceil_mode no window starts in the padding behind.
            if node["ceil_mode"] and (count - 1) * stride >= size + before:
                count -= 1
            self.outputs.append(max(count, 0))

    def padded(self, x: np.ndarray, fill: Any) -> np.ndarray:
        """`x` with its pads, and as much behind as the last windows reach beyond them."""
        more = []
        for axis, (before, behind) in enumerate(self.pads):
            extent = (self.outputs[axis] - 1) * self.strides[axis] + (self.sizes[axis] - 1) * self.dilations[axis] + 1
            more.append((before, max(behind, extent - before - x.shape[axis + 2])))
        return np.pad(x, [(0, 0), (0, 0), *more], constant_values=fill)

    def tap(self, axis: int, place: int) -> slice:
        """Of one axis of the padded array, what all windows have at this place."""
        start = place * self.dilations[axis]
        return slice(start, start + (self.outputs[axis] - 1) * self.strides[axis] + 1, self.strides[axis])

    def join(self, x: np.ndarray, join: Callable[..., Any]) -> np.ndarray:
        """The elements of each window of a padded array joined by `join(a, b, out=a)`, axis by axis."""
        for axis, size in enumerate(self.sizes):
            ahead = (slice(None),) * (axis + 2)
            taps = [(*ahead, self.tap(axis, place)) for place in range(size)]
            result = x[taps[0]].copy()
            for tap in taps[1:]:
                join(result, x[tap], out=result)
            x = result
        return x

    def count(self, spatial: Sequence[int], with_pads: bool) -> np.ndarray:
        """How many elements each window has inside the image, or inside the image and its pads."""
        counts = np.ones((), np.int64)
        for axis, size in enumerate(spatial):
            before, behind = self.pads[axis]
            start, stop = (-before, size + behind) if with_pads else (0, size)
            firsts = np.arange(self.outputs[axis]) * self.strides[axis] - before
            places = firsts[:, None] + np.arange(self.sizes[axis]) * self.dilations[axis]
            counts = counts[..., None] * ((places >= start) & (places < stop)).sum(axis=1)
        return counts


def max_pool(node: HostNode, x: np.ndarray) -> list[np.ndarray]:
    """The largest element of each window, and its place in x if that is wanted."""
    windows = Windows(node, x.shape)
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    results = [windows.join(windows.padded(x, least), np.maximum)]
    if node.outputs > 1:
        results.append(_places(windows, x, bool(node["storage_order"])))
    return results


def _places(windows: Windows, x: np.ndarray, columns_first: bool) -> np.ndarray:
    """Of each window's first maximum, the place in x laid out flat, its images by rows or by columns."""
    spatial = x.shape[2:]
    numbers = np.arange(math.prod(spatial)).reshape(spatial, order="F" if columns_first else "C")
    images = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * len(spatial)) * numbers.size
    values = windows.padded(x, 0)
    # -1 is the padding, which no window chooses.
    labels = windows.padded(numbers[None, None], -1)
    best, where = None, None
    for places in np.ndindex(*windows.sizes):
        key = (slice(None), slice(None), *(windows.tap(axis, place) for axis, place in enumerate(places)))
        value, label = values[key], np.broadcast_to(labels[key], values[key].shape)
        if best is None or where is None:
            best, where = value.copy(), label.copy()
        else:
            better = (label >= 0) & ((where < 0) | (value > best))
            np.copyto(best, value, where=better)
            np.copyto(where, label, where=better)
    assert where is not None
    return (where + images).astype(np.int64)


def average_pool(node: HostNode, x: np.ndarray) -> np.ndarray:
    """The mean of each window over the image, or over the image and its pads (count_include_pad)."""
    windows = Windows(node, x.shape)
    wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
    sums = windows.join(windows.padded(wide, 0), np.add)
    return (sums / windows.count(x.shape[2:], bool(node["count_include_pad"]))).astype(x.dtype)


def lp_pool(node: HostNode, x: np.ndarray) -> np.ndarray:
    """The p-norm of each window."""
    windows, p = Windows(node, x.shape), node["p"]
    powers = np.abs(x.astype(np.float32) if x.dtype.itemsize < 4 else x) ** p
    return (windows.join(windows.padded(powers, 0), np.add) ** (1 / p)).astype(x.dtype)


def global_lp_pool(node: HostNode, x: np.ndarray) -> np.ndarray:
    """The p-norm of each image."""
    p, axes = node["p"], tuple(range(2, x.ndim))
    return ((np.abs(x) ** p).sum(axis=axes, keepdims=True) ** (1 / p)).astype(x.dtype)


def local_response(node: HostNode, x: np.ndarray) -> np.ndarray:
    """Each channel divided by a power of its neighbours' squares (Krizhevsky et al. 2012, section 3.3)."""
    size, channels = node["size"], x.shape[1]
    squares = np.concatenate([np.zeros_like(x[:, :1]), np.cumsum(x.astype(np.float64) ** 2, axis=1)], axis=1)
    here = np.arange(channels)
    first = np.maximum(here - (size - 1) // 2, 0)
    last = np.minimum(here + (size - 1) - (size - 1) // 2 + 1, channels)
    sums = squares[:, last] - squares[:, first]
    return (x / (node["bias"] + node["alpha"] / size * sums) ** node["beta"]).astype(x.dtype)


WINDOWS: dict[str, list[tuple[int, int | None, Callable[..., Any]]]] = {
    "MaxPool": [(1, None, max_pool)],
    "AveragePool": [(1, None, average_pool)],
    "LpPool": [(2, None, lp_pool)],
    "GlobalLpPool": [(2, None, global_lp_pool)],
    "LRN": [(1, None, local_response)],
}

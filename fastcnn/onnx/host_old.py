"""Operators as older opsets have them, and elements by their places: what ONNX's reference lacks or gets wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .host_node import HostNode


def _as_matrix(node: HostNode, x: np.ndarray) -> np.ndarray:
    """Until opset 12, softmax and its kin saw a matrix: the axes before `axis`, and those from it on."""
    axis = node["axis"]
    if not -x.ndim <= axis <= x.ndim:
        raise ValueError(f"{node.label}: axis {axis} is out of range for rank {x.ndim}")
    rows = math.prod(x.shape[: axis + x.ndim if axis < 0 else axis])
    return x.reshape(rows, x.size // rows if rows else 0)


def softmax_1(node: HostNode, x: np.ndarray) -> np.ndarray:
    """Softmax over all axes from `axis` on."""
    if x.size == 0:
        return x
    matrix = _as_matrix(node, x)
    powers = np.exp(matrix - matrix.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).reshape(x.shape).astype(x.dtype, copy=False)


def log_softmax_1(node: HostNode, x: np.ndarray) -> np.ndarray:
    """Logarithm of the softmax over all axes from `axis` on, without taking the logarithm of a vanished power."""
    if x.size == 0:
        return x
    matrix = _as_matrix(node, x)
    below = matrix - matrix.max(axis=1, keepdims=True)
    logs = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    return logs.reshape(x.shape).astype(x.dtype, copy=False)


def hardmax_1(node: HostNode, x: np.ndarray) -> np.ndarray:
    """1 at the first maximum of all axes from `axis` on, else 0."""
    if x.size == 0:
        return x
    matrix = _as_matrix(node, x)
    result = np.zeros_like(matrix)
    result[np.arange(len(matrix)), matrix.argmax(axis=1)] = 1
    return result.reshape(x.shape)


def dropout_1(node: HostNode, x: np.ndarray) -> list[np.ndarray]:
    """The input itself; until opset 9 the mask was of its type."""
    return [x, np.ones_like(x)]


def scatter_9(node: HostNode, x: np.ndarray, places: np.ndarray, updates: np.ndarray) -> np.ndarray:
    """Scatter, which opset 11 renamed to ScatterElements."""
    key = _places(node, x, places)
    result = x.copy()
    result[key] = updates
    return result


def gather_elements(node: HostNode, x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of x, along an axis, the elements at `places`; x may be larger than they are along the other axes."""
    return x[_places(node, x, places)]


def _places(node: HostNode, x: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, ...]:
    """Indices along the node's axis, as the places of elements of x."""
    axis = node["axis"]
    if x.ndim != places.ndim or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"indices of rank {places.ndim} along axis {axis} don't fit an array of rank {x.ndim}")
    size = x.shape[axis]
    if places.size and not (-size <= places.min() and places.max() < size):
        raise ValueError(f"indices must lie in -{size} .. {size - 1}")
    key = list(np.ogrid[tuple(slice(s) for s in places.shape)])
    key[axis % x.ndim] = np.where(places < 0, places + size, places)
    return tuple(key)


OLDER: dict[str, list[tuple[int, int | None, Callable[..., Any]]]] = {
    "Softmax": [(1, 12, softmax_1)],
    "LogSoftmax": [(1, 12, log_softmax_1)],
    "Hardmax": [(1, 12, hardmax_1)],
    "Dropout": [(1, 9, dropout_1)],
    "Scatter": [(9, 10, scatter_9)],
    "GatherElements": [(11, None, gather_elements)],
}

"""Pooling over images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import layers as L  # noqa: N812
from ..tensors import Shape, channels_last
from .convolution import Sides, window_sides
from .table import converts

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode


@converts("MaxPool", "AveragePool")
def pool(r: Reader, node: SourceNode) -> bool:
    x, attributes = r.first(node), node.attributes
    window = attributes["kernel_shape"]
    if x.is_fixed or x.rank != 4 or x.dtype != "float32" or r.count(node) > 1:
        return False
    if any(d != 1 for d in attributes.get("dilations") or ()):
        return False
    strides = attributes.get("strides") or [1, 1]
    counted = bool(attributes.get("count_include_pad", 0))
    sides = window_sides(attributes, window, x.shape, [1, 1], strides)
    if attributes.get("ceil_mode") and isinstance(sides, tuple):
        sides = _rounded_up(sides, window, strides, x.shape, counted and node.op_type == "AveragePool")
    if sides is None or (isinstance(sides, tuple) and any(max(s) >= k for s, k in zip(sides, window))):
        return False
    if counted and sides == "same":
        return False
    shared: dict[str, Any] = {"pool_size": tuple(window), "strides": tuple(strides), "padding": sides}
    if node.op_type == "MaxPool":
        layer: L.Layer = L.MaxPooling2D(**shared, name=r.name(node))
    else:
        layer = L.AveragePooling2D(**shared, count_include_pad=counted, name=r.name(node))
    return r.give(node, layer(r.last(x)), channels_last(4))


def _rounded_up(sides: Sides, window: list[int], strides: list[int], shape: Shape, counted: bool) -> Sides | None:
    """Sides with so much more after the image that a window which begins in it counts; None where that hangs on sizes
    which aren't known, or would be counted in a mean.
    """
    found = []
    for (before, after), k, s, size in zip(sides, window, strides, shape[2:]):
        if size is None:
            return None
        outputs = -(-(size + before + after - k) // s) + 1
        if (outputs - 1) * s >= size + before:
            outputs -= 1
        more = (outputs - 1) * s + k - (size + before + after)
        if more > 0 and counted:
            return None
        found.append((before, after + max(0, more)))
    return tuple(found)


@converts("GlobalAveragePool", "GlobalMaxPool")
def global_pool(r: Reader, node: SourceNode) -> bool:
    x = r.first(node)
    if x.is_fixed or x.rank != 4 or x.dtype != "float32":
        return False
    kind = L.GlobalAveragePooling2D if node.op_type == "GlobalAveragePool" else L.GlobalMaxPooling2D
    return r.give(node, kind(keepdims=True, name=r.name(node))(r.last(x)), channels_last(4))

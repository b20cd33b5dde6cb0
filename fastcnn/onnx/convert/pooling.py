"""Pooling over images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import layers as L  # noqa: N812
from ..tensors import channels_last
from ..windows import rounded_up, window_sides
from .table import converts

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode


@converts("MaxPool", "AveragePool")
def pool(r: Reader, node: SourceNode) -> bool:
    x, attributes = r.first(node), node.attributes
    if x.rank == 3:
        return _over_one_axis(r, node)
    window = attributes["kernel_shape"]
    if x.is_fixed or x.rank != 4 or x.dtype != "float32" or r.count(node) > 1:
        return False
    if any(d != 1 for d in attributes.get("dilations") or ()):
        return False
    strides = attributes.get("strides") or [1, 1]
    counted = bool(attributes.get("count_include_pad", 0))
    sides = window_sides(attributes, window, x.shape, [1, 1], strides)
    if attributes.get("ceil_mode") and isinstance(sides, tuple):
        sides = rounded_up(sides, window, strides, x.shape, counted and node.op_type == "AveragePool")
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


def _over_one_axis(r: Reader, node: SourceNode) -> bool:
    """Layers have no numbers of pads here, and no open lengths."""
    x, attributes = r.first(node), node.attributes
    if x.is_fixed or x.dtype != "float32" or x.shape[2] is None or r.count(node) > 1 or attributes.get("ceil_mode"):
        return False
    sides = window_sides(attributes, attributes["kernel_shape"], x.shape, [1], attributes.get("strides") or [1])
    if sides not in ("same", ((0, 0),)) or any(d != 1 for d in attributes.get("dilations") or ()):
        return False
    if sides == "same" and attributes.get("count_include_pad"):
        return False
    kind = L.MaxPooling1D if node.op_type == "MaxPool" else L.AveragePooling1D
    layer = kind(
        attributes["kernel_shape"][0], (attributes.get("strides") or [1])[0],
        "same" if sides == "same" else "valid", name=r.name(node),
    )  # fmt: skip
    return r.give(node, layer(r.last(x)), channels_last(3))


@converts("GlobalAveragePool", "GlobalMaxPool")
def global_pool(r: Reader, node: SourceNode) -> bool:
    x = r.first(node)
    if x.is_fixed or x.rank != 4 or x.dtype != "float32":
        return False
    kind = L.GlobalAveragePooling2D if node.op_type == "GlobalAveragePool" else L.GlobalMaxPooling2D
    return r.give(node, kind(keepdims=True, name=r.name(node))(r.last(x)), channels_last(4))

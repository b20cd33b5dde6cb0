"""Pooling said with the graph's own operations, where no layer could be chosen for it: also local response
normalization, which pools over channels.
"""

from __future__ import annotations

import math
from typing import Any

from ..graph import Value, emit
from ..graph.functional import affine, unary
from .forms import Inputs, form
from .forms_moving import sliced
from .forms_windows import on_images, over_one_axis
from .host_node import HostNode
from .windows import Sides, rounded_up, window_sides


@form("MaxPool", "AveragePool")
def pool(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, attributes = inputs[0], node.attributes
    if not isinstance(x, Value) or x.ndim not in (3, 4) or node.outputs > 1:
        return None
    if x.ndim == 3:
        return over_one_axis(node, x, lambda wide, image: pool(wide, [image]))
    window, strides = list(attributes["kernel_shape"]), list(attributes.get("strides") or (1, 1))
    dilations = list(attributes.get("dilations") or (1, 1))
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilations)]
    counted = node.op_type == "AveragePool" and bool(attributes.get("count_include_pad", 0))
    sides = window_sides(attributes, window, x.shape, dilations, strides)
    if attributes.get("ceil_mode") and isinstance(sides, tuple):
        sides = rounded_up(sides, reach, strides, x.shape, counted)
    if sides is None or (counted and sides == "same"):
        return None
    if dilations != [1, 1]:
        return _dilated(node, x, sides, counted)
    attrs: dict[str, Any] = {"pool_size": tuple(window), "strides": tuple(strides), "padding": sides}
    if isinstance(sides, tuple) and any(max(s) >= k for s, k in zip(sides, window)):
        return None
    if node.op_type == "AveragePool":
        attrs["count_include_pad"] = counted
    kind = "max_pool2d" if node.op_type == "MaxPool" else "avg_pool2d"
    return on_images(x, node.name, lambda image: emit(kind, [image], attrs, node.name))


def _dilated(node: HostNode, x: Value, sides: Sides | str, counted: bool) -> list[Value] | None:
    """Windows with gaps: for each axis, as many parts of the image as a window has places, one over the other."""
    is_max = node.op_type == "MaxPool"
    if not isinstance(sides, tuple) or None in x.shape[2:]:
        return None
    if not is_max and not counted and any(n for side in sides for n in side):
        return None  # means of as many pixels as there are in each window
    window, strides, dilations = node["kernel_shape"], node["strides"] or [1, 1], node["dilations"]

    def describe(image: Value) -> Value:
        fill = -math.inf if is_max else 0.0
        y = emit("pad", [image], {"pads": ((0, 0), *sides, (0, 0)), "value": fill}, node.name)
        for axis, k, step, gap in zip((1, 2), window, strides, dilations):
            count = ((y.shape[axis] or 0) - (k - 1) * gap - 1) // step + 1
            parts = [sliced(y, {axis: (i * gap, count, step)}, node.name) for i in range(k)]
            y = parts[0]
            for part in parts[1:]:
                y = emit("binary", [y, part], {"kind": "maximum" if is_max else "add"}, node.name)
        return y if is_max else affine(y, 1.0 / math.prod(window), 0.0, node.name)

    return on_images(x, node.name, describe)


@form("LRN")
def local_response(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """The mean of squares over neighbouring channels: pooling over the rows of an image whose rows are channels."""
    x, size = inputs[0], int(node["size"])
    if not isinstance(x, Value) or x.ndim < 2 or None in x.shape[1:] or size < 1:
        return None
    channels, pixels = x.shape[1], math.prod(s or 0 for s in x.shape[2:])
    before = (size - 1) // 2
    attrs = {
        "pool_size": (size, 1), "strides": (1, 1), "padding": ((before, size - 1 - before), (0, 0)),
        "count_include_pad": True,
    }  # fmt: skip
    rows = emit("reshape", [unary(x, "square", name=node.name)], {"shape": (channels, 1, pixels)}, node.name)
    means = emit("reshape", [emit("avg_pool2d", [rows], attrs, node.name)], {"shape": x.shape[1:]}, node.name)
    # ONNX divides alpha by the size of the window, also where part of it lies outside.
    scale = unary(affine(means, float(node["alpha"]), float(node["bias"]), node.name), "power", -float(node["beta"]))
    return [emit("binary", [x, scale], {"kind": "multiply"}, node.name)]

"""Operators of ONNX on images said with the graph's own operations, where no layer could be chosen for them.

What they hang on, sizes mostly, is known when a plan is made. Images come with their channels first here; the moves of
axes around the operation cancel those of its neighbours (`plan.simplify`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Spec, Value, apply, constant, emit
from .forms import Inputs, form
from .host_node import Attributes, HostNode
from .windows import rounded_up, window_sides


def _floats(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype == np.float32


def _on_images(x: Value, name: str, describe: Callable[[Value], Value]) -> list[Value]:
    """The operation on the image with its channels last."""
    last = emit("permute", [x], {"axes": (0, *range(2, x.ndim), 1)}, name)
    return [emit("permute", [describe(last)], {"axes": (0, x.ndim - 1, *range(1, x.ndim - 1))}, name)]


@form("Conv")
def conv(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, w, b = [*inputs, None][:3]
    if not isinstance(x, Value) or not _floats(w) or w.ndim != x.ndim or (b is not None and not _floats(b)):
        return None
    if x.ndim == 3:
        return _over_one_axis(node, x, w, b)
    if x.ndim != 4:
        return None
    group = int(node.attributes.get("group", 1))
    strides, dilations = (tuple(node.attributes.get(k) or (1, 1)) for k in ("strides", "dilations"))
    sides = window_sides(node.attributes, list(w.shape[2:]), x.shape, list(dilations), list(strides))
    if sides is None or x.shape[1] != w.shape[1] * group:
        return None
    attrs = {
        "strides": strides, "dilation": dilations, "padding": sides, "groups": group, "activation": "linear",
        "alpha": 0.0,
    }  # fmt: skip
    numbers = [constant(w.transpose(2, 3, 1, 0)), *([] if b is None else [constant(b)])]
    return _on_images(x, node.name, lambda image: emit("conv2d", [image, *numbers], attrs, node.name))


def _over_one_axis(node: HostNode, x: Value, w: np.ndarray, b: np.ndarray | None) -> list[Value] | None:
    """An image of one row."""
    if None in x.shape:
        return None
    pads = node.attributes.get("pads") or [0, 0]
    wide = {
        **node.attributes,
        "kernel_shape": [1, w.shape[2]],
        "strides": [1, *(node.attributes.get("strides") or [1])],
        "dilations": [1, *(node.attributes.get("dilations") or [1])],
        "pads": [0, pads[0], 0, pads[1]],
    }
    row = emit("reshape", [x], {"like": Spec((*x.shape[:2], 1, x.shape[2]))}, node.name)
    made = conv(
        dataclasses.replace(node, attributes=Attributes("Conv", node.opset, wide, node.name)), [row, w[:, :, None], b]
    )
    if made is None:
        return None
    n, c, _, length = made[0].shape
    return [emit("reshape", made, {"like": Spec((n, c, length))}, node.name)]


@form("MaxPool", "AveragePool")
def pool(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, attributes = inputs[0], node.attributes
    if not isinstance(x, Value) or x.ndim != 4 or node.outputs > 1:
        return None
    if any(d != 1 for d in attributes.get("dilations") or ()):
        return None
    window, strides = list(attributes["kernel_shape"]), list(attributes.get("strides") or (1, 1))
    counted = node.op_type == "AveragePool" and bool(attributes.get("count_include_pad", 0))
    sides = window_sides(attributes, window, x.shape, [1, 1], strides)
    if attributes.get("ceil_mode") and isinstance(sides, tuple):
        sides = rounded_up(sides, window, strides, x.shape, counted)
    if sides is None or (counted and sides == "same"):
        return None
    attrs: dict[str, Any] = {"pool_size": tuple(window), "strides": tuple(strides), "padding": sides}
    if isinstance(sides, tuple) and any(max(s) >= k for s, k in zip(sides, window)):
        return None
    if node.op_type == "AveragePool":
        attrs["count_include_pad"] = counted
    kind = "max_pool2d" if node.op_type == "MaxPool" else "avg_pool2d"
    return _on_images(x, node.name, lambda image: emit(kind, [image], attrs, node.name))


@form("InstanceNormalization")
def instance_normalization(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """Groups of one channel."""
    x, gamma, beta = inputs
    if (
        not isinstance(x, Value)
        or x.ndim < 3
        or x.ndim > 5
        or x.shape[1] is None
        or not _floats(gamma)
        or not _floats(beta)
    ):
        return None
    attrs = {"groups": x.shape[1], "epsilon": float(node.attributes.get("epsilon", 1e-5))}
    numbers = [constant(gamma), constant(beta)]
    return _on_images(x, node.name, lambda image: apply("group_norm", [image, *numbers], attrs, node.name).outputs[0])


@form("Gemm")
def gemm(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """With fixed weights."""
    x, w, c = [*inputs, None][:3]
    if (
        not isinstance(x, Value)
        or not _floats(w)
        or (c is not None and not _floats(c))
        or node.attributes.get("transA")
    ):
        return None
    kernel = (w.T if node.attributes.get("transB") else w) * np.float32(node.attributes.get("alpha", 1.0))
    numbers = [constant(kernel)]
    if c is not None:
        if c.ndim > 1 and c.shape[0] != 1:
            return None
        bias = np.broadcast_to(c.reshape(-1), kernel.shape[1:]) * np.float32(node.attributes.get("beta", 1.0))
        numbers.append(constant(bias))
    return [emit("dense", [x, *numbers], {"activation": "linear", "alpha": 0.0}, node.name)]

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
from ..graph.functional import affine
from .forms import Inputs, form
from .host_convolution import kept
from .host_node import Attributes, HostNode
from .windows import window_sides


def _floats(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype == np.float32


def on_images(x: Value, name: str, describe: Callable[[Value], Value]) -> list[Value]:
    """The operation on the image with its channels last."""
    last = emit("permute", [x], {"axes": (0, *range(2, x.ndim), 1)}, name)
    return [emit("permute", [describe(last)], {"axes": (0, x.ndim - 1, *range(1, x.ndim - 1))}, name)]


def over_one_axis(node: HostNode, x: Value, describe: Callable[[HostNode, Value], Any]) -> list[Value] | None:
    """An operation on rows (samples, channels, length), as images of one row."""
    channels, length = x.shape[1:]
    if channels is None or length is None:
        return None
    wide = {**node.attributes, "auto_pad": node.attributes.get("auto_pad", "NOTSET")}
    for key, ahead in (("kernel_shape", [1]), ("strides", [1]), ("dilations", [1]), ("pads", [0])):
        given = node.attributes.get(key)
        if given is not None:
            wide[key] = [0, given[0], 0, given[1]] if key == "pads" else [*ahead, *given]
    row = emit("reshape", [x], {"shape": (channels, 1, length)}, node.name)
    made = describe(dataclasses.replace(node, attributes=Attributes(node.op_type, node.opset, wide, node.name)), row)
    return None if made is None else [emit("reshape", made, {"shape": (made[0].shape[1], made[0].shape[3])}, node.name)]


def _weights(w: Any) -> bool:
    """Whether these can be weights: fixed ones, or computed ones of a known shape."""
    return _floats(w) or (isinstance(w, Value) and None not in w.shape)


@form("Conv")
def conv(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, w, b = [*inputs, None][:3]
    if not isinstance(x, Value) or not _weights(w) or w.ndim != x.ndim or not (b is None or _weights(b)):
        return None
    if x.ndim == 3:
        if isinstance(w, Value):
            row: Any = emit("reshape", [w], {"like": Spec((*w.shape[:2], 1, w.shape[2]))}, node.name)
        else:
            row = w[:, :, None]
        return over_one_axis(node, x, lambda wide, image: conv(wide, [image, row, b]))
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
    if isinstance(w, Value):
        numbers = [emit("permute", [w], {"axes": (2, 3, 1, 0)}, node.name)]
    else:
        numbers = [constant(w.transpose(2, 3, 1, 0))]
    if b is not None:
        numbers.append(b if isinstance(b, Value) else constant(b))
    return on_images(x, node.name, lambda image: emit("conv2d", [image, *numbers], attrs, node.name))


@form("ConvTranspose")
def conv_transpose(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """The pixels laid out with zeros between them, and convolved with the kernel turned round: of any groups."""
    x, w, b = [*inputs, None][:3]
    if not isinstance(x, Value) or not _floats(w) or w.ndim != 4 or x.ndim != 4 or not (b is None or _floats(b)):
        return None
    group, (height, width), steps = int(node["group"]), x.shape[2:], node["strides"] or [1, 1]
    if height is None or width is None or x.shape[1] != w.shape[0] or w.shape[0] % group:
        return None
    gaps, image = node["dilations"] or [1, 1], (height, width)
    reach = [(k - 1) * d for k, d in zip(w.shape[2:], gaps)]
    laid = [(size - 1) * step + 1 for size, step in zip(image, steps)]
    starts, sizes = kept(node, image, [a + r for a, r in zip(laid, reach)], steps, node["output_padding"] or [0, 0])
    sides = tuple((r - start, size + start - a) for r, start, size, a in zip(reach, starts, sizes, laid))
    if any(n < 0 for side in sides for n in side):
        return None
    parts = w.reshape(group, w.shape[0] // group, *w.shape[1:])[..., ::-1, ::-1]
    # (groups, channels in, channels out, height, width) to (height, width, channels in, all channels out).
    kernel = parts.transpose(3, 4, 1, 0, 2).reshape(*w.shape[2:], w.shape[0] // group, group * w.shape[1])
    numbers = [constant(np.ascontiguousarray(kernel)), *([] if b is None else [constant(b)])]
    attrs = {
        "strides": (1, 1), "dilation": tuple(gaps), "padding": sides, "groups": group, "activation": "linear",
        "alpha": 0.0,
    }  # fmt: skip
    slices = (None, *((0, size, step) for size, step in zip(image, steps)), None)

    def describe(image: Value) -> Value:
        like = Spec((image.shape[0], *laid, image.shape[3]))
        spread = emit("slice_backward", [image], {"slices": slices, "like": like}, node.name)
        return emit("conv2d", [spread, *numbers], attrs, node.name)

    return on_images(x, node.name, describe)


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
    return on_images(x, node.name, lambda image: apply("group_norm", [image, *numbers], attrs, node.name).outputs[0])


@form("Gemm")
def gemm(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """A dense layer where the weights are fixed, else a product of matrices."""
    x, w, c = [*inputs, None][:3]
    if all(isinstance(v, Value) or (_floats(v) and v.ndim) for v in (x, w)) and isinstance(w, Value):
        return _product(node, x, w, c)
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


def _product(node: HostNode, a: Any, b: Value, c: Any) -> list[Value] | None:
    x = a if isinstance(a, Value) else constant(a)
    flags = {"a_transposed": bool(node.attributes.get("transA")), "b_transposed": bool(node.attributes.get("transB"))}
    if None in (*x.shape, *b.shape) or not (c is None or isinstance(c, Value) or _floats(c)):
        return None
    y = emit("matmul", [x, b], flags, node.name)
    alpha, beta = (float(node.attributes.get(key, 1.0)) for key in ("alpha", "beta"))
    if alpha != 1:
        y = affine(y, alpha, 0.0, node.name)
    if c is not None:
        term = c if isinstance(c, Value) else constant(c if c.ndim else c.reshape(1))
        if not term.ndim:
            return None
        y = emit("binary", [y, term if beta == 1 else affine(term, beta, 0.0, node.name)], {"kind": "add"}, node.name)
    return [y]

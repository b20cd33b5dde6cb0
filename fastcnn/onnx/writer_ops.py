"""Operations of the graph as operators of ONNX: one function each, and the table of them.

A function gets the writer and the node, writes ONNX's nodes with `emit`, and says with `define` what its result is
called and how its axes lie there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Node, Value
from ..shapes import transposed_output, window_output
from .writer import Order, Writer, channels_first, non_unit
from .writer_activations import activate, unary

#: Any size will do where only the difference of two sizes counts.
_SOME = 1024


def _x(node: Node, place: int = 0) -> Value:
    value = node.inputs[place]
    assert value is not None
    return value


def _optional(node: Node, place: int) -> Value | None:
    return node.inputs[place] if len(node.inputs) > place else None


# ---------------------------------------------------------------- windows


def _window_padding(node: Node, window: Sequence[int]) -> dict[str, Any]:
    """ONNX's pads for a padding of ours; "same" is left to the runtime where it depends on sizes unknown here."""
    attrs, shape = node.attrs, _x(node).shape
    strides, dilation = attrs["strides"] or window, attrs.get("dilation", (1, 1))
    padding = attrs["padding"]
    if padding == "same" and any(s is None and stride > 1 for s, stride in zip(shape[1:3], strides)):
        return {"auto_pad": "SAME_UPPER"}
    size = tuple(_SOME * stride if s is None else s for s, stride in zip(shape[1:3], strides))
    _, ((top, bottom), (left, right)) = window_output(size, tuple(window), strides, padding, dilation)  # type: ignore[arg-type]
    return {"pads": [top, left, bottom, right]}


def conv2d(w: Writer, node: Node) -> None:
    kernel, attrs = _x(node, 1), node.attrs
    window = [int(s or 1) for s in kernel.shape[:2]]
    inputs = [w.get(_x(node), channels_first(4)), w.get(kernel, (3, 2, 0, 1))]
    bias = _optional(node, 2)
    y = w.emit(
        "Conv",
        [*inputs, *([] if bias is None else [w.get(bias)])],
        node.name,
        kernel_shape=window,
        strides=list(attrs["strides"]),
        dilations=list(attrs["dilation"]),
        group=attrs["groups"],
        **_window_padding(node, window),
    )
    w.define(node.outputs[0], activate(w, y, node), channels_first(4))


def conv2d_transpose(w: Writer, node: Node) -> None:
    x, kernel, attrs = _x(node), _x(node, 1), node.attrs
    window = [int(s or 1) for s in kernel.shape[:2]]
    size = (_SOME, _SOME)
    out, starts = transposed_output(
        size, (window[0], window[1]), attrs["strides"], attrs["padding"], attrs["output_padding"], attrs["dilation"]
    )
    ends, extra = [], []
    for axis in range(2):
        full = (size[axis] - 1) * attrs["strides"][axis] + (window[axis] - 1) * attrs["dilation"][axis] + 1
        cut = full - starts[axis] - out[axis]
        ends.append(max(cut, 0))
        extra.append(max(-cut, 0))
    bias = _optional(node, 2)
    # Ours are (kh, kw, channels out, channels in), ONNX has (in, out, kh, kw).
    inputs = [w.get(x, channels_first(4)), w.get(kernel, (3, 2, 0, 1)), *([] if bias is None else [w.get(bias)])]
    y = w.emit(
        "ConvTranspose",
        inputs,
        node.name,
        kernel_shape=window,
        strides=list(attrs["strides"]),
        dilations=list(attrs["dilation"]),
        pads=[*starts, *ends],
        output_padding=extra if any(extra) else None,
    )
    w.define(node.outputs[0], y, channels_first(4))


def _pool(kind: str) -> Callable[[Writer, Node], None]:
    def pool(w: Writer, node: Node) -> None:
        x, window = w.get(_x(node), channels_first(4)), node.attrs["pool_size"]
        if window is None:
            y = w.emit(f"Global{kind}Pool", [x], node.name)
        else:
            counted = kind == "Average" and node.attrs.get("count_include_pad")
            y = w.emit(
                f"{kind}Pool",
                [x],
                node.name,
                kernel_shape=list(window),
                strides=list(node.attrs["strides"] or window),
                count_include_pad=1 if counted else None,
                **_window_padding(node, window),
            )
        w.define(node.outputs[0], y, channels_first(4))

    return pool


# ---------------------------------------------------------------- dense layers


def dense(w: Writer, node: Node) -> None:
    x, kernel, bias = _x(node), _x(node, 1), _optional(node, 2)
    tail = [] if bias is None else [w.get(bias)]
    flat = _flattened(w, x)
    if flat is not None:
        # The file has the pixels of each channel together: the weights' rows are put into that order instead.
        (height, width, channels), name = flat
        rows = np.arange(height * width * channels).reshape(height, width, channels).transpose(2, 0, 1).reshape(-1)
        array = w.known(kernel)
        assert array is not None
        y = w.emit("Gemm", [name, w.constant(array[rows], kernel.name), *tail], node.name)
    elif x.ndim == 2:
        y = w.emit("Gemm", [w.get(x, (0, 1)), w.get(kernel), *tail], node.name)
    else:
        y = w.emit("MatMul", [w.get(x, tuple(range(x.ndim))), w.get(kernel)], node.name)
        if tail:
            y = w.emit("Add", [y, *tail], node.name)
    w.define(node.outputs[0], activate(w, y, node))


def matmul(w: Writer, node: Node) -> None:
    a, b = _x(node), _x(node, 1)
    w.define(
        node.outputs[0], w.emit("MatMul", [w.get(a, tuple(range(a.ndim))), w.get(b, tuple(range(b.ndim)))], node.name)
    )


# ---------------------------------------------------------------- normalization


def batch_norm(w: Writer, node: Node) -> None:
    x, epsilon = _x(node), node.attrs["epsilon"]
    gamma, beta, mean, variance = (_optional(node, place) for place in range(1, 5))
    assert mean is not None and variance is not None
    channels = x.shape[-1]
    numbers = [
        w.get(gamma) if gamma is not None else w.constant(np.ones(channels or 1), f"{node.name}/gamma"),
        w.get(beta) if beta is not None else w.constant(np.zeros(channels or 1), f"{node.name}/beta"),
        w.get(mean),
        w.get(variance),
    ]
    order = channels_first(x.ndim)
    y = w.emit("BatchNormalization", [w.get(x, order), *numbers], node.name, epsilon=float(epsilon))
    w.define(node.outputs[0], activate(w, y, node), order)


# ---------------------------------------------------------------- element-wise


def unary_node(w: Writer, node: Node) -> None:
    x, attrs = _x(node), node.attrs
    y = unary(w, w.get(x), attrs["kind"], attrs.get("alpha", 0.0), attrs.get("beta", 0.0), node.name)
    w.define(node.outputs[0], y, w.order(x))


def affine(w: Writer, node: Node) -> None:
    x, y = _x(node), w.get(_x(node))
    scale, shift = node.attrs["scale"], node.attrs["shift"]
    if scale != 1 or shift == 0:
        y = w.emit("Mul", [y, w.constant(scale, f"{node.name}/scale")], node.name)
    if shift != 0:
        y = w.emit("Add", [y, w.constant(shift, f"{node.name}/shift")], node.name)
    w.define(node.outputs[0], y, w.order(x))


_BINARY = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "prelu": "PRelu",
}


def binary(w: Writer, node: Node) -> None:
    y = node.outputs[0]
    names, order = _alike(w, [_x(node), _x(node, 1)], y)
    w.define(y, w.emit(_BINARY[node.attrs["kind"]], names, node.name), order)


def _alike(w: Writer, values: Sequence[Value], result: Value) -> tuple[list[str], Order]:
    """Operands with their axes in one order, so that they broadcast in the file as they do here."""
    computed = [v for v in values if w.known(v) is None]
    straight = tuple(range(result.ndim))
    order = straight
    if all(v.ndim == result.ndim for v in computed):
        # The largest one sets the order, to be the one that isn't moved.
        largest = max(computed, key=lambda v: sum(s != 1 for s in v.shape))
        order = w.order(largest)
    names = []
    for value in values:
        array = w.known(value)
        if array is None:
            names.append(w.get(value, tuple(range(value.ndim)) if order == straight else order))
        elif order == straight or array.size == 1:
            names.append(w.get(value))
        else:
            full = array.reshape((1,) * (result.ndim - array.ndim) + array.shape)
            names.append(w.constant(np.ascontiguousarray(full.transpose(order)), value.name or "operand"))
    return names, order


def softmax(w: Writer, node: Node) -> None:
    x = _x(node)
    order = w.order(x)
    axis = node.attrs.get("axis", -1) % x.ndim
    operator = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[node.op.name]
    w.define(node.outputs[0], w.emit(operator, [w.get(x)], node.name, axis=order.index(axis)), order)


def passed_on(w: Writer, node: Node) -> None:
    """What prediction leaves out: the value itself."""
    w.define(node.outputs[0], w.get(_x(node)), w.order(_x(node)))


# ---------------------------------------------------------------- shapes


def reduce(w: Writer, node: Node) -> None:
    x, attrs = _x(node), node.attrs
    order, keep = w.order(x), bool(attrs["keepdims"])
    axes = sorted(order.index(a) for a in attrs["axes"])
    kind = {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax"}[attrs["kind"]]
    if w.opset >= 18 or kind == "ReduceSum":
        y = w.emit(kind, [w.get(x), w.constant(axes, node.name, np.int64)], node.name, keepdims=int(keep))
    else:
        y = w.emit(kind, [w.get(x)], node.name, axes=axes, keepdims=int(keep))
    if not keep:
        left = [a for a in range(x.ndim) if a not in attrs["axes"]]
        order = tuple(left.index(a) for a in order if a in left)
    w.define(node.outputs[0], y, order)


def reshape(w: Writer, node: Node) -> None:
    x, y = _x(node), node.outputs[0]
    flat = _flattened(w, y)
    if flat is not None:
        w.define(y, flat[1])
        return
    mine = [a for a, s in enumerate(x.shape) if s != 1]
    new = [a for a, s in enumerate(y.shape) if s != 1]
    if [x.shape[a] for a in mine] == [y.shape[a] for a in new]:
        # Only axes of size 1 come and go: the others stay as the file has them.
        there = [new[mine.index(a)] for a in non_unit(x.shape, w.order(x))]
        straight = tuple(range(y.ndim))
        for order in (channels_first(y.ndim), straight, (*there, *(a for a in straight if a not in there))):
            if non_unit(y.shape, order) == there:
                w.define(y, w.reshape(w.get(x), [y.shape[a] for a in order], node.name), order)
                return
    name = w.get(x, tuple(range(x.ndim)))
    w.define(y, w.reshape(name, y.shape, node.name))


def _flattened(w: Writer, y: Value) -> tuple[tuple[int, int, int], str] | None:
    """Of an image made flat, and read by dense layers alone: its (height, width, channels), and its name in the file.

    There it has the order of ONNX, pixels of a channel together; None where that isn't so.
    """
    while y.node is not None and y.node.op.name in ("dropout", "identity"):
        y = _x(y.node)
    if y.node is None or y.node.op.name != "reshape" or y.ndim != 2:
        return None
    x = _x(y.node)
    if x.ndim != 4 or None in x.shape[1:] or w.known(x) is not None or w.order(x) != channels_first(4):
        return None
    if non_unit(x.shape, (0, 3, 1, 2)) == non_unit(x.shape, (0, 1, 2, 3)) or not _only_dense(w, y):
        return None
    _, height, width, channels = x.shape
    assert height is not None and width is not None and channels is not None
    name = y.node.name
    return (height, width, channels), w.once(y, lambda: w.emit("Flatten", [w.get(x)], name, axis=1))


def _only_dense(w: Writer, y: Value) -> bool:
    """Whether a value goes nowhere but into dense layers, through dropout at most."""
    readers = w.consumers[id(y)]
    if not readers or w.is_output(y):
        return False
    return all(
        (n.op.name == "dense" and n.inputs[0] is y and w.known(_x(n, 1)) is not None)
        or (n.op.name in ("dropout", "identity") and _only_dense(w, n.outputs[0]))
        for n in readers
    )


def permute(w: Writer, node: Node) -> None:
    """Nothing is written: only what is known about the order of the axes changes."""
    x, axes = _x(node), node.attrs["axes"]
    w.define(node.outputs[0], w.get(x), tuple(axes.index(a) for a in w.order(x)))


def concatenate(w: Writer, node: Node) -> None:
    y = node.outputs[0]
    names, order = _alike(w, [_x(node, i) for i in range(len(node.inputs))], y)
    axis = order.index(node.attrs["axis"] % y.ndim)
    w.define(y, w.emit("Concat", names, node.name, axis=axis), order)


def pad2d(w: Writer, node: Node) -> None:
    x, y = _x(node), w.get(_x(node))
    order = w.order(x)
    begins, ends = [0] * x.ndim, [0] * x.ndim
    for axis, (before, after) in zip((1, 2), node.attrs["pads"]):
        begins[order.index(axis)], ends[order.index(axis)] = before, after
    if min(*begins, *ends) < 0:
        cut = [axis for axis in range(x.ndim) if begins[axis] < 0 or ends[axis] < 0]
        starts = [max(-begins[a], 0) for a in cut]
        stops = [min(ends[a], 0) or np.iinfo(np.int64).max for a in cut]
        y = w.emit("Slice", [y, *(w.constant(n, node.name, np.int64) for n in (starts, stops, cut))], node.name)
    if max(*begins, *ends) > 0:
        pads = [max(n, 0) for n in (*begins, *ends)]
        y = w.emit("Pad", [y, w.constant(pads, node.name, np.int64)], node.name)
    w.define(node.outputs[0], y, order)


def upsample2d(w: Writer, node: Node) -> None:
    x = _x(node)
    order = w.order(x)
    factors = {1: node.attrs["size"][0], 2: node.attrs["size"][1]}
    scales = w.constant([factors.get(a, 1) for a in order], node.name)
    y = w.emit(
        "Resize",
        [w.get(x), "", scales],
        node.name,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    w.define(node.outputs[0], y, order)


CONVERTERS: dict[str, Callable[[Writer, Node], None]] = {
    "affine": affine,
    "avg_pool2d": _pool("Average"),
    "batch_norm": batch_norm,
    "binary": binary,
    "concatenate": concatenate,
    "conv2d": conv2d,
    "conv2d_transpose": conv2d_transpose,
    "dense": dense,
    "dropout": passed_on,
    "identity": passed_on,
    "matmul": matmul,
    "max_pool2d": _pool("Max"),
    "pad2d": pad2d,
    "log_softmax": softmax,
    "permute": permute,
    "reduce": reduce,
    "reshape": reshape,
    "softmax": softmax,
    "unary": unary_node,
    "upsample2d": upsample2d,
}

"""Operations of the graph as operators of ONNX: one function each, and the table of them.

A function gets the writer and the node, writes ONNX's nodes with `emit`, and says with `define` what its result is
called and how its axes lie there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import numpy_helper

from ..graph import Node
from .host_node import schema_of
from .writer import Writer, channels_first
from .writer_activations import activate, unary
from .writer_shapes import SHAPES
from .writer_tools import alike, flattened, operand, optional
from .writer_windows import WINDOWS


def dense(w: Writer, node: Node) -> None:
    x, kernel, bias = operand(node), operand(node, 1), optional(node, 2)
    tail = [] if bias is None else [w.get(bias)]
    flat = flattened(w, x)
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
    names = []
    for place, key in ((0, "a_transposed"), (1, "b_transposed")):
        x = operand(node, place)
        order = list(range(x.ndim))
        if node.attrs[key]:
            order[-2:] = reversed(order[-2:])
        names.append(w.get(x, tuple(order)))
    w.define(node.outputs[0], w.emit("MatMul", names, node.name))


def batch_norm(w: Writer, node: Node) -> None:
    x, epsilon = operand(node), node.attrs["epsilon"]
    gamma, beta, mean, variance = (optional(node, place) for place in range(1, 5))
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


def layer_norm(w: Writer, node: Node) -> None:
    x, axis = operand(node), node.attrs["axis"]
    name, epsilon = w.get(x, tuple(range(x.ndim))), float(node.attrs["epsilon"])
    shape = [s or 1 for s in x.shape[axis:]]
    gamma, beta = (optional(node, place) for place in (1, 2))
    scale = w.get(gamma) if gamma is not None else w.constant(np.ones(shape), f"{node.name}/gamma")
    shift = [] if beta is None else [w.get(beta)]
    if w.opset >= 17:
        y = w.emit("LayerNormalization", [name, scale, *shift], node.name, axis=axis, epsilon=epsilon)
    else:
        axes = list(range(axis, x.ndim))
        centred = w.emit("Sub", [name, w.emit("ReduceMean", [name], node.name, axes=axes)], node.name)
        variance = w.emit("ReduceMean", [w.emit("Mul", [centred, centred], node.name)], node.name, axes=axes)
        deviation = w.emit("Sqrt", [w.emit("Add", [variance, w.constant(epsilon, node.name)], node.name)], node.name)
        y = w.emit("Mul", [w.emit("Div", [centred, deviation], node.name), scale], node.name)
        if shift:
            y = w.emit("Add", [y, *shift], node.name)
    w.define(node.outputs[0], y)


def group_norm(w: Writer, node: Node) -> None:
    x, groups, epsilon = operand(node), node.attrs["groups"], float(node.attrs["epsilon"])
    order, channels = channels_first(x.ndim), x.shape[-1] or 1
    name = w.get(x, order)
    numbers = []
    for place, plain in ((1, np.ones(channels)), (2, np.zeros(channels))):
        value = optional(node, place)
        numbers.append(w.get(value) if value is not None else w.constant(plain, node.name))
    if groups == channels and x.ndim > 2:
        y = w.emit("InstanceNormalization", [name, *numbers], node.name, epsilon=epsilon)
    elif w.opset >= 21 and x.ndim > 2:
        y = w.emit("GroupNormalization", [name, *numbers], node.name, num_groups=groups, epsilon=epsilon)
    else:
        # Each group as one channel; then back, and the channels' own numbers.
        parts = w.emit("Reshape", [name, w.constant([0, groups, -1], node.name, np.int64)], node.name)
        neutral = [w.constant(np.ones(groups), node.name), w.constant(np.zeros(groups), node.name)]
        y = w.emit("InstanceNormalization", [parts, *neutral], node.name, epsilon=epsilon)
        y = w.emit("Reshape", [y, w.emit("Shape", [name], node.name)], node.name)
        for operator, value in zip(("Mul", "Add"), (optional(node, 1), optional(node, 2))):
            if value is not None:
                array = w.known(value)
                assert array is not None
                spread = array.reshape(-1, *[1] * (x.ndim - 2))
                y = w.emit(operator, [y, w.constant(spread, value.name)], node.name)
    w.define(node.outputs[0], y, order)


def unary_node(w: Writer, node: Node) -> None:
    x, attrs = operand(node), node.attrs
    y = unary(w, w.get(x), attrs["kind"], attrs.get("alpha", 0.0), attrs.get("beta", 0.0), node.name)
    w.define(node.outputs[0], y, w.order(x))


def affine(w: Writer, node: Node) -> None:
    x, y = operand(node), w.get(operand(node))
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
    names, order = alike(w, [operand(node), operand(node, 1)], y)
    w.define(y, w.emit(_BINARY[node.attrs["kind"]], names, node.name), order)


_SOFTMAX = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}


def softmax(w: Writer, node: Node) -> None:
    x = operand(node)
    order = w.order(x)
    axis = node.attrs.get("axis", -1) % x.ndim
    w.define(node.outputs[0], w.emit(_SOFTMAX[node.op.name], [w.get(x)], node.name, axis=order.index(axis)), order)


def passed_on(w: Writer, node: Node) -> None:
    """What prediction leaves out: the value itself."""
    w.define(node.outputs[0], w.get(operand(node)), w.order(operand(node)))


def reduce(w: Writer, node: Node) -> None:
    x, attrs = operand(node), node.attrs
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


def host(w: Writer, node: Node) -> None:
    """An operator that came from a file and is computed with NumPy: as it was there."""
    operator, values = node.attrs.get("node"), iter(node.inputs)
    if operator is None:
        raise ValueError(f"layer {node.name!r}: a function of Python can't be written as ONNX")
    versions = [schema_of(operator.op_type, opset) for opset in (operator.opset, w.opset)]
    same = versions[0] == versions[1] or versions[0].since_version == getattr(versions[1], "since_version", None)
    if not same and operator.op_type != "Identity":  # which has only learned to take more types
        raise ValueError(
            f"layer {node.name!r}: {operator.op_type} of opset {operator.opset} is another than that of opset "
            f"{w.opset}; write the file with opset={operator.opset}"
        )
    names = []
    for place in node.attrs["places"]:
        if place is True:
            value = next(values)
            assert value is not None
            names.append(w.get(value, tuple(range(value.ndim))))
        else:
            names.append("" if place is None else w.constant(place, node.name, place.dtype))
    given = {}
    for key in operator.attributes.given:
        value = operator.attributes[key]
        given[key] = numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
    results = w.emit_all(operator.op_type, names, node.name, len(node.outputs), given)
    for output, name in zip(node.outputs, results):
        w.define(output, name)


def augment(w: Writer, node: Node) -> None:
    """Prediction leaves it out, unless it gives images another size."""
    x = operand(node)
    if x.shape[1:3] != node.outputs[0].shape[1:3]:
        raise ValueError(f"layer {node.name!r}: images cut to another size can't be written as ONNX; cut them before")
    passed_on(w, node)


CONVERTERS: dict[str, Callable[[Writer, Node], None]] = {
    **SHAPES,
    **WINDOWS,
    "affine": affine,
    "augment": augment,
    "batch_norm": batch_norm,
    "binary": binary,
    "dense": dense,
    "dropout": passed_on,
    "gaussian_noise": passed_on,
    "group_norm": group_norm,
    "host": host,
    "identity": passed_on,
    "layer_norm": layer_norm,
    "log_softmax": softmax,
    "matmul": matmul,
    "reduce": reduce,
    "softmax": softmax,
    "spatial_dropout": passed_on,
    "unary": unary_node,
}

"""Operators of ONNX said with the graph's own operations, which kernels compute: element by element, over axes, shapes.

A form takes the node and its inputs (values of the graph, fixed arrays, None for what is left out), all values float32,
and gives the results, or None where the graph has no operation for these inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Spec, Value, constant, emit
from ..graph.functional import affine, unary
from .host_node import HostNode

Inputs = list[Any]
Form = Callable[[HostNode, Inputs], "list[Value] | None"]
FORMS: dict[str, Form] = {}


def form(*op_types: str) -> Callable[[Form], Form]:
    """Decorator: the function describes nodes of these operators."""

    def keep(function: Form) -> Form:
        FORMS.update(dict.fromkeys(op_types, function))
        return function

    return keep


def number(x: Any) -> float | None:
    """The one number of a fixed float32 input."""
    if isinstance(x, np.ndarray) and x.size == 1 and x.dtype == np.float32:
        return float(x.reshape(-1)[0])
    return None


def _floats(x: Any) -> Value | None:
    """A value, or a fixed float32 array as one."""
    if isinstance(x, Value):
        return x
    if isinstance(x, np.ndarray) and x.dtype == np.float32:
        return constant(x if x.ndim else x.reshape(1))
    return None


# ---------------------------------------------------------------- element by element

#: Operators of one input: the kernel's name, and the attributes that are its numbers or a number itself.
_UNARY: dict[str, tuple[str, tuple[str | float, ...]]] = {
    "Relu": ("relu", ()),
    "LeakyRelu": ("leaky_relu", ("alpha",)),
    "Sigmoid": ("sigmoid", ()),
    "HardSigmoid": ("hard_sigmoid", ("alpha", "beta")),
    "Tanh": ("tanh", ()),
    "Exp": ("exp", ()),
    "Log": ("log", ()),
    "Sqrt": ("sqrt", ()),
    "Abs": ("abs", ()),
    "Neg": ("negative", ()),
    "Reciprocal": ("reciprocal", ()),
    "Floor": ("floor", ()),
    "Ceil": ("ceil", ()),
    "Round": ("round", ()),
    "Sign": ("sign", ()),
    "Softplus": ("softplus", ()),
    "Softsign": ("softsign", ()),
    "Erf": ("erf", ()),
    "Mish": ("mish", ()),
    "HardSwish": ("hard_silu", ()),
    "Elu": ("elu", ("alpha",)),
    "Selu": ("selu", ("alpha", "gamma")),
    "ThresholdedRelu": ("threshold", ("alpha", 0.0)),
    "Shrink": ("shrink", ("lambd", "bias")),
    "Swish": ("silu", ("alpha",)),
}


#: Kinds whose alpha must not be negative.
_FROM_0 = ("leaky_relu", "elu", "selu", "shrink", "silu")


@form(*_UNARY)
def one_argument(node: HostNode, inputs: Inputs) -> list[Value] | None:
    kind, names = _UNARY[node.op_type]
    numbers = [float(node.attributes[n] if isinstance(n, str) else n) for n in names]
    if kind == "leaky_relu" and numbers[0] < 0 and isinstance(inputs[0], Value) and inputs[0].ndim:
        return sloped(node, [inputs[0], np.array(numbers, np.float32)])
    # Of these the derivative is taken from the result, or a pole lies where alpha is 0.
    if (
        not isinstance(inputs[0], Value)
        or (kind in _FROM_0 and not numbers[0] >= 0)
        or (kind == "silu" and not numbers[0])
    ):
        return None
    alpha, beta = [*numbers, None, None][:2]
    return [unary(inputs[0], kind, alpha, node.name, beta)]


@form("Celu", "Gelu")
def of_other_numbers(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x = inputs[0]
    if not isinstance(x, Value):
        return None
    if node.op_type == "Gelu":
        return [unary(x, "gelu_tanh" if node.attributes.get("approximate") == "tanh" else "gelu", name=node.name)]
    alpha = float(node.attributes["alpha"])
    return [unary(x, "elu", alpha, node.name, 1 / alpha)] if alpha > 0 else None


@form("Clip")
def clip(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """The bounds are attributes up to opset 10, then inputs."""
    if node.opset < 11:
        bounds: list[Any] = [node.attributes.get("min"), node.attributes.get("max")]
    else:
        given = [*inputs[1:], None, None][:2]
        bounds = [None if x is None else number(x) for x in given]
        if any(x is not None and b is None for x, b in zip(given, bounds)):
            return None
    low, high = (-math.inf if bounds[0] is None else bounds[0]), (math.inf if bounds[1] is None else bounds[1])
    if not isinstance(inputs[0], Value) or not low <= high:
        return None
    if (low, high) == (0.0, 6.0):
        return [unary(inputs[0], "relu6", name=node.name)]
    return [unary(inputs[0], "clip", low, node.name, high)]


_BINARY = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}


@form(*_BINARY)
def two_arguments(node: HostNode, inputs: Inputs) -> list[Value] | None:
    kind = _BINARY[node.op_type]
    p, q = inputs
    for mine, other, swapped in ((p, q, False), (q, p, True)):
        value = number(other)
        if isinstance(mine, Value) and value is not None and np.ndim(other) <= mine.ndim:
            if kind == "divide" and not swapped and math.isfinite(value) and value != 0:
                return [affine(mine, 1.0 / value, 0.0, node.name)]
            if kind == "subtract" and math.isfinite(value):
                return [affine(mine, -1.0, value, node.name) if swapped else affine(mine, 1.0, -value, node.name)]
            if kind == "add":
                return [affine(mine, 1.0, value, node.name)]
            if kind == "multiply":
                return [affine(mine, value, 0.0, node.name)]
    return _joined(node, [p, q], kind)


@form("PRelu")
def sloped(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, slope = inputs
    if not isinstance(x, Value) or any(s not in (1, size) for s, size in zip(slope.shape[::-1], x.shape[::-1])):
        return None  # old files have one slope a channel, which is not the last axis
    return _joined(node, [x, slope], "prelu")


@form("Max", "Min", "Sum", "Mean")
def several(node: HostNode, inputs: Inputs) -> list[Value] | None:
    kind = {"Max": "maximum", "Min": "minimum"}.get(node.op_type, "add")
    if len(inputs) < 2:
        return None
    made = _joined(node, inputs, kind)
    if made is not None and node.op_type == "Mean":
        return [affine(made[0], 1.0 / len(inputs), 0.0, node.name)]
    return made


def _joined(node: HostNode, inputs: Inputs, kind: str) -> list[Value] | None:
    values = [_floats(x) for x in inputs]
    if any(v is None for v in values) or not any(isinstance(x, Value) for x in inputs):
        return None
    result = values[0]
    for value in values[1:]:
        assert result is not None and value is not None
        # The kernel walks over five axes at most, and a scalar has none.
        if max(result.ndim, value.ndim) > 5 or 0 in (result.ndim, value.ndim):
            return None
        result = emit("binary", [result, value], {"kind": kind}, node.name)
    assert result is not None
    return [result]


@form("Pow")
def power(node: HostNode, inputs: Inputs) -> list[Value] | None:
    exponent = number(inputs[1])
    if not isinstance(inputs[0], Value) or exponent is None or np.ndim(inputs[1]) > inputs[0].ndim:
        return None
    if exponent == 2:
        return [unary(inputs[0], "square", name=node.name)]
    if exponent == 0.5:
        return [unary(inputs[0], "sqrt", name=node.name)]
    return [unary(inputs[0], "power", exponent, node.name)]


@form("Identity", "Dropout")
def identity(node: HostNode, inputs: Inputs) -> list[Value] | None:
    if node.outputs != 1 or not isinstance(inputs[0], Value):
        return None
    if any(x is not None for x in inputs[2:]) or node.attributes.get("training_mode"):
        return None
    return [emit("identity", inputs[:1], name=node.name)]


# ---------------------------------------------------------------- over axes

_REDUCE = {"ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max"}


@form(*_REDUCE)
def reduction(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x = inputs[0]
    given = [*inputs, None][1] if len(inputs) > 1 else node.attributes.get("axes")
    if not isinstance(x, Value) or not x.ndim or isinstance(given, Value):
        return None
    axes = [int(a) for a in np.asarray(given).reshape(-1)] if given is not None else []
    if not axes:
        if node.attributes.get("noop_with_empty_axes"):
            return None
        axes = list(range(x.ndim))
    normal = tuple(sorted({a + x.ndim if a < 0 else a for a in axes}))
    if any(x.shape[a] in (0, None) and a != 0 for a in normal if node.op_type == "ReduceMax"):
        return None
    keep = bool(node.attributes.get("keepdims", 1))
    return [emit("reduce", [x], {"axes": normal, "kind": _REDUCE[node.op_type], "keepdims": keep}, node.name)]


_SOFTMAX = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}


@form(*_SOFTMAX)
def softmax(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """Over one axis, not that of samples; up to opset 12, over all axes from `axis` on."""
    x = inputs[0]
    if not isinstance(x, Value) or not x.ndim:
        return None
    axis = int(node.attributes.get("axis", -1 if node.opset >= 13 else 1))
    axis = axis + x.ndim if axis < 0 else axis
    if axis != x.ndim - 1 and (node.opset < 13 or axis == 0):
        return None
    return [emit(_SOFTMAX[node.op_type], [x], {"axis": axis}, node.name)] if x.shape[axis] != 0 else None


# ---------------------------------------------------------------- shapes


def reshaped(x: Value, shape: Sequence[int | None], name: str) -> list[Value] | None:
    """`x` in another shape, if that is known but for an axis 0 that stays."""
    if None not in shape:
        return [emit("reshape", [x], {"like": Spec(tuple(shape), x.dtype)}, name)]
    if shape[0] is None and x.ndim and x.shape[0] is None and None not in shape[1:] and None not in x.shape[1:]:
        return [emit("reshape", [x], {"shape": tuple(shape[1:])}, name)]
    return None


@form("Reshape")
def reshape(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, target = inputs[0], inputs[1] if len(inputs) > 1 else node.attributes.get("shape")
    if not isinstance(x, Value) or target is None or isinstance(target, Value) or None in x.shape:
        return None
    total = math.prod(s for s in x.shape if s is not None)
    copies = not node.attributes.get("allowzero")
    sizes = [x.shape[i] if t == 0 and copies and i < x.ndim else int(t) for i, t in enumerate(np.asarray(target))]
    rest = math.prod(s for s in sizes if s is not None and s >= 0)
    if -1 in sizes and rest:
        sizes[sizes.index(-1)] = total // rest
    if any(s is None or s < 0 for s in sizes) or math.prod(s for s in sizes if s is not None) != total:
        return None
    return reshaped(x, sizes, node.name)


@form("Flatten")
def flatten(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, axis = inputs[0], int(node.attributes.get("axis", 1))
    if not isinstance(x, Value) or None in x.shape:
        return None
    axis = axis + x.ndim if axis < 0 else axis
    sizes = [s for s in x.shape if s is not None]
    return reshaped(x, (math.prod(sizes[:axis]), math.prod(sizes[axis:])), node.name)


@form("Squeeze")
def squeeze(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x = inputs[0]
    given = inputs[1] if len(inputs) > 1 else node.attributes.get("axes")
    if not isinstance(x, Value) or isinstance(given, Value):
        return None
    if given is None:
        if None in x.shape:
            return None
        axes = {i for i, s in enumerate(x.shape) if s == 1}
    else:
        axes = {int(a) + x.ndim if a < 0 else int(a) for a in np.asarray(given).reshape(-1)}
    if any(not 0 <= a < x.ndim or x.shape[a] != 1 for a in axes):
        return None
    return reshaped(x, [s for i, s in enumerate(x.shape) if i not in axes], node.name)


@form("Unsqueeze")
def unsqueeze(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x = inputs[0]
    given = inputs[1] if len(inputs) > 1 else node.attributes.get("axes")
    if not isinstance(x, Value) or given is None or isinstance(given, Value):
        return None
    rank = x.ndim + np.size(given)
    axes = {int(a) + rank if a < 0 else int(a) for a in np.asarray(given).reshape(-1)}
    rest = iter(x.shape)
    return reshaped(x, [1 if i in axes else next(rest) for i in range(rank)], node.name)


@form("Transpose")
def transpose(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x = inputs[0]
    if not isinstance(x, Value):
        return None
    order = tuple(node.attributes.get("perm") or range(x.ndim)[::-1])
    if order == tuple(range(x.ndim)):
        return [emit("identity", [x], name=node.name)]
    # Axes of size 1 may move anywhere.
    if None not in x.shape and [a for a in order if x.shape[a] != 1] == [i for i, s in enumerate(x.shape) if s != 1]:
        return reshaped(x, [x.shape[a] for a in order], node.name)
    if not 2 <= x.ndim <= 5:
        return None
    return [emit("permute", [x], {"axes": order}, node.name)]


@form("Concat")
def concat(node: HostNode, inputs: Inputs) -> list[Value] | None:
    values = [_floats(x) for x in inputs]
    if any(v is None for v in values) or values[0] is None or len(values) < 2:
        return None
    axis = int(node.attributes["axis"])
    axis = axis + values[0].ndim if axis < 0 else axis
    if any(None in v.shape for v in values if v is not None) and axis == 0:
        return None
    return [emit("concatenate", values, {"axis": axis}, node.name)]

"""Element by element: in whatever order the axes lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import layers as L  # noqa: N812
from ...graph import Value
from ..tensors import Order, as_in_file, channels_last
from .table import converts

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode

#: Operators of one value, of any type; further inputs are numbers.
_ONE = (
    "Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "Tanh", "Elu", "Selu", "Celu", "Gelu", "HardSwish", "Swish", "Mish",
    "Softplus", "Softsign", "ThresholdedRelu", "Shrink", "Erf", "Clip", "Abs", "Neg", "Sqrt", "Reciprocal", "Exp",
    "Log", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Not", "IsNaN", "IsInf", "Cast", "CastLike",
)  # fmt: skip

_SEVERAL = (
    "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "Mod", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "And", "Or", "Xor", "Where",
)  # fmt: skip


@converts(*_ONE)
def one_value(r: Reader, node: SourceNode) -> bool:
    x = r.first(node)
    if x.is_fixed or any(
        t is not None and not t.is_fixed for t in (r.tensor(node, i) for i in range(1, len(node.inputs)))
    ):
        return False
    layer = _layer(r, node) if x.dtype == "float32" else None
    if layer is not None:
        return r.give(node, layer(x.value), x.order)
    r.operator(node, [x.value, *(r.array(node, i) for i in range(1, len(node.inputs)))], x.order)
    return True


#: Layers that take no number.
_PLAIN: dict[str, type[L.Layer]] = {
    "Relu": L.ReLU, "HardSwish": L.HardSwish, "Mish": L.Mish, "Softplus": L.Softplus,
}  # fmt: skip


def _layer(r: Reader, node: SourceNode) -> L.Layer | None:
    op, attributes = node.op_type, node.attributes
    if op in _PLAIN:
        return _PLAIN[op](name=r.name(node))
    if op == "Elu" and attributes.get("alpha", 1.0) >= 0:
        return L.ELU(attributes.get("alpha", 1.0), name=r.name(node))
    if op == "Gelu":
        return L.GELU(attributes.get("approximate", "none") == "tanh", name=r.name(node))
    if op == "LeakyRelu" and attributes.get("alpha", 0.01) >= 0:
        return L.LeakyReLU(attributes.get("alpha", 0.01), name=r.name(node))
    if op in ("Sigmoid", "Tanh"):
        return L.Activation(op.lower(), name=r.name(node))
    if op == "Clip":
        low, high = attributes.get("min"), attributes.get("max")
        if r.opset >= 11:
            low, high = (None if a is None else a.item() for a in (r.array(node, 1), r.array(node, 2)))
        if (low, high) == (0, 6):
            return L.ReLU(6.0, name=r.name(node))
    return None


@converts("PRelu")
def prelu(r: Reader, node: SourceNode) -> bool:
    """A layer where the slope is one number a channel, or one for all."""
    x, slope = r.first(node), r.array(node, 1)
    if x.is_fixed or slope is None or x.dtype != "float32" or slope.dtype != np.float32 or x.rank < 3:
        return several_values(r, node)
    full: np.ndarray = slope.reshape((1,) * (x.rank - slope.ndim) + slope.shape)
    if x.shape[1] is None or any(s != 1 for i, s in enumerate(full.shape) if i != 1):
        return several_values(r, node)
    layer = L.PReLU(shared_axes=list(range(1, x.rank - 1)), name=r.name(node))
    alpha = np.broadcast_to(full.reshape(-1), (x.shape[1],)).reshape((1,) * (x.rank - 2) + (-1,))
    return r.give(node, r.put(node, layer, r.last(x), {"alpha": alpha}), channels_last(x.rank))


@converts(*_SEVERAL)
def several_values(r: Reader, node: SourceNode) -> bool:
    """All in one order; if there is one whose channels are last, in that."""
    inputs, order = aligned(r, node)
    kinds = {"Add": L.Add, "Sum": L.Add, "Sub": L.Subtract, "Mul": L.Multiply, "Mean": L.Average}
    if (
        node.op_type in kinds
        and len(inputs) > 1
        and all(isinstance(x, Value) and x.dtype == "float32" and x.ndim for x in inputs)
    ):
        return r.give(node, kinds[node.op_type](name=r.name(node))(inputs), order)
    r.operator(node, inputs, order)
    return True


def aligned(r: Reader, node: SourceNode) -> tuple[list[Any], Order]:
    """The node's inputs, broadcast against each other in this order of axes."""
    tensors = [r.tensors[name] for name in node.inputs]
    rank = max(t.rank for t in tensors)
    orders = [t.order for t in tensors if not t.is_fixed and t.rank == rank]
    lower = any(not t.is_fixed and 0 < t.rank < rank for t in tensors)
    order = next((o for o in orders if o != as_in_file(rank)), as_in_file(rank))
    if lower or not orders:
        order = as_in_file(rank)
    inputs: list[Any] = []
    for tensor in tensors:
        if tensor.array is None:
            inputs.append(r.at(tensor, order if tensor.rank == rank else as_in_file(tensor.rank)))
        elif tensor.array.ndim == 0 or order == as_in_file(rank):
            inputs.append(tensor.array)
        else:
            full = tensor.array.reshape((1,) * (rank - tensor.array.ndim) + tensor.array.shape)
            inputs.append(np.ascontiguousarray(full.transpose(order)))
    return inputs, order


@converts("Identity", "Dropout")
def passed_on(r: Reader, node: SourceNode) -> bool:
    """Nothing happens, and no layer is needed. Dropout is written as it is outside training."""
    training = r.tensor(node, 2)
    if r.count(node) > 1 or (training is not None and (training.array is None or training.array.any())):
        return False
    r.tensors[node.outputs[0]] = r.first(node)
    return True

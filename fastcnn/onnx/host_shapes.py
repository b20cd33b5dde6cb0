"""Shapes and dtypes of a node's results: what ONNX's own inference says, else the rank alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from ..graph import Spec
from .host_node import HostNode, make_proto

#: Constants of more elements are known to the inference by their shape alone: weights, whose values tell nothing.
_TELLING = 1024


def infer_specs(node: HostNode, inputs: Sequence[Spec | None], constants: Mapping[int, np.ndarray]) -> list[Spec]:
    """Shapes and dtypes of the results; None for sizes known only when the node runs.

    Raises
    ------
    ValueError
        The inputs don't fit, or not even the rank of a result can be told.
    """
    given = [Spec(constants[i].shape, str(constants[i].dtype)) if i in constants else s for i, s in enumerate(inputs)]
    telling = {i: x for i, x in constants.items() if x.size <= _TELLING}
    if node.op_type == "MeanVarianceNormalization" and given[0] is not None:
        return [given[0]]  # its description as a function contradicts itself in ONNX's inference
    _check_axis(node, given)
    model = make_proto(node, given, telling)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        reason = str(error).replace("\n", " ")
        raise ValueError(f"{node.label}: {reason}") from None
    found = {v.name: v.type.tensor_type for v in inferred.graph.output}
    return [_spec(node, i, found[f"y{i}"], given, telling) for i in range(node.outputs)]


def _check_axis(node: HostNode, inputs: Sequence[Spec | None]) -> None:
    """ONNX's inference reads and writes beyond its memory where some operators' axes are out of range."""
    axis, first = node["axis"], inputs[0] if inputs else None
    if not isinstance(axis, int) or first is None or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return  # those two have an axis that means nothing where there is one scale
    rank = len(first.shape)
    low, high = -rank, rank - 1
    if node.op_type == "OneHot":
        low, high = low - 1, high + 1
    elif node.op_type == "Flatten" or (node.op_type in _TO_MATRIX and node.opset < 13):
        high += 1
    if not low <= axis <= high:
        raise ValueError(f"{node.label}: axis {axis} is out of range for rank {rank}")


#: Operators that once took all axes from theirs on as one.
_TO_MATRIX = ("Softmax", "LogSoftmax", "Hardmax")


def _spec(
    node: HostNode, place: int, found: Any, inputs: Sequence[Spec | None], constants: Mapping[int, np.ndarray]
) -> Spec:
    first = next((s for s in inputs if s is not None), None)
    if found.elem_type:
        dtype = str(helper.tensor_dtype_to_np_dtype(found.elem_type))
    else:
        dtype = first.dtype if first is not None else "float32"
    if found.HasField("shape"):
        return Spec([d.dim_value if d.HasField("dim_value") else None for d in found.shape.dim], dtype)
    rank = _RANKS.get(node.op_type, _rank_of_first)(node, inputs)
    if rank is None:
        raise ValueError(f"{node.label}: the rank of its result {place} is known only when it runs")
    return Spec([None] * rank, dtype)


def _rank_of_first(node: HostNode, inputs: Sequence[Spec | None]) -> int | None:
    """Element-wise operators, and all that keep the rank."""
    ranks = [len(s.shape) for s in inputs if s is not None]
    return max(ranks, default=None) if node.op_type in _BROADCASTING else ranks[0] if ranks else None


def _count(inputs: Sequence[Spec | None], place: int) -> int | None:
    """How many numbers an input holds that is a list of sizes or axes."""
    spec = inputs[place] if place < len(inputs) else None
    return None if spec is None else 1 if not spec.shape else spec.shape[0]


def _length(place: int) -> Callable[[HostNode, Sequence[Spec | None]], int | None]:
    return lambda node, inputs: _count(inputs, place)


def _expand(node: HostNode, inputs: Sequence[Spec | None]) -> int | None:
    wanted, mine = _count(inputs, 1), _rank_of_first(node, inputs)
    return None if wanted is None or mine is None else max(wanted, mine)


def _axes_change(change: int) -> Callable[[HostNode, Sequence[Spec | None]], int | None]:
    def rank(node: HostNode, inputs: Sequence[Spec | None]) -> int | None:
        mine = _rank_of_first(node, inputs)
        axes = node["axes"]
        count = len(axes) if axes is not None else _count(inputs, 1)
        return None if mine is None or count is None else mine + change * count

    return rank


def _reduced(node: HostNode, inputs: Sequence[Spec | None]) -> int | None:
    mine = _rank_of_first(node, inputs)
    if mine is None or node["keepdims"]:
        return mine
    axes = node["axes"]
    count = len(axes) if axes is not None else _count(inputs, 1)
    # Without axes it is all of them, or none.
    return (mine if node["noop_with_empty_axes"] else 0) if count is None else mine - count


def _gathered(node: HostNode, inputs: Sequence[Spec | None]) -> int | None:
    x, places = inputs[:2]
    return None if x is None or places is None else len(x.shape) - 1 + len(places.shape)


_NAMES = "Add Sub Mul Div Pow Mod Min Max Sum Mean Where Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor"
_BROADCASTING = frozenset(_NAMES.split())

_RANKS: dict[str, Callable[[HostNode, Sequence[Spec | None]], int | None]] = {
    "Reshape": _length(1),
    "ConstantOfShape": _length(0),
    "Expand": _expand,
    "Squeeze": _axes_change(-1),
    "Unsqueeze": _axes_change(1),
    "Gather": _gathered,
    "NonZero": lambda node, inputs: 2,
    "NonMaxSuppression": lambda node, inputs: 2,
    "Range": lambda node, inputs: 1,
    "Shape": lambda node, inputs: 1,
    "Size": lambda node, inputs: 0,
    "Flatten": lambda node, inputs: 2,
    "RoiAlign": lambda node, inputs: 4,
    "OneHot": lambda node, inputs: None if inputs[0] is None else len(inputs[0].shape) + 1,
    **dict.fromkeys(
        [
            *("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"),
            *("ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"),
        ],
        _reduced,
    ),
}

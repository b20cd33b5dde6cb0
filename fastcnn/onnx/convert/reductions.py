"""Over axes: sums, means, softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ... import layers as L  # noqa: N812
from ..tensors import as_in_file, channels_last
from .table import converts

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode

_REDUCTIONS = (
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
    "ReduceLogSum", "ReduceLogSumExp",
)  # fmt: skip


def axis_of(axis: int, rank: int) -> int:
    """A counted axis from the front."""
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for {rank} axes")
    return axis + rank if axis < 0 else axis


@converts(*_REDUCTIONS)
def reduction(r: Reader, node: SourceNode) -> bool:
    x = r.first(node)
    given = r.tensor(node, 1)
    if x.is_fixed or (given is not None and given.array is None):
        return False
    axes = node.attributes.get("axes") if given is None or given.array is None else [int(a) for a in given.array]
    if not axes or x.order == as_in_file(x.rank):
        return False
    axes = sorted(axis_of(a, x.rank) for a in axes)
    keep = bool(node.attributes.get("keepdims", 1))
    if axes == [2, 3] == list(range(2, x.rank)) and x.dtype == "float32":
        kinds = {"ReduceMean": L.GlobalAveragePooling2D, "ReduceMax": L.GlobalMaxPooling2D}
        if node.op_type in kinds:
            pooled = kinds[node.op_type](keepdims=keep, name=r.name(node))(r.last(x))
            return r.give(node, pooled, channels_last(4) if keep else as_in_file(2))
    here = [x.order.index(a) for a in axes]
    if given is None:
        node.attributes["axes"] = here
        inputs = [x.value]
    else:
        inputs = [x.value, np.array(here, np.int64)]  # type: ignore[list-item]
    left = [a for a in x.order if keep or a not in axes]
    places = sorted(left)
    r.operator(node, inputs, tuple(places.index(a) for a in left))
    return True


@converts("Softmax", "LogSoftmax")
def softmax(r: Reader, node: SourceNode) -> bool:
    """From opset 13 on over one axis; before, over all from it on."""
    x = r.first(node)
    if x.is_fixed or not x.rank:
        return False
    axis = axis_of(int(node.attributes.get("axis", -1 if r.opset >= 13 else 1)), x.rank)
    if r.opset < 13 and any(s != 1 for s in x.shape[axis + 1 :]):
        return False
    # One kernel goes along channels where they are last; others stay, but for that of samples and older operators'.
    order = x.order
    if axis == 1 or order[0] == axis or r.opset < 13:
        order = (*(a for a in order if a != axis), axis)
    value, place = r.at(x, order), order.index(axis)
    if node.op_type == "Softmax" and x.dtype == "float32" and value.ndim > 1:
        along = -1 if place == x.rank - 1 else place
        return r.give(node, L.Softmax(along, name=r.name(node))(value), order)
    node.attributes["axis"] = place
    r.operator(node, [value], order)
    return True

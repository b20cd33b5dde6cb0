"""Several tensors put together, or one taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import layers as L  # noqa: N812
from ...graph import Value
from ..tensors import as_in_file
from .reductions import axis_of
from .table import converts

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode


@converts("Concat")
def concat(r: Reader, node: SourceNode) -> bool:
    tensors = [r.tensors[name] for name in node.inputs]
    rank = tensors[0].rank
    orders = [t.order for t in tensors if not t.is_fixed]
    if any(t.rank != rank for t in tensors) or not rank:
        raise ValueError(f"its inputs must have as many axes each, received shapes {[t.shape for t in tensors]}")
    axis = axis_of(int(node.attributes["axis"]), rank)
    order = next((o for o in orders if o != as_in_file(rank)), as_in_file(rank))
    values: list[Any] = [
        r.at(t, order) if t.array is None else np.ascontiguousarray(t.array.transpose(order)) for t in tensors
    ]
    here = order.index(axis)
    if here and len(values) > 1 and all(isinstance(v, Value) and v.dtype == "float32" for v in values):
        return r.give(node, L.Concatenate(here, name=r.name(node))(values), order)
    node.attributes["axis"] = here
    r.operator(node, values, order)
    return True


@converts("Split")
def split(r: Reader, node: SourceNode) -> bool:
    x, sizes = r.first(node), r.tensor(node, 1)
    if x.is_fixed or (sizes is not None and sizes.array is None):
        return False
    node.attributes["axis"] = x.order.index(axis_of(int(node.attributes.get("axis", 0)), x.rank))
    r.operator(node, [x.value] if sizes is None else [x.value, sizes.array], x.order)
    return True


@converts("Slice")
def slice_(r: Reader, node: SourceNode) -> bool:
    """Axes by their numbers here."""
    x = r.first(node)
    if x.is_fixed or x.order == as_in_file(x.rank):
        return False
    if r.opset < 10:
        axes = node.attributes.get("axes") or list(range(len(node.attributes["starts"])))
        node.attributes["axes"] = [x.order.index(axis_of(a, x.rank)) for a in axes]
        r.operator(node, [x.value], x.order)
        return True
    arrays = [r.array(node, i) for i in range(1, len(node.inputs))]
    if any(a is None and r.tensor(node, i + 1) is not None for i, a in enumerate(arrays)) or arrays[0] is None:
        return False
    given = arrays[2] if len(arrays) > 2 and arrays[2] is not None else np.arange(len(arrays[0]))
    here = np.array([x.order.index(axis_of(int(a), x.rank)) for a in given], np.int64)
    steps = arrays[3:4] if len(arrays) > 3 else []
    r.operator(node, [x.value, arrays[0].astype(np.int64), None if arrays[1] is None else arrays[1].astype(np.int64),
                      here, *(s if s is None else s.astype(np.int64) for s in steps)], x.order)  # fmt: skip
    return True

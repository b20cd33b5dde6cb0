"""A node that is computed with NumPy: its attributes, checked, and itself as a model of ONNX."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, defs, helper

from ..errors import shown
from ..graph import Spec


def _float(value: Any) -> float:
    if not isinstance(value, (int, float, np.number)):
        raise TypeError
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


#: An integer is never made of a float: it would lose what is behind the point.
_NUMBERS: dict[Any, Callable[[Any], Any]] = {AttributeProto.INT: operator.index, AttributeProto.FLOAT: _float}
_LISTS: dict[Any, Callable[[Any], Any]] = {
    AttributeProto.INTS: operator.index, AttributeProto.FLOATS: _float, AttributeProto.STRINGS: _text,
}  # fmt: skip


@functools.cache
def schema_of(op_type: str, opset: int) -> Any:
    """ONNX's description of an operator at an opset, or None."""
    try:
        return defs.get_schema(op_type, opset, "")
    except defs.SchemaError:
        return None


class Attributes(dict[str, Any]):
    """A node's attributes, of the types that the operator's description asks for, absent ones with their defaults."""

    def __init__(self, op_type: str, opset: int, given: Mapping[str, Any], name: str) -> None:
        super().__init__()
        known = schema_of(op_type, opset).attributes
        #: Those that the node itself has.
        self.given = frozenset(given)
        where = f"node {name!r} ({op_type})"
        for key, value in given.items():
            if key not in known:
                raise ValueError(f"{where}: unknown attribute {key!r}; known: {', '.join(sorted(known)) or 'none'}")
            self[key] = converted(value, known[key].type, f"{where}: attribute {key!r}")
        for key, schema in known.items():
            if key in self:
                continue
            if schema.required:
                raise ValueError(f"{where}: attribute {key!r} is missing")
            if schema.default_value.type:
                value = helper.get_attribute_value(schema.default_value)
                self[key] = value.decode() if isinstance(value, bytes) else value


def converted(value: Any, kind: Any, what: str) -> Any:
    """`value` as ONNX's attribute type `kind` has it, or an error."""
    try:
        if kind in _NUMBERS:
            return _NUMBERS[kind](value)
        if kind in _LISTS and not isinstance(value, str):
            return [_LISTS[kind](v) for v in value]
        if kind == AttributeProto.STRING and isinstance(value, str):
            return value
        if kind == AttributeProto.TENSOR:
            return np.asarray(value)
    except (TypeError, ValueError, OverflowError):
        pass
    wanted = AttributeProto.AttributeType.Name(int(kind))
    raise ValueError(f"{what} must be of ONNX's type {wanted}, received {shown(value)}")


@dataclass(frozen=True)
class HostNode:
    """What is computed: operator, opset, attributes, how many results, and the node's name."""

    op_type: str
    opset: int
    attributes: Attributes
    outputs: int
    name: str

    @property
    def label(self) -> str:
        """How error messages call it."""
        return f"node {self.name!r} ({self.op_type})"

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes.get(attribute)


def make_proto(
    node: HostNode,
    inputs: Sequence[Spec | None],
    constants: Mapping[int, np.ndarray] | None = None,
    ranks: bool = True,
) -> onnx.ModelProto:
    """A model of this one node, with inputs x0, x1, … and results y0, y1, …

    Parameters
    ----------
    inputs : sequence of (Spec or None)
        Dtypes of the inputs, and their shapes if `ranks`.
    constants : mapping, optional
        Inputs with known values, by place.
    """
    known = constants or {}
    schema = schema_of(node.op_type, node.opset)
    proto = helper.make_node(
        node.op_type,
        [f"x{i}" if spec is not None else "" for i, spec in enumerate(inputs)],
        [f"y{i}" for i in range(node.outputs)],
        name=node.name,
    )
    for key in node.attributes.given:
        value, kind = node.attributes[key], schema.attributes[key].type
        if kind == AttributeProto.TENSOR:
            value = onnx.numpy_helper.from_array(value)
        proto.attribute.append(helper.make_attribute(key, value, attr_type=int(kind)))
    values = []
    for i, spec in enumerate(inputs):
        if spec is not None and i not in known:
            element = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
            shape = [f"x{i}_{a}" if s is None else s for a, s in enumerate(spec.shape)] if ranks else None
            values.append(helper.make_tensor_value_info(f"x{i}", element, shape))
    results = [helper.make_tensor_value_info(f"y{i}", 0, None) for i in range(node.outputs)]
    weights = [onnx.numpy_helper.from_array(np.asarray(x), f"x{i}") for i, x in known.items()]
    graph = helper.make_graph([proto], "node", values, results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.opset)])

"""An ONNX file read and checked: what the reader goes on with is whole, in order and of sizes that are there.

Files come from anywhere. Everything that can be wrong with one is found here, before anything is built, and is a
ValueError that names the node or the tensor.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import defs, helper

from ..shapes import MAX_SIZE
from ..weights.onnx_tensors import check_external, parsed, read_tensor, some
from .checks import check_attributes, check_signature, typed_attributes
from .host import attributes_of, supports
from .host_node import Attributes

#: The oldest version of ONNX's operators that is read.
OLDEST = 7
#: Most axes of a tensor: NumPy's.
_MAX_RANK = 64
#: Where a file keeps what of a model's metadata isn't text, as JSON.
METADATA = "fastcnn.metadata"


@dataclasses.dataclass
class SourceNode:
    """One node: its operator, the names of its inputs ("" for one left out) and results, its attributes."""

    op_type: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


@dataclasses.dataclass
class SourceInput:
    """One input or output of the graph; sizes are ints, names, or None where nothing is said."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


@dataclasses.dataclass
class Source:
    """A checked file: nodes in an order of computation, the arrays they use, what goes in and comes out."""

    name: str
    opset: int
    nodes: list[SourceNode]
    arrays: dict[str, np.ndarray]
    inputs: list[SourceInput]
    outputs: list[SourceInput]
    #: What the file says of itself, by name.
    metadata: dict[str, Any]


def read_source(model: Any) -> Source:
    """A model file's contents, checked.

    Parameters
    ----------
    model : path, bytes or ModelProto

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It isn't a model that can be trusted and understood; what is wrong and where is said. Operators that nobody
        knows here are all named at once.
    """
    proto, folder = parsed(model)
    graph = proto.graph
    opset = _opset(proto)
    if graph.sparse_initializer:
        raise ValueError(f"tensor {graph.sparse_initializer[0].values.name!r} is sparse, which isn't supported")
    _check_operators(graph, opset)
    _check_names(graph)
    order = _ordered(graph)
    check_external(graph.initializer)
    arrays = {t.name: read_tensor(t, folder) for t in graph.initializer}
    nodes = []
    for node in order:
        found = SourceNode(node.op_type, label(node), list(node.input), list(node.output), _attributes(node, folder))
        while found.inputs and not found.inputs[-1]:
            found.inputs.pop()
        check_signature(found.op_type, found.name, opset, found.inputs, found.outputs)
        found.attributes = typed_attributes(found.op_type, found.name, opset, found.attributes, len(found.outputs))
        Attributes(found.op_type, opset, found.attributes, found.name)
        check_attributes(found.op_type, found.name, found.attributes, [arrays.get(n) for n in found.inputs])
        nodes.append(found)
    inputs = [_value_info(v) for v in graph.input if v.name not in arrays]
    outputs = [_value_info(v) for v in graph.output]
    return Source(graph.name, opset, nodes, arrays, inputs, outputs, _metadata(proto))


def _metadata(proto: onnx.ModelProto) -> dict[str, Any]:
    found: dict[str, Any] = {prop.key: prop.value for prop in proto.metadata_props}
    try:
        own = json.loads(found.pop(METADATA, "{}"))
    except (ValueError, RecursionError):
        own = None
    if not isinstance(own, dict):
        raise ValueError(f"the file's metadata {METADATA!r} is no valid JSON object")
    return {**found, **own}


def label(node: onnx.NodeProto) -> str:
    """What a node is called in messages: its own name, or that of its first result."""
    return node.name or next((o for o in node.output if o), "")


def _opset(proto: onnx.ModelProto) -> int:
    versions = [o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")]
    newest = defs.onnx_opset_version()
    opset = max(versions, default=1)
    if len(set(versions)) > 1 or not OLDEST <= opset <= newest:
        raise ValueError(f"the model's opset must be one from {OLDEST} to {newest}, received {versions or 'none'}")
    return opset


def _check_operators(graph: onnx.GraphProto, opset: int) -> None:
    unknown: dict[str, list[str]] = {}
    for node in graph.node:
        if not supports(node.op_type, node.domain, opset):
            full = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
            unknown.setdefault(full, []).append(label(node))
    if unknown:
        parts = [f"{op} (node{'s' if len(n) > 1 else ''} {some(n)})" for op, n in sorted(unknown.items())]
        raise ValueError(f"operators that aren't supported at opset {opset}: {'; '.join(parts)}")


def _check_names(graph: onnx.GraphProto) -> None:
    """Each name is given once, and each that is used is given."""
    given: set[str] = set()
    stored = {t.name for t in graph.initializer}

    def give(names: Iterable[str], who: str) -> None:
        for name in names:
            if name in given:
                raise ValueError(f"{who}: the name {name!r} is given twice")
            given.add(name)

    give((t.name for t in graph.initializer), "initializers")
    give((v.name for v in graph.input if v.name not in stored), "inputs")
    for node in graph.node:
        give((o for o in node.output if o), f"node {label(node)!r} ({node.op_type})")
    for node in graph.node:
        for name in node.input:
            if name and name not in given:
                raise ValueError(f"node {label(node)!r} ({node.op_type}): its input {name!r} is not defined")
    for value in graph.output:
        if value.name not in given:
            raise ValueError(f"output {value.name!r} is not defined")
    if not graph.output:
        raise ValueError("the model has no outputs")


def _ordered(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes, each after those it needs."""
    maker = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    needs = [{maker[n] for n in node.input if n in maker} for node in graph.node]
    readers: list[list[int]] = [[] for _ in needs]
    for i, before in enumerate(needs):
        for j in before:
            readers[j].append(i)
    waiting = [len(before) for before in needs]
    ready = [i for i, count in enumerate(waiting) if count == 0][::-1]
    order: list[int] = []
    while ready:
        i = ready.pop()
        order.append(i)
        for j in readers[i]:
            waiting[j] -= 1
            if waiting[j] == 0:
                ready.append(j)
    if len(order) < len(needs):
        left = [label(graph.node[i]) for i, count in enumerate(waiting) if count]
        raise ValueError(f"the graph has a cycle through the nodes {some(left)}")
    return [graph.node[i] for i in order]


def _attributes(node: onnx.NodeProto, folder: Path | None) -> dict[str, Any]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            if attribute.t.data_location == onnx.TensorProto.EXTERNAL:
                raise ValueError(f"node {label(node)!r}: its tensor {attribute.name!r} can't lie in another file")
            read_tensor(attribute.t, folder, f"node {label(node)!r}: attribute {attribute.name!r}")
    return attributes_of(node)


def _value_info(value: onnx.ValueInfoProto) -> SourceInput:
    kind = value.type.WhichOneof("value")
    if kind not in ("tensor_type", None):
        raise ValueError(f"{value.name!r} must be a tensor, it is a {kind}")
    tensor = value.type.tensor_type
    try:
        dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)) if tensor.elem_type else "float32"
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"{value.name!r} has an unknown type, {tensor.elem_type}") from None
    if not tensor.HasField("shape"):
        return SourceInput(value.name, dtype, None)
    if len(tensor.shape.dim) > _MAX_RANK:
        raise ValueError(f"{value.name!r} must have at most {_MAX_RANK} axes, received {len(tensor.shape.dim)}")
    sizes: list[int | str | None] = []
    for d in tensor.shape.dim:
        if d.HasField("dim_value") and d.dim_value >= 0:
            if d.dim_value > MAX_SIZE:
                raise ValueError(f"{value.name!r}: a size must be at most {MAX_SIZE}, received {d.dim_value}")
            sizes.append(d.dim_value)
        else:
            sizes.append(d.dim_param if d.HasField("dim_param") and d.dim_param else None)
    return SourceInput(value.name, dtype, tuple(sizes))

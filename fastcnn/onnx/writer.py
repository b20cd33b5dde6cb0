"""The walk over a graph that writes it as an ONNX model.

The graph of a prediction, before any pass has changed it, is walked once; a table (`writer_ops.py`) leads from its
operations to ONNX's. fastcnn keeps channels last, ONNX has them first, so for every value the order in which the file
has its axes is written down. Element-wise operations take whatever order they find, convolutions ask for channels
first, and a Transpose is written only where an operation needs another order than there is: in a plain network nowhere.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .._version import __version__
from ..graph import Node, Value, topological
from ..models import Model
from .source import METADATA

Order = tuple[int, ...]

#: What makes images with their channels first ones with their channels last.
_TO_LAST = (0, 2, 3, 1)


def channels_first(rank: int) -> Order:
    """The order in which ONNX's convolutions have the axes of (batch, ..., channels)."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 2 else tuple(range(rank))


def _properties(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as a file has it, which is text: that goes under its own name, for others to read, the rest as JSON."""
    found = {name: value for name, value in metadata.items() if isinstance(value, str) and name != METADATA}
    rest = {name: value for name, value in metadata.items() if name not in found}
    try:
        return {**found, METADATA: json.dumps(rest)} if rest else found
    except (TypeError, ValueError) as error:
        raise ValueError(f"model.metadata must be plain data (dicts, lists, strings, numbers): {error}") from None


class Writer:
    """One file being written.

    Parameters
    ----------
    opset : int
    layout : {"NCHW", "NHWC"}
    converters : mapping
        For each operation of the graph, the function that writes it.

    Attributes
    ----------
    consumers : dict
        For each value's id, the nodes that read it.
    """

    def __init__(self, opset: int, layout: str, converters: Mapping[str, Callable[[Writer, Node], None]]) -> None:
        self.opset = opset
        self.layout = layout
        self._converters = converters
        self.consumers: dict[int, list[Node]] = defaultdict(list)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[Any, onnx.TensorProto] = {}
        self._tensors: dict[int, tuple[str, Order]] = {}
        self._transposed: dict[tuple[int, Order], str] = {}
        self._names: set[str] = set()
        self._results: set[str] = set()
        self._renamed: dict[str, str] = {}
        self._outputs: set[int] = set()
        self._by_samples = True
        #: The model's arrays have their axes as a file had them.
        self._as_is = False
        self._once: dict[int, str] = {}
        self._known: dict[int, np.ndarray | None] = {}

    def write(self, model: Model) -> onnx.ModelProto:
        order = topological(model.outputs, model.inputs)
        for node in order:
            for value in node.inputs:
                if value is not None:
                    self.consumers[id(value)].append(node)
        self._outputs = {id(v) for v in model.outputs}
        self._by_samples = model._by_samples
        self._as_is = all(v.origin.layer.as_file for v in model.inputs)
        # The names that callers know come first; the nodes' give way.
        inputs = [self._input(v, self.unique(name)) for v, name in zip(model.inputs, model.input_names)]
        output_names = [self.unique(name) for name in model.output_names]
        for node in order:
            convert = self._converters.get(node.op.name)
            if convert is None:
                raise ValueError(f"layer {node.name!r}: its operation {node.op.name!r} can't be written as ONNX")
            if self.known(node.outputs[0]) is None:
                convert(self, node)
        outputs = [self._output(v, name) for v, name in zip(model.outputs, output_names)]
        self._rename()
        graph = helper.make_graph(self._nodes, model.name, inputs, outputs, list(self._weights.values()))
        imports = [helper.make_opsetid("", self.opset)]
        proto = helper.make_model(
            graph,
            producer_name="fastcnn",
            producer_version=__version__,
            opset_imports=imports,
            ir_version=helper.find_min_ir_version_for(imports),
        )
        helper.set_model_props(proto, _properties(model.metadata))
        return proto

    # ---- the border

    def _input(self, value: Value, name: str) -> onnx.ValueInfoProto:
        readers = self.consumers[id(value)]
        moved = [n.op.name == "permute" and tuple(n.attrs["axes"]) == _TO_LAST for n in readers]
        order = self._border_order(value, bool(moved) and all(moved) and not self.is_output(value))
        self._tensors[id(value)] = (name, order)
        return self._info(value, name, order)

    def _output(self, value: Value, name: str) -> onnx.ValueInfoProto:
        source = value
        while source.node is not None and source.node.op.name == "identity" and source.node.inputs[0] is not None:
            source = source.node.inputs[0]
        node = source.node
        moved = node is not None and node.op.name == "permute" and tuple(node.attrs["axes"]) == channels_first(4)
        order = self._border_order(value, moved)
        made = self.get(value, order)
        if made in self._results and made not in self._renamed:
            self._renamed[made] = name
        else:
            self._nodes.append(helper.make_node("Identity", [made], [name], name=name))
        return self._info(value, name, order)

    def _rename(self) -> None:
        """Give the results that leave the graph their names."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [self._renamed.get(name, name) for name in names]

    def _border_order(self, value: Value, moved: bool) -> Order:
        """Images are channels first, unless the model has them so itself, or moves the channels there."""
        if self.layout == "NCHW" and value.ndim == 4 and not moved and not self._as_is:
            return channels_first(4)
        return tuple(range(value.ndim))

    def _info(self, value: Value, name: str, order: Order) -> onnx.ValueInfoProto:
        axes = ["batch" if self._by_samples else f"{name}_0", *(f"{name}_{a}" for a in range(1, value.ndim))]
        shape = [axes[a] if value.shape[a] is None else value.shape[a] for a in order]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype)), shape)

    # ---- names and values

    def unique(self, name: str) -> str:
        """`name`, or with a number behind it where it is taken."""
        chosen, number = name, 1
        while chosen in self._names:
            number += 1
            chosen = f"{name}/{number}"
        self._names.add(chosen)
        return chosen

    def is_output(self, value: Value) -> bool:
        """Whether the model gives this value."""
        return id(value) in self._outputs

    def once(self, value: Value, make: Callable[[], str]) -> str:
        """What `make` wrote for this value, the first time."""
        if id(value) not in self._once:
            self._once[id(value)] = make()
        return self._once[id(value)]

    def known(self, value: Value) -> np.ndarray | None:
        """The contents of a value that is weights, a constant, or made of these alone; else None.

        Only what is rounded exactly is computed here, so that it has the bits that a prediction would find.
        """
        if value.variable is not None:
            return value.variable.storage
        if value.constant is not None:
            return value.constant
        node = value.node
        if node is None or node.op.name not in ("reshape", "identity", "permute", "unary", "binary"):
            return None
        if id(value) not in self._known:
            inner = [None if v is None else self.known(v) for v in node.inputs]
            self._known[id(value)] = None if any(x is None for x in inner) else _computed(node, inner)
        return self._known[id(value)]

    def order(self, value: Value) -> Order:
        """How the file has the axes of a value; weights, which are written as they are asked for, as they are here."""
        return self._tensors[id(value)][1] if id(value) in self._tensors else tuple(range(value.ndim))

    def get(self, value: Value, order: Order | None = None) -> str:
        """The name by which the file has a value with its axes in this order (None: as they come)."""
        array = self.known(value)
        if array is not None:
            return self._weight(value, array if order is None else array.transpose(order))
        name, there = self._tensors[id(value)]
        if order is None or order == there:
            return name
        key = (id(value), order)
        if key not in self._transposed:
            if non_unit(value.shape, there) == non_unit(value.shape, order):
                self._transposed[key] = self.reshape(name, [value.shape[a] for a in order], value.name)
            else:
                moves = [there.index(a) for a in order]
                self._transposed[key] = self.emit("Transpose", [name], f"{value.name}/transpose", perm=moves)
        return self._transposed[key]

    def _weight(self, value: Value, array: np.ndarray) -> str:
        source = value
        while source.node is not None and source.node.inputs[0] is not None:
            source = source.node.inputs[0]
        key = (id(source), array.shape, array.strides)
        if key not in self._weights:
            name = self.unique(source.name or "constant")
            self._weights[key] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return self._weights[key].name

    def constant(self, array: Any, name: str, dtype: Any = np.float32) -> str:
        """The name of a tensor with these contents, shared by all who ask for the same."""
        data = np.asarray(array, dtype)
        key = ("constant", data.shape, str(data.dtype), data.tobytes())
        if key not in self._weights:
            self._weights[key] = numpy_helper.from_array(data, self.unique(f"{name}/constant"))
        return self._weights[key].name

    def reshape(self, name: str, shape: Sequence[int | None], base: str) -> str:
        """A Reshape; the batch axis is taken over, one more unknown size is what is left."""
        sizes = [0 if s is None and i == 0 else -1 if s is None else s for i, s in enumerate(shape)]
        if sizes.count(-1) > 1:
            raise ValueError(f"layer {base!r}: a shape with several sizes that aren't known can't be written as ONNX")
        return self.emit("Reshape", [name, self.constant(sizes, base, np.int64)], base)

    # ---- nodes

    def emit(self, op_type: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Write a node of one result; the result's name. Nodes of one layer are told apart by their operators."""
        return self.emit_all(op_type, inputs, name, 1, attributes)[0]

    def emit_all(
        self, op_type: str, inputs: Sequence[str], name: str, count: int, attributes: Mapping[str, Any]
    ) -> list[str]:
        """Write a node of `count` results; their names."""
        taken = name in self._names
        results = [self.unique(f"{name}/{op_type}" if taken or i else name) for i in range(count)]
        kept = {key: value for key, value in attributes.items() if value is not None}
        self._nodes.append(helper.make_node(op_type, list(inputs), results, name=results[0], **kept))
        self._results.update(results)
        return results

    def define(self, value: Value, name: str, order: Order | None = None) -> None:
        """Say by which name, and in which order of axes (None: as here), the file has a value."""
        self._tensors[id(value)] = (name, tuple(range(value.ndim)) if order is None else order)


#: Functions that are rounded exactly.
_EXACT: dict[str, Callable[..., np.ndarray]] = {
    "sqrt": np.sqrt,
    "square": np.square,
    "abs": np.abs,
    "negative": np.negative,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def _computed(node: Node, inputs: Sequence[Any]) -> np.ndarray | None:
    """What a node makes of arrays; None where others than this must compute it."""
    if node.op.name == "permute":
        return inputs[0].transpose(node.attrs["axes"])
    if node.op.name == "reshape":
        return inputs[0].reshape([s for s in node.outputs[0].shape if s is not None])
    if node.op.name == "identity":
        return inputs[0]
    function = _EXACT.get(node.attrs["kind"])
    with np.errstate(all="ignore"):
        return None if function is None else function(*inputs)


def non_unit(shape: Sequence[int | None], order: Order) -> list[int]:
    """The axes in this order, without those of size 1: what has the same ones has the same elements in a row."""
    return [a for a in order if shape[a] != 1]

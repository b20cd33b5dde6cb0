"""Weights in ONNX files: the stored tensors of each node that has weights, called as PyTorch calls those of a module.

A node is a module. It is called what its weights' name begins with ("conv1" of "conv1.weight" or "conv1/kernel"), or,
where an exporter lost that, as its weights themselves ("onnx::Conv_193"). Kernels have PyTorch's order of axes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from ..errors import ModelFileError
from .onnx_tensors import check_external, dtype_of, parsed, read_tensor
from .stored import StoredTensor, TensorFile

#: What the inputs of an operator behind its first one are called in PyTorch's modules.
_PARAMETERS = {
    "Conv": ("weight", "bias"),
    "ConvTranspose": ("weight", "bias"),
    "Gemm": ("weight", "bias"),
    "MatMul": ("weight",),
    "PRelu": ("weight",),
    "BatchNormalization": ("weight", "bias", "running_mean", "running_var"),
    "InstanceNormalization": ("weight", "bias"),
    "GroupNormalization": ("weight", "bias"),
    "LayerNormalization": ("weight", "bias"),
}
#: What names of weights end with, in PyTorch and here; and what `fastcnn.onnx.save` adds to those it reorders.
_ENDS = re.compile(r"(.+?)[./](?:weight|kernel|gamma|alpha)(?:/constant(?:/\d+)?)?")
#: Types of numbers that layers' weights may come from.
_TYPES = frozenset((
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16",
    "uint8", "bool",
))  # fmt: skip
#: Operators whose floating-point tensors are sizes, margins and bounds.
_NO_WEIGHTS = frozenset(("Clip", "Pad", "Resize", "Upsample"))
#: Operators behind which pixels are in the order in which they were before.
_KEEP_ORDER = frozenset(("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Relu", "Clip"))


class _Parameter(NamedTuple):
    """A stored tensor as a module's parameter: its shape there, and whether it is the transposed one of the file."""

    name: str
    shape: tuple[int, ...]
    transposed: bool = False
    flat_last: bool = False


@contextmanager
def opened(path: str) -> Iterator[TensorFile]:
    """The weights of an ONNX file's nodes, in the nodes' order.

    Raises
    ------
    ModelFileError
        It is no ONNX file; or a tensor isn't whole, or lies where it must not.
    """
    with _file_errors():
        proto, folder = parsed(path)
        check_external(proto.graph.initializer)
        graph = _Graph(proto.graph)
        parameters = graph.parameters()

    def read(parameter: _Parameter) -> NDArray[Any]:
        with _file_errors():
            array = read_tensor(graph.tensors[parameter.name], folder)
        if graph.dtypes[parameter.name] == "bfloat16":
            array = array.astype(np.float32)
        return array.T if parameter.transposed else array.reshape(parameter.shape)

    def stored(parameter: _Parameter) -> StoredTensor:
        name = parameter.name
        return StoredTensor(parameter.shape, graph.dtypes[name], partial(read, parameter), name, parameter.flat_last)

    whole = {name: stored(_Parameter(name, tuple(tensor.dims))) for name, tensor in graph.tensors.items()}
    taken = {parameter.name for parameter in parameters.values()} | graph.numbers
    others = [n for n, t in whole.items() if n not in taken and t.floating and math.prod(t.shape) > 1]
    made = {key: stored(parameter) for key, parameter in parameters.items()}
    yield TensorFile(path, made, whole=whole, others=others, is_graph=True)


@contextmanager
def _file_errors() -> Iterator[None]:
    """What is wrong with a model is wrong with a file of weights."""
    try:
        yield
    except FileNotFoundError:
        raise
    except ValueError as error:
        raise ModelFileError(str(error)) from None


class _Graph:
    """A file's nodes and what they are given.

    Attributes
    ----------
    tensors : dict of str to TensorProto
        Stored ones and constants, by name.
    dtypes : dict of str to str
    numbers : set of str
        Those that no layer has as weights: bounds, sizes.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.tensors: dict[str, onnx.TensorProto] = {}
        self.dtypes: dict[str, str] = {}
        for tensor in graph.initializer:
            self._add(tensor.name, tensor)
        self._makers = {name: node for node in self.nodes for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        self._names: dict[str, str] = {}
        self.numbers: set[str] = set()
        for node in self.nodes:
            if node.op_type == "Constant":
                found = next((a.t for a in node.attribute if a.name == "value"), None)
                if found is not None:
                    self._add(node.output[0], found)
            elif node.op_type == "Identity" and self._stored(node.input[0]):
                # Exporters store equal tensors once.
                self._names[node.output[0]] = self._name(node.input[0])
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
                if node.op_type in _NO_WEIGHTS:
                    self.numbers.add(self._name(name))

    def _add(self, name: str, tensor: onnx.TensorProto) -> None:
        if tensor.data_type != onnx.TensorProto.STRING:
            dtype = str(dtype_of(tensor, f"tensor {name!r}"))
            if dtype in _TYPES:
                self.tensors[name], self.dtypes[name] = tensor, dtype

    def _name(self, name: str) -> str:
        return self._names.get(name, name)

    def _stored(self, name: str) -> onnx.TensorProto | None:
        return self.tensors.get(self._name(name))

    def parameters(self) -> dict[str, _Parameter]:
        """All modules' parameters by their full names; weights that several nodes share once."""
        found: dict[str, _Parameter] = {}
        modules: dict[str, str] = {}
        for node in self.nodes:
            mine = self._of(node)
            weight = mine.get("weight")
            if weight is None or modules.get(self._module(weight)) == weight.name:
                continue
            module = name = self._module(weight)
            number = 1
            while module in modules:
                number += 1
                module = f"{name}#{number}"
            modules[module] = weight.name
            found.update({f"{module}.{key}": parameter for key, parameter in mine.items()})
        return found

    @staticmethod
    def _module(weight: _Parameter) -> str:
        match = _ENDS.fullmatch(weight.name)
        return match[1] if match else weight.name

    def _of(self, node: onnx.NodeProto) -> dict[str, _Parameter]:
        """A node's parameters, as far as they are stored."""
        inputs = dict(zip(_PARAMETERS.get(node.op_type, ()), node.input[1:]))
        found = {}
        for key, name in inputs.items():
            tensor = self._stored(name)
            if tensor is not None:
                found[key] = _Parameter(self._name(name), tuple(tensor.dims))
        if "weight" not in found:
            return {}
        if node.op_type == "PRelu":
            shape = found["weight"].shape
            found["weight"] = found["weight"]._replace(shape=tuple(s for s in shape if s != 1) or (1,))
        return self._dense(node, found) if node.op_type in ("Gemm", "MatMul") else found

    def _dense(self, node: onnx.NodeProto, found: dict[str, _Parameter]) -> dict[str, _Parameter]:
        """A dense layer's kernel as (out, in), and its bias: that of the sum behind a product, too."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        weight = found["weight"]
        plain = all(
            attributes.get(key, neutral) == neutral for key, neutral in (("alpha", 1), ("beta", 1), ("transA", 0))
        )
        if len(weight.shape) != 2 or not plain:
            return {}
        transposed = not attributes.get("transB", 0)
        shape = weight.shape[::-1] if transposed else weight.shape
        found["weight"] = weight._replace(shape=shape, transposed=transposed, flat_last=self._is_last(node.input[0]))
        readers = self._readers.get(node.output[0], [])
        if node.op_type == "MatMul" and len(readers) == 1 and readers[0].op_type == "Add":
            for name in readers[0].input:
                if self._stored(name) is not None:
                    found["bias"] = _Parameter(self._name(name), tuple(self.tensors[self._name(name)].dims))
        if "bias" in found:
            if math.prod(found["bias"].shape) == shape[0]:
                found["bias"] = found["bias"]._replace(shape=shape[:1])
            else:
                del found["bias"]
        return found

    def _is_last(self, name: str) -> bool:
        """Whether what goes into a dense layer was flattened with its channels last, as TensorFlow has them."""
        node = self._makers.get(name)
        while node is not None and node.op_type in _KEEP_ORDER and node.input:
            node = self._makers.get(node.input[0])
        if node is None or node.op_type != "Transpose":
            return False
        perm = next((list(a.ints) for a in node.attribute if a.name == "perm"), [])
        return perm == [0, 2, 3, 1]

"""ONNX files as models: the walk over a file's nodes. What each operator becomes is in convert/.

The file's images have their channels first, ours last. For each tensor it is known in which order its axes lie here
(`tensors.Order`): a node that cares (a convolution) asks for its input in the order it needs, one that doesn't (an
activation) takes it as it comes, and a transposition in the file only renames axes. Axes are moved where two orders
meet, which in a plain network is at its border alone.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from ..errors import shown
from ..graph import Value, topological
from ..layers import Activation, Permute
from ..layers.base import Layer, weight_budget
from ..layers.input import InputLayer
from ..models import Model
from .convert import CONVERTERS
from .fold import folded_sizes
from .host import HostOperator
from .operator import Operator
from .source import Source, SourceInput, SourceNode, read_source
from .tensors import SAMPLES, Order, Size, Tensor, as_in_file, channels_last, has_samples

#: Weights come from the file, which has been held against its data: more than any machine has.
_ANY_SIZE = 2**60
#: Bytes that results of constants alone may take together, beyond a multiple of what the file itself holds: files give
#: the sizes of masks and grids in few bytes, and have weights of int8 made float32. ONNX's own test files of networks
#: have all weights as one number and a shape, VGG-19's 548 MiB among them.
_FOLDED, _FOLDED_TIMES = 2**30, 16
#: What may go wrong with a node of a file from anywhere: all of it is the file's fault, and names the node.
_FAILURES = (
    ValueError, TypeError, LookupError, AttributeError, RuntimeError, ArithmeticError, MemoryError, StopIteration,
)  # fmt: skip


def load(
    model: str | os.PathLike[str] | bytes | onnx.ModelProto,
    layout: str | None = None,
    input_shapes: Mapping[str, Sequence[int | None]] | Sequence[Any] | None = None,
) -> Model:
    """An ONNX file as a model like any other: to predict with, train further, freeze, cut and save.

    Operators become the layers that they are, named by their results; those that no layer stands for become
    `fastcnn.onnx.Operator`, which runs on kernels where it can and else on NumPy. Batch normalization is taken into
    convolutions when a plan is made, as ever.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
        Of opset 7 or newer. Data in other files is read from the model's own folder only.
    layout : {"NCHW", "NHWC"}, optional
        How images are given and returned: as in the file (the default), or with channels last.
    input_shapes : dict or list of tuple, optional
        The inputs' real shapes where the file's are wrong or too narrow, by name or one for each, in the file's
        order; None for open sizes.

    Returns
    -------
    Model
        Its inputs and outputs have the file's names, its `metadata` is the file's. Axis 0 counts samples where the file
        leaves its size open, or has 1 there and nothing in it depends on that.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file can't be trusted or understood: what is wrong, and at which node. Operators that aren't supported are
        all named at once.

    Examples
    --------
    >>> model = fastcnn.onnx.load("resnet18.onnx")  # doctest: +SKIP
    >>> model.predict(images)  # (batch, 3, 224, 224)  # doctest: +SKIP
    """
    if layout not in (None, "NCHW", "NHWC"):
        raise ValueError(f'layout must be "NCHW" or "NHWC", received {shown(layout)}')
    source = read_source(model)
    given = _given_shapes(source, input_shapes)
    narrow = [v for v in source.inputs if v.shape is not None and len(v.shape) > 1 and v.shape[0] == 1]
    if narrow and len(narrow) == len(source.inputs) and not given:
        try:
            found = Reader(source, layout, given, any_batch=True).model()
        except ValueError:
            found = None
        if found is not None and not any(node.op.name == "host" for node in topological(found.outputs)):
            return found
    return Reader(source, layout, given, any_batch=False).model()


def _given_shapes(source: Source, given: Any) -> dict[str, tuple[int | None, ...]]:
    names = [v.name for v in source.inputs]
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        listed = [given] if given and not isinstance(given[0], (tuple, list)) else list(given)
        if len(listed) != len(names):
            raise ValueError(f"input_shapes must have a shape for each of the inputs {names}, received {shown(given)}")
        given = dict(zip(names, listed))
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"input_shapes: {unknown[0]!r} is not an input of the model; inputs are {names}")
    return {name: tuple(shape) for name, shape in given.items()}


class Reader:
    """One walk over a file.

    Parameters
    ----------
    source : Source
    layout : str or None
    shapes : dict of name to shape
        Instead of the file's.
    any_batch : bool
        Take a size of 1 of the inputs' axis 0 for "any number of samples".
    """

    def __init__(
        self, source: Source, layout: str | None, shapes: Mapping[str, tuple[int | None, ...]], any_batch: bool
    ) -> None:
        self.source, self.opset, self.any_batch = source, source.opset, any_batch
        self._last = layout == "NHWC"
        self._names: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._foldable = _FOLDED + _FOLDED_TIMES * sum(a.nbytes for a in source.arrays.values())
        self.tensors: dict[str, Tensor] = {name: Tensor(name, array=a) for name, a in source.arrays.items()}
        self.outputs = {v.name for v in source.outputs}
        inputs = [(v, self._shape(v, shapes.get(v.name))) for v in source.inputs]
        # Axis 0 counts samples if it is open in all inputs, and the file doesn't say that it differs between them.
        opened = {v.shape[0] if v.shape else None for v, _ in inputs if v.name not in shapes}
        self._samples = all(s[:1] == (None,) for _, s in inputs) and len([o for o in opened if isinstance(o, str)]) < 2
        self.inputs = [self._input(v, s) for v, s in inputs]

    def model(self) -> Model:
        """The model of the whole file."""
        with weight_budget(_ANY_SIZE):
            for node in self.source.nodes:
                self._read(dataclasses.replace(node, attributes=dict(node.attributes)))
            outputs = [self._output_or_error(v) for v in self.source.outputs]
        name = re.sub(r"[/\0]", "_", self.source.name) or "onnx"
        model = Model(self.inputs, outputs[0] if len(outputs) == 1 else outputs, name=name)
        model.metadata = dict(self.source.metadata)
        return model

    # ---- the border

    def _shape(self, given: SourceInput, shape: tuple[int | None, ...] | None) -> tuple[int | None, ...]:
        if shape is not None:
            return shape
        if given.shape is None:
            raise ValueError(f"input {given.name!r} has no shape in the file: say which with input_shapes")
        found = [s if isinstance(s, int) else None for s in given.shape]
        if self.any_batch and len(found) > 1 and found[0] == 1:
            found[0] = None
        return tuple(found)

    def _input(self, given: SourceInput, shape: tuple[int | None, ...]) -> Value:
        is_float = given.dtype == "float32"
        order = channels_last(4) if self._last and len(shape) == 4 and is_float else as_in_file(len(shape))
        try:
            layer = InputLayer(
                batch_shape=[shape[a] for a in order], dtype=given.dtype, name=self.free_name(given.name),
                samples=self._samples, convert=is_float, as_file=not self._last,
            )  # fmt: skip
        except (ValueError, TypeError) as error:
            raise ValueError(f"input {given.name!r}: {error}") from None
        self.tensors[given.name] = Tensor(given.name, value=layer.value, order=order)
        return layer.value

    def _output_or_error(self, wanted: SourceInput) -> Value:
        try:
            return self._output(wanted)
        except _FAILURES as error:  # some nodes are described no sooner than their results are asked for
            raise ValueError(f"output {wanted.name!r}: {str(error) or type(error).__name__}") from error

    def _output(self, wanted: SourceInput) -> Value:
        """The tensor in the caller's order, by a layer of its name."""
        tensor = self.tensors[wanted.name]
        if tensor.array is not None:
            return self._named(
                Operator("Identity", "", self.opset, constants={0: tensor.array}, name=self.free_name(wanted.name))([]),
                wanted.name,
            )
        last = self._last and tensor.rank == 4 and tensor.dtype == "float32"
        return self._named(self.at(tensor, channels_last(4) if last else as_in_file(tensor.rank)), wanted.name)

    def _named(self, value: Value, name: str) -> Value:
        wanted = _clean(name)
        layer = value.origin.layer
        if layer.name == wanted and not isinstance(layer, InputLayer):
            return value
        for other in self._layers_named(wanted):
            self._rename(other, self.free_name(f"{wanted}_inner"))
        self._names.discard(wanted)
        end: Layer = Activation("linear", name=self.free_name(wanted))
        if value.dtype != "float32":
            end = Operator("Identity", "", self.opset, name=end.name)
        return end(value)

    def _layers_named(self, name: str) -> list[Layer]:
        found = {id(v.origin.layer): v.origin.layer for t in self.tensors.values() for v in t.values.values()}
        return [layer for layer in found.values() if layer.name == name and not isinstance(layer, InputLayer)]

    @staticmethod
    def _rename(layer: Layer, name: str) -> None:
        layer.name = name
        for variable in layer.weights:
            variable.path = f"{name}/{variable.name}"

    # ---- nodes

    def _read(self, node: SourceNode) -> None:
        try:
            if self._fold(node):
                return
            convert = CONVERTERS.get(node.op_type)
            if convert is None or not convert(self, node):
                self.operator(node)
            missing = next((name for name in node.outputs if name and name not in self.tensors), None)
            if missing is not None:
                raise ValueError(f"its result {missing!r} isn't supported")
        except _FAILURES as error:
            text = str(error) or type(error).__name__
            if text.startswith("node "):
                raise ValueError(text) from error
            raise ValueError(f"node {node.name!r} ({node.op_type}): {text}") from error

    def _fold(self, node: SourceNode) -> bool:
        """Nodes of constants alone are computed, and vectors of sizes followed as far as they are known."""
        given = [self.tensors[n] if n else None for n in node.inputs]
        if all(t is None or t.array is not None for t in given):
            results = self._host(node)([None if t is None else t.array for t in given], self._foldable)
            self._foldable -= sum(result.nbytes for result in results)
            if self._foldable < 0:
                raise ValueError("what the file has computed of constants alone takes too much memory")
            for name, result in zip(node.outputs, results):
                self.tensors[name] = Tensor(name, array=result)
            return True
        folded = folded_sizes(self, node, given)
        if folded is None:
            return False
        name, (sizes, dtype) = node.outputs[0], folded
        if all(isinstance(s, int) for s in sizes.ravel()):
            self.tensors[name] = Tensor(name, array=sizes.astype(dtype))
        else:
            self.tensors[name] = Tensor(
                name, sizes=list(sizes.ravel()), sizes_dtype=dtype, rank=sizes.ndim,
                make=lambda: self._made_late(node),
            )  # fmt: skip
        return True

    def _made_late(self, node: SourceNode) -> Tensor:
        """A node of sizes after all, for someone who needs them as numbers."""
        kept = self.tensors[node.outputs[0]]
        self.operator(node)
        made = self.tensors[node.outputs[0]]
        self.tensors[node.outputs[0]] = kept
        return made

    def _host(self, node: SourceNode) -> HostOperator:
        return HostOperator(node.op_type, "", self.opset, node.attributes, self.count(node), node.name)

    @staticmethod
    def count(node: SourceNode) -> int:
        """How many results are wanted."""
        return max((i + 1 for i, name in enumerate(node.outputs) if name), default=1)

    def operator(
        self,
        node: SourceNode,
        inputs: Sequence[Any] | None = None,
        order: Order | None = None,
        known_shape: Sequence[int | None] | None = None,
    ) -> None:
        """The node as an `Operator`.

        Parameters
        ----------
        inputs : list of (Value, array or None), optional
            Instead of the node's own, which are brought to the file's order.
        order : optional
            In which the axes of its results then lie.
        known_shape : optional
            What is known of the first result's sizes.
        """
        given = list(inputs) if inputs is not None else [self.in_file(n) if n else None for n in node.inputs]
        layer = Operator(
            node.op_type, "", self.opset, node.attributes,
            constants={i: x for i, x in enumerate(given) if isinstance(x, np.ndarray)},
            places=len(given),
            left_out=[i for i, x in enumerate(given) if x is None],
            outputs=self.count(node),
            known_shape=known_shape,
            name=self.free_name(node.outputs[0] or node.name),
        )  # fmt: skip
        results = layer([x for x in given if isinstance(x, Value)])
        for name, value in zip(node.outputs, results if isinstance(results, list) else [results]):
            if name:
                self.tensors[name] = Tensor(name, value=value, order=order)

    # ---- what converters ask for

    def tensor(self, node: SourceNode, place: int) -> Tensor | None:
        """An input; None where it is left out."""
        return self.tensors[node.inputs[place]] if place < len(node.inputs) and node.inputs[place] else None

    def first(self, node: SourceNode) -> Tensor:
        tensor = self.tensor(node, 0)
        if tensor is None:
            raise ValueError("its first input is left out")
        return tensor

    def array(self, node: SourceNode, place: int) -> np.ndarray | None:
        """An input's contents, if they are known."""
        tensor = self.tensor(node, place)
        return None if tensor is None else tensor.array

    def in_file(self, name: str) -> Value | np.ndarray:
        """A tensor in the file's order."""
        tensor = self.tensors[name]
        return tensor.array if tensor.array is not None else self.at(tensor, as_in_file(tensor.rank))

    def at(self, tensor: Tensor, order: Order) -> Value:
        """A tensor as a value whose axes lie in this order."""
        tensor.ready()
        if order not in tensor.values:
            before = tensor.order
            perm = [before.index(axis) for axis in order]
            name = self.free_name(f"{tensor.name}_{'last' if order == channels_last(len(order)) else 'moved'}")
            tensor.values[order] = self.permuted(tensor.value, perm, name)
        return tensor.values[order]

    def last(self, tensor: Tensor) -> Value:
        """An image as a value with its channels last."""
        return self.at(tensor, channels_last(tensor.rank))

    def permuted(self, value: Value, perm: Sequence[int], name: str) -> Value:
        if perm[0] == 0 and value.dtype == "float32" and 2 < value.ndim <= 5:
            return Permute(perm[1:], name=name)(value)
        return Operator("Transpose", "", self.opset, {"perm": list(perm)}, name=name)(value)

    def give(self, node: SourceNode, value: Value, order: Order | None = None) -> bool:
        """`value` is the node's (only) result."""
        self.tensors[node.outputs[0]] = Tensor(node.outputs[0], value=value, order=order)
        return True

    def put(self, node: SourceNode, layer: Layer, inputs: Any, weights: Mapping[str, Any] | None = None) -> Value:
        """Call a layer, and give it its weights by their names."""
        value = layer(inputs)
        for variable in layer.weights:
            variable.assign((weights or {})[variable.name])
        return value

    def name(self, node: SourceNode, end: str = "") -> str:
        """A name for a layer of this node."""
        return self.free_name(node.outputs[0] + end)

    def free_name(self, name: str) -> str:
        wanted = free = _clean(name)
        while free in self._names:
            # Counted on from the last time: many names of a file may be cleaned to the same one.
            number = self._numbers[wanted] = self._numbers.get(wanted, 0) + 1
            free = f"{wanted}_{number}"
        self._names.add(free)
        return free

    def sizes_of(self, tensor: Tensor) -> list[int | Size]:
        """A tensor's sizes; open ones by what they are."""
        shape = tensor.shape
        samples = self._samples and shape[:1] == (None,) and tensor.order[0] == 0 and has_samples(tensor.value)
        return [
            s if s is not None else SAMPLES if i == 0 and samples else Size(tensor.name, i) for i, s in enumerate(shape)
        ]


def _clean(name: str) -> str:
    return re.sub(r"[/\0]", "_", name) or "unnamed"

"""Layers joined into one graph: its structure and its weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from ..errors import unknown_name
from ..graph import Value, Variable, rebuild
from ..layers.base import Layer, LayerCall
from ..layers.input import InputLayer


def as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


class Network(Layer):
    """The part of a model that is there before it learns: layers joined from inputs to outputs."""

    automatic_base = "functional"

    def _start(self, name: str | None, trainable: bool) -> None:
        Layer.__init__(self, name, trainable)
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.network: list[LayerCall] = []
        self._layers: list[Layer] = []
        self._single_output = True

    def _connect(self, inputs: list[Value], outputs: list[Value]) -> None:
        if not outputs:
            raise ValueError(f"model {self.name!r}: outputs must have at least one value, received an empty list")
        for what, values in (("inputs", inputs), ("outputs", outputs)):
            for value in values:
                if not isinstance(value, Value):
                    raise TypeError(f"{what} must be results of Input() and layers, received {type(value).__name__}")
        for value in inputs:
            if value.origin is None or not isinstance(value.origin.layer, InputLayer):
                raise ValueError(f"inputs must be results of Input(), received {value!r}")
        network = _trace(inputs, outputs, self.name)
        members = list(OrderedDict((id(c.layer), c.layer) for c in network).values())
        _check_names(members, self.name)
        self.network, self._layers = network, members
        self.inputs, self.outputs = inputs, outputs
        self.built = True

    # ---- structure

    @property
    def layers(self) -> list[Layer]:
        """Layers in the order they are first used."""
        return list(self._layers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name, or at that place."""
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"index must be below the number of layers, {len(self.layers)}, received {index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise unknown_name("layer", name, [layer.name for layer in self.layers])

    @property
    def input(self) -> Any:
        """The model's input, or the list of them, to build another model on."""
        self._require_built()
        return self.inputs[0] if len(self.inputs) == 1 else list(self.inputs)

    @property
    def output(self) -> Any:
        """The model's output, or the list of them, to build another model on."""
        self._require_built()
        return self.outputs[0] if self._single_output else list(self.outputs)

    @property
    def input_names(self) -> list[str]:
        return [v.origin.layer.name for v in self.inputs]

    @property
    def output_names(self) -> list[str]:
        return [v.origin.layer.name for v in self.outputs]

    @property
    def input_shape(self) -> Any:
        shapes = [v.shape for v in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        shapes = [v.shape for v in self.outputs]
        return shapes[0] if self._single_output else shapes

    @property
    def weights(self) -> list[Variable]:
        return _unique(v for layer in self.layers for v in layer.weights)

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        if not self.trainable:
            return []
        return _unique(v for layer in self.layers for v in layer.trainable_weights)

    trainable_variables = trainable_weights

    @property
    def moving_weights(self) -> list[Variable]:
        return _unique(v for layer in self.layers for v in layer.moving_weights) if self.trainable else []

    @Layer.trainable.setter  # type: ignore[attr-defined]
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._layers:
            layer.trainable = value

    def call(self, inputs: Any) -> Any:
        """The model as a layer of another: the same weights on other values."""
        values = as_list(inputs)
        if len(values) != len(self.inputs):
            raise ValueError(f"model {self.name!r} takes {len(self.inputs)} inputs, received {len(values)}")
        for mine, given in zip(self.inputs, values):
            if len(mine.shape) != len(given.shape) or any(
                m not in (None, g) for m, g in zip(mine.shape[1:], given.shape[1:])
            ):
                raise ValueError(f"model {self.name!r} takes inputs of shape {mine.shape}, received {given.shape}")
        outputs = rebuild(self.outputs, dict(zip(self.inputs, values)))
        return outputs[0] if self._single_output else outputs

    def count_params(self) -> int:
        self._require_built()
        return sum(v.size for v in self.weights)

    def _require_built(self) -> None:
        if not self.built:
            raise ValueError(
                f"model {self.name!r} isn't built yet: give its first layer input_shape=(height, width, channels), "
                f"start it with Input(), or call fit"
            )

    def __repr__(self) -> str:
        built = f", {self.count_params():,} weights" if self.built else ", not built"
        return f"<{type(self).__name__} {self.name!r}: {len(self._layers)} layers{built}>"


def _unique(variables: Any) -> list[Variable]:
    return list(OrderedDict((id(v), v) for v in variables).values())


def _trace(inputs: Sequence[Value], outputs: Sequence[Value], name: str) -> list[LayerCall]:
    """The layer calls between inputs and outputs, each after those it needs."""
    starts = {id(v) for v in inputs}
    order: list[LayerCall] = [v.origin for v in inputs]
    done = {id(c) for c in order}
    stack: list[tuple[Value, bool]] = [(v, False) for v in reversed(outputs)]
    while stack:
        value, ready = stack.pop()
        call = value.origin
        if id(value) in starts or (call is not None and id(call) in done):
            continue
        if call is None:
            raise ValueError(
                f"model {name!r}: a value was made by an operator and not by a layer; use layers such as Add() "
                f"and Multiply() between inputs and outputs"
            )
        if isinstance(call.layer, InputLayer):
            raise ValueError(f"model {name!r}: the outputs depend on input {call.layer.name!r}, which is not in inputs")
        if ready:
            done.add(id(call))
            order.append(call)
            continue
        stack.append((value, True))
        stack.extend((v, False) for v in reversed(call.inputs))
    return order


def _check_names(layers: Sequence[Layer], model: str) -> None:
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ValueError(f"model {model!r}: two layers are named {layer.name!r}; give each its own name")
        seen.add(layer.name)

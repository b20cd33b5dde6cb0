"""A stack of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Value
from ..layers.base import Layer
from ..layers.input import InputLayer, check_input_shape
from .model import Model


class Sequential(Model):
    """Layers one after the other.

    Built once the input's shape is known: from an `Input` at the start, from ``input_shape=`` of the first layer,
    or from the data at the first `fit`.

    Parameters
    ----------
    layers : list of Layer, optional
    name : str, optional
    """

    automatic_base = "sequential"

    def __init__(
        self, layers: Sequence[Layer | Value] | None = None, name: str | None = None, trainable: bool = True
    ) -> None:
        self._start(name, trainable)
        self._stack: list[Layer] = []
        self._tip: Value | None = None
        for layer in layers or ():
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return list(self._stack)

    def add(self, layer: Layer | Value) -> None:
        """Put a layer on top.

        Raises
        ------
        TypeError
            Not a layer.
        ValueError
            It doesn't fit what is below; the model is left as it was.
        """
        if isinstance(layer, Value) and layer.origin is not None and isinstance(layer.origin.layer, InputLayer):
            layer = layer.origin.layer
        if not isinstance(layer, Layer):
            raise TypeError(f"add takes a layer, received {layer!r}")
        if isinstance(layer, InputLayer):
            if self._stack or self._tip is not None:
                raise ValueError(f"model {self.name!r}: an input can only be the first layer")
            self._begin(layer)
            return
        if any(layer is other for other in self._stack):
            raise ValueError(f"model {self.name!r} already has the layer {layer.name!r}; make a new one")
        if self._tip is None and layer.given_input_shape is not None:
            self._begin(InputLayer(check_input_shape(layer.given_input_shape, "input_shape")))
        if self._tip is None and not self._stack and isinstance(layer, Model) and layer.built:
            self._begin(InputLayer(layer.inputs[0].shape[1:]))
        self._put(layer)

    def _begin(self, start: InputLayer) -> None:
        self._tip = start.value

    def _put(self, layer: Layer) -> None:
        if self._tip is None:
            self._stack.append(layer)
            return
        was_built = layer.built
        result = layer(self._tip)
        try:
            if isinstance(result, (list, tuple)):
                raise ValueError(f"model {self.name!r}: layer {layer.name!r} has several outputs; use Model for that")
            self._connect(self.inputs or [self._tip], [result])
        except ValueError:
            layer.calls.pop()
            if not was_built:
                layer.unbuild()
            raise
        self._tip = result
        self._stack.append(layer)
        self._changed()

    def pop(self) -> Layer:
        """Take the top layer off."""
        if not self._stack:
            raise ValueError(f"model {self.name!r} has no layers")
        layer = self._stack.pop()
        if self._tip is not None:
            call = self._tip.origin
            layer.calls.remove(call)
            self._tip = call.inputs[0]
            if self._stack:
                self._connect(self.inputs, [self._tip])
            else:
                self.built, self.inputs, self.outputs, self._layers = False, [], [], []
        self._changed()
        return layer

    def build(self, input_shape: Any) -> None:
        """Build for inputs of this shape; the batch axis may stand first as None."""
        shape = tuple(input_shape)
        if shape and shape[0] is None:
            shape = shape[1:]
        if self._tip is not None:
            return
        waiting, self._stack = self._stack, []
        if not waiting:
            self._stack = waiting
            raise ValueError(f"model {self.name!r} has no layers")
        self._begin(InputLayer(check_input_shape(shape, "input_shape")))
        new = [layer for layer in waiting if not layer.built]
        try:
            for layer in waiting:
                self._put(layer)
        except BaseException:
            for layer in self._stack:
                layer.calls.pop()
            for layer in new:
                layer.unbuild()
            self._stack, self._tip, self.built, self.inputs = waiting, None, False, []
            raise

    def get_config(self) -> dict[str, Any]:
        from .structure import sequential_config

        return sequential_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        from .structure import sequential_from_config

        return sequential_from_config(config)

"""What every layer is: a name, weights, and a way to describe itself in the graph."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import initializers, regularizers
from .._ops import core
from .._ops.arrays import as_float32
from ..errors import shown
from ..graph import Value, Variable, emit
from ..utils.registry import snake_case

_names: Counter[str] = Counter()


def automatic_name(base: str) -> str:
    """`base`, then base_1, base_2, … : the name of a layer or model that was given none."""
    with core.lock:
        count = _names[base]
        _names[base] += 1
    return f"{base}_{count}" if count else base


def automatic_base(layer: Layer) -> str:
    """What a layer's automatic name starts with."""
    return layer.automatic_base or snake_case(type(layer).__name__)


def reserve_name(name: str) -> None:
    """Let no automatic name of a later layer be this one."""
    base, _, number = name.rpartition("_")
    if not base or not number.isdecimal():
        base, number = name, "0"
    with core.lock:
        _names[base] = max(_names[base], int(number) + 1)


def check_format(data_format: str | None, name: str) -> None:
    """An error for any order of axes but the one there is."""
    if data_format not in (None, "channels_last"):
        raise ValueError(f'layer {name!r}: data_format must be "channels_last" (NHWC), received {data_format!r}')


class _Budget(threading.local):
    """How many more numbers the weights being made may hold, while a file is read; None: as many as asked for."""

    left: int | None = None


_budget = _Budget()


@contextmanager
def weight_budget(count: int) -> Iterator[None]:
    """While a model is made from a file: weights start as zeros, and may hold no more than `count` numbers."""
    before, _budget.left = _budget.left, count
    try:
        yield
    finally:
        _budget.left = before


class LayerCall:
    """One application of a layer: which values went in and which came out."""

    __slots__ = ("inputs", "layer", "outputs")

    def __init__(self, layer: Layer, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        for value in self.outputs:
            value.origin = self


class Layer:
    """Base of all layers.

    A subclass makes its weights in `build` (with `add_weight`), and describes its computation in `call`, which
    takes and returns graph values. `get_config` gives the arguments that make an equal layer.

    Parameters
    ----------
    name : str, optional
        Made from the class's name if not given.
    trainable : bool
        Whether `fit` changes the weights.
    input_shape : tuple of int, optional
        Of the first layer of a `Sequential`: the data's shape without the batch axis.
    """

    #: Rank of the input with the batch axis, if the layer insists on one; and what that is called.
    input_rank: int | None = None
    input_words = ""
    #: Whether a call takes one value and never a list.
    single_input = False
    #: Start of automatic names where it isn't the class's own name.
    automatic_base = ""

    def __init__(
        self, name: str | None = None, trainable: bool = True, input_shape: Sequence[int] | None = None
    ) -> None:
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ValueError(f"name must be a non-empty string without '/', received {name!r}")
        self.name: str = name if name is not None else automatic_name(automatic_base(self))
        self.given_input_shape = input_shape
        self._trainable = bool(trainable)
        self._weights: list[Variable] = []
        self.built = False
        self.calls: list[LayerCall] = []
        self.build_shape: tuple[int | None, ...] | None = None

    # ---- what subclasses write

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs of this shape (batch axis first, None)."""

    def call(self, inputs: Any) -> Any:
        """Describe the computation: graph values in, graph values out."""
        raise NotImplementedError(f"{type(self).__name__} doesn't say what it computes: write its call()")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        config: dict[str, Any] = {"name": self.name}
        if not self._trainable:
            config["trainable"] = False
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        return cls(**config)

    # ---- what callers use

    def __call__(self, inputs: Any) -> Any:
        values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if self.single_input and len(values) != 1:
            raise ValueError(f"layer {self.name!r} ({type(self).__name__}) takes one input, received {len(values)}")
        for value in values:
            if not isinstance(value, Value):
                raise TypeError(
                    f"layer {self.name!r} takes the output of Input() or of another layer, received "
                    f"{type(value).__name__}; to run a model on arrays use model.predict(x)"
                )
        self._check_rank(values)
        was_built = self.built
        try:
            self.ensure_built([v.shape for v in values])
            result = self.call(values[0] if self.single_input or not isinstance(inputs, (list, tuple)) else inputs)
            several = isinstance(result, (list, tuple))
            outputs = [self._own(v) for v in (result if several else [result])]
        except BaseException as error:
            if not was_built:
                self.unbuild()
            if isinstance(error, ValueError):
                raise self._named(error) from None
            raise
        self.calls.append(LayerCall(self, values, outputs))
        return outputs if several else outputs[0]

    def _own(self, value: Any) -> Value:
        """A result as this layer's: one that another layer gave before is passed on under a new identity."""
        if not isinstance(value, Value):
            raise TypeError(f"layer {self.name!r}: call() must return graph values, received {type(value).__name__}")
        return value if value.origin is None else emit("identity", [value], name=self.name)

    def unbuild(self) -> None:
        """Forget the weights: the next call makes them anew, for its own input."""
        self._weights.clear()
        self.built, self.build_shape = False, None

    def _named(self, error: ValueError) -> ValueError:
        text = str(error)
        start = f"layer {self.name!r}: "
        return error if text.startswith("layer ") else type(error)(start + text)

    def _check_rank(self, values: Sequence[Value]) -> None:
        if self.input_rank is None:
            return
        for value in values:
            if value.ndim != self.input_rank:
                raise ValueError(
                    f"layer {self.name!r} ({type(self).__name__}) takes inputs of rank {self.input_rank} "
                    f"{self.input_words}, received shape {value.shape}"
                )

    def ensure_built(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        """Build once; later calls only have to fit."""
        if not self.built:
            self.build_shape = shapes[0]
            self.build(shapes[0])
            self.built = True

    def add_weight(
        self,
        shape: Sequence[int],
        initializer: Any,
        name: str,
        trainable: bool = True,
        regularizer: Any = None,
    ) -> Variable:
        """A new weight of the layer.

        Parameters
        ----------
        initializer
            A name or object of `fastcnn.initializers`, or a callable of a shape.
        name : str
            Its own within the layer and without "/": files know the weight by it.

        Raises
        ------
        ValueError
            The name is taken or has a "/", or the initializer is unknown or gives another shape.
        """
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(f"the name of a weight must be a non-empty string without '/', received {shown(name)}")
        if any(variable.name == name for variable in self._weights):
            raise ValueError(f"the name of a weight must be its own, received {name!r}, which another weight has")
        if _budget.left is None:
            make = initializers.get(initializer)
            if make is None:
                raise ValueError(f"the initializer of {name!r} must be a name, an object or a function, received None")
            array = np.asarray(make(tuple(shape)))
            if array.shape != tuple(shape):
                raise ValueError(
                    f"the initializer of {name!r} must return the shape {tuple(shape)}, returned {array.shape}"
                )
        else:
            _budget.left -= math.prod(shape)
            if _budget.left < 0:
                raise ValueError(f"weight {name!r} of shape {tuple(shape)} is larger than what the file holds")
            array = np.zeros(tuple(shape), np.float32)
        variable = Variable(array, name, trainable, regularizers.get(regularizer))
        variable.path = f"{self.name}/{name}"
        self._weights.append(variable)
        return variable

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    @property
    def weights(self) -> list[Variable]:
        """All weights, trainable ones first."""
        return [v for v in self._weights if v.trainable] + [v for v in self._weights if not v.trainable]

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self._weights if v.trainable] if self._trainable else []

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def moving_weights(self) -> list[Variable]:
        """Those of the non-trainable weights that a training step changes: moving averages."""
        return []

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights: arrays of the right shapes, in the order of `weights`. All or nothing."""
        mine = self.weights
        if len(weights) != len(mine):
            raise ValueError(f"{self.name!r} has {len(mine)} weights, received {len(weights)} arrays")
        arrays = [as_float32(a, f"weights[{i}]") for i, a in enumerate(weights)]
        for variable, array in zip(mine, arrays):
            if array.shape != variable.shape:
                raise ValueError(
                    f"weight {variable.path!r} has shape {variable.shape}, received an array of shape {array.shape}"
                )
        for variable, array in zip(mine, arrays):
            variable.assign(array)

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        if not self.built:
            raise ValueError(f"layer {self.name!r} isn't built yet: its weights depend on the input's shape")
        return sum(v.size for v in self.weights)

    @property
    def output(self) -> Any:
        """What the layer's only call returned, to build another model on."""
        return self._single_call().outputs[0]

    @property
    def input(self) -> Any:
        """What the layer's only call took."""
        inputs = self._single_call().inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    def _single_call(self) -> LayerCall:
        if len(self.calls) != 1:
            raise AttributeError(f"layer {self.name!r} was called {len(self.calls)} times, not once")
        return self.calls[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}{'' if self.built else ', not built'}>"


class SingleInputLayer(Layer):
    """Base of the layers that take one value."""

    single_input = True

"""Layers without weights: reshaping, activations, dropout, scaling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import activations
from ..graph import Value, emit
from ..graph.functional import affine, unary
from ..shapes import real_number, whole_number
from .base import SingleInputLayer


class Flatten(SingleInputLayer):
    """All axes but the batch in one: (batch, height, width, channels) -> (batch, height * width * channels)."""

    def call(self, inputs: Value) -> Value:
        return emit("reshape", [inputs], {"shape": (-1,)}, self.name)


class Reshape(SingleInputLayer):
    """Another shape for the same elements.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch axis; one axis may be -1.
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(
            -1 if size == -1 else whole_number(size, f"layer {self.name!r}: target_shape") for size in target_shape
        )

    def call(self, inputs: Value) -> Value:
        return emit("reshape", [inputs], {"shape": self.target_shape}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Activation(SingleInputLayer):
    """An activation function as a layer of its own.

    Parameters
    ----------
    activation : str or callable
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation) or activations.linear

    def call(self, inputs: Value) -> Value:
        return activations.apply(self.activation, inputs, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(SingleInputLayer):
    """Max(x, 0).

    Parameters
    ----------
    max_value : float, optional
        None, or 6 for ReLU6.
    negative_slope : float
        Slope below zero.
    """

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else real_number(max_value, f"layer {self.name!r}: max_value")
        self.negative_slope = _slope(negative_slope, self.name)

    def call(self, inputs: Value) -> Value:
        return activations.apply(lambda x: activations.relu(x, self.negative_slope, self.max_value), inputs, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_value": self.max_value, "negative_slope": self.negative_slope}


class LeakyReLU(SingleInputLayer):
    """X where positive, else negative_slope * x.

    Parameters
    ----------
    negative_slope : float
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = _slope(negative_slope, self.name)

    def call(self, inputs: Value) -> Value:
        return unary(inputs, "leaky_relu", self.negative_slope, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


def _slope(value: Any, name: str) -> float:
    return real_number(value, f"layer {name!r}: negative_slope")


class Softmax(SingleInputLayer):
    """exp(x) / sum(exp(x)) over the last axis."""

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if axis != -1:
            raise ValueError(f"layer {self.name!r}: axis must be -1 (the last), received {axis!r}")

    def call(self, inputs: Value) -> Value:
        return emit("softmax", [inputs], name=self.name)


class Dropout(SingleInputLayer):
    """Zeroes a share of the inputs in training and scales up the rest; the identity otherwise.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).

    Parameters
    ----------
    rate : float
        The share, 0 <= rate < 1.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = real_number(rate, f"layer {self.name!r}: rate", high=1.0, closed=False)

    def call(self, inputs: Value) -> Value:
        return emit("dropout", [inputs], {"rate": self.rate}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class Rescaling(SingleInputLayer):
    """``x * scale + offset``: pixels of 0..255 to 0..1 with ``Rescaling(1 / 255)``, inside the model.

    Parameters
    ----------
    scale, offset : float
    """

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = real_number(scale, f"layer {self.name!r}: scale", low=-math.inf)
        self.offset = real_number(offset, f"layer {self.name!r}: offset", low=-math.inf)

    def call(self, inputs: Value) -> Value:
        return affine(inputs, self.scale, self.offset, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}

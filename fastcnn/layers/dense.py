"""Fully connected layer."""

from __future__ import annotations

from typing import Any

from .. import activations, initializers, regularizers
from ..graph import Value, emit
from ..shapes import whole_number
from .base import SingleInputLayer


class Dense(SingleInputLayer):
    """``activation(x @ kernel + bias)`` over the last axis.

    Takes (batch, …, inputs), gives (batch, …, units); the kernel has shape (inputs, units).

    Parameters
    ----------
    units : int
    activation : str or callable, optional
    use_bias : bool
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        Names or objects.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = whole_number(units, f"layer {self.name!r}: units")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inputs = input_shape[-1]
        if len(input_shape) < 2 or inputs is None:
            raise ValueError(f"Dense takes inputs (batch, …, features), received shape {input_shape}")
        self.kernel = self.add_weight(
            (inputs, self.units), self.kernel_initializer, "kernel", regularizer=self.kernel_regularizer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight((self.units,), self.bias_initializer, "bias", regularizer=self.bias_regularizer)

    def call(self, inputs: Value) -> Value:
        fused = activations.fused(self.activation)
        kind, alpha = fused or ("linear", 0.0)
        bias = [self.bias.value()] if self.bias is not None else []
        y = emit("dense", [inputs, self.kernel.value(), *bias], {"activation": kind, "alpha": alpha}, self.name)
        return y if fused or self.activation is None else activations.apply(self.activation, y, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
        }

"""What convolution layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import activations, initializers, regularizers
from ..graph import Value, Variable, emit
from ..shapes import Padding, check_padding, pair, whole_number
from .base import SingleInputLayer, check_format


class ConvolutionLayer(SingleInputLayer):
    """Windows over height and width, a bias, and an activation.

    Parameters
    ----------
    kernel_size, strides, dilation_rate : int or (int, int)
    padding : "valid", "same", int or ((top, bottom), (left, right))
    data_format : "channels_last", optional
        There is no other.
    activation : str or callable, optional
    use_bias : bool
    bias_initializer, bias_regularizer
        Names or objects.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Padding,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.where = where = f"layer {self.name!r}: "
        check_format(data_format, self.name)
        self.kernel_size = self._window(kernel_size, where + "kernel_size")
        self.strides = self._window(strides, where + "strides")
        self.padding: Any = self._check_padding(padding)
        self.dilation_rate = self._window(dilation_rate, where + "dilation_rate")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def _window(self, value: Any, name: str) -> tuple[int, ...]:
        return pair(value, name)

    def _check_padding(self, padding: Any) -> Any:
        return check_padding(padding, self.where + "padding")

    def add_kernel(
        self, shape: Sequence[int], initializer: Any, regularizer: Any, channels: int, name: str = "kernel"
    ) -> Variable:
        """Weights for inputs of so many channels."""
        self._channels = channels
        return self.add_weight(shape, initializer, name, regularizer=regularizer)

    def add_bias(self, filters: int) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight((filters,), self.bias_initializer, "bias", regularizer=self.bias_regularizer)

    def bias_inputs(self) -> list[Value]:
        """The bias as the last input of an operation, if there is one."""
        return [] if self.bias is None else [self.bias.value()]

    def check_channels(self, inputs: Value) -> None:
        """An error for an input of other channels than the weights were made for."""
        if inputs.shape[-1] != self._channels:
            raise ValueError(f"the layer was built for {self._channels} channels, received shape {inputs.shape}")

    def convolve(self, x: Value, kernel: Value, strides: Any, padding: Any, dilation: Any, groups: int = 1) -> Value:
        """Convolution, bias, and the activation in the same pass where that is possible; else see `activate`."""
        kind, alpha = activations.fused(self.activation) or ("linear", 0.0)
        attrs = {
            "strides": strides,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "activation": kind,
            "alpha": alpha,
        }
        return emit("conv2d", [x, kernel, *self.bias_inputs()], attrs, self.name)

    def activate(self, y: Value) -> Value:
        """The activation, where `convolve` can't have applied it."""
        if self.activation is None or activations.fused(self.activation):
            return y
        return activations.apply(self.activation, y, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
        }


class GroupedConvolution(ConvolutionLayer):
    """A convolution with one kernel, of shape (*kernel_size, channels / groups, filters)."""

    def __init__(
        self, filters: Any, groups: Any, kernel_initializer: Any, kernel_regularizer: Any, *shared: Any, **kwargs: Any
    ) -> None:
        super().__init__(*shared, **kwargs)
        self.filters = whole_number(filters, self.where + "filters")
        self.groups = whole_number(groups, self.where + "groups")
        if self.filters % self.groups:
            raise ValueError(f"{self.where}filters ({self.filters}) must be a multiple of groups ({self.groups})")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        if channels is None or channels % self.groups:
            raise ValueError(f"the input's channels ({channels}) must be a multiple of groups ({self.groups})")
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_kernel(shape, self.kernel_initializer, self.kernel_regularizer, channels)
        self.add_bias(self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "groups": self.groups,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
        }


def known_channels(input_shape: tuple[int | None, ...]) -> int:
    """The last axis of an input, which must be known."""
    channels = input_shape[-1]
    if channels is None:
        raise ValueError(f"the input's channels must be known, received shape {input_shape}")
    return channels

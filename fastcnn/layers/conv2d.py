"""Two-dimensional convolution."""

from __future__ import annotations

from typing import Any

from .. import activations, initializers, regularizers
from ..graph import Value, emit
from ..shapes import Padding, check_padding, pair, whole_number
from .base import SingleInputLayer


class Conv2D(SingleInputLayer):
    """Convolution of images: ``activation(conv(x, kernel) + bias)``.

    Takes (batch, height, width, channels), gives (batch, new height, new width, filters). The kernel has shape
    (kernel height, kernel width, channels / groups, filters).

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size, strides, dilation_rate : int or (int, int)
    padding : "valid", "same", int or ((top, bottom), (left, right))
    groups : int
        Channels are convolved in so many separate groups; must divide both channels and filters.
    activation : str or callable, optional
    use_bias : bool
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        Names or objects.

    Raises
    ------
    ValueError
        A size that is not positive, channels that groups don't divide, a kernel larger than the padded input.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: Padding = "valid",
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"layer {self.name!r}: "
        if data_format not in (None, "channels_last"):
            raise ValueError(f'{where}data_format must be "channels_last" (NHWC), received {data_format!r}')
        self.filters = whole_number(filters, where + "filters")
        self.kernel_size = pair(kernel_size, where + "kernel_size")
        self.strides = pair(strides, where + "strides")
        self.padding = check_padding(padding, where + "padding")
        self.dilation_rate = pair(dilation_rate, where + "dilation_rate")
        self.groups = whole_number(groups, where + "groups")
        if self.filters % self.groups:
            raise ValueError(f"{where}filters ({self.filters}) must be a multiple of groups ({self.groups})")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        if channels is None or channels % self.groups:
            raise ValueError(f"the input's channels ({channels}) must be a multiple of groups ({self.groups})")
        self.kernel = self.add_weight(
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            "kernel",
            regularizer=self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.filters,), self.bias_initializer, "bias", regularizer=self.bias_regularizer
            )

    def call(self, inputs: Value) -> Value:
        expected = self.kernel.shape[2] * self.groups
        if inputs.shape[-1] != expected:
            raise ValueError(f"the layer was built for {expected} channels, received shape {inputs.shape}")
        fused = activations.fused(self.activation)
        kind, alpha = fused or ("linear", 0.0)
        attrs = {
            "strides": self.strides,
            "padding": self.padding,
            "dilation": self.dilation_rate,
            "groups": self.groups,
            "activation": kind,
            "alpha": alpha,
        }
        bias = [self.bias.value()] if self.bias is not None else []
        y = emit("conv2d", [inputs, self.kernel.value(), *bias], attrs, self.name)
        return y if fused or self.activation is None else activations.apply(self.activation, y, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "groups": self.groups,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
        }

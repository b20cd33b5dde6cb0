"""Convolution of each channel by itself, alone and followed by a mix of the channels."""

from __future__ import annotations

from typing import Any

from .. import initializers, regularizers
from ..graph import Spec, Value, Variable, emit
from ..shapes import Padding, whole_number
from .convolution import ConvolutionLayer, known_channels


def _grouped(kernel: Variable, name: str) -> tuple[Value, int]:
    """Weights (kh, kw, channels, multiplier) as those of a convolution with one group a channel: the same memory."""
    kh, kw, channels, multiplier = kernel.shape
    return emit("reshape", [kernel.value()], {"like": Spec((kh, kw, 1, channels * multiplier))}, name), channels


class DepthwiseConv2D(ConvolutionLayer):
    """Convolution of each channel with its own filters: ``activation(conv(x, kernel) + bias)``.

    Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017. Takes
    (batch, height, width, channels), gives (batch, new height, new width, channels * depth_multiplier). The kernel has
    shape (kernel height, kernel width, channels, depth_multiplier).

    Parameters
    ----------
    kernel_size, strides, dilation_rate : int or (int, int)
    padding : "valid", "same", int or ((top, bottom), (left, right))
    depth_multiplier : int
        Output channels for each input channel.
    activation : str or callable, optional
    use_bias : bool
    depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer
        Names or objects.

    Raises
    ------
    ValueError
        A size that is not positive, a kernel larger than the padded input.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: Padding = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                         bias_initializer, bias_regularizer, **kwargs)  # fmt: skip
        self.depth_multiplier = whole_number(depth_multiplier, self.where + "depth_multiplier")
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = known_channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self.add_kernel(shape, self.depthwise_initializer, self.depthwise_regularizer, channels)
        self.add_bias(channels * self.depth_multiplier)

    def call(self, inputs: Value) -> Value:
        self.check_channels(inputs)
        kernel, groups = _grouped(self.kernel, self.name)
        return self.activate(self.convolve(inputs, kernel, self.strides, self.padding, self.dilation_rate, groups))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "depth_multiplier": self.depth_multiplier,
            "depthwise_initializer": initializers.serialize(self.depthwise_initializer),
            "depthwise_regularizer": regularizers.serialize(self.depthwise_regularizer),
        }


class SeparableConv2D(ConvolutionLayer):
    """Convolution of each channel by itself, then a 1x1 convolution over all: ``activation(conv(conv(x)) + bias)``.

    Chollet, "Xception: deep learning with depthwise separable convolutions", CVPR 2017. Takes (batch, height, width,
    channels), gives (batch, new height, new width, filters). The weights are a kernel (kernel height, kernel width,
    channels, depth_multiplier) and one of (1, 1, channels * depth_multiplier, filters).

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size, strides, dilation_rate : int or (int, int)
        Of the first convolution.
    padding : "valid", "same", int or ((top, bottom), (left, right))
    depth_multiplier : int
        Channels between the two convolutions for each input channel.
    activation : str or callable, optional
    use_bias : bool
    depthwise_initializer, pointwise_initializer, bias_initializer
    depthwise_regularizer, pointwise_regularizer, bias_regularizer
        Names or objects.

    Raises
    ------
    ValueError
        A size that is not positive, a kernel larger than the padded input.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: Padding = "valid",
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                         bias_initializer, bias_regularizer, **kwargs)  # fmt: skip
        self.filters = whole_number(filters, self.where + "filters")
        self.depth_multiplier = whole_number(depth_multiplier, self.where + "depth_multiplier")
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = known_channels(input_shape)
        between = channels * self.depth_multiplier
        self.depthwise_kernel = self.add_kernel(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            self.depthwise_regularizer,
            channels,
            "depthwise_kernel",
        )
        self.pointwise_kernel = self.add_weight(
            (1, 1, between, self.filters),
            self.pointwise_initializer,
            "pointwise_kernel",
            regularizer=self.pointwise_regularizer,
        )
        self.add_bias(self.filters)

    def call(self, inputs: Value) -> Value:
        self.check_channels(inputs)
        kernel, groups = _grouped(self.depthwise_kernel, self.name)
        attrs = {
            "strides": self.strides,
            "padding": self.padding,
            "dilation": self.dilation_rate,
            "groups": groups,
            "activation": "linear",
            "alpha": 0.0,
        }
        between = emit("conv2d", [inputs, kernel], attrs, self.name)
        return self.activate(self.convolve(between, self.pointwise_kernel.value(), (1, 1), "valid", (1, 1)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "depth_multiplier": self.depth_multiplier,
            "depthwise_initializer": initializers.serialize(self.depthwise_initializer),
            "pointwise_initializer": initializers.serialize(self.pointwise_initializer),
            "depthwise_regularizer": regularizers.serialize(self.depthwise_regularizer),
            "pointwise_regularizer": regularizers.serialize(self.pointwise_regularizer),
        }

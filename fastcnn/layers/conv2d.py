"""Two-dimensional convolution."""

from __future__ import annotations

from typing import Any

from ..graph import Value
from ..shapes import Padding
from .convolution import GroupedConvolution


class Conv2D(GroupedConvolution):
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
        super().__init__(filters, groups, kernel_initializer, kernel_regularizer, kernel_size, strides, padding,
                         data_format, dilation_rate, activation, use_bias, bias_initializer, bias_regularizer,
                         **kwargs)  # fmt: skip

    def call(self, inputs: Value) -> Value:
        self.check_channels(inputs)
        kernel = self.kernel.value()
        return self.activate(self.convolve(inputs, kernel, self.strides, self.padding, self.dilation_rate, self.groups))

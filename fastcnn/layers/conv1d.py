"""Convolution over one axis."""

from __future__ import annotations

from typing import Any

from ..graph import Spec, Value, emit
from ..shapes import named_padding, single
from .convolution import GroupedConvolution


class Conv1D(GroupedConvolution):
    """Convolution of sequences: ``activation(conv(x, kernel) + bias)``.

    Takes (batch, steps, channels), gives (batch, new steps, filters). The kernel has shape (kernel size,
    channels / groups, filters). It is computed as the convolution of images of height 1.

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size, strides, dilation_rate : int
    padding : "valid", "same" or "causal"
        "causal" puts all zeros in front, so that no result depends on later steps (van den Oord et al., "WaveNet: a
        generative model for raw audio", 2016, section 2.1).
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

    input_rank = 3
    input_words = "(batch, steps, channels)"

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int = 1,
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

    def _window(self, value: Any, name: str) -> tuple[int, ...]:
        return (single(value, name),)

    def _check_padding(self, padding: Any) -> str:
        return named_padding(padding, self.where + "padding", ("valid", "same", "causal"))

    def call(self, inputs: Value) -> Value:
        self.check_channels(inputs)
        steps, channels = inputs.shape[1:]
        images = emit("reshape", [inputs], {"shape": (1, steps, channels)}, self.name)
        kernel = emit("reshape", [self.kernel.value()], {"like": Spec((1, *self.kernel.shape))}, self.name)
        padding: Any = self.padding
        if padding == "causal":
            padding = (0, 0), ((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)
        strides, dilation = (1, self.strides[0]), (1, self.dilation_rate[0])
        y = self.convolve(images, kernel, strides, padding, dilation, self.groups)
        return self.activate(emit("reshape", [y], {"shape": y.shape[2:]}, self.name))

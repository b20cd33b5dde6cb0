"""Transposed convolution."""

from __future__ import annotations

from typing import Any

from .. import activations, initializers, regularizers
from ..graph import Value, emit
from ..shapes import named_padding, pair, whole_number
from .convolution import ConvolutionLayer, known_channels


class Conv2DTranspose(ConvolutionLayer):
    """Transposed convolution, which makes images larger: ``activation(transposed conv(x, kernel) + bias)``.

    Each input pixel lays down a window of outputs, `strides` apart; where windows overlap they are added. Dumoulin and
    Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4. Takes (batch, height, width,
    channels), gives (batch, new height, new width, filters). The kernel has shape (kernel height, kernel width,
    filters, channels).

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size, strides, dilation_rate : int or (int, int)
    padding : "valid" or "same"
        "same" gives ``strides`` outputs for each input; "valid" keeps whole windows.
    output_padding : int or (int, int), optional
        Rows and columns added below and to the right of the smallest result (see Keras); less than `strides`.
    activation : str or callable, optional
    use_bias : bool
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        Names or objects.

    Raises
    ------
    ValueError
        A size that is not positive, an output padding that is not smaller than the strides.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid",
        output_padding: int | tuple[int, int] | None = None,
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                         bias_initializer, bias_regularizer, **kwargs)  # fmt: skip
        self.filters = whole_number(filters, self.where + "filters")
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = pair(output_padding, self.where + "output_padding", 0)
            if any(extra >= stride for extra, stride in zip(self.output_padding, self.strides)):
                raise ValueError(
                    f"{self.where}output_padding must be smaller than the strides {self.strides}, received "
                    f"{output_padding}"
                )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)

    def _check_padding(self, padding: Any) -> str:
        return named_padding(padding, self.where + "padding", ("valid", "same"))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = known_channels(input_shape)
        shape = (*self.kernel_size, self.filters, channels)
        self.kernel = self.add_kernel(shape, self.kernel_initializer, self.kernel_regularizer, channels)
        self.add_bias(self.filters)

    def call(self, inputs: Value) -> Value:
        self.check_channels(inputs)
        attrs = {
            "strides": self.strides,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "dilation": self.dilation_rate,
        }
        y = emit("conv2d_transpose", [inputs, self.kernel.value(), *self.bias_inputs()], attrs, self.name)
        return y if self.activation is None else activations.apply(self.activation, y, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "output_padding": None if self.output_padding is None else list(self.output_padding),
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
        }

"""Layers that make training harder, and do nothing outside of it."""

from __future__ import annotations

from typing import Any

from ..graph import Value, emit
from ..shapes import real_number
from .base import SingleInputLayer, check_format


class _SpatialDropout(SingleInputLayer):
    """Whole channels dropped."""

    def __init__(self, rate: float, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.rate = real_number(rate, f"layer {self.name!r}: rate", high=1.0, closed=False)

    def call(self, inputs: Value) -> Value:
        return emit("spatial_dropout", [inputs], {"rate": self.rate}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class SpatialDropout1D(_SpatialDropout):
    """`SpatialDropout2D` of sequences (batch, steps, channels).

    Parameters
    ----------
    rate : float
        The share of the channels, 0 <= rate < 1.
    """

    input_rank = 3
    input_words = "(batch, steps, channels)"


class SpatialDropout2D(_SpatialDropout):
    """Zeroes a share of the channels of each image in training and scales up the rest; the identity otherwise.

    Neighbouring pixels know of each other, so that single ones are no loss; whole channels are (Tompson et al.,
    "Efficient object localization using convolutional networks", 2015, section 3.2).

    Parameters
    ----------
    rate : float
        The share of the channels, 0 <= rate < 1.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"


class GaussianNoise(SingleInputLayer):
    """Adds normally distributed numbers with mean 0 in training; the identity otherwise.

    Parameters
    ----------
    stddev : float
        Their standard deviation, at least 0.
    """

    def __init__(self, stddev: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = real_number(stddev, f"layer {self.name!r}: stddev")

    def call(self, inputs: Value) -> Value:
        return emit("gaussian_noise", [inputs], {"stddev": self.stddev}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}

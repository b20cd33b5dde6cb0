"""Layers without weights: reshaping, dropout, scaling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..graph import Value, emit
from ..graph.functional import affine
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

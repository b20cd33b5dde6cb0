"""Layers that put axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import shown
from ..graph import Value, emit
from .base import SingleInputLayer


class Permute(SingleInputLayer):
    """Axes in another order: ``Permute((3, 1, 2))`` takes channels last to channels first.

    Parameters
    ----------
    dims : tuple of int
        All axes but the batch, numbered from 1, in their new order.

    Raises
    ------
    ValueError
        Not all axes, or one of them twice.
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(dims, (list, tuple)) or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(
                f"layer {self.name!r}: dims must be the axes 1, 2, … in some order, received {shown(dims)}"
            )
        self.dims = tuple(dims)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != len(self.dims) + 1:
            raise ValueError(f"dims {self.dims} must name all axes but the batch, received shape {input_shape}")

    def call(self, inputs: Value) -> Value:
        return emit("permute", [inputs], {"axes": (0, *self.dims)}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": list(self.dims)}

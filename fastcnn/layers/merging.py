"""Layers that join several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ..errors import shown
from ..graph import Value, emit
from ..graph.functional import affine, binary
from .base import Layer


def _several(inputs: Any) -> Sequence[Value]:
    if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
        raise ValueError("takes a list of two or more inputs")
    return inputs


class _Merge(Layer):
    """Joins two or more inputs of shapes that broadcast, element by element."""

    kind: ClassVar[str]

    def call(self, inputs: Any) -> Value:
        result = _several(inputs)[0]
        for value in inputs[1:]:
            result = binary(result, value, self.kind, self.name)
        return result


class Add(_Merge):
    """The sum of two or more inputs."""

    kind = "add"


class Subtract(_Merge):
    """The first of two inputs less the second."""

    kind = "subtract"

    def call(self, inputs: Any) -> Value:
        if isinstance(inputs, (list, tuple)) and len(inputs) > 2:
            raise ValueError(f"takes a list of two inputs, received {len(inputs)}")
        return super().call(inputs)


class Multiply(_Merge):
    """The product of two or more inputs."""

    kind = "multiply"


class Maximum(_Merge):
    """The largest of two or more inputs, element by element; NaN where one is NaN."""

    kind = "maximum"


class Minimum(_Merge):
    """The smallest of two or more inputs, element by element; NaN where one is NaN."""

    kind = "minimum"


class Average(_Merge):
    """The mean of two or more inputs, element by element."""

    kind = "add"

    def call(self, inputs: Any) -> Value:
        return affine(super().call(inputs), 1 / len(inputs), 0.0, self.name)


class Concatenate(Layer):
    """Two or more inputs one after the other along an axis: (batch, h, w, 3) and (batch, h, w, 5) -> (batch, h, w, 8).

    Parameters
    ----------
    axis : int
        Any but 0, the batch; -1 is the last.

    Raises
    ------
    ValueError
        Inputs that differ along another axis.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int) or isinstance(axis, bool) or axis == 0:
            raise ValueError(
                f"layer {self.name!r}: axis must be an integer other than 0, the batch, received {shown(axis)}"
            )
        self.axis = axis

    def call(self, inputs: Any) -> Value:
        values = _several(inputs)
        rank = values[0].ndim
        axis = self.axis + rank if self.axis < 0 else self.axis
        if not 0 < axis < rank:
            raise ValueError(f"axis {self.axis} is out of range for inputs of shape {values[0].shape}")
        return emit("concatenate", list(values), {"axis": axis}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def add(inputs: Sequence[Value], **kwargs: Any) -> Value:
    """`Add` of a list of values."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Value], **kwargs: Any) -> Value:
    """`Subtract` of a list of two values."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Value], **kwargs: Any) -> Value:
    """`Multiply` of a list of values."""
    return Multiply(**kwargs)(inputs)


def maximum(inputs: Sequence[Value], **kwargs: Any) -> Value:
    """`Maximum` of a list of values."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Value], **kwargs: Any) -> Value:
    """`Minimum` of a list of values."""
    return Minimum(**kwargs)(inputs)


def average(inputs: Sequence[Value], **kwargs: Any) -> Value:
    """`Average` of a list of values."""
    return Average(**kwargs)(inputs)


def concatenate(inputs: Sequence[Value], axis: int = -1, **kwargs: Any) -> Value:
    """`Concatenate` of a list of values."""
    return Concatenate(axis, **kwargs)(inputs)

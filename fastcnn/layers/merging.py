"""Layers that join several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..errors import shown
from ..graph import Value, emit
from ..graph.functional import affine, binary, reduce, unary
from .base import Layer

#: What the square of a vector's length counts for at least, so that one of zeros stays one.
_LEAST_SQUARE = 1e-12


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


class Dot(Layer):
    """Products of vectors, or of matrices, of two inputs: sums over one axis of each.

    (batch, k) with (batch, k) gives (batch, 1); (batch, m, k) with (batch, n, k), axes 2, gives (batch, m, n).

    Parameters
    ----------
    axes : int or (int, int)
        The axis of both inputs, or of each, that is summed over. Not 0, the batch; -1 is the last.
    normalize : bool
        Whether vectors along these axes are first brought to length 1, so that products are cosines of angles.

    Raises
    ------
    ValueError
        Not two inputs of rank 2 or 3, no such axis, or axes of different lengths.
    """

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        given: list[Any] = list(axes) if isinstance(axes, (list, tuple)) else [axes, axes]
        if len(given) != 2 or any(isinstance(a, bool) or not isinstance(a, int) or a == 0 for a in given):
            raise ValueError(
                f"layer {self.name!r}: axes must be one or two integers other than 0, the batch, received {shown(axes)}"
            )
        self.axes = given if isinstance(axes, (list, tuple)) else axes
        self._pair: list[int] = given
        self.normalize = bool(normalize)

    def call(self, inputs: Any) -> Value:
        values = _several(inputs)
        if len(values) != 2 or any(v.ndim not in (2, 3) for v in values):
            raise ValueError(f"takes two inputs of rank 2 or 3, received shapes {[v.shape for v in values]}")
        axes = [a + v.ndim if a < 0 else a for a, v in zip(self._pair, values)]
        if any(not 0 < a < v.ndim for a, v in zip(axes, values)):
            raise ValueError(f"axes {self.axes} are out of range for inputs of shape {[v.shape for v in values]}")
        if self.normalize:
            values = [_of_length_one(v, a, self.name) for v, a in zip(values, axes)]
        # As matrices: vectors have one row, and the axis summed over is last in a and first in b unless transposed.
        a, b = (
            v if v.ndim == 3 else emit("reshape", [v], {"shape": (1, v.shape[1])}, self.name) for v in values
        )  # fmt: skip
        attrs = {"a_transposed": axes[0] == 1 and values[0].ndim == 3,
                 "b_transposed": axes[1] == 2 or values[1].ndim == 2}  # fmt: skip
        y = emit("matmul", [a, b], attrs, self.name)
        kept = [size for size, v in zip(y.shape[1:], values) if v.ndim == 3] or [1]
        return emit("reshape", [y], {"shape": tuple(kept)}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _of_length_one(x: Value, axis: int, name: str) -> Value:
    squares = reduce(unary(x, "square", name=name), axis, "sum", keepdims=True)
    length = unary(binary(squares, np.array([_LEAST_SQUARE]), "maximum", name), "sqrt", name=name)
    return binary(x, length, "divide", name)


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


def dot(inputs: Sequence[Value], axes: int | Sequence[int], **kwargs: Any) -> Value:
    """`Dot` of a list of two values."""
    return Dot(axes, **kwargs)(inputs)

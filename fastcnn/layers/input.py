"""Where data enters a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Value
from ..shapes import whole_number
from .base import Layer, LayerCall

_DTYPES = ("float32", "float64", "float16", "uint8", "int8", "int16", "int32", "int64", "bool")


def check_input_shape(shape: Any, name: str = "shape") -> tuple[int, ...]:
    """A shape without the batch axis, as a tuple of positive ints."""
    if isinstance(shape, int) or not isinstance(shape, Sequence) or isinstance(shape, str):
        raise ValueError(f"{name} must be a tuple without the batch axis such as (28, 28, 1), received {shape!r}")
    if any(size is None for size in shape):
        raise ValueError(f"{name}: every axis must be known, received {tuple(shape)}; give the images' real size")
    return tuple(whole_number(size, f"{name}[{i}]") for i, size in enumerate(shape))


class InputLayer(Layer):
    """The start of a model.

    Parameters
    ----------
    shape : tuple of int
        Without the batch axis, e.g. ``(28, 28, 1)``.
    dtype : str
        What callers are expected to bring; data of any number type is converted to float32.
    """

    def __init__(
        self,
        shape: Sequence[int] | None = None,
        dtype: str = "float32",
        name: str | None = None,
        input_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__(name=name)
        given = shape if shape is not None else input_shape
        self.shape = check_input_shape(given)
        if dtype not in _DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, received {dtype!r}")
        self.dtype = dtype
        self.built = True
        value = Value((None, *self.shape), "float32", name=self.name)
        self.calls.append(LayerCall(self, [], [value]))

    @property
    def value(self) -> Value:
        return self.calls[0].outputs[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": list(self.shape), "dtype": self.dtype}


def Input(  # noqa: N802
    shape: Sequence[int] | None = None, dtype: str = "float32", name: str | None = None
) -> Value:
    """A model's input, to be given to layers.

    Parameters
    ----------
    shape : tuple of int
        Without the batch axis, e.g. ``(28, 28, 1)``.

    Returns
    -------
    Value
        Of shape ``(None, *shape)``.
    """
    return InputLayer(shape, dtype, name).value

"""Where data enters a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Value
from ..shapes import whole_number
from .base import Layer, LayerCall

_DTYPES = (
    "float32", "float64", "float16", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "bool",
)  # fmt: skip


def check_input_shape(shape: Any, name: str = "shape", minimum: int = 1) -> tuple[int | None, ...]:
    """A shape as a tuple of ints, and None for sizes that each batch brings."""
    if isinstance(shape, int) or not isinstance(shape, Sequence) or isinstance(shape, str):
        raise ValueError(f"{name} must be a tuple without the batch axis such as (28, 28, 1), received {shape!r}")
    return tuple(None if size is None else whole_number(size, f"{name}[{i}]", minimum) for i, size in enumerate(shape))


class InputLayer(Layer):
    """The start of a model.

    Parameters
    ----------
    shape : tuple of (int or None)
        Without the batch axis, e.g. ``(28, 28, 1)``; None for sizes that differ from batch to batch.
    dtype : str
        What callers are expected to bring; data of any number type is converted to float32.
    batch_shape : tuple of (int or None), optional
        Instead of `shape`: with the batch axis.
    samples : bool, optional
        Whether axis 0 counts samples, so that `predict` may take some at a time; by default where its size is open.
    convert : bool
        False: values enter in `dtype` as they are, for layers that compute on integers or truth values.
    as_file : bool
        Whether the axes are in the order that an ONNX file has; then a file that is written has them so, too.
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        dtype: str = "float32",
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        batch_shape: Sequence[int | None] | None = None,
        samples: bool | None = None,
        convert: bool = True,
        as_file: bool = False,
    ) -> None:
        super().__init__(name=name)
        if batch_shape is not None:
            full = check_input_shape(batch_shape, "batch_shape", 0)
        else:
            full = (None, *check_input_shape(shape if shape is not None else input_shape))
        self.shape = full[1:]
        self.batch_shape = full
        if dtype not in _DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, received {dtype!r}")
        self.dtype = dtype
        open_axis = bool(full) and full[0] is None
        self.samples = open_axis if samples is None else bool(samples) and open_axis
        self.convert, self.as_file = bool(convert), bool(as_file)
        self.built = True
        value = Value(full, "float32" if self.convert else dtype, name=self.name)
        self.calls.append(LayerCall(self, [], [value]))

    @property
    def value(self) -> Value:
        return self.calls[0].outputs[0]

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "shape": list(self.shape), "dtype": self.dtype}
        if self.batch_shape[:1] != (None,):
            del config["shape"]
            config["batch_shape"] = list(self.batch_shape)
        elif not self.samples:
            config["samples"] = False
        if not self.convert:
            config["convert"] = False
        if self.as_file:
            config["as_file"] = True
        return config


def Input(  # noqa: N802
    shape: Sequence[int | None] | None = None,
    dtype: str = "float32",
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
) -> Value:
    """A model's input, to be given to layers.

    Parameters
    ----------
    shape : tuple of (int or None)
        Without the batch axis, e.g. ``(28, 28, 1)``; None for sizes that differ from batch to batch:
        ``(None, None, 3)``.
    batch_shape : tuple of (int or None), optional
        Instead of `shape`: with the batch axis.

    Returns
    -------
    Value
        Of shape ``(None, *shape)``, or `batch_shape`.
    """
    return InputLayer(shape, dtype, name, batch_shape=batch_shape).value

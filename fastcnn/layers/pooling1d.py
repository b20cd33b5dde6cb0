"""Pooling of sequences: that of images of height 1."""

from __future__ import annotations

from typing import Any, ClassVar

from ..graph import Value, emit
from ..shapes import named_padding, single
from .base import SingleInputLayer, check_format


def _as_images(sequences: Value, name: str) -> Value:
    """(batch, steps, channels) -> (batch, 1, steps, channels)."""
    return emit("reshape", [sequences], {"shape": (1, *sequences.shape[1:])}, name)


class _Pooling1D(SingleInputLayer):
    """Windows over steps; strides default to the window's size."""

    input_rank = 3
    input_words = "(batch, steps, channels)"
    op: ClassVar[str]

    def __init__(
        self,
        pool_size: int = 2,
        strides: int | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"layer {self.name!r}: "
        check_format(data_format, self.name)
        self.pool_size = single(pool_size, where + "pool_size")
        self.strides = self.pool_size if strides is None else single(strides, where + "strides")
        self.padding = named_padding(padding, where + "padding", ("valid", "same"))

    def call(self, inputs: Value) -> Value:
        attrs = {"pool_size": (1, self.pool_size), "strides": (1, self.strides), "padding": self.padding}
        y = emit(self.op, [_as_images(inputs, self.name)], {**attrs, "count_include_pad": False}, self.name)
        return emit("reshape", [y], {"shape": y.shape[2:]}, self.name)

    def get_config(self) -> dict[str, Any]:
        own = {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding}
        return {**super().get_config(), **own}


class MaxPooling1D(_Pooling1D):
    """The largest value of each window, channel by channel: (batch, steps, channels) -> (batch, new steps, channels).

    Parameters
    ----------
    pool_size : int
    strides : int, optional
        The window's size if not given.
    padding : "valid" or "same"
        Padding never wins: the maximum is over steps that are there.
    """

    op = "max_pool2d"


class AveragePooling1D(_Pooling1D):
    """The mean of each window, channel by channel; of windows that reach into the padding, of what is inside.

    Parameters
    ----------
    pool_size, strides, padding
        As for `MaxPooling1D`.
    """

    op = "avg_pool2d"


class _GlobalPooling1D(SingleInputLayer):
    """One number a channel."""

    input_rank = 3
    input_words = "(batch, steps, channels)"
    op: ClassVar[str]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.keepdims = bool(keepdims)

    def call(self, inputs: Value) -> Value:
        attrs = {"pool_size": None, "strides": None, "padding": "valid", "count_include_pad": False}
        y = emit(self.op, [_as_images(inputs, self.name)], attrs, self.name)
        return emit("reshape", [y], {"shape": y.shape[2:] if self.keepdims else y.shape[3:]}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


class GlobalMaxPooling1D(_GlobalPooling1D):
    """The largest value of each channel over all steps: (batch, steps, channels) -> (batch, channels).

    Parameters
    ----------
    keepdims : bool
        Keep the steps as an axis of size 1.
    """

    op = "max_pool2d"


class GlobalAveragePooling1D(_GlobalPooling1D):
    """The mean of each channel over all steps: (batch, steps, channels) -> (batch, channels).

    Parameters
    ----------
    keepdims : bool
        Keep the steps as an axis of size 1.
    """

    op = "avg_pool2d"

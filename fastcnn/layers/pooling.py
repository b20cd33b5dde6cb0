"""Pooling layers."""

from __future__ import annotations

from typing import Any, ClassVar

from ..graph import Value, emit
from ..shapes import Padding, check_padding, pair
from .base import SingleInputLayer, check_format


class _Pooling2D(SingleInputLayer):
    """Windows over height and width; strides default to the window's size."""

    input_rank = 4
    input_words = "(batch, height, width, channels)"
    op: ClassVar[str]

    def __init__(
        self,
        pool_size: int | tuple[int, int] = (2, 2),
        strides: int | tuple[int, int] | None = None,
        padding: Padding = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"layer {self.name!r}: "
        check_format(data_format, self.name)
        self.pool_size = pair(pool_size, where + "pool_size")
        self.strides = self.pool_size if strides is None else pair(strides, where + "strides")
        self.padding = check_padding(padding, where + "padding")
        if not isinstance(self.padding, str) and any(
            max(sides) >= size for sides, size in zip(self.padding, self.pool_size)
        ):
            raise ValueError(
                f"{where}padding must be smaller than the pool size {self.pool_size}, received {self.padding}"
            )

    def attrs(self) -> dict[str, Any]:
        return {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding}

    def call(self, inputs: Value) -> Value:
        return emit(self.op, [inputs], self.attrs(), self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
        }


class MaxPooling2D(_Pooling2D):
    """The largest value of each window, channel by channel.

    Parameters
    ----------
    pool_size : int or (int, int)
    strides : int or (int, int), optional
        The window's size if not given.
    padding : "valid", "same", int or ((top, bottom), (left, right))
        Padding never wins: the maximum is over elements inside the image.
    """

    op = "max_pool2d"


class AveragePooling2D(_Pooling2D):
    """The mean of each window, channel by channel.

    Parameters
    ----------
    pool_size, strides, padding
        As for `MaxPooling2D`.
    count_include_pad : bool
        Whether padding counts as zeros in the mean. Keras never counts it; PyTorch and ONNX may.
    """

    op = "avg_pool2d"

    def __init__(
        self,
        pool_size: int | tuple[int, int] = (2, 2),
        strides: int | tuple[int, int] | None = None,
        padding: Padding = "valid",
        data_format: str | None = None,
        count_include_pad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)
        self.count_include_pad = bool(count_include_pad)

    def attrs(self) -> dict[str, Any]:
        return {**super().attrs(), "count_include_pad": self.count_include_pad}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count_include_pad": self.count_include_pad}


class _GlobalPooling2D(SingleInputLayer):
    """One number a channel: (batch, height, width, channels) -> (batch, channels), or (batch, 1, 1, channels)."""

    input_rank = 4
    input_words = "(batch, height, width, channels)"
    op: ClassVar[str]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.keepdims = bool(keepdims)

    def call(self, inputs: Value) -> Value:
        attrs = {"pool_size": None, "strides": None, "padding": "valid", "count_include_pad": False}
        y = emit(self.op, [inputs], attrs, self.name)
        return y if self.keepdims else emit("reshape", [y], {"shape": (inputs.shape[-1],)}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


class GlobalMaxPooling2D(_GlobalPooling2D):
    """The largest value of each channel over the whole image.

    Parameters
    ----------
    keepdims : bool
        Keep height and width as axes of size 1.
    """

    op = "max_pool2d"


class GlobalAveragePooling2D(_GlobalPooling2D):
    """The mean of each channel over the whole image (Lin et al., "Network in network", 2013, section 3.2).

    Parameters
    ----------
    keepdims : bool
        Keep height and width as axes of size 1.
    """

    op = "avg_pool2d"

"""What a name of an ONNX file stands for while it is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Value

#: Which axis of the file's tensor each axis of a value is: (0, 2, 3, 1) for images whose channels are last here.
Order = tuple[int, ...]
Shape = tuple[int | None, ...]


def as_in_file(rank: int) -> Order:
    return tuple(range(rank))


def channels_last(rank: int) -> Order:
    return (0, *range(2, rank), 1) if rank > 2 else as_in_file(rank)


@dataclasses.dataclass(frozen=True)
class Size:
    """A size that isn't known while the file is read: of an axis of a tensor, or of all that begin with samples."""

    of: str
    axis: int


#: The size of axis 0 of whatever has a row for each sample.
SAMPLES = Size("samples", 0)


class Tensor:
    """A tensor of the file: a fixed array, sizes known in part, or a value of the graph whose axes lie in some order.

    Attributes
    ----------
    array : np.ndarray or None
        Its contents, if they are known.
    sizes : list of (int or Size), or None
        Of a vector of sizes that are known in part; `rank` 0 for a single one.
    flat : Tensor or None
        The image whose pixels, in the file's order, are the rows of this matrix.
    """

    def __init__(
        self,
        name: str,
        *,
        array: np.ndarray | None = None,
        value: Value | None = None,
        order: Order | None = None,
        sizes: list[Any] | None = None,
        sizes_dtype: str = "int64",
        rank: int = 1,
        make: Callable[[], Tensor] | None = None,
        flat: Tensor | None = None,
    ) -> None:
        self.name, self.array, self.sizes, self.flat = name, array, sizes, flat
        self._rank, self._make, self._sizes_dtype = rank, make, sizes_dtype
        #: The value in each order that was asked for.
        self.values: dict[Order, Value] = {}
        if value is not None:
            self.values[order or as_in_file(value.ndim)] = value

    def ready(self) -> None:
        """Describe it, if that was put off because nobody might need it."""
        if not self.values and self.array is None and self._make is not None:
            self.values = self._make().values

    @property
    def is_fixed(self) -> bool:
        return self.array is not None

    @property
    def order(self) -> Order:
        """The order that it was made in."""
        self.ready()
        return next(iter(self.values))

    @property
    def value(self) -> Value:
        self.ready()
        return next(iter(self.values.values()))

    @property
    def dtype(self) -> str:
        if self.array is not None:
            return str(self.array.dtype)
        return self._sizes_dtype if self.sizes is not None else self.value.dtype

    @property
    def shape(self) -> Shape:
        """As in the file."""
        if self.array is not None:
            return self.array.shape
        if self.sizes is not None:
            return (len(self.sizes),) if self._rank else ()
        return in_file_order(self.value.shape, self.order)

    @property
    def rank(self) -> int:
        return len(self.shape)


def in_file_order(shape: Sequence[Any], order: Order) -> tuple[Any, ...]:
    """Sizes of a value's axes, as the file has them."""
    return tuple(shape[order.index(axis)] for axis in range(len(order)))


#: Operations that give a row for each row of their first input of open length.
_KEEP_ROWS = frozenset((
    "identity", "dropout", "unary", "affine", "binary", "conv2d", "conv2d_transpose", "dense", "batch_norm",
    "group_norm", "layer_norm", "softmax", "log_softmax", "max_pool2d", "avg_pool2d", "pad2d", "upsample2d", "resize",
))  # fmt: skip


def has_samples(value: Value) -> bool:
    """Whether axis 0, of open length, still counts the inputs' samples: what moved axes may have another there."""
    while value.node is not None:
        name, attrs = value.node.op.name, value.node.attrs
        kept = (
            name in _KEEP_ROWS
            or (name == "permute" and attrs["axes"][0] == 0)
            or (name == "reshape" and "shape" in attrs)
            or (name == "concatenate" and attrs["axis"] != 0)
            or (name == "reduce" and 0 not in attrs["axes"])
        )
        before = next((v for v in value.node.inputs if v is not None and v.shape[:1] == (None,)), None)
        if not kept or before is None or (name == "binary" and before.ndim != value.ndim):
            return False
        value = before
    return True

"""Layers that add to images, cut them or enlarge them, without weights."""

from __future__ import annotations

from typing import Any

from ..graph import Value, emit
from ..shapes import check_padding, pair
from .base import SingleInputLayer, check_format


class _Margins(SingleInputLayer):
    """Rows and columns at the four sides."""

    input_rank = 4
    input_words = "(batch, height, width, channels)"

    def _sides(self, value: Any, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """An int, (rows, columns) or ((top, bottom), (left, right)), as the last."""
        name = f"layer {self.name!r}: {name}"
        if isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(v, int) for v in value):
            rows, columns = pair(value, name, 0)
            return (rows, rows), (columns, columns)
        sides = check_padding(value, name) if not isinstance(value, str) else value
        if isinstance(sides, str):
            raise ValueError(
                f"{name} must be an int, (rows, columns) or ((top, bottom), (left, right)), received {value!r}"
            )
        return sides


class ZeroPadding2D(_Margins):
    """Rows and columns of zeros around images.

    Parameters
    ----------
    padding : int, (int, int) or ((int, int), (int, int))
        At all sides, for (rows, columns), or ((top, bottom), (left, right)).
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.padding = self._sides(padding, "padding")

    def call(self, inputs: Value) -> Value:
        return emit("pad2d", [inputs], {"pads": self.padding}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": [list(side) for side in self.padding]}


class Cropping2D(_Margins):
    """Images without their outer rows and columns.

    Parameters
    ----------
    cropping : int, (int, int) or ((int, int), (int, int))
        At all sides, for (rows, columns), or ((top, bottom), (left, right)).

    Raises
    ------
    ValueError
        Nothing would be left.
    """

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.cropping = self._sides(cropping, "cropping")

    def call(self, inputs: Value) -> Value:
        (top, bottom), (left, right) = self.cropping
        return emit("pad2d", [inputs], {"pads": ((-top, -bottom), (-left, -right))}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": [list(side) for side in self.cropping]}


class UpSampling2D(SingleInputLayer):
    """Each pixel repeated: (batch, height, width, channels) -> (batch, height * rows, width * columns, channels).

    Parameters
    ----------
    size : int or (int, int)
        Rows and columns for each pixel.
    interpolation : "nearest"
        There is no other.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.size = pair(size, f"layer {self.name!r}: size")
        if interpolation != "nearest":
            raise ValueError(f'layer {self.name!r}: interpolation must be "nearest", received {interpolation!r}')

    def call(self, inputs: Value) -> Value:
        return emit("upsample2d", [inputs], {"size": self.size}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": list(self.size)}

"""Layers that add margins to images and sequences, or cut them off."""

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


class _Margins1D(SingleInputLayer):
    """Steps at both ends."""

    input_rank = 3
    input_words = "(batch, steps, channels)"

    def _ends(self, value: Any, name: str) -> tuple[int, int]:
        """An int or (first, last), as the latter."""
        return pair(value, f"layer {self.name!r}: {name}", 0)


class ZeroPadding1D(_Margins1D):
    """Zeros before and after sequences.

    Parameters
    ----------
    padding : int or (int, int)
        How many at both ends, or (before, after).
    """

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.padding = self._ends(padding, "padding")

    def call(self, inputs: Value) -> Value:
        return emit("pad", [inputs], {"pads": ((0, 0), self.padding, (0, 0)), "value": 0.0}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": list(self.padding)}


class Cropping1D(_Margins1D):
    """Sequences without their first and last steps.

    Parameters
    ----------
    cropping : int or (int, int)
        How many at both ends, or (first, last).

    Raises
    ------
    ValueError
        Nothing would be left.
    """

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = self._ends(cropping, "cropping")

    def call(self, inputs: Value) -> Value:
        first, last = self.cropping
        steps, channels = inputs.shape[1:]
        if steps is not None and first + last >= steps:
            raise ValueError(f"cropping takes more than there is of {steps} steps")
        images = emit("reshape", [inputs], {"shape": (1, steps, channels)}, self.name)
        y = emit("pad2d", [images], {"pads": ((0, 0), (-first, -last))}, self.name)
        return emit("reshape", [y], {"shape": y.shape[2:]}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": list(self.cropping)}

"""Layers that add to images, cut them or enlarge them, without weights."""

from __future__ import annotations

from typing import Any

from .._ops.resampling import KERAS, Resampling
from ..errors import shown, unknown_name
from ..graph import Value, emit
from ..shapes import check_padding, pair, whole_number
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


def _resampling(interpolation: Any, layer: str) -> Resampling:
    if interpolation not in KERAS:
        raise ValueError(f"layer {layer!r}: {unknown_name('interpolation', interpolation, KERAS)}")
    return KERAS[interpolation]


class UpSampling2D(SingleInputLayer):
    """Larger images: (batch, height, width, channels) -> (batch, height * rows, width * columns, channels).

    Parameters
    ----------
    size : int or (int, int)
        Rows and columns for each pixel.
    interpolation : "nearest", "bilinear" or "bicubic"
        "nearest" repeats pixels.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.size = pair(size, f"layer {self.name!r}: size")
        self.interpolation = interpolation
        self._how = _resampling(interpolation, self.name)

    def call(self, inputs: Value) -> Value:
        if self.interpolation == "nearest":
            return emit("upsample2d", [inputs], {"size": self.size}, self.name)
        rows, columns = inputs.shape[1:3]
        if rows is None or columns is None:
            raise ValueError(f"UpSampling2D must know the images' size to interpolate, received shape {inputs.shape}")
        size = (rows * self.size[0], columns * self.size[1])
        return emit("resize", [inputs], {"size": size, "how": self._how, "scales": None}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": list(self.size), "interpolation": self.interpolation}


class Resizing(SingleInputLayer):
    """Images of a fixed size from images of any.

    Pixels are taken for squares, so that corners of both images lie on each other ("half_pixel" in ONNX's words).

    Parameters
    ----------
    height, width : int
    interpolation : "bilinear", "nearest" or "bicubic"
    crop_to_aspect_ratio : bool
        First cut off, at two sides evenly, what another ratio of height to width leaves over.
    antialias : bool
        Where images become smaller, take the mean over all pixels between instead of leaving most out.

    Raises
    ------
    ValueError
        A size that is not positive, or another interpolation.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.height = whole_number(height, f"layer {self.name!r}: height")
        self.width = whole_number(width, f"layer {self.name!r}: width")
        self.interpolation = interpolation
        for name, value in (("crop_to_aspect_ratio", crop_to_aspect_ratio), ("antialias", antialias)):
            if not isinstance(value, bool):
                raise TypeError(f"layer {self.name!r}: {name} must be True or False, received {shown(value)}")
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.antialias = antialias
        how = _resampling(interpolation, self.name)
        self._how = how.smooth() if antialias else how

    def call(self, inputs: Value) -> Value:
        if self.crop_to_aspect_ratio:
            inputs = self._cropped(inputs)
        attrs = {"size": (self.height, self.width), "how": self._how, "scales": None}
        return emit("resize", [inputs], attrs, self.name)

    def _cropped(self, inputs: Value) -> Value:
        rows, columns = inputs.shape[1:3]
        if rows is None or columns is None:
            raise ValueError(f"crop_to_aspect_ratio must know the images' size, received shape {inputs.shape}")
        height = max(1, min(rows, columns * self.height // self.width))
        width = max(1, min(columns, rows * self.width // self.height))
        top, left = (rows - height) // 2, (columns - width) // 2
        pads = ((-top, top + height - rows), (-left, left + width - columns))
        return emit("pad2d", [inputs], {"pads": pads}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "antialias": self.antialias,
        }

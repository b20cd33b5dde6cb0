"""Layers that bring images to another size, without weights."""

from __future__ import annotations

import math
from typing import Any

from .._ops.resampling import KERAS, Resampling
from ..data.placing import largest_within, smallest_around
from ..errors import shown, unknown_name
from ..graph import Value, emit
from ..shapes import pair, real_number, whole_number
from .base import Layer, SingleInputLayer, check_format


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
        return resized(inputs, size, self._how, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": list(self.size), "interpolation": self.interpolation}


class Resizing(SingleInputLayer):
    """Images of a fixed size from images of any.

    Pixels are taken for squares, so that corners of both images lie on each other ("half_pixel" in ONNX's words).
    `fastcnn.data.resize` does the same to arrays.

    Parameters
    ----------
    height, width : int
    interpolation : "bilinear", "nearest", "bicubic" or "area"
        "area" is the mean over all that a pixel covers.
    crop_to_aspect_ratio : bool
        First cut off, at two sides evenly, what another ratio of height to width leaves over.
    pad_to_aspect_ratio : bool
        First add, at two sides evenly, what another ratio of height to width lacks.
    fill_mode : "constant"
    fill_value : float
        What is added.
    antialias : bool
        Where images become smaller, take the mean over all pixels between instead of leaving most out.

    Raises
    ------
    ValueError
        A size that is not positive, another interpolation, or both of cropping and padding.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"layer {self.name!r}: "
        check_format(data_format, self.name)
        self.height = whole_number(height, f"{where}height")
        self.width = whole_number(width, f"{where}width")
        self.interpolation = interpolation
        for name, value in (
            ("crop_to_aspect_ratio", crop_to_aspect_ratio),
            ("pad_to_aspect_ratio", pad_to_aspect_ratio),
            ("antialias", antialias),
        ):
            if not isinstance(value, bool):
                raise TypeError(f"{where}{name} must be True or False, received {shown(value)}")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(f"{where}crop_to_aspect_ratio and pad_to_aspect_ratio can't both be True")
        if fill_mode != "constant":
            raise ValueError(f'{where}fill_mode must be "constant", received {shown(fill_mode)}')
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value = fill_mode, real_number(fill_value, f"{where}fill_value", -math.inf)
        self.antialias = antialias
        how = _resampling(interpolation, self.name)
        self._how = how.smooth() if antialias else how

    def call(self, inputs: Value) -> Value:
        if self.crop_to_aspect_ratio:
            inputs = cropped(inputs, largest_within(*known_size(inputs, self), self.height, self.width), self)
        elif self.pad_to_aspect_ratio:
            margins = smallest_around(*known_size(inputs, self), self.height, self.width)
            if any(side for sides in margins for side in sides):
                attrs = {"pads": ((0, 0), *margins, (0, 0)), "value": self.fill_value}
                inputs = emit("pad", [inputs], attrs, self.name)
        return resized(inputs, (self.height, self.width), self._how, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


class CenterCrop(SingleInputLayer):
    """The middle of images. Smaller ones are resized, after what makes them too long is cut off, as Keras does.

    `fastcnn.data.center_crop` does the same to arrays.

    Parameters
    ----------
    height, width : int

    Raises
    ------
    ValueError
        A size that is not positive.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_format(data_format, self.name)
        self.height = whole_number(height, f"layer {self.name!r}: height")
        self.width = whole_number(width, f"layer {self.name!r}: width")

    def call(self, inputs: Value) -> Value:
        rows, columns = known_size(inputs, self)
        if rows >= self.height and columns >= self.width:
            top, left = (rows - self.height) // 2, (columns - self.width) // 2
            return cropped(inputs, (top, left, self.height, self.width), self)
        part = cropped(inputs, largest_within(rows, columns, self.height, self.width), self)
        return resized(part, (self.height, self.width), KERAS["bilinear"], self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


def known_size(inputs: Value, layer: Layer) -> tuple[int, int]:
    """The images' rows and columns, which must not be open."""
    rows, columns = inputs.shape[1:3]
    if rows is None or columns is None:
        raise ValueError(f"{type(layer).__name__} must know the images' size, received shape {inputs.shape}")
    return rows, columns


def cropped(inputs: Value, part: tuple[int, int, int, int], layer: Layer) -> Value:
    """A part of images: its top, left, rows and columns."""
    (rows, columns), (top, left, height, width) = known_size(inputs, layer), part
    pads = ((-top, top + height - rows), (-left, left + width - columns))
    return emit("pad2d", [inputs], {"pads": pads}, layer.name)


def resized(inputs: Value, size: tuple[int, int], how: Resampling, name: str) -> Value:
    """Images of another size."""
    return emit("resize", [inputs], {"size": size, "how": how, "scales": None}, name)

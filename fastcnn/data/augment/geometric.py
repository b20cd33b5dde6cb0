"""Images moved, turned, stretched, cut: one matrix, one interpolation."""

from __future__ import annotations

import math
from typing import Any

from ...errors import unknown_name
from ...shapes import real_number, whole_number
from .arguments import interval, plain, view_of
from .base import Augmentation, check_probability
from .steps import Draw, Step, View, fixed

_FLIPS = {
    "horizontal": ("flip_columns",),
    "vertical": ("flip_rows",),
    "horizontal_and_vertical": ("flip_columns", "flip_rows"),
}


class RandomFlip(Augmentation):
    """Images mirrored, each with probability 1/2.

    Parameters
    ----------
    mode : {"horizontal", "vertical", "horizontal_and_vertical"}
        Left becomes right, above becomes below, or each of both with its own probability.
    seed : int, optional
    """

    def __init__(self, mode: str = "horizontal_and_vertical", seed: int | None = None) -> None:
        super().__init__(seed)
        if mode not in _FLIPS:
            raise unknown_name("mode", mode, _FLIPS)
        self.mode = mode

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        return [Step(kind, probability=0.5) for kind in _FLIPS[self.mode]] if training else []

    def get_config(self) -> dict[str, Any]:
        return {"mode": self.mode, **super().get_config()}


class _Viewed(Augmentation):
    """What shows places between and outside pixels."""

    def __init__(self, interpolation: str, fill_mode: str, fill_value: float, seed: int | None) -> None:
        super().__init__(seed)
        self.view = view_of(interpolation, fill_mode, fill_value)

    def get_config(self) -> dict[str, Any]:
        view = self.view
        looks = {"interpolation": view.interpolation, "fill_mode": view.border, "fill_value": view.fill}
        return {**looks, **super().get_config()}

    def draws(self) -> tuple[str, tuple[Draw, ...]]:
        """The kind of step, and what it draws."""
        raise NotImplementedError

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        kind, draws = self.draws()
        return [Step(kind, draws, view=self.view)] if training else []


class RandomRotation(_Viewed):
    """Images turned about their centre.

    Parameters
    ----------
    factor : float or (float, float)
        The angle, in whole turns: 0.1 draws from -36 to 36 degrees, positive ones counterclockwise.
    fill_mode : {"reflect", "constant", "wrap", "nearest"}
        What is seen outside the image: d c b a | a b c d | d c b a, `fill_value`, a b c d | a b c d | a b c d, or the
        border's pixels.
    interpolation : {"bilinear", "nearest"}
    seed : int, optional
    fill_value : float
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, seed)
        self.factor, self._range = factor, interval(factor, "factor")

    def draws(self) -> tuple[str, tuple[Draw, ...]]:
        low, high = self._range
        return "rotate", (("uniform", low * 2 * math.pi, high * 2 * math.pi),)

    def get_config(self) -> dict[str, Any]:
        return {"factor": plain(self.factor), **super().get_config()}


class RandomTranslation(_Viewed):
    """Images moved.

    Parameters
    ----------
    height_factor, width_factor : float or (float, float)
        By which share of the image's height down, and of its width to the right; one number draws from - to +.
    fill_mode, interpolation, seed, fill_value
        As for `RandomRotation`.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, seed)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._ranges = interval(height_factor, "height_factor", -1, 1), interval(width_factor, "width_factor", -1, 1)

    def draws(self) -> tuple[str, tuple[Draw, ...]]:
        return "translate", tuple(("uniform", *r) for r in self._ranges)

    def get_config(self) -> dict[str, Any]:
        factors = {"height_factor": plain(self.height_factor), "width_factor": plain(self.width_factor)}
        return {**factors, **super().get_config()}


class RandomZoom(_Viewed):
    """Images made larger or smaller about their centre.

    Parameters
    ----------
    height_factor : float or (float, float)
        How much more of the height is seen, as a share: positive ones zoom out, negative ones in.
    width_factor : float or (float, float), optional
        The same for the width; None keeps the shape.
    fill_mode, interpolation, seed, fill_value
        As for `RandomRotation`.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, seed)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._height = interval(height_factor, "height_factor", -0.99)
        self._width = None if width_factor is None else interval(width_factor, "width_factor", -0.99)

    def draws(self) -> tuple[str, tuple[Draw, ...]]:
        height: Draw = ("uniform", 1 + self._height[0], 1 + self._height[1])
        width: Draw = ("same", 0.0, 0.0)
        return "zoom", (height, width if self._width is None else ("uniform", 1 + self._width[0], 1 + self._width[1]))

    def get_config(self) -> dict[str, Any]:
        factors = {"height_factor": plain(self.height_factor), "width_factor": plain(self.width_factor)}
        return {**factors, **super().get_config()}


class RandomShear(_Viewed):
    """Images sheared about their centre.

    Parameters
    ----------
    x_factor, y_factor : float or (float, float)
        By how many columns a row moves against the one above, and by how many rows a column; one number draws from
        - to +.
    interpolation, fill_mode, fill_value, seed
        As for `RandomRotation`.
    """

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, seed)
        self.x_factor, self.y_factor = x_factor, y_factor
        self._ranges = interval(x_factor, "x_factor", -1, 1), interval(y_factor, "y_factor", -1, 1)

    def draws(self) -> tuple[str, tuple[Draw, ...]]:
        return "shear", tuple(("uniform", *r) for r in self._ranges)

    def get_config(self) -> dict[str, Any]:
        return {"x_factor": plain(self.x_factor), "y_factor": plain(self.y_factor), **super().get_config()}


class RandomPerspective(_Viewed):
    """Images seen from aslant: each corner shows a place further inside.

    Parameters
    ----------
    factor : float
        The share of the images that it is done to.
    scale : float
        How far inside corners are at most, in halves of the image: from 0 to below 1.
    interpolation, fill_value, seed
        As for `RandomRotation`.
    """

    def __init__(
        self,
        factor: float = 1.0,
        scale: float = 0.5,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        fill_mode: str = "constant",
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, seed)
        self.factor = check_probability(factor, "factor")
        self.scale = real_number(scale, "scale", high=1.0, closed=False)

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        draws: tuple[Draw, ...] = (("uniform", 0.0, self.scale / 2),) * 8
        return [Step("perspective", draws, self.factor, view=self.view)] if training else []

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "scale": self.scale, **super().get_config()}


class RandomCrop(Augmentation):
    """A part of each image, at a random place; outside training the largest one of its shape in the middle, resized.

    Parameters
    ----------
    height, width : int
        Of the part. An image that is smaller is resized as outside training.
    seed : int, optional
    padding : int
        Rows and columns added on every side before. The usual augmentation of CIFAR is
        ``RandomCrop(32, 32, padding=4)``.
    fill_mode, fill_value
        What the padding shows, as for `RandomRotation`.
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        padding: int = 0,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
    ) -> None:
        super().__init__(seed)
        self.height, self.width = whole_number(height, "height"), whole_number(width, "width")
        self.padding = whole_number(padding, "padding", 0)
        self.view = view_of("bilinear", fill_mode, fill_value)

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        room = height + 2 * self.padding - self.height, width + 2 * self.padding - self.width
        if not training or min(room) < 0:
            return _central_part(height, width, self.height, self.width, self.view)
        draws: tuple[Draw, ...] = tuple(("whole", -self.padding, r - self.padding) for r in room)
        return [Step("crop", draws, size=(self.height, self.width), view=self.view)]

    def get_config(self) -> dict[str, Any]:
        return {
            "height": self.height, "width": self.width, "padding": self.padding, "fill_mode": self.view.border,
            "fill_value": self.view.fill, **super().get_config(),
        }  # fmt: skip


class RandomResizedCrop(Augmentation):
    """A part of random area and shape at a random place, resized (Szegedy et al. 2015, "Going deeper with
    convolutions", section 6); outside training the largest one of its shape in the middle.

    Parameters
    ----------
    height, width : int
        Of the result.
    scale : (float, float)
        The part's share of the image's area.
    ratio : (float, float)
        Its width over its height. Where the part would be wider or higher than the image, it is cut to it.
    interpolation : {"bilinear", "nearest"}
    seed : int, optional
    """

    def __init__(
        self,
        height: int,
        width: int,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        self.height, self.width = whole_number(height, "height"), whole_number(width, "width")
        self.scale = interval(scale, "scale", 1e-6, 1.0, start=1.0)
        self.ratio = interval(ratio, "ratio", 1e-3, 1e3, start=1.0)
        self.view = view_of(interpolation, "nearest", 0.0)

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        if not training:
            return _central_part(height, width, self.height, self.width, self.view)
        shapes = math.log(self.ratio[0]), math.log(self.ratio[1])
        draws: tuple[Draw, ...] = (
            ("uniform", *self.scale), ("uniform", *shapes), ("uniform", 0.0, 1.0), ("uniform", 0.0, 1.0),
        )  # fmt: skip
        return [Step("resized_crop", draws, size=(self.height, self.width), view=self.view)]

    def get_config(self) -> dict[str, Any]:
        return {
            "height": self.height, "width": self.width, "scale": list(self.scale), "ratio": list(self.ratio),
            "interpolation": self.view.interpolation, **super().get_config(),
        }  # fmt: skip


def _central_part(height: int, width: int, new_height: int, new_width: int, view: View) -> list[Step]:
    """The largest part in the middle with the result's shape, resized."""
    if (height, width) == (new_height, new_width):
        return []
    part_width = min(width, height * new_width / new_height)
    part_height = part_width * new_height / new_width
    share = part_width * part_height / (width * height)
    shape = math.log(new_width / new_height)
    draws = fixed(share), fixed(shape), fixed(0.5), fixed(0.5)
    return [Step("resized_crop", draws, size=(new_height, new_width), view=view)]

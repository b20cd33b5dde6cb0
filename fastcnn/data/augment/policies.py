"""Policies: each image has a few of fourteen things done to it, drawn at random."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ...errors import shown
from ...shapes import whole_number
from .arguments import values_of, view_of
from .base import Augmentation
from .steps import GEOMETRIC, Draw, Step, fixed


class _Policy(Augmentation):
    """`count` times, each image takes one of the steps, or none.

    Geometric ones come first, all together in one look through one matrix; the others follow in the order drawn.
    """

    count = 1

    def __init__(
        self, value_range: Any, interpolation: str, fill_mode: str, fill_value: float, seed: int | None
    ) -> None:
        super().__init__(seed)
        self.value_range = values_of(value_range)
        self.view = view_of(interpolation, fill_mode, fill_value)

    def check_channels(self, channels: int) -> None:
        if channels not in (1, 3):
            raise ValueError(f"{type(self).__name__}: images must have 1 or 3 channels, received {channels}")

    def choices(self, height: int, width: int) -> list[tuple[str, tuple[Draw, ...], tuple[float, ...]]]:
        """The kinds of steps, what they draw, and their constants; one more choice is to do nothing."""
        raise NotImplementedError

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        if not training:
            return []
        choices = self.choices(height, width)
        found = [
            Step(kind, draws, 1.0, constants, (turn, i, len(choices) + 1), None, self.view, self.value_range)
            for turn in range(self.count)
            for i, (kind, draws, constants) in enumerate(choices)
        ]
        return [s for s in found if s.kind in GEOMETRIC] + [s for s in found if s.kind not in GEOMETRIC]

    def get_config(self) -> dict[str, Any]:
        view = self.view
        return {
            "value_range": list(self.value_range), "interpolation": view.interpolation, "fill_mode": view.border,
            "fill_value": view.fill, **super().get_config(),
        }  # fmt: skip


def _fourteen(
    levels: tuple[float, float], shear: float, moves: tuple[float, float], turn: float, about_one: float, bits: float
) -> list[tuple[str, tuple[Draw, ...], tuple[float, ...]]]:
    """What both papers do to images, with each strength at its greatest.

    `levels` are the least and the greatest share of it that is drawn. The fourteenth is to do nothing. Statistics come
    first where they are needed, and what takes a pass of its own last.
    """
    low, high = levels

    def signed(most: float) -> Draw:
        return "signed_levels", low * most, high * most

    one: tuple[Draw, ...] = (("about_one", low * about_one, high * about_one),)
    none = fixed(0.0)
    return [
        ("shear", (signed(shear), none), ()),
        ("shear", (none, signed(shear)), ()),
        ("translate", (signed(moves[0]), none), ()),
        ("translate", (none, signed(moves[1])), ()),
        ("rotate", (signed(turn),), ()),
        ("stretch", (), ()),
        ("contrast", one, (1.0,)),
        ("scale", one, ()),
        ("color", one, ()),
        ("posterize", (("levels", 8 - low * bits, 8 - high * bits),), ()),
        ("solarize", (("levels", 1 - low, 1 - high), none), ()),
        ("equalize", (), ()),
        ("sharpen", one, ()),
    ]


class RandAugment(_Policy):
    """A few of fourteen augmentations, all of one strength (Cubuk et al. 2020, "RandAugment: practical automated data
    augmentation with a reduced search space", section 3), with its ranges.

    Parameters
    ----------
    value_range : (float, float)
        As for `RandomBrightness`.
    num_ops : int
        How many each image has done to it.
    magnitude : int
        The strength, from 0 to below num_magnitude_bins.
    num_magnitude_bins : int
    interpolation : {"nearest", "bilinear"}
    seed : int, optional
    fill_mode, fill_value
        As for `RandomRotation`.
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: str = "nearest",
        seed: int | None = None,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
    ) -> None:
        super().__init__(value_range, interpolation, fill_mode, fill_value, seed)
        self.num_ops = self.count = whole_number(num_ops, "num_ops")
        self.num_magnitude_bins = whole_number(num_magnitude_bins, "num_magnitude_bins", 2)
        self.magnitude = whole_number(magnitude, "magnitude", 0)
        if self.magnitude >= self.num_magnitude_bins:
            raise ValueError(f"magnitude must be below num_magnitude_bins, {num_magnitude_bins}, received {magnitude}")

    def choices(self, height: int, width: int) -> list[tuple[str, tuple[Draw, ...], tuple[float, ...]]]:
        level = self.magnitude / (self.num_magnitude_bins - 1)
        return _fourteen((level, level), 0.3, (150 / 331, 150 / 331), math.radians(30), 0.9, 4)

    def get_config(self) -> dict[str, Any]:
        numbers = {
            "num_ops": self.num_ops, "magnitude": self.magnitude, "num_magnitude_bins": self.num_magnitude_bins
        }  # fmt: skip
        return {**numbers, **super().get_config()}


class TrivialAugment(_Policy):
    """One of fourteen augmentations, of any strength (Müller and Hutter 2021, "TrivialAugment: tuning-free yet
    state-of-the-art data augmentation", section 3), with the wide ranges of its table.

    Parameters
    ----------
    value_range, interpolation, seed, fill_mode, fill_value
        As for `RandAugment`.
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        interpolation: str = "nearest",
        seed: int | None = None,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
    ) -> None:
        super().__init__(value_range, interpolation, fill_mode, fill_value, seed)

    def choices(self, height: int, width: int) -> list[tuple[str, tuple[Draw, ...], tuple[float, ...]]]:
        return _fourteen((0.0, 1.0), 0.99, (32 / height, 32 / width), math.radians(135), 0.99, 6)


class RandomChoice(Augmentation):
    """One of several augmentations for each image.

    Parameters
    ----------
    augmentations : list of Augmentation
        Each of a single step that leaves the image's size alone.
    seed : int, optional
    """

    def __init__(self, augmentations: list[Augmentation], seed: int | None = None) -> None:
        super().__init__(seed)
        if not augmentations or not all(isinstance(a, Augmentation) for a in augmentations):
            raise TypeError(f"augmentations must be a list of augmentations, received {shown(augmentations)}")
        self.augmentations = list(augmentations)

    def check_channels(self, channels: int) -> None:
        for one in self.augmentations:
            one.check_channels(channels)

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        found = []
        for i, one in enumerate(self.augmentations):
            steps = one.steps(height, width, training)
            if any(s.size is not None or s.group is not None for s in steps):
                raise ValueError(f"augmentations must keep the images' size and be no choices, received {one!r}")
            found += [dataclasses.replace(s, group=(0, i, len(self.augmentations))) for s in steps]
        return found

    def get_config(self) -> dict[str, Any]:
        return {"augmentations": self.augmentations, **super().get_config()}

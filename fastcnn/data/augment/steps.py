"""Steps of augmentation: what is done to an image, and the numbers that each image draws for it.

The names and the order are those of csrc/fastcnn.h (fc_augment, fc_draw, fc_border), where each is described.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

KINDS = (
    "flip_columns", "flip_rows", "rotate", "translate", "zoom", "shear", "perspective", "crop", "resized_crop",
    "shift", "scale", "contrast", "color", "invert", "stretch",
    "hsv", "solarize", "posterize", "noise", "salt",
    "blur", "sharpen", "equalize", "erase", "cutout",
)  # fmt: skip
GEOMETRIC = frozenset(KINDS[:9])
LINEAR = frozenset(KINDS[9:15])
POINTS = frozenset(KINDS[9:20])
DRAWS = (
    "constant",
    "uniform",
    "log_uniform",
    "whole",
    "signed",
    "levels",
    "signed_levels",
    "about_one",
    "odds",
    "same",
)
BORDERS = ("constant", "nearest", "reflect", "wrap")

#: Where in a step's row of doubles things lie.
VALUES, _DRAWS_AT, _SIZES_AT, _FIXED_AT, STEP_SIZE = 8, 6, 30, 34, 38
#: Floats that an image draws for a step: whether it is done, and its numbers.
DRAWN = 1 + VALUES

#: A number that an image draws: how, from where, to where.
Draw = tuple[str, float, float]


def fixed(value: float) -> Draw:
    """No choice."""
    return "constant", float(value), float(value)


@dataclasses.dataclass(frozen=True)
class View:
    """How places between pixels and outside the image look."""

    interpolation: str = "bilinear"
    border: str = "reflect"
    fill: float = 0.0


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing that may be done to each image.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    draws : tuple of Draw
    probability : float
        That it is done to an image.
    constants : tuple of float
        Its fixed numbers.
    group : (int, int, int), optional
        Of a choice: the choice's number, this step's number in it, and how many there are. Each image takes one.
    size : (int, int), optional
        Rows and columns of the result, where they change.
    view : View
        Of geometric steps.
    value_range : (float, float)
        The least and the greatest value of a pixel; bytes have their own.
    window : (int, int)
        Rows and columns of a filter.
    """

    kind: str
    draws: tuple[Draw, ...] = ()
    probability: float = 1.0
    constants: tuple[float, ...] = ()
    group: tuple[int, int, int] | None = None
    size: tuple[int, int] | None = None
    view: View = View()
    value_range: tuple[float, float] = (0.0, 255.0)
    window: tuple[int, int] = (3, 3)


def table(steps: Sequence[Step], lanes: Sequence[int], height: int, width: int) -> NDArray[np.float64]:
    """The steps as the kernels read them, for images of this size: (steps, numbers)."""
    rows = np.zeros((len(steps), STEP_SIZE))
    for row, step, lane in zip(rows, steps, lanes):
        group = step.group or (-1, 0, 1)
        row[:_DRAWS_AT] = KINDS.index(step.kind), step.probability, *group, lane
        for i, (how, low, high) in enumerate(step.draws):
            row[_DRAWS_AT + 3 * i : _DRAWS_AT + 3 * i + 3] = DRAWS.index(how), low, high
        size = step.size or (height, width)
        row[_SIZES_AT:_FIXED_AT] = height, width, *size
        row[_FIXED_AT : _FIXED_AT + len(step.constants)] = step.constants
        height, width = size
    return rows

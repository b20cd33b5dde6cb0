"""Arguments of augmentations, checked: ranges that numbers are drawn from, and how borders look."""

from __future__ import annotations

import math
from typing import Any

from ...errors import shown, unknown_name
from ...shapes import real_number
from .steps import BORDERS, View

Range = tuple[float, float]


def interval(
    value: Any, name: str, low: float = -math.inf, high: float = math.inf, start: float | None = None
) -> Range:
    """A range from a pair of numbers, or from one: from -value to value, or from `start`."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} must be a number or a pair of them, received {shown(value)}")
        ends = [real_number(v, name, low, high) for v in value]
        return min(ends), max(ends)
    number = real_number(value, name, low, high)
    if start is not None:
        return min(start, number), max(start, number)
    return -abs(number), abs(number)


def view_of(interpolation: Any, fill_mode: Any, fill_value: Any) -> View:
    """How a geometric augmentation looks at the image."""
    if interpolation not in ("bilinear", "nearest"):
        raise unknown_name("interpolation", interpolation, ("bilinear", "nearest"))
    if fill_mode not in BORDERS:
        raise unknown_name("fill_mode", fill_mode, BORDERS)
    return View(interpolation, fill_mode, real_number(fill_value, "fill_value", low=-math.inf))


def values_of(value_range: Any) -> Range:
    """The least and the greatest value of a pixel."""
    if isinstance(value_range, (tuple, list)) and len(value_range) == 2:
        low, high = (real_number(v, "value_range", low=-math.inf) for v in value_range)
        if low < high:
            return low, high
    raise ValueError(f"value_range must be a pair (low, high) with low < high, received {shown(value_range)}")


def plain(value: Any) -> Any:
    """An argument as files can have it."""
    return list(value) if isinstance(value, tuple) else value

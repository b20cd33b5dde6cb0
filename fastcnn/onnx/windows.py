"""What surrounds an image before windows are laid over it, by ONNX's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tensors import Shape

Sides = tuple[tuple[int, int], ...]


def window_sides(
    attributes: Mapping[str, Any], window: list[int], shape: Shape, dilations: list[int], strides: list[int]
) -> Sides | str | None:
    """What surrounds an image before windows are laid over it: ((before, after), …), "same", or None where that hangs
    on sizes which aren't known.
    """
    mode = attributes.get("auto_pad", "NOTSET")
    axes = len(window)
    if mode == "NOTSET":
        pads = attributes.get("pads") or [0] * 2 * axes
        return tuple((pads[i], pads[i + axes]) for i in range(axes))
    if mode == "VALID":
        return ((0, 0),) * axes
    if mode == "SAME_UPPER":
        return "same"
    sides = []
    for size, k, d, s in zip(shape[2:], window, dilations, strides):
        if size is None:
            return None
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        sides.append((total - total // 2, total // 2))
    return tuple(sides)


def rounded_up(sides: Sides, window: list[int], strides: list[int], shape: Shape, counted: bool) -> Sides | None:
    """Sides with so much more after the image that a window which begins in it counts; None where that hangs on sizes
    which aren't known, or would be counted in a mean.
    """
    found = []
    for (before, after), k, s, size in zip(sides, window, strides, shape[2:]):
        if size is None:
            return None
        outputs = -(-(size + before + after - k) // s) + 1
        if (outputs - 1) * s >= size + before:
            outputs -= 1
        more = (outputs - 1) * s + k - (size + before + after)
        if more > 0 and counted:
            return None
        found.append((before, after + max(0, more)))
    return tuple(found)

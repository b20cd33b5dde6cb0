"""Boxes drawn into images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown
from ..shapes import whole_number
from .figures import as_pictures, colour


def draw_boxes(
    image: ArrayLike,
    boxes: ArrayLike,
    labels: ArrayLike | None = None,
    scores: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    *,
    line_width: int | None = None,
) -> NDArray[np.uint8]:
    """An image with boxes around what was found in it, each class in its colour, with its name and score.

    Parameters
    ----------
    image : array, shape (height, width) or (height, width, channels)
        Bytes, or floats in any range.
    boxes : array, shape (boxes, 4)
        Left, top, right and bottom edge in pixels, from the image's left and top. What lies outside is cut off.
    labels : array of int, shape (boxes,), optional
        Classes, which choose the colours.
    scores : array, shape (boxes,), optional
        The boxes with the highest are drawn last, over the others.
    class_names : sequence of str, optional
        Of class 0, 1, …; numbers if not given.
    line_width : int, optional
        In pixels; by default what suits the image's size.

    Returns
    -------
    array of shape (height, width, 3), uint8
        A new image, for ``PIL.Image.fromarray(…).save(path)``.

    Raises
    ------
    ValueError
        No image, boxes of another shape, with NaN, or whose right or bottom is before their left or top; labels or
        scores of another length; a label without a name.
    """
    array = np.asarray(image)
    if array.ndim not in (2, 3):
        raise ValueError(f"image must have shape (height, width) or (height, width, channels), received {array.shape}")
    picture = as_pictures(array[None], "image")[0]
    edges = _checked_boxes(boxes)
    classes = _per_box(labels, "labels", len(edges))
    if labels is not None and len(edges) and ((classes < 0) | (classes != classes.astype(np.int64))).any():
        raise ValueError(f"labels must hold class numbers from 0, received {shown(np.asarray(labels))}")
    numbers = classes.astype(np.int64)
    if class_names is not None and len(edges) and numbers.max() >= len(class_names):
        raise ValueError(f"class_names must have a name for class {numbers.max()}, received {len(class_names)} names")
    certain = _per_box(scores, "scores", len(edges))

    from PIL import Image, ImageDraw

    canvas = Image.fromarray(np.ascontiguousarray(picture))
    draw = ImageDraw.Draw(canvas)
    side = max(canvas.size)
    width = max(1, round(side / 250)) if line_width is None else whole_number(line_width, "line_width")
    font = _font(max(10, min(28, side // 28)))
    order = np.argsort(certain, kind="stable") if scores is not None else np.arange(len(edges))
    limits = np.tile(canvas.size, 2)
    order = order[(edges[order, 2:] > 0).all(1) & (edges[order, :2] < limits[:2]).all(1)]  # the others lie outside
    # Right and bottom edges are those of the pixels behind the last ones.
    corners = np.clip(np.concatenate([edges[:, :2], np.maximum(edges[:, :2], edges[:, 2:] - 1)], axis=1), 0, limits - 1)
    for i in order:
        draw.rectangle(tuple(corners[i].tolist()), outline=colour(int(numbers[i])), width=width)
    for i in order:  # over all boxes
        words = [] if labels is None else [str(numbers[i] if class_names is None else class_names[numbers[i]])]
        words += [] if scores is None else [f"{certain[i]:.2f}"]
        if words:
            left, top, _, bottom = corners[i].tolist()
            _tag(draw, " ".join(words), left, top, bottom, colour(int(numbers[i])), font, canvas.size)
    return np.asarray(canvas).copy()


def _tag(
    draw: Any, text: str, left: float, top: float, bottom: float, shade: tuple[int, int, int], font: Any, size: Any
) -> None:
    """Text on a plate of the box's colour: above the box, below or inside where there is no room."""
    x0, y0, x1, y1 = draw.textbbox((0, 0), text, font=font)
    width, height = x1 - x0 + 4, y1 - y0 + 4
    x = max(0, min(left, size[0] - width))
    y = top - height
    if y < 0:
        y = bottom + 1 if bottom + 1 + height <= size[1] else min(top, max(0, size[1] - height))
    draw.rectangle((x, y, x + width, y + height), fill=shade)
    # By how bright the plate looks (ITU-R BT.601).
    bright = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2] > 140
    draw.text((x + 2 - x0, y + 2 - y0), text, fill="black" if bright else "white", font=font)


def _font(size: int) -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:  # before Pillow 10.1 it has one size
        return ImageFont.load_default()


def _checked_boxes(boxes: ArrayLike) -> NDArray[np.float64]:
    edges = np.asarray(boxes, np.float64)
    if edges.size == 0:
        return np.zeros((0, 4))
    if edges.ndim != 2 or edges.shape[1] != 4:
        raise ValueError(f"boxes must have shape (boxes, 4), received {edges.shape}")
    wrong = ~np.isfinite(edges).all(1) | (edges[:, 2:] < edges[:, :2]).any(1)
    if wrong.any():
        raise ValueError(f"boxes must hold finite (left, top, right, bottom), received {edges[wrong][0].tolist()}")
    return edges


def _per_box(given: ArrayLike | None, name: str, count: int) -> NDArray[np.float64]:
    if given is None:
        return np.zeros(count)
    values = np.asarray(given, np.float64).reshape(-1)
    if len(values) != count:
        raise ValueError(f"{name} must have one entry for each of {count} boxes, received {len(values)}")
    return values

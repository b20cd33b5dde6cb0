"""Pictures of what augmentation does to images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import shown
from ..shapes import whole_number
from .figures import ORANGE, Target, as_pictures, check_target, new_figure, plain_text, save


def augmentation_preview(
    augmentations: Any,
    images: ArrayLike,
    path: Target,
    *,
    count: int = 6,
    boxes: Sequence[ArrayLike] | None = None,
    title: str | None = None,
) -> None:
    """Draw what becomes of images: a row for each augmentation, what went in at its start.

    Parameters
    ----------
    augmentations : augmentation, list of them, or {name: augmentation}
        Of `fastcnn.data.augment`, or any functions of a batch.
    images : array, shape (height, width, channels) or (batch, height, width, channels)
        One image, drawn `count` times, or several.
    path : path-like or binary file
        Picture to write: ``.png``, ``.svg`` or ``.pdf``, there whole or not at all. An open file gets a PNG.
    count : int
        Results in a row.
    boxes : list of arrays (boxes, 4 or more), optional
        Of each image; they are moved along, and drawn.
    title : str, optional

    Raises
    ------
    ImportError
        matplotlib is not installed (``pip install "fastcnn[plot]"``).
    ValueError
        No images, or no augmentations.
    """
    check_target(path)
    rows = _named(augmentations)
    count = whole_number(count, "count")
    batch = np.asarray(images)
    if batch.ndim == 3:
        batch, boxes = np.repeat(batch[None], count, axis=0), None if boxes is None else list(boxes) * count
    if batch.ndim != 4 or len(batch) == 0:
        raise ValueError(f"images must be one image or a batch of them, received shape {batch.shape}")
    batch = batch[:count]
    given = None if boxes is None else [np.asarray(b, np.float32) for b in boxes][: len(batch)]
    # The greatest value, of floats that are pixels.
    top = None if batch.dtype == np.uint8 or batch.min() < 0 or batch.max() > 255 else 1 if batch.max() <= 1 else 255
    across = 1.25
    figure = new_figure("augmentation_preview", across * (len(batch) + 2.2), across * 1.08 * len(rows) + 0.4)
    if title is not None:
        figure.suptitle(plain_text(title), fontsize=11)
    for row, (name, augment) in enumerate(rows.items()):
        result = augment(batch) if given is None else augment(batch, boxes=given)
        found, moved = (result, None) if given is None else result
        if top is not None:
            found = np.clip(found, 0, top)  # noise, say, may go beyond
        pictures = [as_pictures(batch[:1])[0], *as_pictures(found)]
        marked = [None, *[None] * len(found)] if given is None or moved is None else [given[0], *moved]
        for column, (picture, marks) in enumerate(zip(pictures, marked)):
            axes = figure.add_subplot(len(rows), len(pictures), row * len(pictures) + column + 1)
            axes.imshow(picture, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            for left, top, right, bottom in () if marks is None else np.asarray(marks)[:, :4]:
                corners = ([left, right, right, left, left], [top, top, bottom, bottom, top])
                axes.plot(*(np.array(c) - 0.5 for c in corners), color=ORANGE, linewidth=1.2)
            if column == 0:
                label = plain_text(name)
                axes.set_ylabel(label, fontsize=7, rotation=0, ha="right", va="center")
    save(figure, path)


def _named(augmentations: Any) -> dict[str, Callable[..., Any]]:
    """Augmentations with what is written beside them."""
    if isinstance(augmentations, Mapping):
        found = dict(augmentations)
    else:
        several = augmentations if isinstance(augmentations, (list, tuple)) else [augmentations]
        found = {}
        for one in several:
            name = getattr(one, "__name__", type(one).__name__)
            found[name if name not in found else f"{name} {len(found) + 1}"] = one
    if not found or not all(callable(one) for one in found.values()):
        raise ValueError(f"augmentations must be functions of batches, received {shown(augmentations)}")
    return found

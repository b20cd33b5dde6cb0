"""Images as people hand them to a detector."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops.arrays import real_array
from ..data import read_picture
from ..errors import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pictures(images: Any) -> Iterator[NDArray[Any]]:
    """One image after the other: (height, width, 3), pixels from 0 to 255. Files are read when their turn comes.

    Parameters
    ----------
    images : array, path, or list of these
        One image (height, width[, channels]), the path of a file, several of them of any sizes, or a batch (n, height,
        width, channels).

    Raises
    ------
    ValueError, TypeError
        Something else.
    PictureError
        A file that can't be read.
    """
    if isinstance(images, (str, os.PathLike)) or hasattr(images, "__array__"):
        whole = isinstance(images, (str, os.PathLike)) or np.ndim(images) < 4
        images = [images] if whole else images
    if not hasattr(images, "__iter__"):
        raise TypeError(f"images must be arrays or paths, received {shown(images)}")
    for number, image in enumerate(images):
        yield _picture(image, f"images[{number}]")


def _picture(image: Any, name: str) -> NDArray[Any]:
    if isinstance(image, (str, os.PathLike)):
        return read_picture(image)
    pixels = real_array(image, name)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise ValueError(f"{name} must be (height, width) or (height, width, 1, 3 or 4), received {np.shape(image)}")
    # Without alpha, which a detector has no use for.
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]

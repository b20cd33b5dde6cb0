"""The sample of Fashion-MNIST that comes with the package, as one picture made by tools/make_sample.py.

The picture is a table of images, `COLUMNS` in each row. First come the training images, class by class, then the
test images: an image's place says which it is, so there are no labels to store.
"""

from __future__ import annotations

from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ..errors import FastcnnError
from .library import Arrays

FILE = "fashion_mnist_sample.png"
SIDE, COLUMNS, CLASSES = 28, 50, 10
#: Images of each class.
TRAIN, TEST = 200, 50


def pack(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture of images (classes, TRAIN, side, side) and (classes, TEST, side, side)."""
    images = np.concatenate([part.reshape(-1, SIDE, SIDE) for part in (train, test)])
    return images.reshape(-1, COLUMNS, SIDE, SIDE).transpose(0, 2, 1, 3).reshape(-1, COLUMNS * SIDE)


def unpack(picture: NDArray[np.uint8]) -> Arrays:
    """(x_train, y_train), (x_test, y_test) of the picture, the classes taking turns."""
    images = picture.reshape(-1, SIDE, COLUMNS, SIDE).transpose(0, 2, 1, 3).reshape(-1, SIDE, SIDE)
    parts = []
    for count, part in ((TRAIN, images[: CLASSES * TRAIN]), (TEST, images[CLASSES * TRAIN :])):
        turns = part.reshape(CLASSES, count, SIDE, SIDE).swapaxes(0, 1)
        labels = np.tile(np.arange(CLASSES, dtype=np.uint8), count)
        parts.append((np.ascontiguousarray(turns).reshape(-1, SIDE, SIDE), labels))
    return parts[0], parts[1]


def read_sample() -> Arrays:
    """The sample's arrays: (2000, 28, 28), (2000,), (500, 28, 28), (500,), uint8."""
    from PIL import Image

    expected = (CLASSES * (TRAIN + TEST) // COLUMNS * SIDE, COLUMNS * SIDE)
    with resources.files(__package__).joinpath("data").joinpath(FILE).open("rb") as file:
        try:
            picture = np.asarray(Image.open(file))
        except OSError as error:
            raise FastcnnError(f"fastcnn is not installed whole: {FILE} can't be read ({error})") from None
    if picture.shape != expected or picture.dtype != np.uint8:
        raise FastcnnError(f"fastcnn is not installed whole: {FILE} has shape {picture.shape}, expected {expected}")
    return unpack(picture)

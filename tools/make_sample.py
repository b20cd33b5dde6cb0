"""Make fastcnn/datasets/data/fashion_mnist_sample.png from the full Fashion-MNIST.

    python tools/make_sample.py [FOLDER]

FOLDER holds the four IDX files; without it they are looked for as fashion_mnist.load_data() does. The same files give
the same sample every time: the first images of each class.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastcnn.datasets import fashion_mnist, sample
from fastcnn.utils import atomic_write


def first_of_each(images: NDArray[np.uint8], labels: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """The first `count` images of each class, shape (classes, count, side, side)."""
    return np.stack([images[np.flatnonzero(labels == c)[:count]] for c in range(sample.CLASSES)])


def main() -> None:
    """Write the picture beside the package's other data."""
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data(sys.argv[1] if len(sys.argv) > 1 else None)
    train, test = first_of_each(x_train, y_train, sample.TRAIN), first_of_each(x_test, y_test, sample.TEST)
    path = Path(sample.__file__).parent / "data" / sample.FILE
    with atomic_write(path) as file:
        Image.fromarray(sample.pack(train, test)).save(file, "png", optimize=True)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()

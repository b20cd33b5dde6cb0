"""Fashion-MNIST: 70,000 pictures of clothes in ten classes, 28x28, grey.

Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms" (2017).
Copyright (c) 2017 Zalando SE, https://tech.zalando.com, under the MIT licence, which is beside the sample.
"""

from __future__ import annotations

import os

from .idx import IdxFile
from .library import Arrays, Dataset, Source
from .sample import read_sample

#: The names of classes 0 to 9.
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# The digests are of the unpacked files, worked out from those in Debian's package. Its .gz files differ from those
# on the mirrors (an older file name and date in the gzip header), which hold the same data.
DATASET = Dataset(
    title="Fashion-MNIST",
    files=(
        IdxFile(
            "train-images-idx3-ubyte",
            (60000, 28, 28),
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        IdxFile(
            "train-labels-idx1-ubyte", (60000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        IdxFile(
            "t10k-images-idx3-ubyte",
            (10000, 28, 28),
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        IdxFile("t10k-labels-idx1-ubyte", (10000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ),
    folder="fashion-mnist",
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    system=(("/usr/share/datasets/fashion-mnist", "Debian's package dataset-fashion-mnist"),),
    advice=(
        ", install Debian's package dataset-fashion-mnist, or use the small sample that comes with fastcnn: "
        "fastcnn.datasets.fashion_mnist.load_sample()"
    ),
)


def load_data(path: str | os.PathLike[str] | None = None) -> Arrays:
    """Fashion-MNIST: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    path : path-like, optional
        A folder with the four IDX files, plain or ``.gz``. Without it they are looked for in ``$FASTCNN_DATA_DIR``
        (and its folder ``fashion-mnist``), where Debian's package dataset-fashion-mnist puts them, and in the user's
        cache; then they are downloaded into the cache (30 MB).

    Returns
    -------
    x_train, y_train, x_test, y_test
        uint8 arrays of shapes (60000, 28, 28), (60000,), (10000, 28, 28), (10000,).

    Raises
    ------
    DataNotFoundError
        Nowhere, and no network: the message says what was tried. `load_sample` always works.
    """
    return DATASET.load(path)[0]


def find(path: str | os.PathLike[str] | None = None) -> Source:
    """Where `load_data` would take the data from; ``str()`` of it is a sentence, its `folder` None if it is nowhere."""
    return DATASET.find(path)


def load_sample() -> Arrays:
    """A small part of Fashion-MNIST that comes with fastcnn: 2,000 training and 500 test images.

    The first of each class in the full set, as many of each, in the order 0, 1, …, 9, 0, 1, …

    Returns
    -------
    x_train, y_train, x_test, y_test
        uint8 arrays of shapes (2000, 28, 28), (2000,), (500, 28, 28), (500,).
    """
    return read_sample()

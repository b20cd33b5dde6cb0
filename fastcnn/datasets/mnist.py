"""MNIST: 70,000 handwritten digits, 28x28, grey.

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition" (1998).
"""

from __future__ import annotations

import os

from .idx import IdxFile
from .library import Arrays, Dataset, Source

#: The names of classes 0 to 9.
CLASS_NAMES = tuple(str(digit) for digit in range(10))

# The digests are of the unpacked files, as several projects that use them publish. Those of the packed files on the
# mirrors are as well known: train-images-idx3-ubyte.gz has SHA-256 440fcabf73cc546fa21475e81ea37026...
DATASET = Dataset(
    title="MNIST",
    files=(
        IdxFile(
            "train-images-idx3-ubyte",
            (60000, 28, 28),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        IdxFile(
            "train-labels-idx1-ubyte", (60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        IdxFile(
            "t10k-images-idx3-ubyte",
            (10000, 28, 28),
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        IdxFile("t10k-labels-idx1-ubyte", (10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
    folder="mnist",
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)


def load_data(path: str | os.PathLike[str] | None = None) -> Arrays:
    """MNIST: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    path : path-like, optional
        A folder with the four IDX files, plain or ``.gz``. Without it (or with Keras' default ``"mnist.npz"``) they
        are looked for in ``$FASTCNN_DATA_DIR`` (and its folder ``mnist``) and in the user's cache; then they are
        downloaded into the cache (11 MB).

    Returns
    -------
    x_train, y_train, x_test, y_test
        uint8 arrays of shapes (60000, 28, 28), (60000,), (10000, 28, 28), (10000,).

    Raises
    ------
    DataNotFoundError
        Nowhere, and no network: the message says what was tried.
    """
    return DATASET.load(None if path == "mnist.npz" else path)[0]


def find(path: str | os.PathLike[str] | None = None) -> Source:
    """Where `load_data` would take the data from; ``str()`` of it is a sentence, its `folder` None if it is nowhere."""
    return DATASET.find(path)

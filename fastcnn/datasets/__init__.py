"""Datasets: found on this machine, or downloaded once and kept.

`cifar10`, `fashion_mnist` and `mnist` have Keras' ``load_data()``. `load` does the same by name, and says where the
data came from.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ..errors import DataNotFoundError, unknown_name
from . import cifar10, fashion_mnist, mnist
from .idx import DamagedFileError
from .library import Arrays, Source

__all__ = ["DamagedFileError", "Loaded", "Source", "cifar10", "fashion_mnist", "find", "load", "mnist"]

_DATASETS: dict[str, Any] = {"cifar10": cifar10, "fashion_mnist": fashion_mnist.DATASET, "mnist": mnist.DATASET}
_NAMES = {"cifar10": cifar10.CLASS_NAMES, "fashion_mnist": fashion_mnist.CLASS_NAMES, "mnist": mnist.CLASS_NAMES}


class Loaded(NamedTuple):
    """A dataset and what there is to say about it.

    Attributes
    ----------
    arrays
        ``(x_train, y_train), (x_test, y_test)``, uint8.
    class_names : tuple of str
    source : str
        A sentence for people: which data these are, and from where.
    missing : str
        Why these are only the sample; empty for the full set.
    """

    arrays: Arrays
    class_names: tuple[str, ...]
    source: str
    missing: str = ""


def load(name: str, path: str | os.PathLike[str] | None = None, sample_instead: bool = False) -> Loaded:
    """A dataset by name.

    Parameters
    ----------
    name : {"cifar10", "fashion_mnist", "mnist"}
    path : path-like, optional
        The folder with its files; by default they are looked for (see ``load_data``).
    sample_instead : bool
        Where Fashion-MNIST can't be had, return the sample that comes with fastcnn instead of raising.

    Raises
    ------
    DataNotFoundError
        It can't be had.
    """
    if name not in _DATASETS:
        raise unknown_name("dataset", name, _DATASETS)
    try:
        arrays, source = _DATASETS[name].load(path)
    except DataNotFoundError as error:
        if not sample_instead or name != "fashion_mnist":
            raise
        (x_train, _), (x_test, _) = arrays = fashion_mnist.load_sample()
        sentence = f"the sample of Fashion-MNIST in fastcnn: {len(x_train)} training and {len(x_test)} test images"
        return Loaded(arrays, _NAMES[name], sentence, str(error))
    return Loaded(arrays, _NAMES[name], str(source))


def find(name: str, path: str | os.PathLike[str] | None = None) -> Source:
    """Where a dataset is on this machine; ``str()`` of it is a sentence, its `folder` is None if it is nowhere."""
    if name not in _DATASETS:
        raise unknown_name("dataset", name, _DATASETS)
    found: Source = _DATASETS[name].find(path)
    return found

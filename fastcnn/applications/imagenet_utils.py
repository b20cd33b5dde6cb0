"""Pictures as the ImageNet networks want them, and names for what they see."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data import normalize
from ..errors import shown, unknown_name
from ..shapes import whole_number

#: Keras' names of what `normalize` calls presets.
_MODES = {"torch": "imagenet", "tf": "tf", "caffe": "caffe"}


def preprocess_input(x: ArrayLike, mode: str = "torch") -> NDArray[np.float32]:
    """Pixels as a network was trained on them.

    Parameters
    ----------
    x : array, (..., 3)
        Red, green and blue, from 0 to 255; not changed.
    mode : {"torch", "tf", "caffe"}
        "torch": on a scale from 0 to 1, less ImageNet's mean, divided by its standard deviation, as PyTorch's
        networks have it. "tf": from -1 to 1. "caffe": blue, green and red, less their means.

    Returns
    -------
    array of the same shape, float32

    Raises
    ------
    ValueError
        An unknown mode; x is not numbers of shape (..., 3).
    """
    pixels = check_pixels(x)
    if mode not in _MODES:
        raise unknown_name("mode", mode, _MODES)
    return normalize(pixels, _MODES[mode])


def check_pixels(x: ArrayLike) -> NDArray[np.float32]:
    """Pixels (..., 3) as new floats."""
    pixels = np.asarray(x)
    if pixels.dtype.kind not in "biuf" or pixels.ndim < 1 or pixels.shape[-1] != 3:
        raise ValueError(f"x must be numbers of shape (..., 3), received shape {pixels.shape} of {pixels.dtype}")
    return pixels.astype(np.float32)


def decode_predictions(preds: ArrayLike, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The likeliest of ImageNet's 1000 classes for each picture.

    Parameters
    ----------
    preds : array, (pictures, 1000)
        What a network with ImageNet's classes gives.
    top : int
        How many.

    Returns
    -------
    list of lists of (synset, label, score)
        For each picture, the best first: the class's number in WordNet ("n02124075"), its first word there ("Egyptian
        cat") and what the network gave it.
    """
    scores = np.asarray(preds)
    count = whole_number(top, "top")
    if scores.ndim != 2 or scores.shape[1] != 1000 or scores.dtype.kind not in "iuf":
        raise ValueError(f"preds must be numbers of shape (pictures, 1000), received {shown(scores.shape)}")
    classes = imagenet_classes()
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return [
        [(classes[k][0], classes[k][1][0], float(row[k])) for k in best] for row, best in zip(scores, order.tolist())
    ]


@functools.cache
def imagenet_classes() -> Sequence[tuple[str, tuple[str, ...]]]:
    """ImageNet's 1000 classes: the synset's number in WordNet 3.0, and its words."""
    text = importlib.resources.files(__package__).joinpath("data/imagenet_classes.txt").read_text(encoding="utf-8")
    lines = [line.split(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return tuple((synset, tuple(words.split(", "))) for synset, words in lines)


__all__ = ["decode_predictions", "imagenet_classes", "preprocess_input"]

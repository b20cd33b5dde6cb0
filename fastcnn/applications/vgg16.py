"""VGG-16.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014: configuration D.
"""

from __future__ import annotations

import os
from typing import Any

from .. import layers
from ..graph import Value
from ..models import Model
from .blocks import INITIALIZER, application
from .imagenet_utils import decode_predictions, preprocess_input


def VGG16(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg16",
) -> Model:
    """VGG-16 for images (height, width, channels), 224x224x3 unless told otherwise: 138,357,544 weights.

    Parameters
    ----------
    include_top : bool
        Whether the three dense layers are there. Without them the outputs are maps of 512 channels.
    weights : path-like, optional
        A file to read weights from (see `fastcnn.weights.load`): PyTorch's `.pth`, or safetensors. Random without one.
    input_tensor : Value, optional
        A result of `Input` to build on.
    input_shape : tuple of int, optional
        Without the batch axis.
    pooling : "avg" or "max", optional
        Without a top: what is taken of each map. None gives the maps themselves.
    classes : int
    classifier_activation : str or callable, optional
        None for the logits.
    name : str

    Raises
    ------
    ModelFileError
        The weights are not this network's.
    """

    def top(x: Value) -> Value:
        x = layers.Flatten(name="flatten")(x)
        for number in (1, 2):
            x = layers.Dense(4096, "relu", kernel_initializer=INITIALIZER, name=f"fc{number}")(x)
            x = layers.Dropout(0.5, name=f"fc{number}_dropout")(x)
        return layers.Dense(classes, classifier_activation, name="predictions")(x)

    return application(name, _features, top, 224, include_top=include_top, weights=weights,
                       input_tensor=input_tensor, input_shape=input_shape, pooling=pooling)  # fmt: skip


def _features(x: Value) -> Value:
    for block, (filters, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for number in range(1, count + 1):
            x = layers.Conv2D(filters, 3, padding=1, activation="relu", kernel_initializer=INITIALIZER,
                              name=f"block{block}_conv{number}")(x)  # fmt: skip
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return x


__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

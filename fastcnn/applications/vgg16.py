"""VGG-16.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014: configuration D.
"""

from __future__ import annotations

import os
import re
from typing import Any

from .. import layers
from ..graph import Value
from ..models import Model
from .blocks import INITIALIZER, application
from .imagenet_utils import decode_predictions, preprocess_input

#: Channels and number of each block's convolutions.
_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
#: PyTorch's names of the dense layers.
_TOP = {"fc1": "classifier.0", "fc2": "classifier.3", "predictions": "classifier.6"}


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
        A file to read weights from (see `fastcnn.weights.load`): PyTorch's `.pth`, ONNX or safetensors. Random without
        one.
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

    return application(
        name,
        _features,
        top,
        224,
        torch_name,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
    )


def _features(x: Value) -> Value:
    for block, (filters, count) in enumerate(_BLOCKS, 1):
        for number in range(1, count + 1):
            x = layers.Conv2D(filters, 3, padding=1, activation="relu", kernel_initializer=INITIALIZER,
                              name=f"block{block}_conv{number}")(x)  # fmt: skip
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return x


def torch_name(layer: str) -> str | None:
    """What PyTorch's collection calls a layer, such as "features.28" for "block5_conv3"."""
    if layer in _TOP:
        return _TOP[layer]
    found = re.fullmatch(r"block(\d)_conv(\d)", layer)
    if found is None:
        return None
    block, number = int(found[1]) - 1, int(found[2]) - 1
    # Each convolution has its ReLU behind it, each block its pooling.
    return f"features.{sum(2 * count + 1 for _, count in _BLOCKS[:block]) + 2 * number}"


__all__ = ["VGG16", "decode_predictions", "preprocess_input", "torch_name"]

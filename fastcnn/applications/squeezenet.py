"""SqueezeNet 1.1.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5 MB model size", 2016; version 1.1
of the authors needs less than half of the multiplications.
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

#: Channels of each fire module's squeezing and of each of its expanding convolutions; None is a pooling.
_FIRES = ((16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256))
#: PyTorch's names of the layers before and behind the fire modules.
_OUTER = {"conv1": "features.0", "conv10": "classifier.1"}


def SqueezeNet(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "squeezenet",
) -> Model:
    """SqueezeNet 1.1, 224x224x3 unless told otherwise: 1,235,496 weights.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As for `VGG16`; without a top, maps of 512 channels.
    """

    def top(x: Value) -> Value:
        x = layers.Dropout(0.5, name="top_dropout")(x)
        x = _convolve(x, classes, 1, name="conv10")
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        return layers.Activation(classifier_activation, name="predictions")(x)

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
    x = _pool(_convolve(x, 64, 3, strides=2, name="conv1"), "pool1")
    number = 2
    for fire in _FIRES:
        if fire is None:
            x = _pool(x, f"pool{number - 1}")
            continue
        squeezed = _convolve(x, fire[0], 1, name=f"fire{number}_squeeze1x1")
        one = _convolve(squeezed, fire[1], 1, name=f"fire{number}_expand1x1")
        three = _convolve(squeezed, fire[1], 3, padding=1, name=f"fire{number}_expand3x3")
        x = layers.Concatenate(name=f"fire{number}_concat")([one, three])
        number += 1
    return x


def _convolve(x: Value, filters: int, size: int, strides: int = 1, padding: int = 0, *, name: str) -> Value:
    return layers.Conv2D(filters, size, strides, padding, activation="relu", kernel_initializer=INITIALIZER,
                         name=name)(x)  # fmt: skip


def _pool(x: Value, name: str) -> Value:
    """Windows of 3x3, two apart; a last one that reaches beyond the image by a pixel counts."""
    beyond = tuple((0, (size - 3) % 2 if size and size >= 3 else 0) for size in x.shape[1:3])
    return layers.MaxPooling2D(3, 2, padding=beyond, name=name)(x)


def torch_name(layer: str) -> str | None:
    """What PyTorch's collection calls a layer, such as "features.3.squeeze" for "fire2_squeeze1x1"."""
    if layer in _OUTER:
        return _OUTER[layer]
    found = re.fullmatch(r"fire(\d)_(squeeze1x1|expand1x1|expand3x3)", layer)
    if found is None:
        return None
    # Behind the first convolution, its ReLU and its pooling; a pooling is a module too.
    places = [place for place, fire in enumerate(_FIRES, 3) if fire is not None]
    part = "squeeze" if found[2] == "squeeze1x1" else found[2]
    return f"features.{places[int(found[1]) - 2]}.{part}"


__all__ = ["SqueezeNet", "decode_predictions", "preprocess_input", "torch_name"]

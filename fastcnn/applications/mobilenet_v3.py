"""MobileNetV3.

Howard et al., "Searching for MobileNetV3", 2019: the small network of table 2. Windows are padded as PyTorch does it.
"""

from __future__ import annotations

import os
import re
from typing import Any

from .. import layers
from ..graph import Value
from ..models import Model
from .blocks import INITIALIZER, Style, application, inverted_residual
from .imagenet_utils import decode_predictions, preprocess_input

_STYLE = Style(epsilon=1e-3, momentum=0.99, act="_act")
#: Of each block: window, channels in the middle, channels, squeeze and excitation, activation, stride.
_BLOCKS = (
    (3, 16, 16, True, "relu", 2), (3, 72, 24, False, "relu", 2), (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hard_swish", 2), (5, 240, 40, True, "hard_swish", 1), (5, 240, 40, True, "hard_swish", 1),
    (5, 120, 48, True, "hard_swish", 1), (5, 144, 48, True, "hard_swish", 1), (5, 288, 96, True, "hard_swish", 2),
    (5, 576, 96, True, "hard_swish", 1), (5, 576, 96, True, "hard_swish", 1),
)  # fmt: skip
#: PyTorch's names of the layers before and behind the blocks.
_OUTER = {
    "stem_conv": "features.0.0", "stem_bn": "features.0.1", "top_conv": "features.12.0", "top_bn": "features.12.1",
    "fc": "classifier.0", "predictions": "classifier.3",
}  # fmt: skip


def MobileNetV3Small(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "mobilenet_v3_small",
) -> Model:
    """MobileNetV3-Small, 224x224x3 unless told otherwise: 2,542,856 trainable weights.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As for `VGG16`; without a top, maps of 576 channels.
    """

    def top(x: Value) -> Value:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(1024, "hard_swish", kernel_initializer=INITIALIZER, name="fc")(x)
        x = layers.Dropout(0.2, name="top_dropout")(x)
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
    x = _hard_swish(_STYLE.convolve(x, 16, 3, 2, name="stem"), "stem")
    for number, (size, expanded, filters, attends, activation, strides) in enumerate(_BLOCKS):
        act = _STYLE.relu if activation == "relu" else _hard_swish
        x = inverted_residual(_STYLE, x, size, expanded, filters, strides, name=f"block{number}", act=act,
                              attention=_squeeze_excite if attends else None)  # fmt: skip
    return _hard_swish(_STYLE.convolve(x, 576, 1, name="top"), "top")


def _hard_swish(x: Value, name: str) -> Value:
    return layers.Activation("hard_swish", name=name + _STYLE.act)(x)


def _squeeze_excite(x: Value, name: str) -> Value:
    """Each map times a number from 0 to 1 that follows from all maps' means (Hu et al., 2017)."""
    channels = x.shape[-1] or 0
    y = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_se_pool")(x)
    y = layers.Conv2D(_of_eight(channels / 4), 1, activation="relu", kernel_initializer=INITIALIZER,
                      name=f"{name}_se_reduce")(y)  # fmt: skip
    # Keras' hard sigmoid is that of the paper, relu6(x + 3) / 6.
    y = layers.Conv2D(channels, 1, activation="hard_sigmoid", name=f"{name}_se_expand")(y)
    return layers.Multiply(name=f"{name}_se")([x, y])


def _of_eight(channels: float) -> int:
    """The nearest multiple of 8 that isn't less than nine tenths of it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def torch_name(layer: str) -> str | None:
    """What PyTorch's collection calls a layer, such as "features.4.block.2.fc1" for "block3_se_reduce"."""
    if layer in _OUTER:
        return _OUTER[layer]
    found = re.fullmatch(r"block(\d+)_(expand|depthwise|se|project)_(conv|bn|reduce|expand)", layer)
    if found is None:
        return None
    number, part, kind = int(found[1]), found[2], found[3]
    expanded, attends = _BLOCKS[number][1], _BLOCKS[number][3]
    before = 16 if number == 0 else _BLOCKS[number - 1][2]
    parts = ["expand"] * (expanded != before) + ["depthwise"] + ["se"] * attends + ["project"]
    inner = {"conv": "0", "bn": "1", "reduce": "fc1", "expand": "fc2"}[kind]
    return f"features.{number + 1}.block.{parts.index(part)}.{inner}"


__all__ = ["MobileNetV3Small", "decode_predictions", "preprocess_input", "torch_name"]

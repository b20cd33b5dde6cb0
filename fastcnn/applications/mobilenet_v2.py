"""MobileNetV2.

Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear bottlenecks", 2018. Layers are
called as Keras calls them; windows are padded as PyTorch does it.
"""

from __future__ import annotations

import os
from typing import Any

from ..graph import Value
from ..models import Model
from .blocks import Style, application, classifier, inverted_residual
from .imagenet_utils import decode_predictions, preprocess_input

_STYLE = Style(conv="", norm="_BN")
#: Of each row of blocks (the paper's table 2): expansion, channels, blocks, stride of the first.
_ROWS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def MobileNetV2(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "mobilenet_v2",
) -> Model:
    """MobileNetV2, 224x224x3 unless told otherwise: 3,504,872 trainable weights.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As for `VGG16`; without a top, maps of 1280 channels.
    """
    return application(name, _features, classifier(classes, classifier_activation, 0.2), 224, include_top=include_top,
                       weights=weights, input_tensor=input_tensor, input_shape=input_shape,
                       pooling=pooling)  # fmt: skip


def _features(x: Value) -> Value:
    x = _STYLE.relu6(_STYLE.convolve(x, 32, 3, 2, name="Conv1"), "Conv1")
    number = 0
    for expansion, filters, count, first in _ROWS:
        for block in range(count):
            name = f"block_{number}" if number else "expanded_conv"
            expanded, strides = expansion * (x.shape[-1] or 0), first if block == 0 else 1
            x = inverted_residual(_STYLE, x, 3, expanded, filters, strides, name=name, act=_STYLE.relu6)
            number += 1
    return _STYLE.relu6(_STYLE.convolve(x, 1280, 1, name="Conv_1"), "out")


__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

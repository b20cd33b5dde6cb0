"""MobileNetV2.

Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear bottlenecks", 2018. Layers are
called as Keras calls them; windows are padded as PyTorch does it.
"""

from __future__ import annotations

import os
import re
from typing import Any

from ..graph import Value
from ..models import Model
from .blocks import Style, application, classifier, inverted_residual
from .imagenet_utils import decode_predictions, preprocess_input

_STYLE = Style(conv="", norm="_BN")
#: Of each row of blocks (the paper's table 2): expansion, channels, blocks, stride of the first.
_ROWS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
#: PyTorch's names of the layers before and behind the blocks.
_OUTER = {
    "Conv1": "features.0.0", "Conv1_BN": "features.0.1", "Conv_1": "features.18.0", "Conv_1_BN": "features.18.1",
    "predictions": "classifier.1",
}  # fmt: skip


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
    return application(
        name,
        _features,
        classifier(classes, classifier_activation, 0.2),
        224,
        torch_name,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
    )


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


def torch_name(layer: str) -> str | None:
    """What PyTorch's collection calls a layer, such as "features.2.conv.1.0" for "block_1_depthwise"."""
    if layer in _OUTER:
        return _OUTER[layer]
    found = re.fullmatch(r"(?:block_(\d+)|expanded_conv)_(expand|depthwise|project)(_BN)?", layer)
    if found is None:
        return None
    block, part, norm = int(found[1] or 0), found[2], int(found[3] is not None)
    place = {"expand": 0, "depthwise": 1, "project": 2}[part] - (block == 0)  # the first block doesn't expand
    # The last convolution has no activation, and no module around it and its normalization.
    inner = f"{place + norm}" if part == "project" else f"{place}.{norm}"
    return f"features.{block + 1}.conv.{inner}"


__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input", "torch_name"]

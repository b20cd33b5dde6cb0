"""EfficientNet-Lite0.

Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019; the "lite" networks of the
same authors leave out squeeze-and-excitation and have ReLU6 instead of swish, for processors without either. Windows
are padded as TensorFlow does it, in PyTorch's versions too. Stochastic depth, a regularizer, is left out.
"""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..graph import Value
from ..models import Model
from .blocks import Style, application, classifier, inverted_residual
from .imagenet_utils import check_pixels, decode_predictions

_STYLE = Style(epsilon=1e-3, momentum=0.99, same=True, act="_activation")
#: Of each row of blocks: window, expansion, channels, blocks, stride of the first.
_ROWS = (
    (3, 1, 16, 1, 1), (3, 6, 24, 2, 2), (5, 6, 40, 2, 2), (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1), (5, 6, 192, 4, 2), (3, 6, 320, 1, 1),
)  # fmt: skip
#: PyTorch's names of the layers before and behind the blocks.
_OUTER = {
    "stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1", "predictions": "_fc",
}  # fmt: skip


def EfficientNetLite0(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnet_lite0",
) -> Model:
    """EfficientNet-Lite0, 224x224x3 unless told otherwise: 4,652,008 trainable weights.

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
    x = _STYLE.relu6(_STYLE.convolve(x, 32, 3, 2, name="stem"), "stem")
    for row, (size, expansion, filters, count, first) in enumerate(_ROWS, 1):
        for block in range(count):
            expanded, strides = expansion * (x.shape[-1] or 0), first if block == 0 else 1
            name = f"block{row}{'abcd'[block]}"
            x = inverted_residual(_STYLE, x, size, expanded, filters, strides, name=name, act=_STYLE.relu6,
                                  depthwise="_dw")  # fmt: skip
    return _STYLE.relu6(_STYLE.convolve(x, 1280, 1, name="top"), "top")


def preprocess_input(x: ArrayLike) -> NDArray[np.float32]:
    """Pixels as EfficientNet-Lite was trained on them: from about -1 to 1, ``(x - 127) / 128``.

    Parameters
    ----------
    x : array, (..., 3)
        Red, green and blue, from 0 to 255; not changed.

    Returns
    -------
    array of the same shape, float32
    """
    floats = check_pixels(x)
    floats -= 127
    floats /= 128
    return floats


def torch_name(layer: str) -> str | None:
    """What the package efficientnet-lite-pytorch calls a layer, such as "_blocks.1._bn0" for "block2a_expand_bn"."""
    if layer in _OUTER:
        return _OUTER[layer]
    found = re.fullmatch(r"block(\d)([a-d])_(expand|dw|project)_(conv|bn)", layer)
    if found is None:
        return None
    block = sum(row[3] for row in _ROWS[: int(found[1]) - 1]) + "abcd".index(found[2])
    conv, norm = {"expand": ("expand", 0), "dw": ("depthwise", 1), "project": ("project", 2)}[found[3]]
    return f"_blocks.{block}._{conv}_conv" if found[4] == "conv" else f"_blocks.{block}._bn{norm}"


__all__ = ["EfficientNetLite0", "decode_predictions", "preprocess_input", "torch_name"]

"""Residual networks.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015. Layers are called as Keras calls those of
its ResNet50. As in PyTorch, convolutions have no bias, and a bottleneck's stride is that of its 3x3 convolution.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from .. import layers
from ..graph import Value
from ..models import Model
from .blocks import Style, application, classifier
from .imagenet_utils import decode_predictions, preprocess_input

_STYLE = Style()
#: PyTorch's names of the layers before and behind the blocks.
_OUTER = {"conv1_conv": "conv1", "conv1_bn": "bn1", "predictions": "fc"}
_Block = Callable[[Value, int, int, str], Value]


def ResNet18(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet18",
) -> Model:
    """ResNet-18, 224x224x3 unless told otherwise: 11,689,512 trainable weights.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As for `VGG16`; without a top, maps of 512 channels.
    """
    how = (name, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation)
    return _network(basic, (2, 2, 2, 2), *how)


def ResNet34(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet34",
) -> Model:
    """ResNet-34, 224x224x3 unless told otherwise: 21,797,672 trainable weights.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As for `VGG16`; without a top, maps of 512 channels.
    """
    how = (name, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation)
    return _network(basic, (3, 4, 6, 3), *how)


def ResNet50(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet50",
) -> Model:
    """ResNet-50, 224x224x3 unless told otherwise: 25,557,032 trainable weights.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As for `VGG16`; without a top, maps of 2048 channels.
    """
    how = (name, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation)
    return _network(_bottleneck, (3, 4, 6, 3), *how)


def _network(
    block: _Block,
    counts: Sequence[int],
    name: str,
    include_top: bool,
    weights: str | os.PathLike[str] | None,
    input_tensor: Value | None,
    input_shape: tuple[int, ...] | None,
    pooling: str | None,
    classes: int,
    activation: Any,
) -> Model:
    """Four rows of blocks behind a convolution and a pooling, which together make maps a quarter as large."""

    def features(x: Value) -> Value:
        x = _STYLE.relu(_STYLE.convolve(x, 64, 7, 2, name="conv1"), "conv1")
        x = layers.MaxPooling2D(3, 2, padding=1, name="pool1_pool")(x)
        return stages(x, block, 64, counts, start=2)

    return application(
        name,
        features,
        classifier(classes, activation),
        224,
        torch_name,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
    )


def stages(x: Value, block: _Block, filters: int, counts: Sequence[int], start: int) -> Value:
    """Rows of blocks; from one row to the next, maps are half as large and twice as many."""
    for stage, count in enumerate(counts):
        for number in range(count):
            strides = 2 if stage > 0 and number == 0 else 1
            x = block(x, filters << stage, strides, f"conv{stage + start}_block{number + 1}")
    return x


def basic(x: Value, filters: int, strides: int, name: str) -> Value:
    """Two 3x3 convolutions."""
    y = _STYLE.relu(_STYLE.convolve(x, filters, 3, strides, name=f"{name}_1"), f"{name}_1")
    y = _STYLE.convolve(y, filters, 3, name=f"{name}_2")
    return _joined(y, x, filters, strides, name)


def _bottleneck(x: Value, filters: int, strides: int, name: str) -> Value:
    """A 3x3 convolution of fewer channels between two 1x1 ones."""
    y = _STYLE.relu(_STYLE.convolve(x, filters, 1, name=f"{name}_1"), f"{name}_1")
    y = _STYLE.relu(_STYLE.convolve(y, filters, 3, strides, name=f"{name}_2"), f"{name}_2")
    y = _STYLE.convolve(y, 4 * filters, 1, name=f"{name}_3")
    return _joined(y, x, 4 * filters, strides, name)


def _joined(y: Value, x: Value, filters: int, strides: int, name: str) -> Value:
    """A block's result added to its input, which is projected where the shapes differ."""
    if x.shape[-1] != filters or strides != 1:
        x = _STYLE.convolve(x, filters, 1, strides, name=f"{name}_0")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([y, x]))


def torch_name(layer: str) -> str | None:
    """What PyTorch's collection calls a layer, such as "layer1.0.bn2" for "conv2_block1_2_bn"."""
    if layer in _OUTER:
        return _OUTER[layer]
    found = re.fullmatch(r"conv(\d)_block(\d+)_(\d)_(conv|bn)", layer)
    if found is None:
        return None
    stage, block, number, kind = int(found[1]) - 1, int(found[2]) - 1, found[3], found[4]
    module = f"{kind}{number}" if number != "0" else f"downsample.{0 if kind == 'conv' else 1}"
    return f"layer{stage}.{block}.{module}"


__all__ = ["ResNet18", "ResNet34", "ResNet50", "decode_predictions", "preprocess_input", "torch_name"]

"""Small residual networks for CIFAR-10's images of 32x32 pixels.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, section 4.2; shortcuts are projected where
sizes change (option B there).
"""

from __future__ import annotations

import os
from typing import Any

from ..graph import Value
from ..models import Model
from .blocks import Style, application, classifier
from .resnet import basic, stages, torch_name

_STYLE = Style()


def ResNet20(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: Any = "softmax",
    name: str = "resnet20",
) -> Model:
    """ResNet-20, 32x32x3 and 10 classes unless told otherwise: 272,474 trainable weights.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As for `VGG16`; without a top, maps of 64 channels.
    """
    return _network(
        3,
        name,
        classes,
        classifier_activation,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
    )


def ResNet56(  # noqa: N802
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Value | None = None,
    input_shape: tuple[int, ...] | None = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: Any = "softmax",
    name: str = "resnet56",
) -> Model:
    """ResNet-56, 32x32x3 and 10 classes unless told otherwise: 855,770 trainable weights.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As for `VGG16`; without a top, maps of 64 channels.
    """
    return _network(
        9,
        name,
        classes,
        classifier_activation,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
    )


def _network(blocks: int, name: str, classes: int, activation: Any, **how: Any) -> Model:
    """Three rows of so many blocks, with 16, 32 and 64 channels."""

    def features(x: Value) -> Value:
        x = _STYLE.relu(_STYLE.convolve(x, 16, 3, name="conv1"), "conv1")
        return stages(x, basic, 16, (blocks,) * 3, start=2)

    return application(name, features, classifier(classes, activation), 32, torch_name, **how)


__all__ = ["ResNet20", "ResNet56", "torch_name"]

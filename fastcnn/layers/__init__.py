"""Layers: the pieces that models are made of."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import unknown_name
from .activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    SiLU,
    Softmax,
    Softplus,
)
from .base import Layer
from .conv1d import Conv1D
from .conv2d import Conv2D
from .conv2d_transpose import Conv2DTranspose
from .dense import Dense
from .depthwise import DepthwiseConv2D, SeparableConv2D
from .input import Input, InputLayer
from .merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    maximum,
    minimum,
    multiply,
    subtract,
)
from .normalization import BatchNormalization
from .pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .resizing import Cropping2D, UpSampling2D, ZeroPadding2D
from .simple import Dropout, Flatten, Rescaling, Reshape

AvgPool2D = AveragePooling2D
MaxPool2D = MaxPooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
Swish = SiLU

CLASSES: dict[str, type[Layer]] = {
    c.__name__: c
    for c in (
        InputLayer, Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D, Dense,
        MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D, GlobalAveragePooling2D,
        ZeroPadding2D, Cropping2D, UpSampling2D, Flatten, Reshape,
        BatchNormalization, Activation, ReLU, LeakyReLU, PReLU, ELU, SELU, GELU, SiLU,
        HardSwish, HardSigmoid, Mish, Softplus, Softmax, Dropout, Rescaling,
        Add, Subtract, Multiply, Maximum, Minimum, Average, Concatenate,
    )
}  # fmt: skip


#: Layers that need more than this package, and the modules that have them: imported when a model's file names one.
ELSEWHERE = {"Operator": "fastcnn.onnx.operator"}


def _class(name: Any) -> type[Layer] | None:
    if isinstance(name, str) and name in ELSEWHERE:
        found: type[Layer] = getattr(importlib.import_module(ELSEWHERE[name]), name)
        return found
    return CLASSES.get(name) if isinstance(name, str) else None


def serialize(layer: Layer) -> dict[str, Any]:
    """Class name and configuration, as plain data.

    Raises
    ------
    ValueError
        The class is not one of this module's, so nobody could make the layer from it again.
    """
    if _class(type(layer).__name__) is not type(layer):
        raise ValueError(
            f"layer {layer.name!r} can't be saved: its class {type(layer).__name__} is not one of fastcnn.layers; "
            f"save the weights alone with save_weights"
        )
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def deserialize(data: dict[str, Any]) -> Layer:
    """The layer that `serialize` described.

    Raises
    ------
    ValueError
        The class is not one of this module's.
    """
    name = data.get("class_name")
    found = _class(name) if isinstance(name, str) else None
    if found is None:
        raise unknown_name("layer class", name, [*CLASSES, *ELSEWHERE])
    return found.from_config(dict(data["config"]))


__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "Add",
    "Average",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "HardSigmoid",
    "HardSwish",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Mish",
    "Multiply",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "SiLU",
    "Softmax",
    "Softplus",
    "Subtract",
    "Swish",
    "UpSampling2D",
    "ZeroPadding2D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

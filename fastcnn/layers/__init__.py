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
from .augmentation import (
    AutoContrast,
    CutMix,
    Equalization,
    MixUp,
    RandAugment,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPerspective,
    RandomPosterization,
    RandomResizedCrop,
    RandomRotation,
    RandomSaturation,
    RandomSharpness,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Solarization,
)
from .base import Layer
from .conv1d import Conv1D
from .conv2d import Conv2D
from .conv2d_transpose import Conv2DTranspose
from .dense import Dense
from .depthwise import DepthwiseConv2D, SeparableConv2D
from .group_normalization import GroupNormalization, LayerNormalization
from .input import Input, InputLayer
from .margins import Cropping1D, Cropping2D, ZeroPadding1D, ZeroPadding2D
from .merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from .noise import GaussianNoise, SpatialDropout1D, SpatialDropout2D
from .normalization import BatchNormalization
from .pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .pooling1d import AveragePooling1D, GlobalAveragePooling1D, GlobalMaxPooling1D, MaxPooling1D
from .preprocessing import Normalization
from .regions import RoIAlign
from .reshaping import Permute
from .resizing import CenterCrop, Resizing, UpSampling2D
from .simple import Dropout, Flatten, Rescaling, Reshape

AvgPool1D = AveragePooling1D
MaxPool1D = MaxPooling1D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalMaxPool1D = GlobalMaxPooling1D
AvgPool2D = AveragePooling2D
MaxPool2D = MaxPooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
Swish = SiLU

CLASSES: dict[str, type[Layer]] = {
    c.__name__: c
    for c in (
        InputLayer, Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D, Dense,
        MaxPooling1D, AveragePooling1D, GlobalMaxPooling1D, GlobalAveragePooling1D,
        MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D, GlobalAveragePooling2D,
        ZeroPadding1D, Cropping1D, ZeroPadding2D, Cropping2D, UpSampling2D, Resizing, CenterCrop, RoIAlign,
        Flatten, Reshape, Permute,
        LayerNormalization, GroupNormalization, Normalization, GaussianNoise, SpatialDropout1D, SpatialDropout2D,
        BatchNormalization, Activation, ReLU, LeakyReLU, PReLU, ELU, SELU, GELU, SiLU,
        HardSwish, HardSigmoid, Mish, Softplus, Softmax, Dropout, Rescaling,
        Add, Subtract, Multiply, Maximum, Minimum, Average, Concatenate, Dot,
        AutoContrast, Equalization, RandAugment, RandomBrightness, RandomColorDegeneration,
        RandomColorJitter, RandomContrast, RandomCrop, RandomErasing, RandomFlip, RandomGaussianBlur,
        RandomGrayscale, RandomHue, RandomInvert, RandomPerspective, RandomPosterization, RandomResizedCrop,
        RandomRotation, RandomSaturation, RandomSharpness, RandomShear, RandomTranslation, RandomZoom, Solarization,
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
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNormalization",
    "CenterCrop",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping1D",
    "Cropping2D",
    "CutMix",
    "Dense",
    "DepthwiseConv2D",
    "Dot",
    "Dropout",
    "Equalization",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Mish",
    "MixUp",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Resizing",
    "RoIAlign",
    "SeparableConv2D",
    "SiLU",
    "Softmax",
    "Softplus",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "Subtract",
    "Swish",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

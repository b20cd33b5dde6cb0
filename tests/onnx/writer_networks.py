"""Networks and layers that are written as ONNX: what the tests of the writer walk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fastcnn as fc
from fastcnn import layers
from fastcnn.layers import Input
from fastcnn.models import Model

IMAGE = (9, 8, 4)
SEQUENCE = (11, 4)


def one(make: Callable[[], Any], shape: tuple[int, ...] = IMAGE) -> Callable[[], Model]:
    """A model of one layer."""

    def build() -> Model:
        x = Input(shape)
        return Model(x, make()(x))

    return build


def merged(make: Callable[[], Any]) -> Callable[[], Model]:
    """A model of one layer that takes two inputs."""

    def build() -> Model:
        a, b = Input(IMAGE), Input(IMAGE)
        return Model([a, b], make()([a, b]))

    return build


def adapted() -> Model:
    """Normalization that took its numbers from data."""
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(5).normal(2.0, 3.0, (10, *IMAGE)).astype(np.float32))
    x = Input(IMAGE)
    return Model(x, layer(x))


def regions(layer: layers.RoIAlign) -> Model:
    x, boxes = Input(IMAGE), Input((5, 4))
    return Model([x, boxes], layer([x, boxes]))


#: A model for each class of `fastcnn.layers`, and for arguments that change what is written.
LAYERS: dict[str, Callable[[], Model]] = {
    "Activation": one(lambda: layers.Activation("tanh")),
    "Activation-exponential": one(lambda: layers.Activation("exponential")),
    "Activation-linear": one(lambda: layers.Activation("linear")),
    "Add": merged(layers.Add),
    "Average": merged(layers.Average),
    "AveragePooling2D": one(lambda: layers.AveragePooling2D(3, 2, "same")),
    "AveragePooling2D-counted": one(lambda: layers.AveragePooling2D(3, 2, 1, count_include_pad=True)),
    "AveragePooling1D": one(lambda: layers.AveragePooling1D(3, 2, "same"), SEQUENCE),
    "BatchNormalization": one(layers.BatchNormalization),
    "BatchNormalization-flat": one(lambda: layers.BatchNormalization(scale=False), (7,)),
    "BatchNormalization-plain": one(lambda: layers.BatchNormalization(scale=False, center=False)),
    "Concatenate": merged(layers.Concatenate),
    "Conv1D": one(lambda: layers.Conv1D(6, 3, padding="same", strides=2, activation="relu"), SEQUENCE),
    "Conv1D-causal": one(lambda: layers.Conv1D(6, 3, padding="causal", dilation_rate=2, groups=2), SEQUENCE),
    "Conv2D": one(lambda: layers.Conv2D(6, 3)),
    "Conv2D-dilated": one(lambda: layers.Conv2D(6, 3, dilation_rate=2, use_bias=False)),
    "Conv2D-groups": one(lambda: layers.Conv2D(6, (3, 2), groups=2, activation="leaky_relu")),
    "Conv2D-padding": one(lambda: layers.Conv2D(6, 3, padding=((0, 2), (1, 0)), activation="relu6")),
    "Conv2D-same": one(lambda: layers.Conv2D(6, 4, strides=(2, 3), padding="same", activation="sigmoid")),
    "Conv2DTranspose": one(lambda: layers.Conv2DTranspose(5, 3)),
    "Conv2DTranspose-output_padding": one(
        lambda: layers.Conv2DTranspose(5, 4, strides=3, padding="same", output_padding=2)
    ),
    "Conv2DTranspose-same": one(lambda: layers.Conv2DTranspose(5, 3, strides=2, padding="same", activation="relu")),
    "Conv2DTranspose-sparse": one(lambda: layers.Conv2DTranspose(5, 1, strides=3, use_bias=False)),
    "Cropping1D": one(lambda: layers.Cropping1D((2, 1)), SEQUENCE),
    "Cropping2D": one(lambda: layers.Cropping2D(((1, 0), (2, 3)))),
    "Dense": one(lambda: layers.Dense(5, activation="relu"), (7,)),
    "Dense-of-images": one(lambda: layers.Dense(5)),
    "DepthwiseConv2D": one(lambda: layers.DepthwiseConv2D(3, 2, "same", depth_multiplier=2)),
    "Dot": lambda: (lambda a, b: Model([a, b], layers.Dot((2, 2))([a, b])))(Input(SEQUENCE), Input((5, 4))),
    "Dot-normalized": lambda: (lambda a, b: Model([a, b], layers.Dot(1, normalize=True)([a, b])))(
        Input((6,)), Input((6,))
    ),
    "Dropout": one(lambda: layers.Dropout(0.5)),
    "Flatten": one(layers.Flatten),
    "GaussianNoise": one(lambda: layers.GaussianNoise(0.5)),
    "GlobalAveragePooling1D": one(layers.GlobalAveragePooling1D, SEQUENCE),
    "GlobalAveragePooling2D": one(layers.GlobalAveragePooling2D),
    "GlobalAveragePooling2D-keepdims": one(lambda: layers.GlobalAveragePooling2D(keepdims=True)),
    "GlobalMaxPooling1D": one(lambda: layers.GlobalMaxPooling1D(keepdims=True), SEQUENCE),
    "GlobalMaxPooling2D": one(layers.GlobalMaxPooling2D),
    "GroupNormalization": one(lambda: layers.GroupNormalization(2)),
    "GroupNormalization-instance": one(lambda: layers.GroupNormalization(-1, scale=False)),
    "InputLayer": lambda: (lambda x: Model(x, x))(Input(IMAGE)),
    "LayerNormalization": one(layers.LayerNormalization),
    "LayerNormalization-image": one(lambda: layers.LayerNormalization((1, 2, 3), center=False)),
    "LeakyReLU": one(layers.LeakyReLU),
    "PReLU": one(layers.PReLU),
    "PReLU-channels": one(lambda: layers.PReLU(shared_axes=[1, 2])),
    "ELU": one(lambda: layers.ELU(0.5)),
    "RoIAlign": lambda: regions(layers.RoIAlign((2, 3), 4.0, 2)),
    "RoIAlign-adaptive": lambda: regions(layers.RoIAlign(2, 8.0, aligned=False)),
    "SELU": one(layers.SELU),
    "GELU": one(layers.GELU),
    "GELU-tanh": one(lambda: layers.GELU(approximate=True)),
    "SiLU": one(layers.SiLU),
    "HardSwish": one(layers.HardSwish),
    "HardSigmoid": one(layers.HardSigmoid),
    "Mish": one(layers.Mish),
    "Softplus": one(layers.Softplus),
    "ReLU-everything": one(lambda: layers.ReLU(1.5, 0.2, 0.5)),
    "Softmax-rows": one(lambda: layers.Softmax(axis=1)),
    "Activation-log_softmax": one(lambda: layers.Activation("log_softmax")),
    "Activation-celu": one(lambda: layers.Activation("celu")),
    "MaxPooling1D": one(lambda: layers.MaxPooling1D(3, 2), SEQUENCE),
    "MaxPooling2D": one(lambda: layers.MaxPooling2D(3, 2, "same")),
    "Maximum": merged(layers.Maximum),
    "Minimum": merged(layers.Minimum),
    "Multiply": merged(layers.Multiply),
    "Normalization": one(lambda: layers.Normalization(mean=[1, 2, 3, 4], variance=[0.5, 1, 2, 4])),
    "Normalization-adapted": adapted,
    "Permute": one(lambda: layers.Permute((2, 1, 3))),
    "ReLU": one(layers.ReLU),
    "ReLU-slope": one(lambda: layers.ReLU(negative_slope=0.2)),
    "ReLU-6": one(lambda: layers.ReLU(max_value=6)),
    "Rescaling": one(lambda: layers.Rescaling(0.5, -1.0)),
    "Reshape": one(lambda: layers.Reshape((6, -1))),
    "Reshape-units": one(lambda: layers.Reshape((9, 1, 8, 4))),
    "Resizing": one(lambda: layers.Resizing(5, 12)),
    "Resizing-padded": one(lambda: layers.Resizing(9, 7, pad_to_aspect_ratio=True, fill_value=0.5)),
    "CenterCrop": one(lambda: layers.CenterCrop(5, 3)),
    "CenterCrop-enlarged": one(lambda: layers.CenterCrop(20, 3)),
    "Resizing-nearest": one(lambda: layers.Resizing(18, 4, interpolation="nearest")),
    "SeparableConv2D": one(lambda: layers.SeparableConv2D(5, 3, activation="tanh")),
    "Softmax": one(layers.Softmax),
    "SpatialDropout1D": one(lambda: layers.SpatialDropout1D(0.5), SEQUENCE),
    "SpatialDropout2D": one(lambda: layers.SpatialDropout2D(0.5)),
    "Subtract": merged(layers.Subtract),
    "UpSampling2D": one(lambda: layers.UpSampling2D((2, 3))),
    "UpSampling2D-bilinear": one(lambda: layers.UpSampling2D(2, interpolation="bilinear")),
    "ZeroPadding1D": one(lambda: layers.ZeroPadding1D((2, 1)), SEQUENCE),
    "ZeroPadding2D": one(lambda: layers.ZeroPadding2D(((1, 0), (2, 3)))),
}
COLORS = (9, 8, 3)
#: Nothing of them is left in prediction.
LAYERS |= {
    "AutoContrast": one(lambda: layers.AutoContrast(), COLORS),
    "Equalization": one(lambda: layers.Equalization(), COLORS),
    "RandAugment": one(lambda: layers.RandAugment(), COLORS),
    "RandomBrightness": one(lambda: layers.RandomBrightness(0.1), COLORS),
    "RandomColorDegeneration": one(lambda: layers.RandomColorDegeneration(0.5), COLORS),
    "RandomColorJitter": one(lambda: layers.RandomColorJitter(hue_factor=0.1), COLORS),
    "RandomContrast": one(lambda: layers.RandomContrast(0.2), COLORS),
    "RandomCrop": one(lambda: layers.RandomCrop(9, 8, padding=2), COLORS),
    "RandomErasing": one(lambda: layers.RandomErasing(), COLORS),
    "RandomFlip": one(lambda: layers.RandomFlip(), COLORS),
    "RandomGaussianBlur": one(lambda: layers.RandomGaussianBlur(), COLORS),
    "RandomGrayscale": one(lambda: layers.RandomGrayscale(), COLORS),
    "RandomHue": one(lambda: layers.RandomHue(0.1), COLORS),
    "RandomInvert": one(lambda: layers.RandomInvert(), COLORS),
    "RandomPerspective": one(lambda: layers.RandomPerspective(), COLORS),
    "RandomPosterization": one(lambda: layers.RandomPosterization(4), COLORS),
    "RandomResizedCrop": one(lambda: layers.RandomResizedCrop(9, 8), COLORS),
    "RandomRotation": one(lambda: layers.RandomRotation(0.1), COLORS),
    "RandomSaturation": one(lambda: layers.RandomSaturation(0.6), COLORS),
    "RandomSharpness": one(lambda: layers.RandomSharpness(0.6), COLORS),
    "RandomShear": one(lambda: layers.RandomShear(0.1, 0.2), COLORS),
    "RandomTranslation": one(lambda: layers.RandomTranslation(0.1, 0.1), COLORS),
    "RandomZoom": one(lambda: layers.RandomZoom(0.1), COLORS),
    "Solarization": one(lambda: layers.Solarization(0.1, 0.5), COLORS),
}


def classic() -> Model:
    """Convolutions, pooling, and dense layers behind an image made flat."""
    return fc.Sequential(
        [
            Input((12, 12, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(12, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(16, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def residual() -> Model:
    """Blocks with residuals, and one that is narrowed on the way (He et al. 2016)."""
    x = image = Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters, strides in ((8, 1), (16, 2)):
        y = layers.Conv2D(filters, 3, strides, "same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        if strides > 1:
            x = layers.BatchNormalization()(layers.Conv2D(filters, 1, strides, use_bias=False)(x))
        x = layers.ReLU()(layers.Add()([x, y]))
    return Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def mobile() -> Model:
    """Inverted residuals with squeeze-and-excitation (Howard et al. 2019)."""
    x = image = Input((16, 16, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, 2, "same")(x)))
    y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(24, 1)(x)))
    y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(y)))
    s = layers.Dense(6, activation="relu")(layers.GlobalAveragePooling2D()(y))
    s = layers.Reshape((1, 1, 24))(layers.Dense(24, activation="sigmoid")(s))
    y = layers.BatchNormalization()(layers.Conv2D(8, 1)(layers.Multiply()([y, s])))
    x = layers.Add()([x, y])
    return Model(image, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def branches() -> Model:
    """Two inputs, joined channels, two outputs, a layer that is used twice, and a model within the model."""
    a, b = Input((8, 8, 3), name="left"), Input((8, 8, 3), name="right")
    inner = Input((8, 8, 3))
    shared = Model(inner, layers.Conv2D(6, 3, padding="same", activation="relu")(inner))
    x = layers.Concatenate()([shared(a), shared(b)])
    small = layers.Conv2D(4, 3, strides=2, name="small")(x)
    large = layers.Conv2DTranspose(2, 2, strides=2, name="large")(x)
    return Model([a, b], [small, large])


NETWORKS: dict[str, Callable[[], Model]] = {
    "classic": classic,
    "residual": residual,
    "mobile": mobile,
    "branches": branches,
}

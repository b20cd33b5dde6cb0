"""What a detector sees with: networks whose maps of three sizes it looks at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .. import applications, layers
from ..errors import shown, unknown_name
from ..graph import Value
from ..models import Model

#: Pixels of the image from one place of a map to the next.
STRIDES = (8, 16, 32)
#: The networks of `fastcnn.applications` that end in maps of stride 32, as `backbone` may name them.
KNOWN = ("EfficientNetLite0", "MobileNetV2", "MobileNetV3Small", "ResNet18", "ResNet34", "ResNet50", "VGG16")
#: Mean and standard deviation of the pixels that a network was trained on: one number, or one for each channel.
Pixels = tuple[Any, Any]
#: Those of ImageNet's pictures, as nearly all of these networks take them, and of those that take others.
IMAGENET: Pixels = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
OTHERS: dict[str, Pixels] = {"EfficientNetLite0": (127.0, 128.0)}
#: Of `residual_backbone`: pixels from -1 to 1.
OWN: Pixels = (127.5, 127.5)
#: Channels of the stem and of the stages of strides 4, 8, 16 and 32, and how many blocks each stage has.
PLAIN = {
    "small": ((16, 32, 64, 128, 192), (1, 1, 2, 1)),
    "medium": ((32, 48, 96, 192, 256), (1, 2, 2, 2)),
    "large": ((32, 64, 128, 256, 384), (2, 3, 3, 2)),
}


def residual_backbone(size: str = "small", input_shape: tuple[int, int, int] = (320, 320, 3)) -> Model:
    """A residual network for detectors that are trained from scratch (He et al., "Deep residual learning for image
    recognition", 2015, the blocks of two 3x3 convolutions).

    Nearly all of its work is 3x3 convolutions of stride 1 with 32 channels and more, for which Winograd's method takes
    the fewest multiplications, and it is narrow where maps are large.

    Parameters
    ----------
    size : "small", "medium" or "large"
    input_shape : (int, int, int)

    Returns
    -------
    Model
        Images to maps of strides 8, 16 and 32.
    """
    if size not in PLAIN:
        raise unknown_name("size", size, PLAIN)
    widths, counts = PLAIN[size]
    image = layers.Input(input_shape, name="image")
    x = convolved(image, widths[0], 3, 2, name="stem")
    maps = []
    for stage, (filters, count) in enumerate(zip(widths[1:], counts), 2):
        x = convolved(x, filters, 3, 2, name=f"stage{stage}_down")
        for block in range(count):
            y = convolved(x, filters, 3, name=f"stage{stage}_block{block + 1}_1")
            y = convolved(y, filters, 3, name=f"stage{stage}_block{block + 1}_2", activation=None)
            y = layers.Add(name=f"stage{stage}_block{block + 1}_add")([y, x])
            x = layers.ReLU(name=f"stage{stage}_block{block + 1}_out")(y)
        if stage > 2:
            maps.append(x)
    return Model(image, maps, name="backbone")


def convolved(
    x: Value, filters: int, size: int, strides: int = 1, *, name: str, activation: str | None = "relu"
) -> Value:
    """A convolution without a bias, its normalization, and an activation."""
    x = layers.Conv2D(filters, size, strides, size // 2, use_bias=False, kernel_initializer="he_normal",
                      name=f"{name}_conv")(x)  # fmt: skip
    return finished(x, name, activation)


def finished(x: Value, name: str, activation: str | None = "relu") -> Value:
    """What comes behind a convolution: normalization, with running averages for small data sets, and activation."""
    x = layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_bn")(x)
    return x if activation is None else layers.Activation(activation, name=f"{name}_act")(x)


def make_backbone(
    given: Any, weights: str | os.PathLike[str] | None, size: str, image_size: tuple[int, int]
) -> tuple[Model, Pixels]:
    """The backbone that a detector is given, as a model from images to maps of `STRIDES`.

    Returns
    -------
    backbone : Model
    pixels : Pixels
        What it takes: those of a named network are what its ``preprocess_input`` gives, a Model's are ImageNet's.

    Raises
    ------
    ValueError, TypeError
        An unknown name, a model of other images or without maps of these strides, weights without a name that they are
        of.
    """
    shape = (*image_size, 3)
    if given is None:
        if weights is not None:
            raise ValueError(f'weights are those of a named backbone, such as backbone="ResNet18"; received '
                             f"{shown(weights)} without one")  # fmt: skip
        return residual_backbone(size, shape), OWN
    if isinstance(given, str):
        if given not in KNOWN:
            raise unknown_name("backbone", given, KNOWN)
        made = getattr(applications, given)(include_top=False, weights=weights, input_shape=shape)
        return Model(made.inputs, pyramid_maps(made), name="backbone"), OTHERS.get(given, IMAGENET)
    if not isinstance(given, Model):
        raise TypeError(f"backbone must be a name ({', '.join(KNOWN)}), a Model or None, received {shown(given)}")
    if weights is not None:
        raise ValueError("weights are those of a named backbone: a Model has its own, or load them with load_weights")
    if not given.built or given.input_shape != (None, *shape):
        wanted = given.input_shape if given.built else "nothing yet"
        raise ValueError(f"backbone must take images of shape (None, {', '.join(map(str, shape))}), takes {wanted}")
    return Model(given.inputs, pyramid_maps(given), name="backbone"), IMAGENET


def pyramid_maps(model: Model, strides: Sequence[int] = STRIDES) -> list[Value]:
    """The last maps of each stride in a network, as its layers make them smaller.

    Raises
    ------
    ValueError
        There are none of a stride.
    """
    height, width = (int(size or 0) for size in model.inputs[0].shape[1:3])
    found: dict[int, Value] = {}
    for call in model.network:
        for value in call.outputs:
            for stride in strides:
                if value.ndim == 4 and value.shape[1:3] == (height // stride, width // stride):
                    found[stride] = value
    if missing := [stride for stride in strides if stride not in found]:
        raise ValueError(f"backbone {model.name!r} has no maps of stride {missing[0]}: none of its layers gives "
                         f"{height // missing[0]}x{width // missing[0]} places of {height}x{width} images")  # fmt: skip
    return [found[stride] for stride in strides]

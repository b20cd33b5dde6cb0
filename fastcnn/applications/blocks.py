"""What the networks here are put together from, and how each begins and ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from .. import layers
from ..errors import shown
from ..graph import Value
from ..initializers import VarianceScaling
from ..layers.base import weight_budget
from ..models import Model
from ..weights import load_best

#: Weights' first values for layers with ReLUs behind them (He et al., "Delving deep into rectifiers", 2015).
INITIALIZER = "he_normal"
#: The same for windows over single channels: a number of such a kernel's shape, (height, width, channels, 1), is one of
#: height * width terms, which is what its outputs count.
DEPTHWISE_INITIALIZER = VarianceScaling(2.0, "fan_out")
#: While weights are read from a file they start as zeros; so many numbers no network here has.
_NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class Style:
    """How one family of networks normalizes, pads and names.

    Parameters
    ----------
    epsilon, momentum : float
        Of the batch normalizations. PyTorch's momentum is one minus this one's.
    same : bool
        Whether windows are padded as TensorFlow does it, more below and to the right; else as PyTorch does it, by
        half a window on all sides.
    conv, norm, act : str
        Ends of the layers' names.
    """

    epsilon: float = 1e-5
    momentum: float = 0.9
    same: bool = False
    conv: str = "_conv"
    norm: str = "_bn"
    act: str = "_relu"

    def convolve(self, x: Value, filters: int, size: int, strides: int = 1, *, name: str) -> Value:
        """A convolution without a bias, and its normalization."""
        made = layers.Conv2D(filters, size, strides, self._padding(size), use_bias=False,
                             kernel_initializer=INITIALIZER, name=name + self.conv)  # fmt: skip
        return self.normalize(made(x), name)

    def depthwise(self, x: Value, size: int, strides: int = 1, *, name: str) -> Value:
        """A convolution of each channel by itself, without a bias, and its normalization."""
        made = layers.DepthwiseConv2D(size, strides, self._padding(size), use_bias=False,
                                      depthwise_initializer=DEPTHWISE_INITIALIZER, name=name + self.conv)  # fmt: skip
        return self.normalize(made(x), name)

    def normalize(self, x: Value, name: str) -> Value:
        return layers.BatchNormalization(momentum=self.momentum, epsilon=self.epsilon, name=name + self.norm)(x)

    def relu(self, x: Value, name: str) -> Value:
        return layers.ReLU(name=name + self.act)(x)

    def relu6(self, x: Value, name: str) -> Value:
        return layers.ReLU(6, name=name + self.act)(x)

    def _padding(self, size: int) -> Any:
        return "same" if self.same else size // 2


#: Takes the output of what comes before; gives its own.
Part = Callable[[Value], Value]
#: The same, and the start of its layers' names.
NamedPart = Callable[[Value, str], Value]
#: The module's name in PyTorch's collection of models for a layer's name; None for layers without weights.
TorchName = Callable[[str], str | None]


def inverted_residual(
    style: Style,
    x: Value,
    size: int,
    expanded: int,
    filters: int,
    strides: int,
    *,
    name: str,
    act: NamedPart,
    depthwise: str = "_depthwise",
    attention: NamedPart | None = None,
) -> Value:
    """A block that is wide in the middle: a depthwise convolution between two of 1x1, the last without an activation.

    Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, section 3.3.

    Parameters
    ----------
    size : int
        Of the depthwise convolution's window.
    expanded : int
        Channels in the middle; without the first convolution where that is what `x` has.
    act : function
        The activation.
    depthwise : str
        Added to the name of the layers in the middle.
    attention : function, optional
        What stands before the last convolution.
    """
    y = x
    if expanded != x.shape[-1]:
        y = act(style.convolve(y, expanded, 1, name=f"{name}_expand"), f"{name}_expand")
    y = act(style.depthwise(y, size, strides, name=name + depthwise), name + depthwise)
    if attention is not None:
        y = attention(y, name)
    y = style.convolve(y, filters, 1, name=f"{name}_project")
    return layers.Add(name=f"{name}_add")([y, x]) if strides == 1 and x.shape[-1] == filters else y


def application(
    name: str,
    features: Part,
    top: Part,
    size: int,
    torch_name: TorchName,
    *,
    include_top: bool,
    weights: str | os.PathLike[str] | None,
    input_tensor: Value | None,
    input_shape: tuple[int, ...] | None,
    pooling: str | None,
) -> Model:
    """A network from its two parts, with weights from a file if one is given.

    Parameters
    ----------
    features, top : function
        Images to maps, maps to classes.
    size : int
        Height and width of the images that the network is known for.
    torch_name : function
        PyTorch's name for a layer's.
    include_top, weights, input_tensor, input_shape, pooling
        As the networks' functions take them.
    """
    if pooling not in (None, "avg", "max"):
        raise ValueError(f'pooling must be None, "avg" or "max", received {shown(pooling)}')
    _check_weights(weights)
    # With a file, drawing first weights at random would be for nothing.
    with weight_budget(_NO_LIMIT) if weights is not None else nullcontext():
        image = _image(input_tensor, input_shape, size)
        x = features(image)
        if include_top:
            x = top(x)
        elif pooling == "avg":
            x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        elif pooling == "max":
            x = layers.GlobalMaxPooling2D(name="max_pool")(x)
        model = Model(image, x, name=name)
    if weights is not None:
        # Modules have the names of PyTorch's collection, those of the layers, or others: then they are taken in order.
        # A file may have those of a top that the model lacks.
        load_best(model, weights, [torch_name, None], allow_unused=not include_top)
    return model


def _check_weights(path: Any) -> None:
    if path == "imagenet":
        raise ValueError(
            'weights must be None or the path of a file: weights="imagenet" would be a download, which this package '
            "doesn't do; PyTorch's .pth files, ONNX and safetensors are read"
        )
    if path is not None and not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"weights must be None or the path of a file, received {type(path).__name__}")


def _image(input_tensor: Any, input_shape: Any, size: int) -> Value:
    if input_tensor is None:
        return layers.Input((size, size, 3) if input_shape is None else input_shape, name="image")
    if not isinstance(input_tensor, Value):
        raise TypeError(f"input_tensor must be the result of Input(), received {type(input_tensor).__name__}")
    if input_shape is not None and tuple(input_shape) != input_tensor.shape[1:]:
        raise ValueError(f"input_shape {tuple(input_shape)} is not that of input_tensor, {input_tensor.shape[1:]}")
    return input_tensor


def classifier(classes: int, activation: Any, dropout: float = 0.0) -> Part:
    """The mean of each map, and a dense layer to the classes."""

    def top(x: Value) -> Value:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        if dropout:
            x = layers.Dropout(dropout, name="top_dropout")(x)
        return layers.Dense(classes, activation, name="predictions")(x)

    return top

"""How each kind of layer's weights stand in a file of PyTorch: under what name, with which axes in which order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..graph import Variable
from ..layers.base import Layer

#: PyTorch's names of a layer's weights, by the names that fastcnn's layers give them.
NAMES = {
    "kernel": "weight", "gamma": "weight", "alpha": "weight", "bias": "bias", "beta": "bias",
    "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip
#: What counts a module's batches; no layer needs it.
COUNTER = "num_batches_tracked"


class Layout(NamedTuple):
    """A weight as a file has it: the shape there, and how that becomes the layer's."""

    shape: tuple[int, ...]
    convert: Callable[[NDArray[Any]], NDArray[Any]]


def layout(layer: Layer, variable: Variable, flat_last: bool = False) -> Layout:
    """How PyTorch has this weight: kernels (out, in / groups, height, width), dense ones (out, in).

    `flat_last`: pixels of flattened images come with their channels last, as here, not as PyTorch has them.
    """
    shape, kind = variable.shape, type(layer).__name__
    if variable.name != "kernel":
        # One number a channel, where the layer has axes of size 1 for height and width (PReLU).
        plain = shape[-1:] if math.prod(shape[:-1]) == 1 else shape
        return Layout(plain, lambda a: a.reshape(shape))
    if kind == "DepthwiseConv2D":
        # One filter after the other: those of the first channel, those of the second, …
        rows, columns, channels, multiplier = shape
        filters = (channels, multiplier, rows, columns)
        return Layout((channels * multiplier, 1, rows, columns), lambda a: a.reshape(filters).transpose(2, 3, 0, 1))
    if kind == "Dense":
        maps = _flattened(layer)
        if maps is None or math.prod(maps) != shape[0] or flat_last:
            return Layout(shape[::-1], lambda a: a.T)
        # What was flattened is (height, width, channels) here and (channels, height, width) there.
        height, width, channels = maps
        parts = (shape[1], channels, height, width)
        return Layout(shape[::-1], lambda a: a.reshape(parts).transpose(2, 3, 1, 0).reshape(shape))
    if len(shape) == 3:
        return Layout(shape[::-1], lambda a: a.transpose(2, 1, 0))
    return Layout((shape[3], shape[2], *shape[:2]), lambda a: a.transpose(2, 3, 1, 0))


def _flattened(layer: Layer) -> tuple[int, int, int] | None:
    """The shape of the images whose pixels a dense layer takes as one row, if it takes such."""
    value = layer.calls[0].inputs[0] if layer.calls else None
    while value is not None and value.origin is not None:
        call = value.origin
        if value.ndim != 2 or len(call.inputs) != 1 or call.layer.weights:
            return None
        value = call.inputs[0]
        if value.ndim == 4:
            return value.shape[1:]
    return None


def module_kind(parameters: dict[str, int]) -> str:
    """What a module of a file is, by its parameters' names and ranks."""
    if "running_mean" in parameters:
        return "norm"
    return {4: "conv", 3: "conv1d", 2: "dense", 1: "scale"}.get(parameters.get("weight", 0), "other")


def layer_kind(layer: Layer) -> str:
    """What a layer is, in the words of `module_kind`."""
    if type(layer).__name__ == "SeparableConv2D":
        return "two convolutions"
    ranks = {NAMES.get(v.name, v.name): len(layout(layer, v).shape) for v in layer.weights}
    return module_kind(ranks)

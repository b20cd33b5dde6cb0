"""The network of a detector: backbone, feature pyramid, heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import layers
from ..graph import Value
from ..initializers import Constant, RandomNormal
from ..models import Model
from ..shapes import pair
from .backbones import STRIDES, Pixels, convolved, finished

#: What a place is expected to show something of a class with, before training (Lin et al., "Focal loss for dense object
#: detection", 2017, section 3.3): else what most places don't show outweighs everything in the first steps.
_PRIOR = 0.01
#: The heads' activation. ReLUs there can come to give zeros wherever a rare class is: its logit is then the bias, which
#: most places hold down, and no gradient leads away from that.
_BENT = "silu"
#: Where the sides of boxes lie before training, in strides from a place's centre.
_REACH = 2.0


@dataclass(frozen=True)
class Size:
    """How wide and deep a detector is behind its backbone.

    Parameters
    ----------
    width : int
        Channels of the pyramid and the heads.
    upward : bool
        Whether a path from large maps to small ones follows (Liu et al., "Path aggregation network for instance
        segmentation", 2018, section 3.1).
    depth : int
        Convolutions of each head.
    """

    width: int
    upward: bool
    depth: int


SIZES = {"small": Size(64, False, 1), "medium": Size(96, True, 2), "large": Size(128, True, 3)}


def check_image_size(image_size: Any) -> tuple[int, int]:
    """Height and width that a detector can have, or an error."""
    height, width = pair(image_size, "image_size")
    if height % STRIDES[-1] or width % STRIDES[-1]:
        raise ValueError(f"image_size must be multiples of {STRIDES[-1]}, received {height}x{width}")
    return height, width


def detector(
    backbone: Model, pixels: Pixels, classes: int, image_size: tuple[int, int], size: Size
) -> tuple[Value, Value]:
    """A detector's input and its output (n, places, 4 + classes).

    Parameters
    ----------
    backbone : Model
        Images to maps of `STRIDES`.
    pixels : Pixels
        Mean and standard deviation of the pixels that it takes.
    """
    image = layers.Input((*image_size, 3), name="images")
    mean, std = pixels
    if isinstance(mean, float):
        x = layers.Rescaling(1 / std, -mean / std, name="pixels")(image)
    else:
        x = layers.Normalization(mean=mean, variance=[s * s for s in std], name="pixels")(image)
    maps = pyramid(backbone(x), size)
    return image, heads(maps, classes, size)


def pyramid(maps: Sequence[Value], size: Size) -> list[Value]:
    """Maps of the backbone with what the smaller ones know of their surroundings (Lin et al., "Feature pyramid networks
    for object detection", 2017), and of equal width.
    """
    thin = [convolved(x, size.width, 1, name=f"lateral_{s}") for x, s in zip(maps, STRIDES)]
    merged = [thin[-1]]
    for x, stride in zip(thin[-2::-1], STRIDES[-2::-1]):
        wide = layers.UpSampling2D(2, name=f"up_{stride}")(merged[0])
        merged.insert(0, convolved(layers.Add(name=f"down_{stride}_add")([x, wide]), size.width, 3,
                                   name=f"down_{stride}"))  # fmt: skip
    if not size.upward:
        return merged
    found = merged[:1]
    for x, stride in zip(merged[1:], STRIDES[1:]):
        smaller = convolved(found[-1], size.width, 3, 2, name=f"path_{stride}_down")
        found.append(convolved(layers.Add(name=f"path_{stride}_add")([x, smaller]), size.width, 3,
                               name=f"path_{stride}"))  # fmt: skip
    return found


def heads(maps: Sequence[Value], classes: int, size: Size) -> Value:
    """Classes and boxes of all places, by convolutions of their own for either (Ge et al., "YOLOX", 2021, section 2.1).

    Maps of all strides go through the same ones, so that each learns from objects of all sizes, but are normalized by
    themselves, as their statistics differ (Lyu et al., "RTMDet", 2022, section 3.2). Distances become positive by
    softplus.
    """
    towers = {}
    for kind in ("class", "box"):
        towers[kind] = [
            layers.Conv2D(size.width, 3, padding=1, use_bias=False, kernel_initializer="he_normal",
                          name=f"{kind}_{i + 1}_conv")
            for i in range(size.depth)
        ]  # fmt: skip
    small = RandomNormal(stddev=0.01)
    scores = layers.Conv2D(classes, 1, kernel_initializer=small,
                           bias_initializer=Constant(-math.log((1 - _PRIOR) / _PRIOR)), name="scores")  # fmt: skip
    sides = layers.Conv2D(4, 1, kernel_initializer=small,
                          bias_initializer=Constant(math.log(math.expm1(_REACH))), name="sides")  # fmt: skip
    found = []
    for x, stride in zip(maps, STRIDES):
        ends = {}
        for kind, tower in towers.items():
            y = x
            for i, shared in enumerate(tower):
                y = finished(shared(y), f"{kind}_{i + 1}_{stride}", _BENT)
            ends[kind] = y
        reach = layers.Softplus(name=f"reach_{stride}")(sides(ends["box"]))
        both = layers.Concatenate(name=f"places_{stride}")([reach, scores(ends["class"])])
        rows, columns = both.shape[1:3]
        found.append(layers.Reshape((rows * columns, 4 + classes), name=f"list_{stride}")(both))
    return layers.Concatenate(axis=1, name="detections")(found)

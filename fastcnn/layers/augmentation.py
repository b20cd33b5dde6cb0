"""Augmentation as layers: in training each image changes in its own way; the identity (or a fixed size) otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..data import augment
from ..graph import Value, emit
from .base import SingleInputLayer


class AugmentationLayer(SingleInputLayer):
    """Base of the layers of augmentation.

    In a model it works in training only, by the model's own random numbers. Called with arrays (or a dict of "images",
    "labels", "boxes", "keypoints") it is its `fastcnn.data.augment` namesake: ``layer(images, labels, training=True)``;
    so it can be mapped over a dataset, and has a state.

    Parameters
    ----------
    Its namesake's, and those of all layers.
    """

    input_rank = 4
    input_words = "(batch, height, width, channels)"
    namesake: ClassVar[type[augment.Augmentation]]

    def __init__(
        self, *args: Any, name: str | None = None, trainable: bool = True, input_shape: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, trainable=trainable, input_shape=input_shape)
        try:
            #: What it does, on arrays.
            self.augmentation = self.namesake(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raise type(error)(f"layer {self.name!r}: {error}") from None

    def __call__(
        self,
        inputs: Any,
        labels: Any = None,
        boxes: Any = None,
        keypoints: Any = None,
        training: bool = True,
        step: int | None = None,
    ) -> Any:
        if isinstance(inputs, (np.ndarray, dict)):
            return self.augmentation(inputs, labels, boxes, keypoints, training, step)
        return super().__call__(inputs)

    def state_dict(self) -> dict[str, int]:
        """What the next call with arrays depends on: load it to go on in the same way."""
        return self.augmentation.state_dict()

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from what `state_dict` gave."""
        self.augmentation.load_state_dict(state)

    def call(self, inputs: Value) -> Value:
        return emit("augment", [inputs], {"augmentation": self.augmentation}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.augmentation.get_config()}


class _MixingLayer(AugmentationLayer):
    """What mixes images needs their labels, and works on arrays of both, not in a model."""

    def call(self, inputs: Value) -> Value:
        raise ValueError(
            f"layer {self.name!r}: {type(self).__name__} mixes labels as well, which layers of models don't see; call "
            f"it with arrays of images and labels, or map it over a dataset behind batch"
        )


class AutoContrast(AugmentationLayer):
    namesake = augment.AutoContrast
    __doc__ = augment.AutoContrast.__doc__


class CutMix(_MixingLayer):
    namesake = augment.CutMix
    __doc__ = augment.CutMix.__doc__


class Equalization(AugmentationLayer):
    namesake = augment.Equalization
    __doc__ = augment.Equalization.__doc__


class MixUp(_MixingLayer):
    namesake = augment.MixUp
    __doc__ = augment.MixUp.__doc__


class RandAugment(AugmentationLayer):
    namesake = augment.RandAugment
    __doc__ = augment.RandAugment.__doc__


class RandomBrightness(AugmentationLayer):
    namesake = augment.RandomBrightness
    __doc__ = augment.RandomBrightness.__doc__


class RandomColorDegeneration(AugmentationLayer):
    namesake = augment.RandomColorDegeneration
    __doc__ = augment.RandomColorDegeneration.__doc__


class RandomColorJitter(AugmentationLayer):
    namesake = augment.RandomColorJitter
    __doc__ = augment.RandomColorJitter.__doc__


class RandomContrast(AugmentationLayer):
    namesake = augment.RandomContrast
    __doc__ = augment.RandomContrast.__doc__


class RandomCrop(AugmentationLayer):
    namesake = augment.RandomCrop
    __doc__ = augment.RandomCrop.__doc__


class RandomErasing(AugmentationLayer):
    namesake = augment.RandomErasing
    __doc__ = augment.RandomErasing.__doc__


class RandomFlip(AugmentationLayer):
    namesake = augment.RandomFlip
    __doc__ = augment.RandomFlip.__doc__


class RandomGaussianBlur(AugmentationLayer):
    namesake = augment.RandomGaussianBlur
    __doc__ = augment.RandomGaussianBlur.__doc__


class RandomGrayscale(AugmentationLayer):
    namesake = augment.RandomGrayscale
    __doc__ = augment.RandomGrayscale.__doc__


class RandomHue(AugmentationLayer):
    namesake = augment.RandomHue
    __doc__ = augment.RandomHue.__doc__


class RandomInvert(AugmentationLayer):
    namesake = augment.RandomInvert
    __doc__ = augment.RandomInvert.__doc__


class RandomPerspective(AugmentationLayer):
    namesake = augment.RandomPerspective
    __doc__ = augment.RandomPerspective.__doc__


class RandomPosterization(AugmentationLayer):
    namesake = augment.RandomPosterization
    __doc__ = augment.RandomPosterization.__doc__


class RandomResizedCrop(AugmentationLayer):
    namesake = augment.RandomResizedCrop
    __doc__ = augment.RandomResizedCrop.__doc__


class RandomRotation(AugmentationLayer):
    namesake = augment.RandomRotation
    __doc__ = augment.RandomRotation.__doc__


class RandomSaturation(AugmentationLayer):
    namesake = augment.RandomSaturation
    __doc__ = augment.RandomSaturation.__doc__


class RandomSharpness(AugmentationLayer):
    namesake = augment.RandomSharpness
    __doc__ = augment.RandomSharpness.__doc__


class RandomShear(AugmentationLayer):
    namesake = augment.RandomShear
    __doc__ = augment.RandomShear.__doc__


class RandomTranslation(AugmentationLayer):
    namesake = augment.RandomTranslation
    __doc__ = augment.RandomTranslation.__doc__


class RandomZoom(AugmentationLayer):
    namesake = augment.RandomZoom
    __doc__ = augment.RandomZoom.__doc__


class Solarization(AugmentationLayer):
    namesake = augment.Solarization
    __doc__ = augment.Solarization.__doc__

"""Augmentation: batches of images changed at random while training, by kernels on all cores.

Every class is a function of batches, ``augment(images, labels=None, boxes=None, keypoints=None, training=True)``, and
`Compose` joins several to as few passes over the images as they need. `fastcnn.layers` has those that Keras has
as layers, with the same arguments.
"""

from __future__ import annotations

from .base import Augmentation, Compose
from .colors import (
    AutoContrast,
    Equalization,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    Solarization,
)
from .effects import (
    Cutout,
    RandomErasing,
    RandomGaussianBlur,
    RandomGaussianNoise,
    RandomSaltAndPepper,
    RandomSharpness,
)
from .geometric import (
    RandomCrop,
    RandomFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from .mixing import CutMix, MixUp, Mosaic
from .policies import RandAugment, RandomChoice, TrivialAugment

__all__ = [
    "Augmentation",
    "AutoContrast",
    "Compose",
    "CutMix",
    "Cutout",
    "Equalization",
    "MixUp",
    "Mosaic",
    "RandAugment",
    "RandomBrightness",
    "RandomChoice",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGaussianNoise",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSaltAndPepper",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Solarization",
    "TrivialAugment",
]

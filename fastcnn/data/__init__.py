"""Pictures and arrays, from files to batches.

>>> from fastcnn.data import Dataset, image_dataset_from_directory
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import augment
    from .box_tables import detection_dataset_from_csv
    from .coco import detection_dataset_from_coco
    from .colors import (
        channels_first,
        channels_last,
        convert_dtype,
        grayscale,
        normalize,
        reverse_channels,
        standardize,
    )
    from .dataset import Dataset
    from .decoding import PictureError, open_picture, read_picture
    from .details import Details
    from .folders import image_dataset_from_directory
    from .listings import image_dataset_from_csv
    from .placing import Placement
    from .sampling import RandomOverSampler, RandomUnderSampler, Sampler, WeightedRandomSampler
    from .scattered import scattered_objects
    from .targets import DetectionTargets, detection_targets
    from .transforms import center_crop, corner_crops, letterbox, pad, random_crop, resize
    from .voc import detection_dataset_from_voc
    from .yolo import detection_dataset_from_yolo

#: Names by the module that has them, loaded when first used: who only predicts needs neither Pillow nor threads.
_PARTS = {
    "box_tables": ("detection_dataset_from_csv",),
    "coco": ("detection_dataset_from_coco",),
    "colors": ("channels_first", "channels_last", "convert_dtype", "grayscale", "normalize", "reverse_channels",
               "standardize"),
    "dataset": ("Dataset",),
    "decoding": ("PictureError", "open_picture", "read_picture"),
    "details": ("Details",),
    "folders": ("image_dataset_from_directory",),
    "listings": ("image_dataset_from_csv",),
    "placing": ("Placement",),
    "sampling": ("RandomOverSampler", "RandomUnderSampler", "Sampler", "WeightedRandomSampler"),
    "scattered": ("scattered_objects",),
    "targets": ("DetectionTargets", "detection_targets"),
    "transforms": ("center_crop", "corner_crops", "letterbox", "pad", "random_crop", "resize"),
    "voc": ("detection_dataset_from_voc",),
    "yolo": ("detection_dataset_from_yolo",),
}  # fmt: skip
_HOMES = {name: module for module, names in _PARTS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    if name == "augment":
        return importlib.import_module(".augment", __name__)
    raise AttributeError(f"module 'fastcnn.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, "augment"])


__all__ = [
    "Dataset",
    "Details",
    "DetectionTargets",
    "PictureError",
    "Placement",
    "RandomOverSampler",
    "RandomUnderSampler",
    "Sampler",
    "WeightedRandomSampler",
    "augment",
    "center_crop",
    "channels_first",
    "channels_last",
    "convert_dtype",
    "corner_crops",
    "detection_dataset_from_coco",
    "detection_dataset_from_csv",
    "detection_dataset_from_voc",
    "detection_dataset_from_yolo",
    "detection_targets",
    "grayscale",
    "image_dataset_from_csv",
    "image_dataset_from_directory",
    "letterbox",
    "normalize",
    "open_picture",
    "pad",
    "random_crop",
    "read_picture",
    "resize",
    "reverse_channels",
    "scattered_objects",
    "standardize",
]

"""Pictures and arrays, from files to batches.

>>> from fastcnn.data import Dataset, image_dataset_from_directory
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dataset import Dataset
    from .decoding import PictureError, open_picture, read_picture
    from .folders import image_dataset_from_directory
    from .sampling import RandomOverSampler, RandomUnderSampler, Sampler, WeightedRandomSampler

#: Loaded when first used: who only predicts needs neither Pillow nor threads.
_HOMES = {
    "Dataset": "dataset", "PictureError": "decoding", "open_picture": "decoding", "read_picture": "decoding",
    "image_dataset_from_directory": "folders", "RandomOverSampler": "sampling", "RandomUnderSampler": "sampling",
    "Sampler": "sampling", "WeightedRandomSampler": "sampling",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module 'fastcnn.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "Dataset",
    "PictureError",
    "RandomOverSampler",
    "RandomUnderSampler",
    "Sampler",
    "WeightedRandomSampler",
    "image_dataset_from_directory",
    "open_picture",
    "read_picture",
]

"""Losses, with Keras' names, arguments and defaults."""

from __future__ import annotations

import re
from typing import Any

from ..utils.registry import Registry, snake_case
from .boxes import CIoULoss, DIoULoss, GIoULoss, IoULoss
from .detection import DetectionLoss
from .imbalance import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    LogitAdjustedCrossentropy,
    SparseCategoricalFocalCrossentropy,
)
from .loss import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    FunctionLoss,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)

_registry: Registry[Loss] = Registry(
    "loss",
    Loss,
    (
        SparseCategoricalCrossentropy,
        CategoricalCrossentropy,
        BinaryCrossentropy,
        SparseCategoricalFocalCrossentropy,
        CategoricalFocalCrossentropy,
        BinaryFocalCrossentropy,
        LogitAdjustedCrossentropy,
        MeanSquaredError,
        MeanAbsoluteError,
        IoULoss,
        GIoULoss,
        DIoULoss,
        CIoULoss,
        DetectionLoss,
    ),
    {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "bce": BinaryCrossentropy},
    lambda name: snake_case(re.sub("[GDC]?IoU", lambda overlap: overlap[0].capitalize(), name)),
)


def get(identifier: Any) -> Loss:
    """A loss from its name, configuration, class, a function of (y_true, y_pred), or itself."""
    if isinstance(identifier, Loss):
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        return FunctionLoss(identifier)
    return _registry.make(identifier)


serialize = _registry.serialize

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CIoULoss",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "DIoULoss",
    "DetectionLoss",
    "FunctionLoss",
    "GIoULoss",
    "IoULoss",
    "LogitAdjustedCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "get",
    "serialize",
]

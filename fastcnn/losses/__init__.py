"""Losses, with Keras' names, arguments and defaults."""

from __future__ import annotations

from typing import Any

from ..utils.registry import Registry
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
    ),
    {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "bce": BinaryCrossentropy},
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
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "FunctionLoss",
    "LogitAdjustedCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "get",
    "serialize",
]

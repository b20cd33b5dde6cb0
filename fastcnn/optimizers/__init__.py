"""Optimizers, with Keras' names, arguments and defaults."""

from __future__ import annotations

from typing import Any

from ..utils.registry import Registry
from . import schedules
from .kinds import SGD, Adadelta, Adagrad, Adam, AdamW, Lion, RMSprop
from .optimizer import Optimizer

# Keras writes these in lower case and no more: "adamw", "rmsprop".
_registry: Registry[Optimizer] = Registry(
    "optimizer", Optimizer, (SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Lion), spelled=str.lower
)


def get(identifier: Any) -> Optimizer:
    """An optimizer from its name, configuration, class or itself."""
    return identifier if isinstance(identifier, Optimizer) else _registry.make(identifier)


serialize = _registry.serialize

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "Optimizer",
    "RMSprop",
    "get",
    "schedules",
    "serialize",
]

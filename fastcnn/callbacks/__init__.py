"""Callbacks, under Keras' names: what happens besides training, evaluating and predicting."""

from __future__ import annotations

from .callback import Callback, History, LambdaCallback
from .callback_list import CallbackList
from .monitor import EarlyStopping, ModelCheckpoint, MonitorCallback, ReduceLROnPlateau
from .progbar import ProgbarLogger
from .training import CSVLogger, LearningRateScheduler, TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]

"""Callbacks, under Keras' names: what happens besides training, evaluating and predicting."""

from __future__ import annotations

from .averages import SwapEMAWeights
from .backup import BackupAndRestore
from .callback import Callback, History, LambdaCallback
from .callback_list import CallbackList
from .checkpoint import ModelCheckpoint
from .monitor import EarlyStopping, MonitorCallback, ReduceLROnPlateau
from .progbar import ProgbarLogger
from .rate_finder import LearningRateFinder
from .tensorboard import TensorBoard
from .training import CSVLogger, LearningRateScheduler, TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateFinder",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]

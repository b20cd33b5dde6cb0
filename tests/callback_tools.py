"""What callbacks are driven by in tests: a model's stand-in, and a fit without training."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastcnn import callbacks as cb
from fastcnn import metrics


class FakeModel:
    """What callbacks ask of a model. Its one weight is the number of the epoch in training."""

    def __init__(self, **of_metrics: metrics.Metric) -> None:
        self.stop_training = False
        self.optimizer = SimpleNamespace(learning_rate=0.5)
        self.metrics = list(of_metrics.values())
        self.weights = [np.zeros(1)]

    def get_weights(self) -> list[Any]:
        return [w.copy() for w in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        self.weights = [np.array(w) for w in weights]

    def save(self, path: str) -> None:
        Path(path).write_text(f"model {self.weights[0][0]:g}")

    def save_weights(self, path: str) -> None:
        Path(path).write_text(f"weights {self.weights[0][0]:g}")


def run(
    callbacks: Any,
    values: Sequence[dict[str, Any]],
    model: FakeModel | None = None,
    steps: int = 3,
    batch_logs: Callable[[int, int], dict[str, Any]] | None = None,
    pause: float = 0.0,
    **params: Any,
) -> tuple[FakeModel, cb.History]:
    """A fit whose epochs end with `values`."""
    model = model or FakeModel()
    model.stop_training = False
    settings = {"verbose": 0, "epochs": len(values), "steps": steps, **params}
    listed = cb.CallbackList(
        callbacks, add_history=True, add_progbar=bool(settings["verbose"]), model=model, **settings
    )
    listed.on_train_begin()
    logs: dict[str, Any] = {}
    for epoch, value in enumerate(values):
        listed.on_epoch_begin(epoch)
        for step in range(steps):
            listed.on_train_batch_begin(step)
            time.sleep(pause)
            listed.on_train_batch_end(step, batch_logs(epoch, step) if batch_logs else {"loss": 1.0})
            if model.stop_training:
                break
        model.weights = [np.full(1, epoch)]
        if any(name.startswith("val_") for name in value):
            listed.on_test_begin()
            listed.on_test_batch_end(0, {})
            listed.on_test_end({})
        logs = dict(value)
        listed.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    listed.on_train_end(logs)
    assert listed.history is not None
    return model, listed.history

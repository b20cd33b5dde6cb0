"""Trainings for TensorBoard to show, written by tensorboardX."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from ..shapes import whole_number
from .callback import Callback, Logs


class TensorBoard(Callback):
    """Writes losses, metrics and the learning rate where TensorBoard looks for them.

    Parameters
    ----------
    log_dir : path-like
        Goes to ``train`` and ``validation`` in it, under Keras' names: ``epoch_loss``, ``batch_loss`` and so on.
    histogram_freq : int
        Histograms of all weights after every so many epochs; 0: none.
    write_steps_per_second : bool
        Also how many steps a second each epoch had.
    update_freq : "epoch", "batch" or int
        Besides each epoch's values, those of each batch, or after every so many batches.

    Raises
    ------
    ImportError
        tensorboardX is not installed (``pip install "fastcnn[tensorboard]"``).
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        *,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
    ) -> None:
        _writer_class()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = whole_number(histogram_freq, "histogram_freq", 0)
        self.write_steps_per_second = bool(write_steps_per_second)
        if isinstance(update_freq, str) and update_freq not in ("epoch", "batch"):
            raise ValueError(f'update_freq must be "epoch", "batch" or a number of batches, received {update_freq!r}')
        freq = {"epoch": 0, "batch": 1}.get(update_freq) if isinstance(update_freq, str) else None
        self.update_freq = whole_number(update_freq, "update_freq") if freq is None else freq
        self._writers: dict[str, Any] = {}
        self._step = self._epoch_steps = 0
        self._start = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._step = state["step"]

    def _write(self, part: str, name: str, value: Any, step: int) -> None:
        if np.ndim(value):  # a value a class, say
            for i, one in enumerate(np.ravel(value)):
                self._write(part, f"{name}/{i}", one, step)
            return
        if part not in self._writers:
            self._writers[part] = _writer_class()(os.path.join(self.log_dir, part))
        self._writers[part].add_scalar(name, float(value), step)

    def wants_train_batch(self, batch: int) -> bool:
        """Count the batch, and say whether it is one to write."""
        self._step += 1
        self._epoch_steps += 1
        return bool(self.update_freq) and self._step % self.update_freq == 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._step = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start, self._epoch_steps = time.perf_counter(), 0

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for name, value in (logs or {}).items():
            self._write("train", f"batch_{name}", value, self._step - 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        seconds = time.perf_counter() - self._start
        rate = {"learning_rate": float(self.model.optimizer.learning_rate)}
        for name, value in {**(logs or {}), **rate}.items():
            part = "validation" if name.startswith("val_") else "train"
            self._write(part, f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.write_steps_per_second:
            self._write("train", "epoch_steps_per_second", self._epoch_steps / max(seconds, 1e-9), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for variable in self.model.weights:
                self._writers["train"].add_histogram(f"{variable.path}/histogram", variable.numpy(), epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ImportError('TensorBoard needs tensorboardX: pip install "fastcnn[tensorboard]"') from None
    return SummaryWriter

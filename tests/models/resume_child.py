"""Trainings that are killed, for test_resume.py: a process that forks one for each line that it reads.

A line is JSON: the training's name, its folder, and how it dies: "event" (kills itself at that event: a batch begins,
or one of the steps of writing a backup) or "after" (is killed so many seconds after it began to train). The answer is
its exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastcnn
from fastcnn import callbacks, layers, optimizers
from fastcnn.data import Dataset, augment
from fastcnn.models import Sequential
from fastcnn.utils.files import atomic_write

BATCHES, SIZE, EPOCHS = 6, 8, 3


class Killer(callbacks.Callback):
    """Counts events, and kills the process at one of them."""

    def __init__(self, at: int) -> None:
        self.left = at

    def event(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.event()

    def watch_files(self) -> None:
        """Events around all that `atomic_write` does once it has opened the temporary file."""
        for name in ("fsync", "replace"):
            original = getattr(os, name)

            def wrapped(*args: Any, original: Any = original) -> Any:
                self.event()
                found = original(*args)
                self.event()
                return found

            setattr(os, name, wrapped)


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.random((BATCHES * SIZE, 6, 6, 2), dtype=np.float32)
    return x, (x.mean((1, 2, 3)) * 1000).astype(np.int32) % 3


def generator() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless, never the same twice: a process that goes on must leave out what was trained on."""
    rng = np.random.default_rng(6)
    while True:
        x = rng.random((SIZE, 6, 6, 2), dtype=np.float32)
        yield x, (x.mean((1, 2, 3)) * 1000).astype(np.int32) % 3


def train(name: str, folder: Path, killer: Killer) -> None:
    # What begins anew has one seed; what goes on has another, which must not matter.
    begun = (folder / "backup" / "training.safetensors").exists()
    fastcnn.set_seed(secrets.randbits(32) if begun else 3)
    model = Sequential(
        [
            layers.Input((6, 6, 2)),
            layers.RandomFlip(),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(3, activation="softmax"),
        ]
    )
    options: dict[str, Any] = {"use_ema": True, "ema_momentum": 0.9, "global_clipnorm": 1.0}
    if name != "arrays":
        options = {"gradient_accumulation_steps": 4, "use_ema": True}
    model.compile(optimizers.Adam(0.01, **options), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = data()
    sources: dict[str, dict[str, Any]] = {
        "arrays": {"x": x, "y": y, "batch_size": SIZE},
        "generator": {"x": generator(), "steps_per_epoch": BATCHES},
        # Read ahead by a thread, and shuffled and augmented with seeds of their own.
        "dataset": {"x": Dataset.from_arrays(x, y).shuffle().batch(SIZE).map(augment.RandomContrast(0.5)).prefetch(2)},
    }
    listeners = [
        killer,
        *([] if name == "arrays" else [callbacks.SwapEMAWeights(swap_on_epoch=True)]),
        callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=0),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        callbacks.ModelCheckpoint(folder / "best-{epoch}.safetensors", save_best_only=True, keep=2, monitor="loss"),
        callbacks.CSVLogger(folder / "log.csv"),
        callbacks.BackupAndRestore(folder / "backup", save_freq=1),
    ]
    history = model.fit(
        **sources[name], epochs=EPOCHS, validation_data=(x[:SIZE], y[:SIZE]), callbacks=listeners, verbose=0
    )
    with atomic_write(folder / "end.npz") as file:
        np.savez(file, *model.get_weights())
    with atomic_write(folder / "end.json", "w") as file:
        json.dump({"history": history.history, "epochs": history.epoch}, file)


def child(order: dict[str, Any], started: int) -> None:
    fastcnn.set_num_threads(1)
    killer = Killer(order.get("event", -1))
    killer.watch_files()
    os.write(started, b".")
    train(order["name"], Path(order["folder"]), killer)


def run(order: dict[str, Any]) -> int:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child(order, writing)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    select.select([reading], [], [])
    os.close(reading)
    if "after" in order:
        time.sleep(order["after"])
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        print(run(json.loads(line)), flush=True)

"""Callbacks that steer or record a training: learning rate by plan, NaN, a CSV file."""

from __future__ import annotations

import csv
import inspect
import math
import os
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from ..errors import shown
from ..utils.progress import say
from .callback import Callback, Logs


def refuse_schedule(callback: Callback) -> None:
    """Two that set the learning rate are one too many."""
    schedule = getattr(callback.model.optimizer, "schedule", None)
    if schedule is not None:
        raise ValueError(
            f"{type(callback).__name__} sets the learning rate, and so does the optimizer's schedule "
            f"{shown(schedule)}: use one of the two"
        )


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch.

    Parameters
    ----------
    schedule : callable
        ``schedule(epoch, learning_rate)`` or ``schedule(epoch)`` -> the new learning rate; epochs count from 0.
    verbose : int
        1 prints each.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule must be a function of (epoch, learning_rate), received {shown(schedule)}")
        self.schedule, self.verbose = schedule, verbose

    def on_train_begin(self, logs: Logs | None = None) -> None:
        refuse_schedule(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        now = float(self.model.optimizer.learning_rate)
        rate = self.schedule(epoch, now) if _takes_two(self.schedule) else self.schedule(epoch)
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.floating)):
            raise ValueError(f"schedule must return a float, received {shown(rate)} for epoch {epoch}")
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            say(f"Epoch {epoch + 1}: learning rate {float(rate):.6g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class TerminateOnNaN(Callback):
    """Ends a training as soon as its loss is NaN or infinite.

    Parameters
    ----------
    raise_error : bool
        Raise an error instead, so that nothing goes on with the spoilt weights.

    Raises
    ------
    RuntimeError
        From `fit`, with `raise_error`.
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            if self.raise_error:
                raise RuntimeError(f"batch {batch}: the loss is {loss}")
            say(f"Batch {batch}: the loss is {loss}; the training ends")
            self.model.stop_training = True


class CSVLogger(Callback):
    """Writes each epoch's values to a CSV file, a line at once, so that it can be followed.

    Parameters
    ----------
    filename : path-like
    separator : str
        One character.
    append : bool
        Go on with a file that is there, with the columns it has, instead of replacing it.

    Notes
    -----
    The columns are ``epoch`` and the first epoch's names, sorted; a value that a later epoch lacks is ``NA``, and
    one that the first lacked has no column.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"separator must be one character, received {shown(separator)}")
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self._file: IO[str] | None = None
        self._columns: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._close()
        self._columns = []
        goes_on = bool(self.params.get("resumed"))
        if self.append and not goes_on and os.path.exists(self.filename):
            with open(self.filename, newline="", encoding="utf-8") as old:
                self._columns = next(csv.reader(old, delimiter=self.separator), [])
        mode = "a" if self.append or goes_on else "w"
        self._file = open(self.filename, mode, newline="", encoding="utf-8")  # noqa: SIM115

    def state_dict(self) -> dict[str, Any]:
        if self._file is None:
            return {"columns": self._columns, "size": 0}
        os.fsync(self._file.fileno())  # lines that a backup counts survive what the backup survives
        return {"columns": self._columns, "size": os.fstat(self._file.fileno()).st_size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back the lines of epochs that are trained again."""
        if self._file is None:
            return
        size = min(state["size"], os.fstat(self._file.fileno()).st_size)
        self._file.truncate(size)
        self._columns = list(state["columns"]) if size else []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._file is None:
            return
        row = {"epoch": epoch, **{name: _cell(value) for name, value in (logs or {}).items()}}
        writer = csv.writer(self._file, delimiter=self.separator)
        if not self._columns:
            self._columns = ["epoch", *sorted(row.keys() - {"epoch"})]
            writer.writerow(self._columns)
        writer.writerow([row.get(name, "NA") for name in self._columns])
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a built-in without a signature
        return True
    kinds = [p.kind for p in parameters]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return True
    return sum(k in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for k in kinds) >= 2


def _cell(value: Any) -> Any:
    """Arrays as ``[a, b]``, NumPy's numbers as Python's."""
    if np.ndim(value):
        return "[" + ", ".join(str(v) for v in np.asarray(value).tolist()) + "]"
    return value.item() if isinstance(value, (np.generic, np.ndarray)) else value

"""Callbacks that watch one value from epoch to epoch, and act where it gets better or doesn't."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import metrics
from ..errors import shown, unknown_name
from ..shapes import whole_number
from ..utils.progress import say
from .callback import Callback, Logs
from .training import refuse_schedule


class MonitorCallback(Callback):
    """Base: what is watched, which way is better, and by how much.

    Parameters
    ----------
    monitor : str
        A name in the epoch's logs: ``"val_loss"``, ``"accuracy"``.
    mode : {"auto", "min", "max"}
        Whether less or more is better. "auto" asks the metric of that name.
    min_delta : float
        A change smaller than this is none.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise unknown_name("mode", mode, ("auto", "min", "max"))
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.best: float | None = None
        self._sign = 0

    def value(self, logs: Logs | None) -> float | None:
        """The watched value; None where the logs have no single number of that name, with a warning if they should."""
        current = (logs or {}).get(self.monitor)
        if current is None and self.unjudged():
            return None
        if current is None or np.ndim(current):
            what = "is not in the logs" if current is None else "is not a single number"
            warnings.warn(
                f"{type(self).__name__}: {self.monitor!r} {what}; there are: {', '.join(sorted(logs or {}))}",
                stacklevel=2,
            )
            return None
        return float(current)

    def unjudged(self) -> bool:
        """Whether a validation's value is watched, and the epoch is one of those that `validation_freq` passes over."""
        return self.lacks(self.monitor)

    def lacks(self, name: str) -> bool:
        """Whether the value of this name is a validation's, and the epoch was not to be validated."""
        training = getattr(self.model, "run", None)
        return name.startswith("val_") and training is not None and training.unjudged

    def improves(self, current: float, reference: float | None) -> bool:
        """Whether `current` is better than `reference` by more than `min_delta` (NaN never is)."""
        if not self._sign:
            self._sign = self._direction()
        if math.isnan(current):
            return False
        return reference is None or self._sign * (current - reference) > self.min_delta

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def _direction(self) -> int:
        if self.mode != "auto":
            return 1 if self.mode == "max" else -1
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return -1
        found = [m for m in getattr(self.model, "metrics", None) or [] if getattr(m, "name", None) == name]
        if not found:
            try:
                found = [metrics.get(name, (None,), (None, 2))]
            except ValueError:
                pass
        direction = getattr(found[0], "_direction", None) if found else None
        if direction is None:
            raise ValueError(
                f"{type(self).__name__} can't tell whether more or less of {self.monitor!r} is better; "
                f'pass mode="max" or mode="min"'
            )
        return 1 if direction == "up" else -1


class EarlyStopping(MonitorCallback):
    """Ends a training whose monitored value has stopped getting better.

    Parameters
    ----------
    monitor, min_delta, mode
        See `MonitorCallback`.
    patience : int
        How many epochs in a row may bring nothing better.
    verbose : int
        1 says so when it acts.
    baseline : float, optional
        Epochs not better than this count as bringing nothing.
    restore_best_weights : bool
        When the training ends, go back to the weights of the best epoch. With `SwapEMAWeights` these are the averages
        that were judged only if that has `swap_on_epoch` and comes before this callback.
    start_from_epoch : int
        Epochs before this one are not looked at.

    Attributes
    ----------
    stopped_epoch : int
        The epoch (from 0) after which it stopped the training; 0 if it didn't.
    best, best_epoch
        The best value and its epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = whole_number(patience, "patience", 0)
        self.start_from_epoch = whole_number(start_from_epoch, "start_from_epoch", 0)
        self.verbose, self.baseline = verbose, baseline
        self.restore_best_weights = restore_best_weights
        self._reset()

    def _reset(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("wait", "stopped_epoch", "best_epoch", "best", "best_weights")}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self.value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(current, self.best):
            self.best = current
            self._remember(epoch)
            # Better than before, but only what beats the baseline too renews the patience.
            if self.baseline is None or self.improves(current, self.baseline):
                self.wait = 0
            return
        if self.best_weights is None:
            self._remember(epoch)
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _remember(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                say(f"Going back to the weights of epoch {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)
            self.best_weights = None


class ReduceLROnPlateau(MonitorCallback):
    """Lowers the learning rate where the monitored value has stopped getting better.

    Parameters
    ----------
    monitor, min_delta, mode
        See `MonitorCallback`.
    factor : float
        What the learning rate is multiplied with: from 0 to below 1.
    patience : int
        How many epochs in a row may bring nothing better.
    verbose : int
        1 says so when it acts.
    cooldown : int
        Epochs after a change in which nothing is counted.
    min_lr : float
        The learning rate gets no lower.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not 0 <= factor < 1:
            raise ValueError(f"factor must be at least 0 and below 1, received {shown(factor)}")
        self.factor, self.min_lr, self.verbose = factor, min_lr, verbose
        self.patience, self.cooldown = whole_number(patience, "patience", 0), whole_number(cooldown, "cooldown", 0)
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        refuse_schedule(self)
        self.wait = self.cooldown_counter = 0
        self.best = None

    def state_dict(self) -> dict[str, Any]:
        return {"wait": self.wait, "cooldown_counter": self.cooldown_counter, "best": self.best}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        rate = float(self.model.optimizer.learning_rate)
        if logs is not None:
            logs["learning_rate"] = rate
        current = self.value(logs)
        if current is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.cooldown_counter:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                lower = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = lower
                if self.verbose:
                    say(f"Epoch {epoch + 1}: learning rate lowered to {lower:.6g}")
                self.cooldown_counter = self.cooldown
                self.wait = 0

"""The base of all callbacks, and those that only keep or pass on what they are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: What a hook is told: names of losses and metrics, and their values. Hooks of later callbacks see what earlier added.
Logs = dict[str, Any]


class Callback:
    """Base class: override the hooks that are of interest.

    Attributes
    ----------
    model
        The model being trained, evaluated or asked; set before the first hook. ``model.stop_training = True`` ends a
        training after the present batch.
    params : dict
        ``verbose``, ``epochs``, ``steps`` (None where unknown), and where known ``batch_size`` and ``samples``;
        ``resumed`` is True where a training goes on from a backup.

    Notes
    -----
    Epochs and batches count from 0. The logs of a batch are the means over the epoch so far. During `fit` validation
    calls the ``on_test_…`` hooks.
    """

    model: Any = None
    params: dict[str, Any] = {}  # noqa: RUF012  (replaced by set_params, never changed)

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def state_dict(self) -> dict[str, Any]:
        """What it keeps from hook to hook, as plain data (numbers, strings, lists, dicts, arrays), for backups."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with what `state_dict` gave, in a training that goes on; called after `on_train_begin`, and within an
        epoch after `on_epoch_begin`.
        """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch; `logs` are its."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch of training."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch and its validation, whose values in `logs` have names that start with ``val_``."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Another name for `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Another name for `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a training step."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a training step."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an evaluation or validation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After an evaluation or validation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of an evaluation or validation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of an evaluation or validation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of a prediction."""


class History(Callback):
    """Keeps every epoch's logs; `fit` makes one and returns it.

    Attributes
    ----------
    history : dict of str to list
        For each name its value in each epoch.
    epoch : list of int
        The epochs' numbers.
    epochs : dict of str to list of int
        For each name the numbers of its epochs: with `validation_freq` a validation's values are of a few only.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self.epochs: dict[str, list[int]] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "epoch": self.epoch, "epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.history, self.epoch, self.epochs = state["history"], state["epoch"], state.get("epochs", {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.epochs.setdefault(name, []).append(epoch)


class LambdaCallback(Callback):
    """A callback from functions: each argument is a hook's name, each value is called as that hook is.

    Examples
    --------
    >>> LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))  # doctest: +SKIP
    """

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        for name, function in hooks.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise TypeError(f"LambdaCallback has no hook {name!r}")
            if function is not None:
                if not callable(function):
                    raise TypeError(f"{name} must be a function, received {function!r}")
                setattr(self, name, function)

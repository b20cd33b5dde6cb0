"""A training under way: its loop, and where it is in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .progress import NaNWatch
from .snapshot import Snapshot
from .sources import Source

if TYPE_CHECKING:
    from ..callbacks import CallbackList
    from .trainer import Trainer

#: Names and values of the losses and metrics.
Logs = dict[str, Any]


class Run:
    """What `fit` does once everything is checked.

    Parameters
    ----------
    model : Model
        Built and compiled.
    train, validation : Source
    listeners : CallbackList
    initial_epoch, epochs : int
    validation_freq : int or set of int
        After how many epochs to validate each time, or after which ones, counted from 1.

    Attributes
    ----------
    epoch, batch : int
        What comes next: the batch of the epoch, 0 its beginning.
    """

    def __init__(
        self,
        model: Trainer,
        train: Source,
        validation: Source | None,
        listeners: CallbackList,
        initial_epoch: int,
        epochs: int,
        validation_freq: int | frozenset[int],
    ) -> None:
        self.model, self.train, self.validation, self.listeners = model, train, validation, listeners
        self.epoch, self.batch = initial_epoch, 0
        self._epochs, self._validation_freq = epochs, validation_freq
        self._watch = NaNWatch()
        self._logs: Logs = {}
        #: The backup that it goes on from.
        self._backup: Snapshot | None = None

    @property
    def unjudged(self) -> bool:
        """Whether an epoch has just ended that was not to be validated, though others are."""
        return self.validation is not None and self.batch == 0 and not self._judged_after(self.epoch)

    def _judged_after(self, epochs: int) -> bool:
        """Whether so many epochs are followed by a validation, if there is anything to validate on."""
        often = self._validation_freq
        return epochs % often == 0 if isinstance(often, int) else epochs in often

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that the rest of the training depends on to a file, from which `resume` goes on."""
        tally = self.model._tally
        assert tally is not None
        rest = {
            "epoch": self.epoch,
            "batch": self.batch,
            "stop": self.model.stop_training,
            "logs": self._logs,
            "tally": tally.state_dict(),
            "train": self.train.state_dict(),
            "validation": None if self.validation is None else self.validation.state_dict(),
            "callbacks": self.listeners.state_dict(),
        }
        Snapshot.take(self.model, rest).write(path)

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go on from a file that `save` wrote, instead of beginning. To be called before `go`.

        Raises
        ------
        ModelFileError
            The file is damaged, or of another model or optimizer.
        """
        self._backup = Snapshot.read(self.model, path)

    def go(self) -> None:
        """Train to the end."""
        model, listeners = self.model, self.listeners
        if model.optimizer is not None and model.optimizer.swapped:  # an evaluation before was interrupted
            model.optimizer.swap_averages()
        listeners.on_train_begin()
        self._restore()
        while self.epoch < self._epochs and not (model.stop_training and self.batch == 0):
            epoch = self.epoch
            listeners.on_epoch_begin(epoch)
            if self.batch:  # what callbacks just did had been done when the backup was made
                self._restore()
            logs = self._train_epoch(epoch)
            if self.validation is not None and self._judged_after(epoch + 1):
                found = model._evaluate(self.validation, listeners)
                logs.update({f"val_{name}": value for name, value in found.items()})
            self.epoch, self.batch, self._logs = epoch + 1, 0, logs
            listeners.on_epoch_end(epoch, logs)
        if self.epoch and model.optimizer is not None:
            model.optimizer.finalize_variable_values()
        listeners.on_train_end(self._logs)

    def _train_epoch(self, epoch: int) -> Logs:
        model, listeners = self.model, self.listeners
        objective, tally = model._ready(), model._tally
        assert tally is not None
        if self.batch == 0:
            tally.reset()
        if not model.stop_training:
            for number, batch in enumerate(self.train, self.batch):
                listeners.on_train_batch_begin(number)
                loss, predictions = model._step(batch, objective, True)
                tally.add(batch, loss, predictions)
                self._watch.look(batch, loss, f"epoch {epoch + 1}, batch {number}")
                self.batch = number + 1
                listeners.on_train_batch_end(number, tally.logs)
                if model.stop_training:
                    break
        if self.batch == 0:
            raise ValueError(
                "x gave no batches in this epoch; a generator that is used up can't be read again: give an object with "
                "__iter__ or with __len__ and __getitem__, or an endless generator and steps_per_epoch"
            )
        return tally.logs()

    def _restore(self) -> None:
        if self._backup is None:
            return
        self._backup.apply(self.model)
        rest, tally = self._backup.state["rest"], self.model._tally
        assert tally is not None
        self.epoch, self.batch, self._logs = rest["epoch"], rest["batch"], dict(rest["logs"])
        self.model.stop_training = rest["stop"]
        tally.load_state_dict(rest["tally"])
        self.train.load_state_dict(rest["train"], within=self.batch > 0)
        if self.validation is not None and rest["validation"] is not None:
            self.validation.load_state_dict(rest["validation"], within=False)
        self.listeners.load_state_dict(rest["callbacks"])

"""Models saved while they are trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..shapes import whole_number
from ..utils.progress import say
from .callback import Logs
from .monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, during training.

    Parameters
    ----------
    filepath : path-like
        Where to. It may name values: ``"{epoch:02d}-{val_loss:.2f}.safetensors"``; epochs (and batches) count from 1
        here. Missing folders are made. After an epoch that wasn't validated, a file that names a validation's value
        is not written.
    monitor, mode
        See `MonitorCallback`.
    verbose : int
        1 says so when it acts.
    save_best_only : bool
        Only after epochs that are better than all before; with `keep`, than all but so many.
    save_weights_only : bool
        ``model.save_weights`` instead of ``model.save``.
    save_freq : "epoch" or int
        After each epoch, or after so many batches.
    initial_value_threshold : float, optional
        With `save_best_only`: nothing is saved that isn't better than this.
    keep : int, optional
        Of the files that it has written, so many stay: the best ones with `save_best_only`, else the last ones. The
        others are removed. `filepath` must then name something that changes.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        keep: int | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        if isinstance(save_freq, str) and save_freq != "epoch":
            raise ValueError(f'save_freq must be "epoch" or a number of batches, received {save_freq!r}')
        self.save_freq = save_freq if isinstance(save_freq, str) else whole_number(save_freq, "save_freq")
        self.verbose = verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.best = self._threshold = initial_value_threshold
        self.keep = None if keep is None else whole_number(keep, "keep")
        if self.keep is not None and "{" not in self.filepath:
            raise ValueError(
                f"keep={keep} needs a filepath that names what changes, such as 'model-{{epoch}}.safetensors', "
                f"received {self.filepath!r}"
            )
        #: What was written and stays, with its value, best or last one last.
        self._kept: list[tuple[float | None, str]] = []
        self._epoch = self._batches = 0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "_kept": self._kept, "_epoch": self._epoch, "_batches": self._batches}

    def wants_train_batch(self, batch: int) -> bool:
        """Count the batch, and say whether it is one to save after: only then its logs are worked out."""
        self._batches += 1
        return self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._save({"batch": batch + 1, **(logs or {})}, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        if self.save_freq == "epoch":
            self._save(logs or {}, logs)

    def _save(self, values: Logs, logs: Logs | None) -> None:
        current = self.value(logs) if self.save_best_only else None
        if self._passed_over(current):
            return
        try:
            path = self.filepath.format(**{"epoch": self._epoch + 1, **values})
        except (KeyError, IndexError, ValueError, TypeError) as error:
            if isinstance(error, KeyError) and self.lacks(str(error.args[0])):
                return
            raise ValueError(
                f"filepath {self.filepath!r} can't be filled in ({error}); there are: "
                f"{', '.join(sorted({'epoch', *values}))}"
            ) from None
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            say(f"Epoch {self._epoch + 1}: saved {path}")
        if self.keep is not None:
            self._drop(current, path)

    def _passed_over(self, current: float | None) -> bool:
        """Whether nothing is saved: the value isn't among the best, or is known of other epochs only."""
        if current is None:
            return self.save_best_only and self.unjudged()
        return not self._is_best(current)

    def _is_best(self, current: float) -> bool:
        """Whether it is better than all before, or good enough to be one of those that are kept."""
        reference = self.best
        if self.keep is not None:
            reference = self._kept[0][0] if len(self._kept) >= self.keep else self._threshold
        if not self.improves(current, reference):
            if self.verbose:
                say(f"Epoch {self._epoch + 1}: {self.monitor} is not better than {reference}")
            return False
        if self.improves(current, self.best):
            self.best = current
        return True

    def _drop(self, current: float | None, path: str) -> None:
        """Remove the files that are one too many, worst or oldest first."""
        assert self.keep is not None
        self._kept = [(value, name) for value, name in self._kept if name != path]
        place = len(self._kept)
        while current is not None and place and self._below(current, self._kept[place - 1][0]):
            place -= 1
        self._kept.insert(place, (current, path))
        while len(self._kept) > self.keep:
            Path(self._kept.pop(0)[1]).unlink(missing_ok=True)

    def _below(self, current: float, other: float | None) -> bool:
        return other is not None and self.improves(other, current)

"""Trainings that survive: where they are, in a file, from which they go on."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..shapes import whole_number
from ..utils.files import remove_leftovers
from .callback import Callback, Logs


class BackupAndRestore(Callback):
    """Backs a training up as it goes; the same `fit`, called again after a crash, goes on as if nothing had been.

    Everything that the rest of a training depends on is in the backup: weights, the optimizer's state, moving averages,
    random numbers, the place in the epoch and its order, sums of losses and metrics, the other callbacks' states, the
    history so far. A run that was killed at any moment and goes on ends with the same weights, to the last bit, as one
    that wasn't.

    Parameters
    ----------
    backup_dir : path-like
        A folder for this training alone; it is made. The backup is ``training.safetensors`` in it, and replaced as a
        whole: a crash while it is written, or a full disk, leaves the one before.
    save_freq : "epoch" or int
        After each epoch, or also after so many batches.
    double_checkpoint : bool
        Accepted as in Keras; a second copy isn't needed, see above.
    delete_checkpoint : bool
        Remove the backup, and the folder if it is empty, when the training has come to its end. Else a `fit` with it
        trains no epoch again.

    Raises
    ------
    ModelFileError
        From `fit`: the backup is of another model or optimizer, or was damaged by others.
    ValueError
        From `fit`: it is of a training on other data.

    Notes
    -----
    The data must come again as they came: arrays do, a `fastcnn.data.Dataset` does, and any object with the methods
    ``state_dict()`` and ``load_state_dict(state)``. Other iterables must be made anew: they are read from their
    beginning, what was trained on is left out, and their ``on_epoch_end()``, if any, is called for each epoch that was
    done. A callback of your own that keeps something from hook to hook has the two methods, too.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not isinstance(backup_dir, (str, os.PathLike)) or not os.fspath(backup_dir):
            raise ValueError(f"backup_dir must be a folder, received {backup_dir!r}")
        if isinstance(save_freq, str) and save_freq != "epoch":
            raise ValueError(f'save_freq must be "epoch" or a number of batches, received {save_freq!r}')
        self.backup_dir = Path(backup_dir)
        self.save_freq = save_freq if isinstance(save_freq, str) else whole_number(save_freq, "save_freq")
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._batches = 0

    @property
    def path(self) -> Path:
        """The backup's file."""
        return self.backup_dir / "training.safetensors"

    def found(self) -> bool:
        """Whether there is a backup to go on from."""
        return self.path.exists()

    def state_dict(self) -> dict[str, Any]:
        return {"batches": self._batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._batches = state["batches"]

    def wants_train_batch(self, batch: int) -> bool:
        """Count the batch, and say whether it is one to save after."""
        self._batches += 1
        return self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches = 0
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.path)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.model.run.save(self.path)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.model.run.save(self.path)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            self.path.unlink(missing_ok=True)
            with suppress(OSError):  # others may keep something there
                self.backup_dir.rmdir()

"""Validation and saving with the averages of the weights that an optimizer keeps."""

from __future__ import annotations

from .callback import Callback, Logs


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the moving averages of the weights, and trains on with the weights themselves.

    Parameters
    ----------
    swap_on_epoch : bool
        The averages are also the model's weights from the end of an epoch to the beginning of the next, so that a
        `ModelCheckpoint` behind this callback in the list saves them.

    Notes
    -----
    Validation judges the averages, but what callbacks find in the model at the end of an epoch are the weights:
    ``EarlyStopping(restore_best_weights=True)`` brings those back. With `swap_on_epoch`, and this callback before it in
    the list, it brings back the averages that were judged.

    Raises
    ------
    ValueError
        When it begins: the optimizer keeps no averages (``use_ema=True``).
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = bool(swap_on_epoch)

    def _swap(self, averages: bool) -> None:
        """Make the averages the model's weights, or put the weights back."""
        optimizer = self.model.optimizer
        if not optimizer.use_ema:
            raise ValueError(f"SwapEMAWeights needs an optimizer that keeps averages: {type(optimizer).__name__}"
                             f"(use_ema=True)")  # fmt: skip
        if optimizer.swapped != averages:
            optimizer.swap_averages()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

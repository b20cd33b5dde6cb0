"""How a run is going: a live bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from ..utils.progress import INTERVAL, is_live, open_bar
from .callback import Callback, Logs

_FORMAT = "{desc} {bar} {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"
_FORMAT_WITHOUT_TOTAL = "{desc} {n_fmt} [{elapsed}]{postfix}"


class ProgbarLogger(Callback):
    """Shows loss, metrics, images a second and the time left.

    `fit`, `evaluate` and `predict` add one unless ``verbose`` is 0. With ``verbose`` 1 or "auto" a bar moves where
    standard output is a terminal or a notebook, ten times a second; a summary line takes its place when the epoch ends.
    With ``verbose`` 2, and where standard output goes to a file or a pipe, there are only the summary lines.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._live = self._in_fit = False
        self._title = ""
        self._steps = 0
        #: Batches of this epoch that a training which goes on did before.
        self._before: int | None = None
        self._start = self._last = self._next = 0.0

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self._live = params.get("verbose", 1) in (1, True, "auto") and is_live()

    @property
    def _silent(self) -> bool:
        return not self.params.get("verbose", 1)

    def wants_train_batch(self, batch: int) -> bool:
        """Count the batch, and say whether it is time to redraw: only then its logs are worked out."""
        self._steps = batch + 1
        if self._before is None:
            self._before = batch
        self._last = time.perf_counter()
        return self._live and self._last >= self._next

    def wants_test_batch(self, batch: int) -> bool:
        """As `wants_train_batch`; batches of a validation during `fit` are not counted."""
        return not self._in_fit and self.wants_train_batch(batch)

    wants_predict_batch = wants_train_batch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._in_fit = False
        self._close()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        epochs = self.params.get("epochs")
        self._open(f"Epoch {epoch + 1}/{epochs}" if epochs else f"Epoch {epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish(logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._redraw(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._open("Evaluation")
        elif self._bar is not None:
            self._bar.set_postfix_str(self._rate() + ", validating", refresh=True)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._redraw(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._open("Prediction")

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._redraw(None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._finish(None)

    def _open(self, title: str) -> None:
        self._close()
        self._title = title
        self._steps, self._before = 0, None
        self._start = self._last = time.perf_counter()
        self._next = self._start + INTERVAL
        if self._live and not self._silent:
            total = self.params.get("steps")
            bar_format = _FORMAT if total else _FORMAT_WITHOUT_TOTAL
            self._bar = open_bar(title, total, sys.stdout, bar_format=bar_format)

    def _redraw(self, logs: Logs | None) -> None:
        self._next = self._last + INTERVAL
        if self._bar is not None:
            # tqdm's own reckoning of when to draw is passed by: it would count calls, and they come at our intervals.
            self._bar.n = self._steps
            self._bar.set_postfix_str(", ".join([self._rate(), *_pairs(logs)]), refresh=False)
            self._bar.refresh()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _finish(self, logs: Logs | None) -> None:
        self._close()
        if not self._silent:
            seconds = time.perf_counter() - self._start
            print(" - ".join([self._title, f"{seconds:.1f}s", self._rate(), *_pairs(logs)]), flush=True)

    def _rate(self) -> str:
        """Images a second (or steps, where the size of a batch is unknown), validation not counted."""
        seconds = max(self._last - self._start, 1e-9)
        size, samples = self.params.get("batch_size"), self.params.get("samples")
        before = self._before or 0
        if not size:
            return f"{_three_digits((self._steps - before) / seconds)} steps/s"
        images = self._steps * size if samples is None else min(self._steps * size, samples)
        images -= before * size
        return f"{_three_digits(images / seconds)} images/s"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _pairs(logs: Logs | None) -> list[str]:
    return [f"{name}: {_shown(value)}" for name, value in (logs or {}).items()]


def _shown(value: Any) -> str:
    """Four decimals; small numbers with an exponent; arrays element by element."""
    if np.ndim(value):
        return "[" + " ".join(_shown(v) for v in np.ravel(value)) + "]"
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{number:.4e}" if number and abs(number) < 1e-3 else f"{number:.4f}"

"""Which learning rate to begin with, by trying."""

from __future__ import annotations

import math
import os
import warnings
from typing import IO, Any

import numpy as np

from ..errors import shown
from ..shapes import real_number, whole_number
from .callback import Callback, Logs


class LearningRateFinder(Callback):
    """Trains some batches with growing learning rates, and puts everything back (Smith, WACV 2017, section 3.3).

    The rate grows by the same factor from batch to batch, until the loss has risen `stop_factor`-fold over its lowest.
    When `fit` returns, weights, optimizer and random numbers are as they were before it.

    Parameters
    ----------
    min_learning_rate, max_learning_rate : float
        The first rate and the last.
    steps : int
        Batches, at least 3. `fit` needs enough epochs for them.
    smoothing : float
        Losses are averaged over the batches before with this momentum: 0 to below 1.
    stop_factor : float
        Above 1.

    Attributes
    ----------
    learning_rates, losses : list of float
        The rates tried, and the smoothed losses of the batches before their steps.
    """

    def __init__(
        self,
        min_learning_rate: float = 1e-6,
        max_learning_rate: float = 1.0,
        steps: int = 100,
        smoothing: float = 0.9,
        stop_factor: float = 4.0,
    ) -> None:
        self.min_learning_rate = real_number(min_learning_rate, "min_learning_rate")
        self.max_learning_rate = real_number(max_learning_rate, "max_learning_rate")
        if not 0 < self.min_learning_rate < self.max_learning_rate:
            raise ValueError(
                f"min_learning_rate must be above 0 and below max_learning_rate, received {shown(min_learning_rate)} "
                f"and {shown(max_learning_rate)}"
            )
        self.steps = whole_number(steps, "steps", 3)
        self.smoothing = real_number(smoothing, "smoothing", high=1.0, closed=False)
        self.stop_factor = real_number(stop_factor, "stop_factor", low=1.0)
        self.learning_rates: list[float] = []
        self.losses: list[float] = []
        self._mean = 0.0
        self._before: Any = None
        self._schedule: Any = None

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls fastest, over the rate's logarithm.

        Raises
        ------
        ValueError
            Fewer than three rates have been tried.
        """
        if len(self.losses) < 3:
            raise ValueError(f"a suggestion needs at least 3 learning rates tried, there are {len(self.losses)}")
        slopes = np.gradient(self.losses, np.log(self.learning_rates))
        lowest = max(2, int(np.argmin(self.losses)) + 1)
        return self.learning_rates[int(np.argmin(slopes[:lowest]))]

    def plot(self, path: str | os.PathLike[str] | IO[bytes], title: str | None = None) -> None:
        """Draw the losses over the rates: see `fastcnn.viz.plot_learning_rates`."""
        from ..viz import plot_learning_rates

        plot_learning_rates(self.learning_rates, self.losses, path, self.suggestion, title)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.learning_rates, self.losses, self._mean = [], [], 0.0
        self._schedule = self.model.optimizer.schedule
        self._before = self.model.snapshot()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        share = len(self.learning_rates) / (self.steps - 1)
        rate = self.min_learning_rate * (self.max_learning_rate / self.min_learning_rate) ** share
        self.model.optimizer.learning_rate = rate

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = self.model.batch_loss
        self._mean = self.smoothing * self._mean + (1.0 - self.smoothing) * loss
        smooth = self._mean / (1.0 - self.smoothing ** (len(self.losses) + 1))
        if math.isfinite(smooth):
            self.learning_rates.append(self.model.optimizer.learning_rate)
            self.losses.append(smooth)
        if len(self.losses) >= self.steps or not smooth <= self.stop_factor * min(self.losses, default=math.inf):
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._before.apply(self.model)
        if self._schedule is not None:
            self.model.optimizer.learning_rate = self._schedule
        if not self.model.stop_training:
            warnings.warn(
                f"LearningRateFinder tried only {len(self.losses)} of {self.steps} learning rates before the epochs "
                f"were over; fit with more of them",
                stacklevel=4,
            )
        self._before = None

"""What a cross-validation found."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import shown, unknown_name
from ..shapes import real_number
from .statistics import t_quantile


@dataclasses.dataclass(frozen=True)
class Fold:
    """One model of a cross-validation."""

    #: Which repetition, and which fold of it, from 0.
    repeat: int
    number: int
    #: Rows of the data that it learned from, and that it was judged on.
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    #: Loss and metrics on the test rows.
    scores: dict[str, Any]
    #: What ``fit`` returned: one number an epoch for each name.
    history: dict[str, list[float]]
    #: For the rows of `test`, in their order.
    predictions: NDArray[Any]
    #: That it took to train and judge.
    seconds: float
    #: With ``keep_models``.
    model: Any = None


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """The folds of a cross-validation and what they say together; ``print`` shows it as a table.

    Attributes
    ----------
    folds : list of Fold
    targets : array, shape (samples, …)
        The labels, in the order of `predictions`: what a Dataset gave, if the data was one.
    """

    folds: list[Fold]
    targets: NDArray[Any]

    @property
    def names(self) -> list[str]:
        """The scores that are numbers: the loss and the metrics."""
        return [name for name, value in self.folds[0].scores.items() if np.ndim(value) == 0]

    def scores(self, name: str) -> NDArray[np.float64]:
        """One score of each fold."""
        if name not in self.names:
            raise unknown_name("score", name, self.names)
        return np.array([fold.scores[name] for fold in self.folds], np.float64)

    def mean(self, name: str) -> float:
        """The mean of a score over all folds."""
        return float(self.scores(name).mean())

    def std(self, name: str) -> float:
        """The standard deviation of a score from fold to fold (of a sample: n - 1); NaN of one fold."""
        values = self.scores(name)
        return float(values.std(ddof=1)) if len(values) > 1 else math.nan

    def interval(self, name: str, confidence: float = 0.95, corrected: bool = True) -> tuple[float, float]:
        """Between which numbers a score's mean lies with this confidence, by Student's t distribution.

        Parameters
        ----------
        name : str
        confidence : float
            Above 0 and below 1.
        corrected : bool
            Take into account that folds learn from overlapping data, so that their scores vary less than those of
            independent data would: the variance of the mean is std² (1/n + test/train) instead of std²/n (Nadeau and
            Bengio, "Inference for the Generalization Error", 2003). Without, the interval is the textbook's, and too
            narrow.

        Returns
        -------
        (float, float)
            NaN of one fold.
        """
        level = real_number(confidence, "confidence", 0, 1)
        if not 0 < level < 1:
            raise ValueError(f"confidence must be above 0 and below 1, received {shown(confidence)}")
        count = len(self.folds)
        if count < 2:
            return math.nan, math.nan
        share = 1 / count
        if corrected:
            share += float(np.mean([len(fold.test) / len(fold.train) for fold in self.folds]))
        reach = t_quantile(level, count - 1) * self.std(name) * math.sqrt(share)
        middle = self.mean(name)
        return middle - reach, middle + reach

    @property
    def predictions(self) -> NDArray[Any]:
        """Out-of-fold predictions: for each row of the data that of the model which didn't learn from it.

        Of several repetitions the mean; NaN for rows that were in no test part.
        """
        first, samples = self.folds[0].predictions, len(self.targets)
        total = np.zeros((samples, *first.shape[1:]), np.float64)
        times = np.zeros(samples, np.int64)
        for fold in self.folds:
            np.add.at(total, fold.test, fold.predictions)
            np.add.at(times, fold.test, 1)
        shaped = times.reshape(-1, *(1,) * (total.ndim - 1))
        mean = np.full(total.shape, np.nan)
        np.divide(total, shaped, out=mean, where=shaped > 0)
        return mean.astype(first.dtype if first.dtype.kind == "f" else np.float64)

    def summary(self) -> dict[str, dict[str, float]]:
        """Mean, std, and ends of the 95 % interval (``"low"``, ``"high"``) of each score; ready for JSON."""
        found = {}
        for name in self.names:
            low, high = self.interval(name)
            found[name] = {"mean": self.mean(name), "std": self.std(name), "low": low, "high": high}
        return found

    def __str__(self) -> str:
        names = self.names
        repeated = any(fold.repeat for fold in self.folds)
        rows = [["fold", *names, "seconds"]]
        for fold in self.folds:
            title = f"{fold.repeat + 1}.{fold.number + 1}" if repeated else str(fold.number + 1)
            rows.append([title, *(f"{fold.scores[name]:.4f}" for name in names), f"{fold.seconds:.1f}"])
        summary = self.summary()
        total = sum(fold.seconds for fold in self.folds)
        rows.append(["mean", *(f"{summary[name]['mean']:.4f}" for name in names), f"{total:.1f} in all"])
        rows.append(["std", *(f"{summary[name]['std']:.4f}" for name in names), ""])
        rows.append(["95 %", *(f"{summary[n]['low']:.4f} to {summary[n]['high']:.4f}" for n in names), ""])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        return "\n".join([lines[0], "", *lines[1:-3], "", *lines[-3:]])

"""Running totals of an epoch: the loss, the metrics, and an eye on NaN."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics
from ..losses import Loss
from ..utils.plain import is_plain
from .objective import per_output

if TYPE_CHECKING:
    from .data import Batch
    from .trainer import Trainer


def metric_groups(given: Any, names: Sequence[str], what: str) -> list[list[Any]]:
    """A list of metrics for each output, from a list for all, a list of lists or a dict."""
    if given is None:
        return [[] for _ in names]
    nested = isinstance(given, (list, tuple)) and any(isinstance(item, (list, tuple)) for item in given)
    if nested or isinstance(given, dict):
        groups = per_output(given, names, what)
    else:
        groups = [given] * len(names)
    return [[] if g is None else list(g) if isinstance(g, (list, tuple)) else [g] for g in groups]


class Tally:
    """The mean loss and the metrics over the batches seen since `reset`."""

    def __init__(self, model: Trainer, losses: Sequence[Loss | None], plain: Any, weighted: Any) -> None:
        outputs = model.output_names
        prefix = len(outputs) > 1
        self._loss = 0.0
        self._samples = 0
        self._metrics: list[tuple[str, int, int | None, bool, metrics.Metric]] = []
        positions: list[int | None] = []
        for loss in losses:
            positions.append(None if loss is None else sum(p is not None for p in positions))
        for use_weights, given in ((False, plain), (True, weighted)):
            for number, group in enumerate(metric_groups(given, outputs, "metrics")):
                loss = losses[number]
                if loss is None and group:
                    raise ValueError(f"output {outputs[number]!r} has metrics but no loss, so no y to compare with")
                for item in group:
                    prediction = model.outputs[number]
                    target = loss.target(prediction, "y").shape if loss is not None else None
                    metric = metrics.get(item, target, prediction.shape)
                    name = f"{outputs[number]}_{metric.name}" if prefix else metric.name
                    self._metrics.append((name, number, positions[number], use_weights, copy.copy(metric)))
        for *_, metric in self._metrics:
            metric.reset_state()

    @property
    def names(self) -> list[str]:
        return ["loss", *(m[0] for m in self._metrics)]

    @property
    def metrics(self) -> list[metrics.Metric]:
        return [m[-1] for m in self._metrics]

    def reset(self) -> None:
        self._loss, self._samples = 0.0, 0
        for *_, metric in self._metrics:
            metric.reset_state()

    def add(self, batch: Batch, loss: float, predictions: Sequence[np.ndarray]) -> None:
        self._loss += loss * batch.size
        self._samples += batch.size
        for _, output, target, use_weights, metric in self._metrics:
            if target is None:
                continue
            weights = batch.weights if use_weights else None
            metric.update_state(batch.targets[target], predictions[output], weights)

    def state_dict(self) -> dict[str, Any]:
        """The sums so far, as plain data."""
        return {"loss": self._loss, "samples": self._samples, "metrics": [metric_state(m[-1]) for m in self._metrics]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from these sums."""
        self._loss, self._samples = state["loss"], state["samples"]
        for (*_, metric), found in zip(self._metrics, state["metrics"]):
            set_metric_state(metric, found)

    def logs(self) -> dict[str, float]:
        """Names and values so far."""
        values = {"loss": self._loss / max(1, self._samples)}
        for name, _, _, _, metric in self._metrics:
            values[name] = metric.result()
        return values


def metric_state(metric: metrics.Metric) -> dict[str, Any]:
    """A metric's attributes, those of metrics in it too, but for functions and the like: these don't change."""
    found: dict[str, Any] = {}
    for name, value in vars(metric).items():
        if isinstance(value, metrics.Metric):
            found[name] = metric_state(value)
        elif is_plain(value):
            found[name] = value
    return found


def set_metric_state(metric: metrics.Metric, state: dict[str, Any]) -> None:
    for name, value in state.items():
        inner = getattr(metric, name, None)
        if isinstance(inner, metrics.Metric):
            set_metric_state(inner, value)
        else:
            setattr(metric, name, value)


class NaNWatch:
    """Warns once, with the batch's number, when the loss is NaN, and says whether the data or the weights are."""

    def __init__(self) -> None:
        self._warned = False

    def look(self, batch: Batch, loss: float, where: str) -> None:
        """Judge a batch by its loss, through which NaN passes from wherever it is; `where` names it."""
        if self._warned or not math.isnan(loss):
            return
        for name, arrays in (("x", batch.inputs), ("y", batch.targets)):
            for array in arrays:
                if array.dtype == np.float32 and np.isnan(array).any():
                    sample = int(np.argwhere(np.isnan(array))[0][0])
                    self._warn(f"{where}: {name} holds NaN (first in sample {sample} of the batch); training on it "
                               f"spoils the weights")  # fmt: skip
                    return
        finite = all(np.isfinite(a).all() for a in (*batch.inputs, *batch.targets))
        self._warn(f"{where}: the loss is NaN although the data is not: the weights grew too large; build or load "
                   f"the model anew and try a smaller learning rate"
                   if finite else f"{where}: the loss is NaN, and the data holds infinity")  # fmt: skip

    def _warn(self, text: str) -> None:
        self._warned = True
        warnings.warn(text, RuntimeWarning, stacklevel=5)

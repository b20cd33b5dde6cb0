"""What a model is trained for: its losses joined into one scalar, with gradients, optimizer and plans."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, random
from ..errors import shown
from ..graph import Value, Variable, topological
from ..graph.functional import binary
from ..graph.values import Shape
from ..losses import Loss
from ..optimizers import Optimizer
from ..plan import (
    FlatStore,
    Plan,
    StagedPlan,
    cut_at_hosts,
    fuse_for_training,
    prediction_plan,
    trainable_with_gradient,
    training_plan,
)
from ..shapes import real_number

_numbers = itertools.count()
#: Of every array that a step takes: inputs, targets, weights of samples.
Shapes = Sequence[tuple[int, ...]]

if TYPE_CHECKING:
    from .data import Batch
    from .predictor import AnyPlan
    from .trainer import Trainer


def per_output(given: Any, names: Sequence[str], what: str) -> list[Any]:
    """One setting for each output, from one for all, a list or a dict by output's name."""
    if isinstance(given, Mapping):
        unknown = [k for k in given if k not in names]
        if unknown:
            raise ValueError(f"{what}: {unknown[0]!r} is not an output of the model; outputs are {list(names)}")
        return [given.get(n) for n in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError(f"{what} must have one entry for each of {len(names)} outputs, received {shown(given)}")
        return list(given)
    return [given] * len(names)


class Objective:
    """The loss of a compiled model, with and without sample weights, as graphs and plans.

    Parameters
    ----------
    model : Model
        Built.
    loss_list : list of Loss or None
        One for each output; outputs without a loss are only predicted.
    loss_weights : list of float
    recompute : bool
        Whether training may compute results of the forward pass again to save memory.
    """

    def __init__(
        self,
        model: Trainer,
        loss_list: list[Loss | None],
        loss_weights: list[float],
        optimizer: Optimizer,
        recompute: bool = False,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        #: Part of the keys of its plans. Not id(): that of an objective which is gone may be given to the next one.
        self._number = next(_numbers)
        self.losses = loss_list
        self.scales = loss_weights
        self.recompute = recompute
        #: (seed, step) of dropout's random numbers.
        self.rng = np.array([random.next_seed(), 0], np.uint64)
        #: Frozen and unfrozen layers count as they were when the model was compiled, as in Keras.
        self._trainable = model.trainable_weights
        self._moving = model.moving_weights
        self._frozen_told = False
        self._graphs: dict[tuple[bool, bool], tuple[Any, ...]] = {}
        self._store: FlatStore | None = None
        #: What host nodes make for a training step, which itself can have none, and what stands there for it.
        self._before: dict[Value, Value] = {}

    def _graph(self, weighted: bool, training: bool) -> tuple[Any, ...]:
        """(targets, weights, total, predictions, seeds, updates of moving averages), built once."""
        if (weighted, training) in self._graphs:
            return self._graphs[weighted, training]
        model = self.model
        updates: dict[Variable, Value] = {}
        if training:
            outputs, self._before = cut_at_hosts(model.outputs)
            self._check_before()
            outputs, updates = fuse_for_training(outputs, self._moving)
        else:
            outputs = model.outputs
        targets, weights, predictions, totals = [], [], [], []
        seeds: dict[Value, Value] = {}
        for name, loss, scale, value in zip(model.output_names, self.losses, self.scales, outputs):
            if loss is None:
                predictions.append(value)
                continue
            target = loss.target(value, f"y/{name}")
            weight = Value(loss.rows(target.shape), "float32", name=f"sample_weight/{name}") if weighted else None
            terms = loss.terms(value, target, weight, scale)
            targets.append(target)
            if weight is not None:
                weights.append(weight)
            predictions.append(terms.prediction)
            totals.append(terms.total)
            for at, grad in terms.seeds.items():
                seeds[at] = binary(seeds[at], grad, "add") if at in seeds else grad
        totals += self._penalties(seeds)
        total = totals[0]
        for further in totals[1:]:
            total = binary(total, further, "add", "loss")
        self._graphs[weighted, training] = (targets, weights, total, predictions, seeds, updates)
        return self._graphs[weighted, training]

    def _check_before(self) -> None:
        """Nothing that learns may lie before a host node: no gradient gets there."""
        trained = {id(v) for v in self._trainable}
        for value in self._before:
            for node in topological([value]):
                if any(v is not None and id(v.variable) in trained for v in node.inputs):
                    assert value.node is not None
                    value.node.op.gradient(value.node, [], [])  # raises, with the node's name

    def _penalties(self, seeds: dict[Value, Value]) -> list[Value]:
        from ..graph.ops.elementwise import ones

        found = []
        for variable in self._trainable:
            penalty = variable.regularizer(variable.value()) if variable.regularizer is not None else None
            if penalty is not None:
                found.append(penalty)
                seeds[penalty] = ones()
        return found

    def _sized(self, more: Sequence[Value], batch: int, shapes: Shapes) -> dict[Value, tuple[int, ...]]:
        """Shapes of the inputs and of what else is given; those of arrays, where sizes besides the batch's are open."""
        values = [*self.model.inputs, *more]
        known = shapes or [(batch, *(s for s in v.shape[1:] if s is not None)) for v in values]
        return dict(zip(values, known))

    def _training_plan(self, batch: int, weighted: bool, shapes: Shapes = ()) -> Plan:
        targets, weights, total, predictions, seeds, updates = self._graph(weighted, training=True)
        variables, grads = trainable_with_gradient(seeds, self._trainable)
        if self._store is None or not self._store.holds(variables):
            self._store = FlatStore(variables)
        self.optimizer.bind(self._store)
        sized = self._sized([*targets, *weights, *self._before.values()], batch, shapes)
        calls = self.optimizer.calls
        return training_plan(sized, [total, *predictions], grads, self._store, calls, self.rng, updates, self.recompute)

    def _test_plan(self, batch: int, weighted: bool, shapes: Shapes = ()) -> Plan | StagedPlan:
        targets, weights, total, predictions, _, _ = self._graph(weighted, training=False)
        return prediction_plan(self._sized([*targets, *weights], batch, shapes), [total, *predictions])

    def _made_before(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The results of host nodes that a training step starts from."""
        if not self._before:
            return []
        shapes = tuple(a.shape for a in inputs)
        plan = self.model._cached(
            ("train", self._number, "before", shapes),
            lambda: prediction_plan(dict(zip(self.model.inputs, shapes)), list(self._before)),
        )
        return [np.ascontiguousarray(a) for a in plan.compute(inputs)]

    def check_frozen(self) -> None:
        """Warn, once, when layers were frozen or freed since the model was compiled: that has no effect yet."""
        now = {id(v) for v in (*self.model.trainable_weights, *self.model.moving_weights)}
        then = {id(v) for v in (*self._trainable, *self._moving)}
        if not self._frozen_told and now != then:
            self._frozen_told = True
            warnings.warn(
                "layers' `trainable` was changed after compile, which training doesn't see: call compile again",
                UserWarning,
                stacklevel=4,
            )

    def run(self, batch: Batch, training: bool) -> tuple[float, list[np.ndarray]]:
        """One step: (loss, predictions)."""
        weighted = batch.weights is not None
        arrays = [*batch.inputs, *batch.targets]
        if batch.weights is not None:
            for loss, target in zip((x for x in self.losses if x is not None), batch.targets):
                arrays.append(_spread(batch.weights, loss.rows(target.shape)))
        if training:
            self._graph(weighted, training)
            arrays += self._made_before(batch.inputs)
        shapes = tuple(a.shape for a in arrays)
        key = ("train" if training else "test", self._number, shapes, weighted)
        make: Callable[..., AnyPlan] = self._training_plan if training else self._test_plan
        plan = self.model._cached(key, lambda: make(batch.size, weighted, shapes))
        if training:
            self.optimizer.prepare_step()
            self.rng[1] += np.uint64(1)
        outputs = plan.compute(arrays)
        if training:
            self.optimizer.finish_step()
        return float(outputs[0].item()), outputs[1:]


def _spread(weights: np.ndarray, rows: Shape) -> np.ndarray:
    """A weight for each loss of a batch, from one for each sample."""
    if len(rows) == 1:
        return weights
    known = [int(size or 0) for size in rows]
    return np.ascontiguousarray(np.broadcast_to(weights.reshape(-1, *(1,) * (len(known) - 1)), known))


def make_losses(model: Trainer, loss: Any, loss_weights: Any) -> tuple[list[Loss | None], list[float]]:
    """The losses and their weights for each output, from what `compile` was given."""
    names = model.output_names
    chosen = [None if item is None else losses.get(item) for item in per_output(loss, names, "loss")]
    if all(item is None for item in chosen):
        raise ValueError("compile needs a loss for at least one output")
    scales = per_output(1.0 if loss_weights is None else loss_weights, names, "loss_weights")
    return chosen, [real_number(s, "loss_weights", low=-math.inf) for s in scales]

"""The plan of a training step: forward, losses, backward and the optimizer in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._ops import core
from ..graph import Value, Variable, clock, gradients
from .lowering import Lowering, Step
from .memory import Buffer
from .passes import fuse_step
from .plan import Plan, place_buffers
from .recompute import StepGraph, with_recomputation

#: Given the flat weights and the buffer of their gradients, the optimizer's kernel calls as (kernel, arguments).
Update = Callable[[np.ndarray, Buffer], Sequence[tuple[str, dict[str, Any]]]]

#: Of the memory of a way with less work, what one with more must do with.
_WORTHWHILE = 0.95


class FlatStore:
    """The trainable weights in one piece of memory, so that an optimizer passes over them once."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.variables = list(variables)
        self.size = sum(v.size for v in self.variables)
        self.memory = core.aligned_empty(4 * max(1, self.size)).view(np.float32)
        self.starts: list[int] = []
        start = 0
        for variable in self.variables:
            self.starts.append(start)
            variable.move_to(self.view(self.memory, variable, start))
            start += variable.size
        self._views = [v.storage for v in self.variables]

    @staticmethod
    def view(memory: np.ndarray, variable: Variable, start: int) -> np.ndarray:
        return memory[start : start + variable.size].reshape(variable.shape)

    def holds(self, variables: Sequence[Variable]) -> bool:
        """Whether exactly these variables still live here."""
        return len(variables) == len(self.variables) and all(
            a is b and a.storage is view for a, b, view in zip(self.variables, variables, self._views)
        )

    def assign(self, memory: np.ndarray) -> None:
        """Set the weights from another flat array."""
        for variable, part in zip(self.variables, self.split(memory)):
            variable.storage[...] = part
        clock.values_changed()

    def split(self, memory: np.ndarray) -> list[np.ndarray]:
        """One view of another flat array (optimizer state) for each variable."""
        return [self.view(memory, v, s) for v, s in zip(self.variables, self.starts)]


def trainable_with_gradient(
    seeds: Mapping[Value, Value], variables: Sequence[Variable]
) -> tuple[list[Variable], list[Value]]:
    """Those of `variables` that the loss depends on, and their gradients."""
    pairs = zip(variables, gradients(seeds, [v.value() for v in variables]))
    kept = [(v, g) for v, g in pairs if g is not None]
    return [v for v, _ in kept], [g for _, g in kept]


def training_plan(
    shapes: Mapping[Value, Sequence[int]],
    outputs: Sequence[Value],
    grads: Sequence[Value],
    store: FlatStore,
    update: Update,
    rng: np.ndarray,
    updates: Mapping[Variable, Value],
    recompute: bool = False,
) -> Plan:
    """The plan of one step.

    Parameters
    ----------
    shapes
        Concrete shapes of every input: data, targets, weights of samples.
    outputs
        What the caller wants back: the loss, predictions.
    grads
        Gradients of the store's variables, in its order.
    update
        Gives the optimizer's kernel calls for the flat weights and their gradients.
    updates
        What other weights (moving averages) are after the step; written where they live.
    recompute
        Whether to compute results of the forward pass again where that saves memory.
    """
    fused = fuse_step([*outputs, *grads, *updates.values()])
    cuts = len(outputs), len(outputs) + len(grads)
    graph = StepGraph(fused[: cuts[0]], fused[cuts[0] : cuts[1]], fused[cuts[1] :])

    def lowered(graph: StepGraph) -> tuple[Lowering, list[Step]]:
        return _lower(graph, shapes, store, update, rng, list(updates))

    best = lowered(graph)
    if recompute:
        batch = next(iter(shapes.values()))[0]
        least = place_buffers([*best[0].steps, *best[1]])
        for other in with_recomputation(graph, batch):
            found = lowered(other)
            size = place_buffers([*found[0].steps, *found[1]])
            if size < _WORTHWHILE * least:
                best, least = found, size
    return Plan(*best)


def _lower(
    graph: StepGraph,
    shapes: Mapping[Value, Sequence[int]],
    store: FlatStore,
    update: Update,
    rng: np.ndarray,
    moving: Sequence[Variable],
) -> tuple[Lowering, list[Step]]:
    """The steps up to the gradients, and the optimizer's."""
    flat = Buffer(store.size, name="gradients")
    pinned: dict[Value, Buffer] = {}
    copies: list[tuple[Value, Buffer]] = []
    for variable, value in zip(moving, graph.updates):
        pinned[value] = Buffer(variable.size, name=variable.path, array=variable.storage)
    # What is pinned is computed in this order. The last layers' gradients first: each layer's weights have theirs right
    # after the gradient of its result, which then is needed no more, and is still in the cache.
    for variable, grad, start in reversed(list(zip(store.variables, graph.grads, store.starts))):
        part = Buffer(variable.size, name=f"{variable.path}/gradient", parent=flat, start=start)
        if grad in pinned or grad.node is None:
            copies.append((grad, part))
        else:
            pinned[grad] = part
    lowering = Lowering(shapes, graph.outputs, training=True, pinned=pinned, rng=rng)
    lowering.lower(graph.late)
    for grad, part in copies:
        source = lowering.read(grad)
        lowering.add("unary_forward", grad.name, lowering.shape(grad), x=source, y=part, count=source.size, kind=0,
                     alpha=0.0, beta=0.0)  # fmt: skip
    return lowering, [Step(k, args, "optimizer", (store.size,)) for k, args in update(store.memory, flat)]

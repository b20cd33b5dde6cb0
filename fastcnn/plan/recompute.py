"""Activation recomputation: results of the forward pass are forgotten, and computed again when the backward pass needs
them. The same kernels on the same numbers, so the results are the same bits.

Two ways, of which both may be taken:

- Segments (Chen et al., "Training deep nets with sublinear memory cost", 2016, section 3): of the forward pass only
  what crosses from one segment to the next is kept. The backward pass computes a segment again when it comes to it.
- Cheap results, such as those of batch normalization, are computed from others that the backward pass needs anyway,
  each time they are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..graph import Node, Value, apply, topological

#: Results that take one pass over the data, or none.
_CHEAP = {
    "affine", "batch_norm", "batch_norm_training", "binary", "concatenate", "dropout", "gaussian_noise", "pad2d",
    "spatial_dropout", "unary",
}  # fmt: skip
#: With an attribute `of`: the node whose random numbers they draw again.
_RANDOM = {"augment", "dropout", "gaussian_noise", "spatial_dropout"}
#: The same memory under another name.
_ALIASES = {"identity", "reshape"}
#: A loss comes with its gradient, where the backward pass begins.
_KEPT = {
    "pointwise_loss", "softmax_crossentropy", "binary_focal_loss", "softmax_focal", "box_loss", "detection_assign",
    "detection_loss",
}  # fmt: skip
#: Ways that are tried have segments of at most 1 / 2 to 1 / _FINEST of what the backward pass needs, each _FINER times
#: smaller than those before.
_FINEST, _FINER = 40, 1.5


class StepGraph(NamedTuple):
    """The graph of a training step.

    Attributes
    ----------
    outputs, grads, updates : list of Value
        What the caller asked for, gradients of the weights, and other weights' values after the step.
    late : list of Node
        Forward results computed again, in the forward order: each right before it is needed.
    """

    outputs: Sequence[Value]
    grads: Sequence[Value]
    updates: Sequence[Value]
    late: Sequence[Node] = ()

    @property
    def values(self) -> list[Value]:
        return [*self.outputs, *self.updates, *self.grads]

    def forward(self) -> list[Node]:
        """What doesn't depend on gradients, and what is computed again of it."""
        return [*topological([*self.outputs, *self.updates]), *self.late]

    def backward(self) -> list[Node]:
        before = {id(node) for node in self.forward()}
        return [node for node in topological(self.grads) if id(node) not in before]


def with_recomputation(step: StepGraph, batch: int) -> Iterator[StepGraph]:
    """Graphs of the same step that need less memory, the one with least work first."""
    yield _without_cheap(step)
    segments = _Segments(step, batch)
    count, seen = 2.0, []
    while count <= _FINEST:
        cuts = segments.cuts(segments.total / count)
        if cuts and cuts not in seen:
            seen.append(cuts)
            yield _without_cheap(segments.forgotten(cuts))
        count *= _FINER


def _read(nodes: Sequence[Node], made: Sequence[Node]) -> set[int]:
    """Which values `nodes` read, by id; also those of `made` that they read under another name."""
    found = {id(v) for node in nodes for v in node.inputs if v is not None}
    for node in reversed(made):
        if node.op.name in _ALIASES and id(node.outputs[0]) in found:
            found.add(id(node.inputs[0]))
    return found


def _again(node: Node, fresh: Mapping[int, Value]) -> tuple[Node, dict[int, Value]]:
    """A node's twin, which reads `fresh` values instead of old ones, and its results by the ids of the node's own."""
    inputs = [None if v is None else fresh.get(id(v), v) for v in node.inputs]
    if node.op.name == "batch_norm_training":
        # With the statistics of the first time: they are small, and moving ones are to change once a step.
        scale, shift = node.outputs[5:7]
        twin = apply("batch_norm_apply", [inputs[0], scale, shift, *inputs[5:]], node.attrs, node.name)
    else:
        # The same random numbers as the first time.
        attrs = {**node.attrs, "of": node.attrs.get("of") or node} if node.op.name in _RANDOM else node.attrs
        twin = Node(node.op, inputs, attrs, node.name)
    return twin, {id(old): new for old, new in zip(node.outputs, twin.outputs)}


def _forget(step: StepGraph, nodes: Sequence[Node], kept: set[int]) -> StepGraph:
    """Let the backward pass compute again what `nodes` make, but for values `kept`. They are in the forward order."""
    fresh: dict[int, Value] = {}
    late: list[Node] = []
    for node in nodes:
        twin, results = _again(node, fresh)
        results = {old: new for old, new in results.items() if old not in kept}
        if results:
            fresh.update(results)
            late.append(twin)
    changed: dict[int, Value] = {}
    for node in step.backward():
        inputs = [None if v is None else changed.get(id(v), fresh.get(id(v), v)) for v in node.inputs]
        if any(new is not old for new, old in zip(inputs, node.inputs)):
            twin = Node(node.op, inputs, node.attrs, node.name)
            changed.update({id(old): new for old, new in zip(node.outputs, twin.outputs)})
    return step._replace(grads=[changed.get(id(v), v) for v in step.grads], late=[*step.late, *late])


def _cheap_nodes(step: StepGraph) -> list[Node]:
    """Nodes whose results are cheap, and made of nothing but what the backward pass reads as well, weights, or what the
    caller brings.
    """
    forward = step.forward()
    read = _read(step.backward(), forward)
    asked_for = {id(v) for v in step.outputs}
    chosen: dict[int, Node] = {}
    for node in forward:
        result, inputs = node.outputs[0], [v for v in node.inputs if v is not None and v.node is not None]
        if node.op.name in _ALIASES:
            cheap = id(node.inputs[0]) in chosen
        else:
            cheap = node.op.name in _CHEAP and all(id(v) in read and id(v) not in chosen for v in inputs)
        if cheap and id(result) not in asked_for:
            chosen[id(result)] = node
    return list(chosen.values())


def _without_cheap(step: StepGraph) -> StepGraph:
    return _forget(step, _cheap_nodes(step), set())


class _Segments:
    """The forward pass of a step as a row of nodes that may be cut into segments.

    Attributes
    ----------
    total : int
        Bytes that the backward pass needs of it all, without what it computes again in any case.
    """

    def __init__(self, step: StepGraph, batch: int) -> None:
        self._step, self._nodes = step, step.forward()
        read = _read(step.backward(), self._nodes) - {id(node.outputs[0]) for node in _cheap_nodes(step)}
        self._kept = {id(v) for v in step.outputs}
        self._kept |= {id(v) for node in self._nodes if node.op.name in _KEPT for v in node.outputs}
        last = {id(v): i for i, node in enumerate(self._nodes) for v in node.inputs}
        #: Before each node, and behind the last: bytes needed of the nodes so far.
        self._needed = [0]
        #: At the same places: (number of its node, the value, its bytes, how many of them are needed) of each value
        #: made before and read behind.
        self._crossing: list[list[tuple[int, Value, int, int]]] = [[] for _ in range(len(self._nodes) + 1)]
        for i, node in enumerate(self._nodes):
            total = 0
            # The statistics of batch normalization are kept in any case.
            for value in node.outputs[:1] if node.op.name == "batch_norm_training" else node.outputs:
                if id(value) in self._kept:
                    continue
                size = np.dtype(value.dtype).itemsize * math.prod(batch if n is None else n for n in value.shape)
                needed = size if id(value) in read and node.op.name not in _ALIASES else 0
                total += needed
                for place in range(i + 1, last.get(id(value), i) + 1):
                    self._crossing[place].append((i, value, size, needed))
            self._needed.append(self._needed[-1] + total)
        self.total = self._needed[-1]

    def cuts(self, limit: float) -> list[int]:
        """Before which nodes to cut so that no segment of several nodes needs more than `limit` bytes, and as few bytes
        as possible are kept at the cuts: the shortest path over all places to cut.
        """
        end = len(self._nodes)
        best, before = [0.0] + [math.inf] * end, [0] * (end + 1)
        for stop in range(1, end + 1):
            for start in range(stop - 1, -1, -1):
                crossing = [c for c in self._crossing[stop] if c[0] >= start]
                inside = self._needed[stop] - self._needed[start] - sum(c[3] for c in crossing)
                if inside > limit and start < stop - 1:
                    break
                # What is computed again counts a little: of equal ways that with less work. The last segment isn't.
                again = inside / 16 if stop < end else 0.0
                cost = best[start] + sum(c[2] for c in crossing) + again
                if cost < best[stop]:
                    best[stop], before[stop] = cost, start
        cuts: list[int] = []
        place = before[end]
        while place > 0:
            cuts.append(place)
            place = before[place]
        return cuts[::-1]

    def forgotten(self, cuts: Sequence[int]) -> StepGraph:
        """Keep what crosses the cuts, and the last segment."""
        kept = self._kept | {id(c[1]) for place in cuts for c in self._crossing[place]}
        return _forget(self._step, self._nodes[: cuts[-1]], kept)

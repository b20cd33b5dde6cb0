"""Changes to a graph that keep its results and save work."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .._ops.kinds import FUSED
from ..graph import Node, Value, Variable, topological
from .norm_passes import batch_norm_in_training, fold_batch_norm, fuse_batch_norm


def fuse_activations(outputs: Sequence[Value]) -> list[Value]:
    """Let convolution and dense layers apply the activation that follows them, in their own pass over the data.

    Only where nothing else reads the layer's result before the activation.
    """
    order = topological(outputs)
    uses: dict[int, int] = {}
    for value in [*outputs, *(v for node in order for v in node.inputs if v is not None)]:
        uses[id(value)] = uses.get(id(value), 0) + 1
    new: dict[int, Value] = {}
    for node in order:
        inputs = [None if v is None else new.get(id(v), v) for v in node.inputs]
        producer = inputs[0].node if inputs and inputs[0] is not None else None
        source = node.inputs[0] if node.inputs else None
        if (
            node.op.name == "unary"
            and node.attrs["kind"] in FUSED
            and producer is not None
            and source is not None
            and producer.op.name in ("conv2d", "dense")
            and producer.attrs["activation"] == "linear"
            and uses[id(source)] == 1
        ):
            attrs = {**producer.attrs, "activation": node.attrs["kind"], "alpha": node.attrs["alpha"]}
            again = Node(producer.op, producer.inputs, attrs, producer.name)
        elif any(a is not b for a, b in zip(inputs, node.inputs)):
            again = Node(node.op, inputs, node.attrs, node.name)
        else:
            continue
        new.update({id(old): fresh for old, fresh in zip(node.outputs, again.outputs)})
    return [new.get(id(v), v) for v in outputs]


def fuse_for_prediction(outputs: Sequence[Value]) -> list[Value]:
    """The graph as a prediction computes it."""
    return fuse_batch_norm(fuse_activations(fold_batch_norm(outputs)))


def fuse_for_training(
    outputs: Sequence[Value], moving: Collection[Variable]
) -> tuple[list[Value], dict[Variable, Value]]:
    """The graph as a training step computes it, and what the weights `moving` are after the step."""
    return batch_norm_in_training(fuse_batch_norm(fuse_activations(outputs)), moving)

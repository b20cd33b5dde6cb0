"""Changes to a graph that make batch normalization cheap: folded away in prediction, fused in training."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .._ops.kinds import FUSED
from ..graph import Node, Value, Variable, apply, emit
from .rewrite import Rewrite


def _plain_norm(value: Value | None) -> Node | None:
    """The batch normalization that made a value, if it has neither activation nor residual yet."""
    node = None if value is None else value.node
    if node is None or node.op.name != "batch_norm" or node.attrs["activation"] != "linear" or len(node.inputs) > 5:
        return None
    return node


def fold_batch_norm(outputs: Sequence[Value]) -> list[Value]:
    """For prediction: batch normalization right behind a convolution or dense layer becomes part of its weights.

    ``(x * w + b) scale + shift`` is ``x * (w scale) + (b scale + shift)``. The new weights depend on weights alone, so
    a plan computes them once for each version of them. Only where nothing else reads the layer's result.
    """

    def change(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
        if node.op.name != "batch_norm" or len(inputs) > 5:
            return None
        x, gamma, beta, mean, variance = inputs
        before, source = None if x is None else x.node, node.inputs[0]
        if before is None or source is None or not r.once(source) or before.op.name not in ("conv2d", "dense"):
            return None
        if before.attrs["activation"] != "linear" or len(before.inputs) > 3:
            return None
        scale, shift = apply("batch_norm_scales", [gamma, beta, mean, variance], node.attrs, node.name).outputs
        image, w, bias = [*before.inputs, None][:3]
        folded = emit("binary", [w, scale], {"kind": "multiply"}, node.name)
        if bias is not None:
            scaled = emit("binary", [bias, scale], {"kind": "multiply"}, node.name)
            shift = emit("binary", [scaled, shift], {"kind": "add"}, node.name)
        attrs = {**before.attrs, "activation": node.attrs["activation"], "alpha": node.attrs["alpha"]}
        return Node(before.op, [image, folded, shift], attrs, before.name).outputs

    return Rewrite(outputs, change).outputs


def fuse_batch_norm(outputs: Sequence[Value]) -> list[Value]:
    """Let batch normalization add the residual and apply the activation that follow it, in its own pass over the data.

    Only where nothing else reads what lies between.
    """

    def change(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
        first, source = inputs[0] if inputs else None, node.inputs[0] if node.inputs else None
        if node.op.name == "unary" and node.attrs["kind"] in FUSED and source is not None and r.once(source):
            norm = first.node if first is not None else None
            if norm is None or norm.op.name != "batch_norm" or norm.attrs["activation"] != "linear":
                return None
            attrs = {**norm.attrs, "activation": node.attrs["kind"], "alpha": node.attrs["alpha"]}
            return Node(norm.op, norm.inputs, attrs, norm.name).outputs
        if node.op.name != "binary" or node.attrs["kind"] != "add":
            return None
        # The second operand first: it is the later one where both are normalized, and stays that.
        for mine, other in ((1, 0), (0, 1)):
            norm, source, residual = _plain_norm(inputs[mine]), node.inputs[mine], inputs[other]
            if norm is None or source is None or residual is None or not r.once(source):
                continue
            if residual.shape == source.shape == node.outputs[0].shape:
                return Node(norm.op, [*norm.inputs, residual], norm.attrs, norm.name).outputs
        return None

    return Rewrite(outputs, change).outputs


def batch_norm_in_training(
    outputs: Sequence[Value], moving: Collection[Variable]
) -> tuple[list[Value], dict[Variable, Value]]:
    """For a training step: batch normalization takes its statistics from the batch.

    Parameters
    ----------
    moving
        The moving statistics that training keeps up to date. Batch normalization whose are not among them (its layer is
        frozen) stays as in prediction.

    Returns
    -------
    outputs : list of Value
    updates : {Variable: Value}
        What the moving statistics are after the step.
    """
    # A layer that is used several times updates its statistics as often, one use after the other.
    updates: dict[Variable, Value] = {}

    def change(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
        if node.op.name != "batch_norm":
            return None
        mean, variance = (None if v is None else v.variable for v in inputs[3:5])
        if mean is None or variance is None or mean not in moving:
            return None
        now = [updates.get(v, v.value()) for v in (mean, variance)]
        again = apply("batch_norm_training", [*inputs[:3], *now, *inputs[5:]], node.attrs, node.name)
        updates[mean], updates[variance] = again.outputs[1:3]
        return again.outputs

    return Rewrite(outputs, change).outputs, updates

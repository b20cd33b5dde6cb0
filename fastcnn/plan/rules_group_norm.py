"""Kernels of group, layer and instance normalization."""

from __future__ import annotations

from .._ops.geometry import group_norm_parts
from ..graph import Node
from ..graph.ops.group_norm import sizes
from .lowering import Lowering, lowers, one


@lowers("group_norm")
@lowers("layer_norm")
def group_norm(low: Lowering, node: Node) -> None:
    x, gamma, beta = [*node.inputs, None, None][:3]
    assert x is not None
    y, mean, rstd = node.outputs
    optional = {"gamma": gamma, "beta": beta}
    given = {name: low.read(v) for name, v in optional.items() if v is not None}
    # The gradient reads x again, so that y may take its place only where nothing else does.
    made = {name: low.write(v) for name, v in (("mean", mean), ("rstd", rstd)) if low.wanted(v)}
    low.step("group_norm_forward", node, x=low.read(x), y=low.write(y, x), epsilon=node.attrs["epsilon"], **given,
             **made, **sizes(low.shape(x), node.attrs))  # fmt: skip


@lowers("group_norm_backward")
@lowers("layer_norm_backward")
def group_norm_backward(low: Lowering, node: Node) -> None:
    x, dy, mean, rstd, gamma = node.inputs
    assert x is not None and dy is not None and mean is not None and rstd is not None
    numbers = sizes(low.shape(one(node)), node.attrs)
    n, channels = numbers["n"], numbers["groups"] * numbers["c"]
    parts = group_norm_parts(n, numbers["pixels"])
    dx, *sums = node.outputs
    wanted = any(low.wanted(v) for v in sums)
    targets = [low.write(v) if parts == 1 and wanted else low.temporary(parts * channels, name="partial sums")
               for v in sums]  # fmt: skip
    low.step("group_norm_backward", node, x=low.read(x), dy=low.read(dy), mean=low.read(mean), rstd=low.read(rstd),
             gamma=None if gamma is None else low.read(gamma), dx=low.write(dx, dy), parts=parts,
             dgamma=targets[0] if wanted else None, dbeta=targets[1] if wanted else None, **numbers)  # fmt: skip
    for value, target in zip(sums, targets):
        if parts > 1 and low.wanted(value):
            low.step("fold", node, low.shape(value), x=target, y=low.write(value), parts=parts, count=channels)

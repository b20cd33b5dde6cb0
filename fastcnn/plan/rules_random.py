"""Kernels of what is random in training."""

from __future__ import annotations

from .._ops.kinds import BINARY
from .._ops.strides import copy_fields
from ..graph import Node
from .lowering import Lowering, lowers, one
from .rules_other import binary_fields


@lowers("spatial_dropout")
def spatial_dropout(low: Lowering, node: Node) -> None:
    """Times ones, one for each image and channel, through the kernel of dropout."""
    x = one(node)
    if not low.training or node.attrs["rate"] == 0:
        low.alias(node.outputs[0], x)
        return
    shape = low.shape(x)
    mask = (shape[0], *[1] * (len(shape) - 2), shape[-1])
    count = shape[0] * shape[-1]
    ones = low.temporary(count, name="mask")
    low.step("strided_copy", node, mask, x=low.fixed(1.0), y=ones, x0=0, **copy_fields((count,), (0,)))
    low.step("dropout", node, mask, x=ones, rng=low.rng, y=ones, count=count,
             site=low.dropout_site(node.attrs.get("of") or node), rate=node.attrs["rate"])  # fmt: skip
    low.step("binary", node, p=low.read(x), q=ones, y=low.write(node.outputs[0], x), kind=BINARY["multiply"],
             **binary_fields(shape, mask, shape))  # fmt: skip


@lowers("gaussian_noise")
def gaussian_noise(low: Lowering, node: Node) -> None:
    x = one(node)
    if not low.training or node.attrs["stddev"] == 0:
        low.alias(node.outputs[0], x)
        return
    low.step("gaussian_noise", node, x=low.read(x), rng=low.rng, y=low.write(node.outputs[0], x), count=low.size(x),
             site=low.dropout_site(node.attrs.get("of") or node), stddev=node.attrs["stddev"])  # fmt: skip

"""Images augmented in training.

augment  (x)  attrs: augmentation; of: the node whose random numbers these are (itself where absent)

x is (batch, height, width, channels). The augmentation knows steps(height, width, training): what is done in training,
and what to images outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, register


@register
class Augment(Op):
    name = "augment"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        n, h, w, c = inputs[0].shape
        if c is None:
            raise ValueError(f"augment: images must have a known number of channels, received shape {inputs[0].shape}")
        attrs["augmentation"].check_channels(c)
        # Of open sizes: images whose size nothing changes keep it, others all get the same.
        for step in attrs["augmentation"].steps(h or 64, w or 64, training=True):
            h, w = step.size or (h, w)
        return [Spec((n, h, w, c))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        raise NotImplementedError(
            f"{node.name!r} has no gradient: put augmentation before the first layer with weights, or freeze those "
            f"before it"
        )

"""What is random in training, and the identity otherwise (`dropout` is in elementwise.py).

spatial_dropout  (x)  attrs: rate; of: the node whose mask this is (itself where absent). Whole channels of an image are
                      dropped: x is (batch, ..., channels)
gaussian_noise   (x)  attrs: stddev; of: the node whose noise this is
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, emit, register


class _Random(Op):
    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape)]


@register
class SpatialDropout(_Random):
    name = "spatial_dropout"

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        of = node.attrs.get("of") or node
        return [emit("spatial_dropout", [grads[0]], {"rate": node.attrs["rate"], "of": of}, name=node.name)]


@register
class GaussianNoise(_Random):
    name = "gaussian_noise"

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [grads[0]]

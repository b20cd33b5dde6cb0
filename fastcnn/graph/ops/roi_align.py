"""Parts of feature maps at one size.

roi_align           (x, boxes)   attrs: size (rows, columns), scale, samples (0: as many as pixels), aligned
roi_align_backward  (dy, boxes)  attrs: the same, and like: the gradient with respect to x

x is (batch, height, width, channels), boxes (batch, k, 4), the result (batch, k, rows, columns, channels). Boxes have
no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, emit, register


@register
class RoiAlign(Op):
    name = "roi_align"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        x, boxes = (v.shape for v in inputs)
        if len(x) != 4 or 0 in x[1:3]:
            raise ValueError(f"roi_align: feature maps must be (batch, height, width, channels), received shape {x}")
        if len(boxes) != 3 or boxes[2] != 4:
            raise ValueError(f"roi_align: boxes must be (batch, k, 4), received shape {boxes}")
        return [Spec((x[0], boxes[1], *attrs["size"], x[3]))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        x, boxes = node.inputs
        return [emit("roi_align_backward", [grads[0], boxes], {**node.attrs, "like": x}, name=node.name), None]


@register
class RoiAlignBackward(Op):
    name = "roi_align_backward"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(attrs["like"].shape)]

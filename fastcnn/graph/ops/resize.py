"""Images of another size.

resize           (x)   attrs: size (rows, columns), how: a `Resampling`, scales (of rows, of columns) or None
resize_backward  (dy)  attrs: the same, and like

x is (batch, height, width, channels). scales are what sizes were made from, where that is not a whole number of pixels:
None takes them from the sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, emit, register


@register
class Resize(Op):
    name = "resize"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        if len(inputs[0].shape) != 4 or min(attrs["size"]) < 1:
            raise ValueError(f"resize: images of shape {inputs[0].shape} can't have the size {attrs['size']}")
        n, h, w, c = inputs[0].shape
        if 0 in (h, w):
            raise ValueError(f"resize: images of shape {inputs[0].shape} have no pixels")
        return [Spec((n, *attrs["size"], c))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [emit("resize_backward", [grads[0]], {**node.attrs, "like": node.inputs[0]}, name=node.name)]


@register
class ResizeBackward(Op):
    name = "resize_backward"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(attrs["like"].shape)]

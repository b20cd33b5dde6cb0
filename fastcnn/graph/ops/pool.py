"""Pooling.

max_pool2d  (x) -> y, index   attrs: pool_size, strides, padding
avg_pool2d  (x) -> y          attrs: the same, and count_include_pad
A pool_size of None takes the whole image (global pooling).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...shapes import open_window_output
from ..values import Node, Op, Spec, Value, emit, register


def _pooled(inputs: list[Any], attrs: Mapping[str, Any], where: str) -> tuple[int | None, ...]:
    n, h, w, c = inputs[0].shape
    window = attrs["pool_size"]
    if window is None:
        return (n, 1, 1, c)
    return (n, *open_window_output((h, w), window, attrs["strides"] or window, attrs["padding"], where=where), c)


@register
class MaxPool2D(Op):
    name = "max_pool2d"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        shape = _pooled(inputs, attrs, self.name)
        _, h, w, _ = inputs[0].shape
        window = attrs["pool_size"] or (h, w)
        few = None not in window and window[0] * window[1] <= 256
        return [Spec(shape), Spec(shape, "uint8" if few else "int32")]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        attrs = {**node.attrs, "like": node.inputs[0]}
        return [emit("max_pool2d_backward", [grads[0], node.outputs[1]], attrs, name=node.name)]


@register
class AvgPool2D(Op):
    name = "avg_pool2d"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(_pooled(inputs, attrs, self.name))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [emit("avg_pool2d_backward", [grads[0]], {**node.attrs, "like": node.inputs[0]}, name=node.name)]


class _PoolBackward(Op):
    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(attrs["like"].shape)]


@register
class MaxPool2DBackward(_PoolBackward):
    name = "max_pool2d_backward"


@register
class AvgPool2DBackward(_PoolBackward):
    name = "avg_pool2d_backward"

"""Softmax and its logarithm, along any axis but the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import shown
from ..values import Node, Op, Spec, Value, emit, register


class _Softmax(Op):
    """attrs: axis (the last where left out)."""

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        shape, axis = inputs[0].shape, attrs.get("axis", -1)
        rank = len(shape)
        if rank < 2:
            raise ValueError(f"{self.name}: the input must have a last axis beside the batch, received {shape}")
        if not isinstance(axis, int) or isinstance(axis, bool) or axis == 0 or not -rank < axis < rank:
            raise ValueError(
                f"{self.name}: axis must be from 1 to {rank - 1}, or from {1 - rank} to -1, for an input of shape "
                f"{shape}, received {shown(axis)}"
            )
        return [Spec(shape)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [emit(f"{self.name}_backward", [grads[0], node.outputs[0]], node.attrs, name=node.name)]


@register
class Softmax(_Softmax):
    name = "softmax"


@register
class LogSoftmax(_Softmax):
    name = "log_softmax"


class _SoftmaxBackward(Op):
    """(dy, y) -> dx."""

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape)]


@register
class SoftmaxBackward(_SoftmaxBackward):
    name = "softmax_backward"


@register
class LogSoftmaxBackward(_SoftmaxBackward):
    name = "log_softmax_backward"

"""Group, layer and instance normalization.

group_norm           (x, gamma or None, beta or None) -> y, mean, rstd    attrs: groups, epsilon
layer_norm           (x, gamma or None, beta or None) -> y, mean, rstd    attrs: axis, epsilon
group_norm_backward  (x, dy, mean, rstd, gamma or None) -> dx, dgamma, dbeta    attrs: groups
layer_norm_backward  the same    attrs: axis

group_norm: x is (batch, ..., channels); the channels are split into `groups` of neighbours, and each image's group is
normalized over its channels and all axes between; gamma and beta are (channels,). groups = channels is instance
normalization. layer_norm: over the axes from `axis` (at least 1) on; gamma and beta have these axes' shape. mean and
rstd = 1 / sqrt(variance + epsilon) are there for the gradient; outside training nobody need take them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, apply, register


def _check(inputs: Sequence[Any], shape: tuple[int | None, ...], where: str) -> None:
    for given in inputs[1:]:
        if given is not None and given.shape != shape:
            raise ValueError(f"{where}: gamma and beta must have shape {shape}, received {given.shape}")


def _gradient(node: Node, dy: Value | None, needed: Sequence[bool]) -> list[Value | None]:
    x, gamma = [*node.inputs, None][:2]
    _, mean, rstd = node.outputs
    back = apply(f"{node.op.name}_backward", [x, dy, mean, rstd, gamma], node.attrs, node.name)
    return [out if wanted else None for out, wanted in zip(back.outputs, needed)]


@register
class GroupNorm(Op):
    name = "group_norm"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        shape, groups = inputs[0].shape, attrs["groups"]
        if len(shape) < 2 or shape[-1] is None or shape[-1] % groups:
            raise ValueError(f"group_norm: {groups} groups don't divide the channels of shape {shape}")
        _check(inputs, shape[-1:], self.name)
        return [Spec(shape), Spec((shape[0], groups)), Spec((shape[0], groups))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return _gradient(node, grads[0], needed)


@register
class LayerNorm(Op):
    name = "layer_norm"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        shape, axis = inputs[0].shape, attrs["axis"]
        if not 0 < axis < len(shape):
            raise ValueError(f"layer_norm: axis {axis} is none of shape {shape} behind the batch")
        _check(inputs, shape[axis:], self.name)
        return [Spec(shape), Spec(shape[:axis]), Spec(shape[:axis])]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return _gradient(node, grads[0], needed)


class _Backward(Op):
    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        x = inputs[0].shape
        scale = x[attrs["axis"] :] if "axis" in attrs else x[-1:]
        return [Spec(x), Spec(scale), Spec(scale)]


@register
class GroupNormBackward(_Backward):
    name = "group_norm_backward"


@register
class LayerNormBackward(_Backward):
    name = "layer_norm_backward"


def sizes(x: Sequence[int], attrs: Mapping[str, Any]) -> dict[str, int]:
    """The kernels' numbers for a concrete shape."""
    if "axis" in attrs:
        axis = attrs["axis"]
        return {"n": math.prod(x[:axis]), "pixels": 1, "groups": 1, "c": math.prod(x[axis:])}
    groups = attrs["groups"]
    return {"n": x[0], "pixels": math.prod(x[1:-1]), "groups": groups, "c": x[-1] // groups}

"""Batch normalization.

batch_norm           (x, gamma, beta, mean, variance[, residual]) -> y, with the statistics given
batch_norm_scales    (gamma, beta, mean, variance) -> scale, shift: y is x scale + shift
batch_norm_training  (x, gamma, beta, moving mean, moving variance[, residual]) -> y, with the batch's own statistics;
                     the moving mean and variance after it; and mean, variance, scale, shift for the gradient
batch_norm_apply     (x, scale, shift[, residual]) -> y once more
batch_norm_backward  (dy, x, y or None, mean, variance, scale, shift) -> dx, dgamma, dbeta, dz

attrs: epsilon, momentum, activation, alpha. gamma and beta may be None. The activation is applied to the sum of
the normalized x and the residual, in the same pass; dz is dy behind it. Layers describe `batch_norm`; a training step
turns that of layers which learn into `batch_norm_training` (`plan.batch_norm_in_training`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, apply, emit, register
from .conv import through_activation


def _check(inputs: Sequence[Any]) -> None:
    x, residual = inputs[0], inputs[5] if len(inputs) > 5 else None
    for given in inputs[1:5]:
        if given is not None and given.shape != x.shape[-1:]:
            raise ValueError(f"batch_norm: the input has shape {x.shape}, its channels' numbers {given.shape}")
    if residual is not None and residual.shape != x.shape:
        raise ValueError(f"batch_norm: the input has shape {x.shape}, the residual {residual.shape}")


def _product(a: Value, b: Value, name: str) -> Value:
    return emit("binary", [a, b], {"kind": "multiply"}, name)


@register
class BatchNorm(Op):
    name = "batch_norm"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        _check(inputs)
        return [Spec(inputs[0].shape)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        """Statistics are constants here."""
        x, gamma, beta, mean, variance = node.inputs[:5]
        assert grads[0] is not None
        dz = through_activation(node, grads[0])
        dx = dgamma = dbeta = None
        if needed[0]:
            scale = emit("batch_norm_scales", [gamma, beta, mean, variance], node.attrs, node.name)
            dx = _product(dz, scale, node.name)
        if needed[1]:
            plain = {**node.attrs, "activation": "linear"}
            normal = emit("batch_norm", [x, None, None, mean, variance], plain, node.name)
            dgamma = emit("bias_gradient", [_product(dz, normal, node.name)], name=f"{node.name}/gamma")
        if needed[2]:
            dbeta = emit("bias_gradient", [dz], name=f"{node.name}/beta")
        return [dx, dgamma, dbeta, None, None, dz][: len(node.inputs)]


@register
class BatchNormScales(Op):
    name = "batch_norm_scales"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[2].shape), Spec(inputs[2].shape)]


@register
class BatchNormApply(Op):
    """Made by a pass over the finished graph, so nothing asks for its gradient."""

    name = "batch_norm_apply"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape)]


@register
class BatchNormTraining(Op):
    name = "batch_norm_training"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        _check(inputs)
        channel = inputs[3].shape
        return [Spec(inputs[0].shape), *(Spec(channel) for _ in range(6))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        y, _, _, *numbers = node.outputs
        residual = node.inputs[5] if len(node.inputs) > 5 else None
        dy = grads[0]
        # With a residual, only y tells what the activation was applied to; without, x does too, and is read anyway.
        through = residual is not None and node.attrs["activation"] != "linear"
        back = apply(
            "batch_norm_backward", [dy, node.inputs[0], y if through else None, *numbers], node.attrs, node.name
        )
        dx, dgamma, dbeta, dz = back.outputs
        return [dx, dgamma, dbeta, None, None, dz if through else dy][: len(node.inputs)]


@register
class BatchNormBackward(Op):
    name = "batch_norm_backward"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        x, channel = inputs[1].shape, inputs[3].shape
        return [Spec(x), Spec(channel), Spec(channel), Spec(x)]

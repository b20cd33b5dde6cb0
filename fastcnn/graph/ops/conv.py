"""Convolution and dense layers' operations.

conv2d             (x, w[, b[, residual]])  attrs: strides, dilation, padding, groups, activation, alpha
dense              (x, w[, b[, residual]])  attrs: activation, alpha
conv2d_transpose   (x, w[, b])  attrs: strides, dilation, padding, output_padding
conv2d_max_pool2d  (x, w[, b]) -> y, index  conv2d, then max_pool2d by windows of 2x2
conv2d_backward_data, dense_backward_data  (dy, w[, residual[, saved]])
conv2d_backward_weights  (x, dy)
conv2d_backward_weights_pooled  (x, dy, index)  dy and index are those of max_pool2d by windows of 2x2

A residual is added before the activation, which is applied in the same pass; its derivative is taken from the result.
A gradient with respect to the input can go on, in the same pass, to what the input came from: a residual is added,
and with the input as `saved`, it goes back through the activation (attrs) whose result that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...shapes import open_window_output, transposed_output
from ..values import OPS, Node, Op, Spec, Value, emit, register


def through_activation(node: Node, dy: Value) -> Value:
    kind = node.attrs["activation"]
    if kind == "linear":
        return dy
    attrs = {"kind": kind, "alpha": node.attrs["alpha"]}
    return emit("unary_backward", [dy, node.outputs[0]], attrs, name=node.name)


def _added_gradients(node: Node, dy: Value, needed: Sequence[bool]) -> list[Value | None]:
    """The gradients with respect to the bias and the residual, as many of them as the node has inputs."""
    bias = len(needed) > 2 and needed[2] and node.inputs[2] is not None
    gradients = [emit("bias_gradient", [dy], name=f"{node.name}/bias") if bias else None, dy]
    return gradients[: len(node.inputs) - 2]


@register
class Conv2D(Op):
    name = "conv2d"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        x, w = inputs[0].shape, inputs[1].shape
        size = open_window_output(
            (x[1], x[2]), (w[0], w[1]), attrs["strides"], attrs["padding"], attrs["dilation"], where="conv2d"
        )
        return [Spec((x[0], *size, w[3]))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        x, w = node.inputs[0], node.inputs[1]
        assert x is not None and w is not None and grads[0] is not None
        dy = through_activation(node, grads[0])
        geometry = {k: node.attrs[k] for k in ("strides", "dilation", "padding", "groups")}
        dx = dw = None
        if needed[0]:
            dx = emit("conv2d_backward_data", [dy, w], {**geometry, "like": x}, name=node.name)
        if needed[1]:
            dw = emit("conv2d_backward_weights", [x, dy], {**geometry, "like": w}, name=f"{node.name}/kernel")
        return [dx, dw, *_added_gradients(node, dy, needed)]


@register
class Conv2DMaxPool2D(Op):
    """Made of the two by a pass over the finished graph, so nothing asks for its gradient."""

    name = "conv2d_max_pool2d"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        (full,) = OPS["conv2d"].infer(inputs, attrs)
        n, h, w, k = full.shape
        shape = (n, None if h is None else h // 2, None if w is None else w // 2, k)
        return [Spec(shape), Spec(shape, "uint8")]


class _Like(Op):
    """An operation whose result has the shape of the value named by the attribute `like`."""

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(attrs["like"].shape, attrs["like"].dtype)]


@register
class Conv2DBackwardData(_Like):
    name = "conv2d_backward_data"


@register
class Conv2DBackwardWeights(_Like):
    name = "conv2d_backward_weights"


@register
class Conv2DBackwardWeightsPooled(_Like):
    name = "conv2d_backward_weights_pooled"


@register
class Dense(Op):
    name = "dense"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        x, w = inputs[0].shape, inputs[1].shape
        if x[-1] not in (None, w[0]):
            raise ValueError(f"dense: the last axis of the input has size {x[-1]}, the kernel takes {w[0]}")
        return [Spec((*x[:-1], w[1]))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        x, w = node.inputs[0], node.inputs[1]
        assert x is not None and w is not None and grads[0] is not None
        dy = through_activation(node, grads[0])
        dx = emit("dense_backward_data", [dy, w], {"like": x}, name=node.name) if needed[0] else None
        dw = emit("dense_backward_weights", [x, dy], {"like": w}, name=f"{node.name}/kernel") if needed[1] else None
        return [dx, dw, *_added_gradients(node, dy, needed)]


@register
class DenseBackwardData(_Like):
    name = "dense_backward_data"


@register
class DenseBackwardWeights(_Like):
    name = "dense_backward_weights"


@register
class BiasGradient(Op):
    """Sums over all axes but the last."""

    name = "bias_gradient"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape[-1:])]


@register
class Conv2DTranspose(Op):
    """The gradient of a convolution with respect to its input; so its own with respect to x is that convolution of dy.

    Weights are (kh, kw, channels out, channels in), as that convolution has them.
    """

    name = "conv2d_transpose"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        x, w = inputs[0].shape, inputs[1].shape
        if x[1] is None or x[2] is None:
            return [Spec((x[0], None, None, w[2]))]
        size, _ = transposed_output(
            (x[1], x[2]), (w[0], w[1]), attrs["strides"], attrs["padding"], attrs["output_padding"], attrs["dilation"]
        )
        return [Spec((x[0], *size, w[2]))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        x, w = node.inputs[0], node.inputs[1]
        dy = grads[0]
        assert x is not None and w is not None and dy is not None
        dx = dw = None
        if needed[0]:
            attrs = {**node.attrs, "activation": "linear", "alpha": 0.0, "like": x}
            dx = emit("conv2d_transpose_backward_data", [dy, w], attrs, name=node.name)
        if needed[1]:
            attrs = {**node.attrs, "like": w}
            dw = emit("conv2d_transpose_backward_weights", [dy, x], attrs, name=f"{node.name}/kernel")
        return [dx, dw, *_added_gradients(node, dy, needed)]


@register
class Conv2DTransposeBackwardData(_Like):
    name = "conv2d_transpose_backward_data"


@register
class Conv2DTransposeBackwardWeights(_Like):
    """(dy, x) -> dw: x is to the convolution what dy is to this."""

    name = "conv2d_transpose_backward_weights"

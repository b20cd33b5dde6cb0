"""Kernels of transposed convolution: those of the convolution that it is the gradient of, the other way round."""

from __future__ import annotations

from .._ops.geometry import ConvGeometry
from .._ops.kinds import BINARY
from ..graph import Node, Value
from .lowering import Lowering, lowers, two
from .rules_conv import convolution_backward_data, convolution_backward_weights, convolution_forward
from .rules_other import binary_fields


def _geometry(low: Lowering, x: Value, w: Value, node: Node) -> ConvGeometry:
    attrs = node.attrs
    return ConvGeometry.transposed(
        low.shape(x), low.shape(w), attrs["strides"], attrs["padding"], attrs["output_padding"], attrs["dilation"]
    )


@lowers("conv2d_transpose")
def conv2d_transpose(low: Lowering, node: Node) -> None:
    x, w = two(node)
    convolution_backward_data(low, node, _geometry(low, x, w, node))
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None:
        y = low.read(node.outputs[0])
        shape = low.shape(node.outputs[0])
        low.step("binary", node, p=y, q=low.read(bias), y=y, kind=BINARY["add"],
                 **binary_fields(shape, low.shape(bias), shape))  # fmt: skip


@lowers("conv2d_transpose_backward_data")
def conv2d_transpose_backward_data(low: Lowering, node: Node) -> None:
    _, w = two(node)
    convolution_forward(low, node, _geometry(low, node.attrs["like"], w, node))


@lowers("conv2d_transpose_backward_weights")
def conv2d_transpose_backward_weights(low: Lowering, node: Node) -> None:
    _, x = two(node)
    convolution_backward_weights(low, node, _geometry(low, x, node.attrs["like"], node))

"""Kernels of convolution and dense layers."""

from __future__ import annotations

from typing import Any

from .._ops.geometry import ConvGeometry, row_parts
from .._ops.kinds import UNARY
from ..graph import Node, Value
from .lowering import Lowering, lowers
from .memory import Buffer


def _conv_geometry(x: tuple[int, ...], w: tuple[int, ...], attrs: dict[str, Any]) -> ConvGeometry:
    return ConvGeometry.of(x, w, attrs["strides"], attrs["padding"], attrs["dilation"], attrs["groups"])


def _dense_geometry(x: tuple[int, ...], w: tuple[int, ...]) -> ConvGeometry:
    rows = 1
    for size in x[:-1]:
        rows *= size
    return ConvGeometry.dense(rows, w[0], w[1])


def _forward(low: Lowering, node: Node, geometry: ConvGeometry) -> None:
    x, w = node.inputs[0], node.inputs[1]
    b = node.inputs[2] if len(node.inputs) > 2 else None
    assert x is not None and w is not None
    args = {
        "x": low.read(x),
        "bias": low.read(b) if b is not None else None,
        "act": UNARY[node.attrs["activation"]],
        "alpha": node.attrs["alpha"],
    }
    if geometry.is_depthwise:
        low.step("depthwise_forward", node, weights=low.read(w), y=low.write(node.outputs[0]),
                 **args, **geometry.fields())  # fmt: skip
        return
    flat = geometry.flat()
    packed = low.temporary(flat.packed_size, name="packed weights")
    low.step("conv2d_pack", node, flat.w_shape, weights=low.read(w), packed=packed, **flat.fields())
    low.step("conv2d_forward", node, packed=packed, y=low.write(node.outputs[0]), **args, **flat.fields())


def _backward_data(low: Lowering, node: Node, geometry: ConvGeometry) -> None:
    dy, w = node.inputs[0], node.inputs[1]
    assert dy is not None and w is not None
    if geometry.is_depthwise:
        low.step("depthwise_backward_data", node, dy=low.read(dy), weights=low.read(w),
                 dx=low.write(node.outputs[0]), **geometry.fields())  # fmt: skip
        return
    flat = geometry.flat()
    packed = low.temporary(flat.packed_transposed_size, name="packed weights")
    low.step("conv2d_pack_transposed", node, flat.w_shape, weights=low.read(w), packed=packed, **flat.fields())
    low.step("conv2d_backward_data", node, dy=low.read(dy), packed=packed, dx=low.write(node.outputs[0]),
             **flat.fields())  # fmt: skip


def _backward_weights(low: Lowering, node: Node, geometry: ConvGeometry) -> None:
    x, dy = node.inputs[0], node.inputs[1]
    assert x is not None and dy is not None
    kernel = "depthwise_backward_weights" if geometry.is_depthwise else "conv2d_backward_weights"
    flat = geometry if geometry.is_depthwise else geometry.flat()
    parts = flat.weight_parts
    count = low.size(node.outputs[0])
    out = low.write(node.outputs[0])
    target: Buffer = out if parts == 1 else low.temporary(parts * count, name="partial sums")
    low.step(kernel, node, x=low.read(x), dy=low.read(dy), dweights=target, parts=parts, **flat.fields())
    if parts > 1:
        low.step("fold", node, x=target, y=out, parts=parts, count=count)


@lowers("conv2d")
def conv2d(low: Lowering, node: Node) -> None:
    x, w = _two(node)
    _forward(low, node, _conv_geometry(low.shape(x), low.shape(w), node.attrs))


@lowers("conv2d_backward_data")
def conv2d_backward_data(low: Lowering, node: Node) -> None:
    _, w = _two(node)
    _backward_data(low, node, _conv_geometry(low.shape(node.attrs["like"]), low.shape(w), node.attrs))


@lowers("conv2d_backward_weights")
def conv2d_backward_weights(low: Lowering, node: Node) -> None:
    x, _ = _two(node)
    _backward_weights(low, node, _conv_geometry(low.shape(x), low.shape(node.attrs["like"]), node.attrs))


@lowers("dense")
def dense(low: Lowering, node: Node) -> None:
    x, w = _two(node)
    _forward(low, node, _dense_geometry(low.shape(x), low.shape(w)))


@lowers("dense_backward_data")
def dense_backward_data(low: Lowering, node: Node) -> None:
    _, w = _two(node)
    _backward_data(low, node, _dense_geometry(low.shape(node.attrs["like"]), low.shape(w)))


@lowers("dense_backward_weights")
def dense_backward_weights(low: Lowering, node: Node) -> None:
    x, _ = _two(node)
    _backward_weights(low, node, _dense_geometry(low.shape(x), low.shape(node.attrs["like"])))


@lowers("bias_gradient")
def bias_gradient(low: Lowering, node: Node) -> None:
    dy = node.inputs[0]
    assert dy is not None
    cols = low.shape(dy)[-1]
    rows = low.size(dy) // cols
    parts = row_parts(rows)
    out = low.write(node.outputs[0])
    target = out if parts == 1 else low.temporary(parts * cols, name="partial sums")
    low.step("column_sums", node, x=low.read(dy), y=target, rows=rows, cols=cols, parts=parts)
    if parts > 1:
        low.step("fold", node, x=target, y=out, parts=parts, count=cols)


def _two(node: Node) -> tuple[Value, Value]:
    a, b = node.inputs[0], node.inputs[1]
    assert a is not None and b is not None
    return a, b

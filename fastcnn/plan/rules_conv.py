"""Kernels of convolution and dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._ops import choose
from .._ops.geometry import ConvGeometry, row_parts
from ..graph import Node, Value
from .lowering import Lowering, activation, lowers, two
from .memory import Buffer


def _conv_geometry(x: tuple[int, ...], w: tuple[int, ...], attrs: dict[str, Any]) -> ConvGeometry:
    return ConvGeometry.of(x, w, attrs["strides"], attrs["padding"], attrs["dilation"], attrs["groups"])


def _dense_geometry(x: tuple[int, ...], w: tuple[int, ...]) -> ConvGeometry:
    rows = 1
    for size in x[:-1]:
        rows *= size
    return ConvGeometry.dense(rows, w[0], w[1])


def convolution_forward(low: Lowering, node: Node, geometry: ConvGeometry, pool: bool = False) -> None:
    """Kernels for the convolution `geometry` of the node's first input with its second."""
    x, w = two(node)
    args = {**_named(low, node.inputs[2:], "bias", "residual"), **activation(node), "beta": node.attrs.get("beta", 0.0)}
    if geometry.is_depthwise:
        del args["residual"]
        y = low.write(node.outputs[0])
        low.step("depthwise_forward", node, x=low.read(x), weights=low.read(w), y=y, y_step=y.step or geometry.k,
                 **args, **geometry.fields())  # fmt: skip
        return
    if pool:
        args |= {"pool": 1, "index": low.write(node.outputs[1]) if low.wanted(node.outputs[1]) else None}
    method = choose.forward(geometry if pool else geometry.flat(), low.training, pool)
    _by_method(low, node, method, args, node.inputs[3:])


def _named(low: Lowering, values: Sequence[Value | None], *names: str) -> dict[str, Any]:
    """A node's further inputs by the kernel's names; those that it hasn't are None."""
    padded = [*values, *[None] * len(names)]
    return {name: None if value is None else low.read(value) for name, value in zip(names, padded)}


def _by_method(
    low: Lowering, node: Node, method: choose.Method, args: dict[str, Any], joined: Sequence[Value | None]
) -> None:
    """The two kernels of a method: from the node's first input and weights to its output.

    The values `joined` to it, element by element, lend their memory to it where they are read for the last time, unless
    the method writes a part of a long sum first, and comes back to add the rest.
    """
    source, w = two(node)
    packed = low.temporary(method.packed_size, name="packed weights")
    low.step(method.pack, node, low.shape(w), weights=low.read(w), packed=packed, **method.pack_args)
    over = joined if method.in_place else ()
    tensors = {method.source: low.read(source), method.result: (result := low.write(node.outputs[0], *over))}
    if result.step:
        args = {**args, "y_step": result.step}
    low.step(method.kernel, node, packed=packed, **tensors, **{**method.args, **args}).why = method.why


def convolution_backward_data(
    low: Lowering, node: Node, geometry: ConvGeometry, joined: Sequence[Value | None] = ()
) -> None:
    """Kernels for the gradient of the convolution `geometry` with respect to its input, from the node's first input.

    `joined`: what the gradient meets on its way on, a residual and the result of the activation before.
    """
    dy, w = two(node)
    if geometry.is_depthwise:
        low.step("depthwise_backward_data", node, dy=low.read(dy), weights=low.read(w),
                 dx=low.write(node.outputs[0]), **geometry.fields())  # fmt: skip
        return
    args = _named(low, joined, "residual", "saved")
    if args["saved"] is not None:
        args |= activation(node)
    _by_method(low, node, choose.backward_data(geometry.flat(), low.training), args, joined)


def convolution_backward_weights(low: Lowering, node: Node, geometry: ConvGeometry) -> None:
    """Kernels for the gradient of the convolution `geometry` with respect to its weights, from its x and dy."""
    _weights(low, node, choose.backward_weights(geometry.flat()))


def _weights(low: Lowering, node: Node, method: choose.WeightGradient, **tensors: Any) -> None:
    """The kernel of a method, from the node's x and dy and further tensors, and what adds up its partial sums."""
    x, dy = two(node)
    parts = method.parts
    count = low.size(node.outputs[0])
    out = low.write(node.outputs[0])
    target: Buffer = out if parts == 1 else low.temporary(parts * count, name="partial sums")
    tensors |= {"x": low.read(x), "dy": low.read(dy), "dweights": target}
    low.step(method.kernel, node, **tensors, **method.args).why = method.why
    if parts > 1:
        low.step("fold", node, x=target, y=out, parts=parts, count=count)


def _has_no_residual(node: Node) -> bool:
    """Then the result's pixels may lie apart: a residual's would have to lie as they do."""
    return len(node.inputs) < 4 or node.inputs[3] is None


@lowers("conv2d", writes_apart=_has_no_residual)
def conv2d(low: Lowering, node: Node) -> None:
    x, w = two(node)
    convolution_forward(low, node, _conv_geometry(low.shape(x), low.shape(w), node.attrs))


@lowers("conv2d_max_pool2d", writes_apart=_has_no_residual)
def conv2d_max_pool2d(low: Lowering, node: Node) -> None:
    x, w = two(node)
    convolution_forward(low, node, _conv_geometry(low.shape(x), low.shape(w), node.attrs), pool=True)


@lowers("conv2d_backward_data")
def conv2d_backward_data(low: Lowering, node: Node) -> None:
    _, w = two(node)
    geometry = _conv_geometry(low.shape(node.attrs["like"]), low.shape(w), node.attrs)
    convolution_backward_data(low, node, geometry, node.inputs[2:])


@lowers("conv2d_backward_weights")
def conv2d_backward_weights(low: Lowering, node: Node) -> None:
    x, _ = two(node)
    convolution_backward_weights(low, node, _conv_geometry(low.shape(x), low.shape(node.attrs["like"]), node.attrs))


@lowers("conv2d_backward_weights_pooled")
def conv2d_backward_weights_pooled(low: Lowering, node: Node) -> None:
    x, index = node.inputs[0], node.inputs[2]
    assert x is not None and index is not None
    geometry = _conv_geometry(low.shape(x), low.shape(node.attrs["like"]), node.attrs)
    numbers = {**geometry.fields(), "parts": geometry.weight_parts}
    method = choose.WeightGradient("direct", node.op.name, numbers, geometry.weight_parts)
    _weights(low, node, method, index=low.read(index))


@lowers("dense", writes_apart=_has_no_residual)
def dense(low: Lowering, node: Node) -> None:
    x, w = two(node)
    convolution_forward(low, node, _dense_geometry(low.shape(x), low.shape(w)))


@lowers("dense_backward_data")
def dense_backward_data(low: Lowering, node: Node) -> None:
    _, w = two(node)
    convolution_backward_data(low, node, _dense_geometry(low.shape(node.attrs["like"]), low.shape(w)), node.inputs[2:])


@lowers("dense_backward_weights")
def dense_backward_weights(low: Lowering, node: Node) -> None:
    x, _ = two(node)
    convolution_backward_weights(low, node, _dense_geometry(low.shape(x), low.shape(node.attrs["like"])))


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

"""Changes to a graph that keep its results and save work.

Two kinds: what follows a convolution is done by its kernel, on the way out (activations, residuals, pooling), and
steps of the backward pass change places where the later one has less to do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .._ops.kinds import FROM_RESULT, FUSED, UNARY
from ..graph import Node, Value, Variable, apply, emit
from .function_passes import fold_lines, name_functions
from .norm_passes import batch_norm_in_training, fold_batch_norm, fuse_batch_norm
from .rewrite import Rewrite
from .simplify import fold_channels, simplify

#: Two ways to say it.
_UNPADDED = ("valid", ((0, 0), (0, 0)))


def _op(value: Value | None) -> str:
    return value.node.op.name if value is not None and value.node is not None else ""


def _again(node: Node, inputs: Sequence[Value | None], **attrs: Any) -> Value:
    """The node's result with other inputs and some other attributes."""
    return emit(node.op.name, inputs, {**node.attrs, **attrs}, name=node.name)


def _padded(inputs: Sequence[Value | None], count: int) -> list[Value | None]:
    return [*inputs, *[None] * (count - len(inputs))]


def _is_depthwise(node: Node) -> bool:
    weights = node.inputs[1]
    return node.attrs.get("groups", 1) > 1 and weights is not None and weights.shape[2] == 1


# ---------------------------------------------------------------- on the way out


def fuse_epilogues(outputs: Sequence[Value], activations: Collection[str] = FUSED) -> list[Value]:
    """Let convolution and dense layers add what is added to their result, and apply the function that follows if it is
    one of `activations`, in their own pass over the data.

    Only where nothing else reads the layer's result before that.
    """
    return Rewrite(outputs, lambda r, node, inputs: _fuse_epilogue(r, node, inputs, activations)).outputs


def _fuse_epilogue(
    r: Rewrite, node: Node, inputs: list[Value | None], activations: Collection[str]
) -> Sequence[Value] | None:
    if node.op.name == "binary" and node.attrs["kind"] == "add":
        for mine, other in ((0, 1), (1, 0)):
            layer, source, added = inputs[mine], node.inputs[mine], inputs[other]
            if (
                layer is None
                or layer.node is None
                or added is None
                or source is None
                or layer.shape != added.shape
                or not r.once(source)
            ):
                continue
            if _op(layer) in ("conv2d", "dense") and _takes_residual(layer.node):
                return [_again(layer.node, [*_padded(layer.node.inputs, 3), added])]
        return None
    if node.op.name == "unary" and node.attrs["kind"] in activations:
        layer, source = inputs[0], node.inputs[0]
        if _op(layer) not in ("conv2d", "dense") or source is None or not r.once(source):
            return None
        assert layer is not None and layer.node is not None
        if layer.node.attrs["activation"] == "linear":
            attrs = {"activation": node.attrs["kind"], **{k: node.attrs.get(k, 0.0) for k in ("alpha", "beta")}}
            return [_again(layer.node, layer.node.inputs, **attrs)]
    return None


def _takes_residual(layer: Node) -> bool:
    return layer.attrs["activation"] == "linear" and len(layer.inputs) < 4 and not _is_depthwise(layer)


def fuse_pools(outputs: Sequence[Value]) -> list[Value]:
    """Let convolutions take the maxima of 2x2 windows of their result, which then is never written, and first layers
    the gradient of their weights from that of the maxima.

    Only where nothing else reads what isn't written: in training, after `fuse_backward`.
    """
    return Rewrite(outputs, _fuse_pool).outputs


#: Input channels from which on a gradient that is mostly zeros is better multiplied by the kernels that know no zeros.
_FEW_CHANNELS = 16


def _weights_from_pool(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    dy, source, weights = inputs[1], node.inputs[1], node.attrs["like"]
    plain = (weights.shape[:2], node.attrs["strides"], node.attrs["dilation"]) == ((3, 3), (1, 1), (1, 1))
    few = weights.shape[2] < _FEW_CHANNELS and node.attrs["groups"] == 1
    if not plain or not few or source is None or not r.once(source) or _op(dy) != "max_pool2d_backward":
        return None
    assert dy is not None and dy.node is not None
    pool = dy.node
    if not _is_2x2(pool, pool.attrs["like"]):
        return None
    return [emit("conv2d_backward_weights_pooled", [inputs[0], *pool.inputs], node.attrs, name=node.name)]


def _fuse_pool(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    if node.op.name == "conv2d_backward_weights":
        return _weights_from_pool(r, node, inputs)
    layer, source = inputs[0] if inputs else None, node.inputs[0] if inputs else None
    if node.op.name != "max_pool2d" or _op(layer) != "conv2d" or source is None or not r.once(source):
        return None
    assert layer is not None and layer.node is not None
    conv = layer.node
    if not _is_2x2(node, source) or len(conv.inputs) > 3 or _is_depthwise(conv):
        return None
    if conv.attrs["activation"] not in FUSED:
        return None
    return apply("conv2d_max_pool2d", conv.inputs, conv.attrs, conv.name).outputs


def _is_2x2(pool: Node, x: Value) -> bool:
    """Windows of 2x2 side by side, none of them in padding."""
    window, padding = pool.attrs["pool_size"], pool.attrs["padding"]
    even = all(size is not None and size % 2 == 0 for size in x.shape[1:3])
    return (
        window == (2, 2)
        and pool.attrs["strides"] in (None, (2, 2))
        and (padding in _UNPADDED or (padding == "same" and even))
    )


# ---------------------------------------------------------------- on the way back


def fuse_backward(outputs: Sequence[Value]) -> list[Value]:
    """Less work for gradients.

    - A gradient goes back through an activation and then to the bias before it is spread over the windows of max
      pooling, not after: the same numbers, a quarter of them where windows are 2x2.
    - Gradients with respect to the input of a convolution or dense layer go through the activation before it, and are
      added to those from elsewhere, in the layer's own kernel.
    """
    return Rewrite(outputs, _fuse_backward).outputs


def _fuse_backward(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    name, dy = node.op.name, inputs[0] if inputs else None
    if name == "bias_gradient" and dy is not None and _op(dy) == "max_pool2d_backward":
        # Every window has a maximum, so that the sum over it is its gradient, unless it lies in padding.
        assert dy.node is not None
        if dy.node.attrs["padding"] in (*_UNPADDED, "same"):
            return [_again(node, [dy.node.inputs[0]])]
    if name == "unary_backward" and node.attrs["kind"] in FROM_RESULT:
        return _before_pool(r, node) or _through_layer(r, node.inputs[0], node.inputs[1], node)
    if name == "binary" and node.attrs["kind"] == "add":
        return _add_to_gradient(r, node, inputs)
    return None


def _before_pool(r: Rewrite, node: Node) -> Sequence[Value] | None:
    """The activation's derivative at the maxima only: elsewhere the gradient is 0."""
    dy, saved = node.inputs
    if dy is None or _op(dy) != "max_pool2d_backward" or not r.once(dy):
        return None
    assert dy.node is not None
    index = dy.node.inputs[1]
    assert index is not None and index.node is not None
    pool = index.node
    if pool.op.name != "max_pool2d" or pool.inputs[0] is not saved:
        return None
    pooled = _through_layer(r, dy.node.inputs[0], pool.outputs[0], node)
    if pooled is None:
        before = dy.node.inputs[0]
        assert before is not None
        pooled = [_again(node, [r.now(before), r.now(pool.outputs[0])])]
    return [_again(dy.node, [pooled[0], r.now(index)])]


_BACKWARD_DATA = ("conv2d_backward_data", "dense_backward_data")


def _through_layer(r: Rewrite, dy: Value | None, saved: Value | None, node: Node) -> Sequence[Value] | None:
    """`node`, which takes dy back through an activation, as part of the layer's kernel that makes dy; that may be
    reshaped on the way.
    """
    assert dy is not None and saved is not None
    made = dy
    while _op(made) == "reshape" and r.once(made):
        assert made.node is not None and made.node.inputs[0] is not None
        made = made.node.inputs[0]
    now = r.now(made)
    if _op(now) not in _BACKWARD_DATA or not r.once(made) or node.attrs["kind"] not in FUSED:
        return None
    assert now.node is not None
    layer = now.node
    inputs = _padded(layer.inputs, 4)
    if inputs[3] is not None or _is_depthwise(layer):
        return None
    result = r.now(saved)
    inputs[3] = result if made is dy else emit("reshape", [result], {"like": layer.attrs["like"]}, name=node.name)
    value = _again(layer, inputs, activation=node.attrs["kind"], alpha=node.attrs["alpha"])
    return [value if made is dy else emit("reshape", [value], {"like": dy}, name=node.name)]


def _add_to_gradient(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    for mine, other in ((0, 1), (1, 0)):
        made, source, added = inputs[mine], node.inputs[mine], inputs[other]
        if made is None or source is None or added is None or made.shape != added.shape or not r.once(source):
            continue
        if (
            _op(made) in _BACKWARD_DATA
            and made.node is not None
            and len(made.node.inputs) < 3
            and not _is_depthwise(made.node)
        ):
            return [_again(made.node, [*made.node.inputs, added])]
    return None


# ---------------------------------------------------------------- all together


def fuse_for_prediction(outputs: Sequence[Value]) -> list[Value]:
    """The graph as a prediction computes it."""
    named = name_functions(simplify(outputs))
    folded = fold_lines(fold_batch_norm(fold_channels(named)))
    return fuse_pools(fuse_batch_norm(fuse_epilogues(folded, UNARY)))


def fuse_for_training(
    outputs: Sequence[Value], moving: Collection[Variable]
) -> tuple[list[Value], dict[Variable, Value]]:
    """The graph as a training step computes it, and what the weights `moving` are after the step."""
    return batch_norm_in_training(fuse_batch_norm(fuse_epilogues(name_functions(outputs))), moving)


def fuse_step(outputs: Sequence[Value]) -> list[Value]:
    """A whole training step, with gradients."""
    return fuse_pools(fuse_backward(outputs))

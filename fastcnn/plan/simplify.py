"""Changes to a graph for prediction that leave out what computes nothing, or what is computed already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Node, Spec, Value, emit
from .rewrite import Rewrite

#: Operations that give what they are given, outside training.
_NOTHING = ("identity", "dropout", "gaussian_noise")


def _made_by(value: Value | None, op: str) -> Node | None:
    node = None if value is None else value.node
    return node if node is not None and node.op.name == op else None


# ---------------------------------------------------------------- nothing is computed


def drop_identities(outputs: Sequence[Value]) -> list[Value]:
    """Leave out nodes whose result is their input: identities, dropout, axes that stay where they are, shapes that were
    so before, ``1 x + 0``; of shapes one after the other keep the last.
    """
    return Rewrite(outputs, _drop_identity).outputs


def _drop_identity(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    x, name, attrs = inputs[0] if inputs else None, node.op.name, node.attrs
    if x is None or len(node.outputs) > 1:
        return None
    if name in _NOTHING or (name == "affine" and (attrs["scale"], attrs["shift"]) == (1.0, 0.0)):
        return [x]
    if name == "permute" and tuple(attrs["axes"]) == tuple(range(x.ndim)):
        return [x]
    if name == "reshape":
        shape = node.outputs[0].shape
        if shape == x.shape and None not in shape[1:]:
            return [x]
        before = _made_by(x, "reshape")
        if before is not None and None not in shape:
            return [emit("reshape", before.inputs, {"like": Spec(shape, x.dtype)}, node.name)]
    return None


# ---------------------------------------------------------------- moving axes


def cancel_permutes(outputs: Sequence[Value]) -> list[Value]:
    """Let axes move once, or not at all: two moves in a row are one, and one before element-wise nodes is put off until
    after them, where it may meet another.

    Only where nothing else reads what then isn't made.
    """
    return Rewrite(outputs, _cancel_permute).outputs


def _cancel_permute(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    x, source = inputs[0] if inputs else None, node.inputs[0] if node.inputs else None
    before = _made_by(x, "permute")
    if before is None or source is None:
        return None
    first = tuple(before.attrs["axes"])
    if node.op.name == "permute":
        axes = tuple(first[a] for a in node.attrs["axes"])
        if axes == tuple(range(len(axes))):
            return [_only(before.inputs[0])]
        return [emit("permute", before.inputs, {"axes": axes}, node.name)]
    if not r.once(source):
        return None
    if node.op.name in ("unary", "affine"):
        late = emit(node.op.name, before.inputs, node.attrs, node.name)
        return [emit("permute", [late], {"axes": first}, before.name)]
    if node.op.name == "binary":
        other, place = _made_by(inputs[1], "permute"), node.inputs[1]
        both = other is not None and place is not None and r.once(place) and place is not source
        if both and other is not None and tuple(other.attrs["axes"]) == first:
            late = emit("binary", [before.inputs[0], other.inputs[0]], node.attrs, node.name)
            return [emit("permute", [late], {"axes": first}, before.name)]
    return None


def _only(value: Value | None) -> Value:
    assert value is not None
    return value


# ---------------------------------------------------------------- once is enough


def merge_duplicates(outputs: Sequence[Value]) -> list[Value]:
    """Compute once what several nodes compute alike: the same operation on the same values with the same numbers."""
    seen: dict[Any, Node] = {}
    contents: dict[Any, Value] = {}

    def same(value: Value | None) -> Any:
        """A value's identity; small constants are the same where their numbers are."""
        if value is None or value.constant is None or value.constant.size > 4096:
            return id(value)
        array = value.constant
        kept = contents.setdefault((array.shape, str(array.dtype), array.tobytes()), value)
        return id(kept)

    def change(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
        if node.op.name in ("host", *_NOTHING):
            return None
        try:
            key = (node.op.name, tuple(same(v) for v in inputs), _plain(node.attrs))
            first = seen.get(key)
        except TypeError:
            return None  # an attribute that can't be compared
        if first is not None:
            return first.outputs
        again = (
            node if all(a is b for a, b in zip(inputs, node.inputs)) else Node(node.op, inputs, node.attrs, node.name)
        )
        seen[key] = again
        return again.outputs

    return Rewrite(outputs, change).outputs


def _plain(attrs: Any) -> Any:
    """Attributes as something that can be compared: the same key for the same numbers."""
    if isinstance(attrs, dict):
        return tuple(sorted((k, _plain(v)) for k, v in attrs.items()))
    if isinstance(attrs, (list, tuple)):
        return tuple(_plain(v) for v in attrs)
    if isinstance(attrs, Spec):
        return ("spec", attrs.shape, attrs.dtype)
    if isinstance(attrs, np.ndarray):
        return ("array", attrs.shape, str(attrs.dtype), attrs.tobytes())
    if attrs is None or isinstance(attrs, (str, int, float, bool)):
        return (type(attrs).__name__, str(attrs))
    return ("object", id(attrs))


# ---------------------------------------------------------------- numbers of their own


def fold_channels(outputs: Sequence[Value]) -> list[Value]:
    """What is added to or multiplied with each channel of a convolution's or dense layer's result becomes part of its
    weights: ``(x * w + b) s`` is ``x * (w s) + b s``.

    Such numbers depend on weights and constants alone, so that a plan computes the new weights once for each version.
    Only where nothing else reads the layer's result.
    """
    steady: dict[int, bool] = {}

    def is_steady(value: Value) -> bool:
        """Whether no input leads to it. What a node's inputs are has been asked before: nodes come in order."""
        if value.node is None:
            return value.constant is not None or value.variable is not None
        if id(value) not in steady:
            known = all(v is None or is_steady(v) for v in value.node.inputs) and value.node.op.name != "host"
            steady.update({id(v): known for v in value.node.outputs})
        return steady[id(value)]

    def change(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
        for value in inputs:
            if value is not None:
                is_steady(value)
        if node.op.name == "binary" and node.attrs["kind"] in ("add", "multiply", "subtract", "divide"):
            for mine, other in ((0, 1), (1, 0)):
                layer, source, numbers = _layer(inputs[mine]), node.inputs[mine], inputs[other]
                if layer is None or source is None or numbers is None or not r.once(source) or not is_steady(numbers):
                    continue
                if mine == 1 and node.attrs["kind"] in ("subtract", "divide"):
                    continue
                by_channel = _by_channel(numbers, _only(inputs[mine]), node)
                if by_channel is not None:
                    return [_folded(layer, by_channel, node.attrs["kind"], node.name)]
        return None

    return Rewrite(outputs, change).outputs


def _layer(value: Value | None) -> Node | None:
    """The convolution or dense layer that made a value, if nothing comes after its bias yet."""
    node = None if value is None else value.node
    if node is None or node.op.name not in ("conv2d", "dense") or node.attrs["activation"] != "linear":
        return None
    return node if len(node.inputs) <= 3 else None


def _by_channel(numbers: Value, layer: Value, node: Node) -> Value | None:
    """The numbers as one for each channel, if they are that and make the result no larger."""
    channels = layer.shape[-1]
    shape = numbers.shape
    if channels is None or len(shape) > layer.ndim or any(s != 1 for s in shape[:-1]) or shape[-1:] != (channels,):
        return None
    if len(shape) == 1:
        return numbers
    return emit("reshape", [numbers], {"like": Spec((channels,))}, node.name)


def _folded(layer: Node, numbers: Value, kind: str, name: str) -> Value:
    x, w, bias = [*layer.inputs, None][:3]
    if kind in ("multiply", "divide"):
        w = emit("binary", [w, numbers], {"kind": kind}, name)
        bias = None if bias is None else emit("binary", [bias, numbers], {"kind": kind}, name)
    elif bias is not None:
        bias = emit("binary", [bias, numbers], {"kind": kind}, name)
    else:
        bias = (
            numbers
            if kind == "add"
            else emit("unary", [numbers], {"kind": "negative", "alpha": 0.0, "beta": 0.0}, name)
        )
    return emit(layer.op.name, [x, w] if bias is None else [x, w, bias], layer.attrs, layer.name)


# ---------------------------------------------------------------- all together


def simplify(outputs: Sequence[Value]) -> list[Value]:
    """The graph without what a prediction needn't compute."""
    return merge_duplicates(cancel_permutes(drop_identities(outputs)))

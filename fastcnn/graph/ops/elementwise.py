"""Element-wise operations, broadcasting, reductions, reshapes and dropout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..._ops.kinds import FROM_RESULT
from ..values import Node, Op, Spec, Value, constant, emit, register


@register
class Unary(Op):
    """attrs: kind (`_ops.kinds.UNARY`), and its numbers alpha and beta (0 where left out)."""

    name = "unary"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        saved = node.outputs[0] if node.attrs["kind"] in FROM_RESULT else node.inputs[0]
        return [emit("unary_backward", [grads[0], saved], node.attrs, name=node.name)]


@register
class UnaryBackward(Op):
    """(dy, saved) -> dx."""

    name = "unary_backward"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape)]


@register
class Affine(Op):
    """scale x + shift, with numbers for both."""

    name = "affine"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [emit("affine", [grads[0]], {"scale": node.attrs["scale"], "shift": 0.0}, name=node.name)]


def broadcast_shape(a: tuple[int | None, ...], b: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """NumPy's broadcasting. A size not known yet (None) matches any; against 1, the result's isn't known either."""
    out: list[int | None] = []
    for i in range(1, max(len(a), len(b)) + 1):
        p = a[-i] if i <= len(a) else 1
        q = b[-i] if i <= len(b) else 1
        if p != q and p != 1 and q != 1 and p is not None and q is not None:
            raise ValueError(f"shapes {a} and {b} don't broadcast")
        out.append(q if p in (1, None) and (p == 1 or q not in (1, None)) else p)
    return tuple(reversed(out))


def sum_to(grad: Value, like: Value) -> Value:
    """The gradient of a value that was broadcast: summed over the axes it was stretched along."""
    if grad.shape == like.shape:
        return grad
    extra = len(grad.shape) - len(like.shape)
    axes = [*range(extra)]
    axes += [i + extra for i, size in enumerate(like.shape) if size == 1 and grad.shape[i + extra] != 1]
    summed = emit("reduce", [grad], {"axes": tuple(axes), "kind": "sum", "keepdims": True}, name=grad.name)
    return emit("reshape", [summed], {"like": like}, name=grad.name)


@register
class Binary(Op):
    """attrs: kind ("add", …: `_ops.kinds.BINARY`). Operands broadcast."""

    name = "binary"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(broadcast_shape(inputs[0].shape, inputs[1].shape))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        p, q = node.inputs
        dy, kind = grads[0], node.attrs["kind"]
        assert p is not None and q is not None and dy is not None

        def op(a: Value, b: Value, name: str) -> Value:
            return emit("binary", [a, b], {"kind": name}, name=node.name)

        dp: Value | None = None
        dq: Value | None = None
        if kind in ("add", "subtract"):
            dp = dy
            dq = dy if kind == "add" else emit("affine", [dy], {"scale": -1.0, "shift": 0.0}, name=node.name)
        elif kind == "multiply":
            dp = op(dy, q, "multiply") if needed[0] else None
            dq = op(dy, p, "multiply") if needed[1] else None
        elif kind == "divide":
            dp = op(dy, q, "divide")
            if needed[1]:
                ratio = op(node.outputs[0], q, "divide")
                minus = emit("affine", [ratio], {"scale": -1.0, "shift": 0.0}, name=node.name)
                dq = op(dy, minus, "multiply")
        elif kind == "prelu":
            dp = op(dy, op(p, q, "prelu_slope"), "multiply") if needed[0] else None
            if needed[1]:
                below = {"kind": "clip", "alpha": -math.inf, "beta": 0.0}
                dq = op(dy, emit("unary", [p], below, name=node.name), "multiply")
        elif kind not in ("maximum", "minimum"):
            raise NotImplementedError(f"{kind} has no gradient")
        else:
            # The gradient goes to the operand that won; where they are equal, to q.
            won = op(p, q, "subtract") if kind == "maximum" else op(q, p, "subtract")
            dp = emit("unary_backward", [dy, won], {"kind": "relu", "alpha": 0.0}, name=node.name)
            dq = op(dy, dp, "subtract")
        return [
            sum_to(part, source) if part is not None and wanted else None
            for part, source, wanted in zip((dp, dq), (p, q), needed)
        ]


@register
class Reduce(Op):
    """attrs: axes, kind ("sum", "mean", "max"), keepdims."""

    name = "reduce"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        axes, keep = attrs["axes"], attrs["keepdims"]
        shape = inputs[0].shape
        out = [1 if i in axes else size for i, size in enumerate(shape) if keep or i not in axes]
        return [Spec(out)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        x, dy = node.inputs[0], grads[0]
        assert x is not None and dy is not None
        if node.attrs["kind"] == "max":
            return [_max_gradient(node, x, dy)]
        attrs = {"like": x, "axes": node.attrs["axes"], "mean": node.attrs["kind"] == "mean"}
        return [emit("broadcast", [dy], attrs, name=node.name)]


def _max_gradient(node: Node, x: Value, dy: Value) -> Value:
    """dy to the largest elements, in equal shares where several are equal."""
    whole = {"like": x, "axes": node.attrs["axes"], "mean": False}

    def below(grad: Value) -> Value:
        """`grad` where x is less than the maximum, 0 elsewhere."""
        top = emit("broadcast", [node.outputs[0]], whole, node.name)
        short = emit("binary", [top, x], {"kind": "subtract"}, node.name)
        return emit("unary_backward", [grad, short], {"kind": "relu", "alpha": 0.0}, node.name)

    ones_of_x = emit("broadcast", [constant(np.ones((1,) * len(x.shape)), "one")], _all_of(x), node.name)
    hits = emit("binary", [ones_of_x, below(ones_of_x)], {"kind": "subtract"}, node.name)
    count = emit("reduce", [hits], {**node.attrs, "kind": "sum"}, node.name)
    share = emit("broadcast", [emit("binary", [dy, count], {"kind": "divide"}, node.name)], whole, node.name)
    return emit("binary", [share, below(share)], {"kind": "subtract"}, node.name)


def _all_of(x: Value) -> dict[str, Any]:
    """Attributes that broadcast one number to x's shape."""
    return {"like": x, "axes": tuple(range(len(x.shape))), "mean": False}


@register
class Broadcast(Op):
    """The adjoint of `reduce`: spreads a value over the axes that were reduced, divided by their size for a mean."""

    name = "broadcast"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(attrs["like"].shape)]


@register
class Reshape(Op):
    """attrs: `shape`, without the batch axis (one -1 allowed), or `like`, a value or spec whose shape is taken."""

    name = "reshape"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        x = inputs[0]
        if attrs.get("like") is not None:
            return [Spec(attrs["like"].shape, x.dtype)]
        target = list(attrs["shape"])
        if any(s is None for s in x.shape[1:]):
            raise ValueError(f"reshape: every axis but the batch must be known, received shape {x.shape}")
        size = math.prod(x.shape[1:])
        if -1 in target:
            rest = math.prod(s for s in target if s != -1)
            if target.count(-1) > 1 or rest == 0 or size % rest:
                raise ValueError(f"reshape: {tuple(x.shape[1:])} doesn't fit into {tuple(target)}")
            target[target.index(-1)] = size // rest
        if math.prod(target) != size:
            raise ValueError(
                f"reshape: {tuple(x.shape[1:])} has {size} elements, {tuple(target)} has {math.prod(target)}"
            )
        return [Spec((x.shape[0], *target), x.dtype)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [emit("reshape", [grads[0]], {"like": node.inputs[0]}, name=node.name)]


@register
class Dropout(Op):
    """attrs: rate, and `of`: the node whose mask this is (itself where absent). The identity outside training."""

    name = "dropout"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        of = node.attrs.get("of") or node
        return [emit("dropout", [grads[0]], {"rate": node.attrs["rate"], "of": of}, name=node.name)]


@register
class Identity(Op):
    name = "identity"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(inputs[0].shape, inputs[0].dtype)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [grads[0]]


def ones() -> Value:
    """The scalar 1, where differentiation of a scalar starts."""
    return constant([1.0], "one")

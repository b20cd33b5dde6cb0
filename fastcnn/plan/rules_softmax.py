"""Kernels of softmax and its logarithm.

Along the last axis each is one kernel, and another for its gradient. Along any other axis they are put together from
element-wise kernels and reductions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .._ops.kinds import BINARY, REDUCE, UNARY
from ..graph import Node, Value
from .lowering import Lowering, lowers, one, two
from .memory import Buffer
from .rules_other import binary_fields


class _Along:
    """An axis of a value, as [outer][count][inner], and the steps that work along it."""

    def __init__(self, low: Lowering, node: Node, value: Value) -> None:
        shape = low.shape(value)
        axis = node.attrs.get("axis", -1) % len(shape)
        self.low, self.node = low, node
        self.outer, self.count, self.inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        self.last = axis == len(shape) - 1
        self.whole, self.reduced = (self.outer, self.count, self.inner), (self.outer, 1, self.inner)

    def rows(self) -> dict[str, int]:
        return {"rows": self.outer, "cols": self.count}

    def buffer(self) -> Buffer:
        return self.low.temporary(math.prod(self.whole))

    def reduce(self, x: Buffer, kind: str) -> Buffer:
        """The sums or maxima along the axis."""
        y = self.low.temporary(self.outer * self.inner)
        self.low.step("reduce", self.node, self.reduced, x=x, y=y, outer=self.outer, count=self.count,
                      inner=self.inner, kind=REDUCE[kind], scale=1.0)  # fmt: skip
        return y

    def unary(self, kind: str, x: Buffer, y: Buffer) -> None:
        self.low.step("unary_forward", self.node, x=x, y=y, count=y.size, kind=UNARY[kind], alpha=0.0, beta=0.0)

    def binary(self, kind: str, p: Buffer, q: Buffer, y: Buffer) -> None:
        """y = f(p, q), where q is p's size or what `reduce` gave."""
        shape = self.whole if q.size == p.size else self.reduced
        self.low.step("binary", self.node, p=p, q=q, y=y, kind=BINARY[kind],
                      **binary_fields(self.whole, shape, self.whole))  # fmt: skip


def _forward(composed: Callable[[_Along, Buffer, Buffer], None]) -> Callable[[Lowering, Node], None]:
    def rule(low: Lowering, node: Node) -> None:
        x = one(node)
        along = _Along(low, node, x)
        source, y = low.read(x), low.write(node.outputs[0], x)
        if along.last:
            low.step(f"{node.op.name}_forward", node, x=source, y=y, **along.rows())
        else:
            composed(along, source, y)

    return rule


def _backward(composed: Callable[[_Along, Buffer, Buffer, Buffer], None]) -> Callable[[Lowering, Node], None]:
    def rule(low: Lowering, node: Node) -> None:
        dy, y = two(node)
        along = _Along(low, node, y)
        upstream: Any = low.read(dy)
        saved, dx = low.read(y), low.write(node.outputs[0], dy)
        if along.last:
            low.step(node.op.name, node, dy=upstream, y=saved, dx=dx, **along.rows())
        else:
            composed(along, upstream, saved, dx)

    return rule


def _softmax(along: _Along, x: Buffer, y: Buffer) -> None:
    along.binary("subtract", x, along.reduce(x, "max"), y)
    along.unary("exp", y, y)
    along.binary("divide", y, along.reduce(y, "sum"), y)


def _log_softmax(along: _Along, x: Buffer, y: Buffer) -> None:
    along.binary("subtract", x, along.reduce(x, "max"), y)
    powers = along.buffer()
    along.unary("exp", y, powers)
    total = along.reduce(powers, "sum")
    along.unary("log", total, total)
    along.binary("subtract", y, total, y)


def _softmax_backward(along: _Along, dy: Buffer, y: Buffer, dx: Buffer) -> None:
    product = along.buffer()
    along.binary("multiply", dy, y, product)
    along.binary("subtract", dy, along.reduce(product, "sum"), dx)
    along.binary("multiply", dx, y, dx)


def _log_softmax_backward(along: _Along, dy: Buffer, y: Buffer, dx: Buffer) -> None:
    share = along.buffer()
    along.unary("exp", y, share)
    along.binary("multiply", share, along.reduce(dy, "sum"), share)
    along.binary("subtract", dy, share, dx)


lowers("softmax")(_forward(_softmax))
lowers("log_softmax")(_forward(_log_softmax))
lowers("softmax_backward")(_backward(_softmax_backward))
lowers("log_softmax_backward")(_backward(_log_softmax_backward))

"""Products of matrices that are both values.

matmul  (a, b) -> y  attrs: a_transposed, b_transposed

a is (..., m, k), or (..., k, m) where it is transposed; b is (..., k, n), or (..., n, k); y is (..., m, n). Axes in
front broadcast. (`dense` is for weights that serve all rows of a batch.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, emit, register
from .elementwise import broadcast_shape, sum_to


def matrix(shape: Sequence[int | None], transposed: bool) -> tuple[int | None, int | None]:
    """Rows and columns of an operand."""
    rows, columns = shape[-2:]
    return (columns, rows) if transposed else (rows, columns)


@register
class MatMul(Op):
    name = "matmul"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        a, b = inputs[0].shape, inputs[1].shape
        if min(len(a), len(b)) < 2:
            raise ValueError(f"matmul: both operands must have at least two axes, received shapes {a} and {b}")
        m, k = matrix(a, attrs["a_transposed"])
        rows, n = matrix(b, attrs["b_transposed"])
        if k != rows:
            raise ValueError(f"matmul: a has {k} columns, b has {rows} rows (shapes {a} and {b})")
        return [Spec((*broadcast_shape(a[:-2], b[:-2]), m, n))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        """Of y = a b: da = dy b', db = a' dy; each exchanged and transposed where the operand was."""
        (a, b), dy = node.inputs, grads[0]
        assert a is not None and b is not None and dy is not None
        ta, tb = node.attrs["a_transposed"], node.attrs["b_transposed"]
        da = db = None
        if needed[0]:
            da = _product(b, dy, tb, True, node.name) if ta else _product(dy, b, False, not tb, node.name)
        if needed[1]:
            db = _product(dy, a, True, ta, node.name) if tb else _product(a, dy, not ta, False, node.name)
        return [None if part is None else sum_to(part, v) for part, v in ((da, a), (db, b))]


def _product(a: Value, b: Value, a_transposed: bool, b_transposed: bool, name: str) -> Value:
    return emit("matmul", [a, b], {"a_transposed": a_transposed, "b_transposed": b_transposed}, name=name)

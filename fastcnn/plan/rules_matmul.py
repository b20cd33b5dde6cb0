"""Kernels of products of matrices."""

from __future__ import annotations

import math

from ..graph import Node, Value
from ..graph.ops.matmul import matrix
from .lowering import Lowering, lowers, two
from .memory import Buffer
from .rules_strided import copy, stretched_steps


def _operand(low: Lowering, node: Node, value: Value, batch: tuple[int, ...]) -> tuple[Buffer, int]:
    """The matrices of an operand, and how far apart they are: stretched first where only some axes of the batch are."""
    shape = low.shape(value)
    matrices, size = math.prod(shape[:-2]), math.prod(shape[-2:])
    if matrices == math.prod(batch):
        return low.read(value), size
    if matrices == 1:
        return low.read(value), 0
    full = (*batch, *shape[-2:])
    target = low.temporary(math.prod(full))
    copy(low, node, value, target, full, stretched_steps(shape, full))
    return target, size


@lowers("matmul")
def matmul(low: Lowering, node: Node) -> None:
    a, b = two(node)
    ta, tb = node.attrs["a_transposed"], node.attrs["b_transposed"]
    batch = low.shape(node.outputs[0])[:-2]
    m, k = matrix(low.shape(a), ta)
    _, n = matrix(low.shape(b), tb)
    assert m is not None and k is not None and n is not None
    p, p_step = _operand(low, node, a, batch)
    q, q_step = _operand(low, node, b, batch)
    count = math.prod(batch)
    if q_step == 0 and p_step and not ta:
        # One b for all: their rows make one matrix.
        count, m = 1, count * m
    low.step("matmul", node, a=p, b=q, y=low.write(node.outputs[0]), batch=count, m=m, n=n, k=k, a_step=p_step,
             b_step=q_step, a_transposed=int(ta), b_transposed=int(tb))  # fmt: skip

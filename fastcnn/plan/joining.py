"""Concatenations whose parts are written where they belong, so that nothing is left to be copied.

A kernel that makes a part gets an address within the whole, and where parts lie side by side in each pixel, the
distance from one pixel to the next (`Buffer.step`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..graph import Node, Value
from .lowering import WRITES_APART, Lowering
from .memory import Buffer


def join_in_place(low: Lowering, order: Sequence[Node]) -> None:
    """Ask for the parts of concatenations to be written in place where nothing else reads them.

    For predictions: in training, gradients read most results again, one after the other. Last concatenations come
    first, since one may be a part of another.
    """
    moving = {id(v) for v in low.inputs}
    for node in order:
        if any(id(v) in moving for v in node.inputs):
            moving.update(id(v) for v in node.outputs)
    for node in reversed(order):
        if node.op.name != "concatenate":
            continue
        result = node.outputs[0]
        whole = low.target(result) or Buffer(low.size(result), name=result.name)
        if whole.size == 0 or not whole.in_arena or not _side_by_side(low, node):
            continue
        # What depends on weights alone is computed once and kept, whatever happens to the memory beside it.
        joined = [
            (value, part)
            for value, part in parts(low, node, whole)
            if id(value) in moving and low.reads(value) == 1 and low.target(value) is None
            and _can_write(low, value, part)
        ]  # fmt: skip
        if joined:
            low.aim(result, whole)
        for value, part in joined:
            low.aim(value, part)


def parts(low: Lowering, node: Node, whole: Buffer) -> list[tuple[Value, Buffer]]:
    """Each input of a concatenation, and the memory that is its part of `whole`."""
    axis, shape = node.attrs["axis"], low.shape(node.outputs[0])
    rows, width, start = math.prod(shape[:axis]), math.prod(shape[axis:]), whole.start
    step = whole.step or (width if rows > 1 else 0)
    found: list[tuple[Value, Buffer]] = []
    for value in node.inputs:
        assert value is not None
        columns = math.prod(low.shape(value)[axis:])
        size = (rows - 1) * step + columns if step else low.size(value)
        found.append((value, Buffer(size, name=value.name, parent=whole.parent or whole, start=start, step=step)))
        start += columns
    return found


def _side_by_side(low: Lowering, node: Node) -> bool:
    """Whether parts are channels of the same pixels, or whole pieces of memory."""
    axis, shape = node.attrs["axis"], low.shape(node.outputs[0])
    return bool(axis == len(shape) - 1 or math.prod(shape[:axis]) == 1)


def _can_write(low: Lowering, value: Value, part: Buffer) -> bool:
    """Whether what makes a value can write it to this memory."""
    node = value.node
    if node is None or node.outputs[0] is not value:
        return False
    if not part.step:
        return True
    if node.op.name == "concatenate":
        return bool(node.attrs["axis"] == value.ndim - 1)
    if any(low.reads(other) for other in node.outputs[1:]):  # the places of maxima never lie apart
        return False
    return node.op.name in WRITES_APART and WRITES_APART[node.op.name](node)

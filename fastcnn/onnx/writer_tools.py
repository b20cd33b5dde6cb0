"""What the functions that write operations share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Node, Value
from .writer import Order, Writer, channels_first, non_unit


def operand(node: Node, place: int = 0) -> Value:
    value = node.inputs[place]
    assert value is not None
    return value


def optional(node: Node, place: int) -> Value | None:
    return node.inputs[place] if len(node.inputs) > place else None


def alike(w: Writer, values: Sequence[Value], result: Value) -> tuple[list[str], Order]:
    """Operands with their axes in one order, so that they broadcast in the file as they do here."""
    computed = [v for v in values if w.known(v) is None]
    straight = tuple(range(result.ndim))
    order = straight
    if all(v.ndim == result.ndim for v in computed):
        # The largest one sets the order, to be the one that isn't moved.
        largest = max(computed, key=lambda v: sum(s != 1 for s in v.shape))
        order = w.order(largest)
    names = []
    for value in values:
        array = w.known(value)
        if array is None:
            names.append(w.get(value, tuple(range(value.ndim)) if order == straight else order))
        elif order == straight or array.size == 1:
            names.append(w.get(value))
        else:
            full = array.reshape((1,) * (result.ndim - array.ndim) + array.shape)
            names.append(w.constant(np.ascontiguousarray(full.transpose(order)), value.name or "operand"))
    return names, order


def flattened(w: Writer, y: Value) -> tuple[tuple[int, int, int], str] | None:
    """Of an image made flat, and read by dense layers alone: its (height, width, channels), and its name in the file.

    There it has the order of ONNX, pixels of a channel together; None where that isn't so.
    """
    while y.node is not None and y.node.op.name in ("dropout", "identity"):
        y = operand(y.node)
    if y.node is None or y.node.op.name != "reshape" or y.ndim != 2:
        return None
    x = operand(y.node)
    if x.ndim != 4 or None in x.shape[1:] or w.known(x) is not None or w.order(x) != channels_first(4):
        return None
    if non_unit(x.shape, (0, 3, 1, 2)) == non_unit(x.shape, (0, 1, 2, 3)) or not _only_dense(w, y):
        return None
    _, height, width, channels = x.shape
    assert height is not None and width is not None and channels is not None
    name = y.node.name
    return (height, width, channels), w.once(y, lambda: w.emit("Flatten", [w.get(x)], name, axis=1))


def _only_dense(w: Writer, y: Value) -> bool:
    """Whether a value goes nowhere but into dense layers, through dropout at most."""
    readers = w.consumers[id(y)]
    if not readers or w.is_output(y):
        return False
    return all(
        (n.op.name == "dense" and n.inputs[0] is y and w.known(operand(n, 1)) is not None)
        or (n.op.name in ("dropout", "identity") and _only_dense(w, n.outputs[0]))
        for n in readers
    )

"""Kernels of what moves and computes nothing."""

from __future__ import annotations

import math

from .._ops.kinds import BINARY
from ..graph import Node
from .joining import parts
from .lowering import Lowering, lowers, one


@lowers("pad2d")
def pad2d(low: Lowering, node: Node) -> None:
    x = one(node)
    n, h, w, c = low.shape(x)
    _, oh, ow, _ = low.shape(node.outputs[0])
    (top, _), (left, _) = node.attrs["pads"]
    low.step("pad2d", node, x=low.read(x), y=low.write(node.outputs[0]), n=n, h=h, w=w, c=c, oh=oh, ow=ow, pt=top,
             pl=left)  # fmt: skip


def _columns(shape: tuple[int, ...], axis: int) -> int:
    """What one step along the axes before `axis` is long: arrays joined along it are matrices side by side."""
    return math.prod(shape[axis:])


@lowers("concatenate")
def concatenate(low: Lowering, node: Node) -> None:
    """Copies of the parts that aren't there yet (joining.py)."""
    axis, shape = node.attrs["axis"], low.shape(node.outputs[0])
    y = low.write(node.outputs[0])
    root, rows = y.parent or y, math.prod(shape[:axis])
    for value, part in parts(low, node, y):
        given = low.read(value)
        if (given.parent, given.start, given.step) == (root, part.start, part.step):
            continue
        columns = _columns(low.shape(value), axis)
        low.step("copy_columns", node, low.shape(value), x=given, y=root, rows=rows, cols=columns, xcols=columns, x0=0,
                 ycols=part.step or root.size // max(1, rows), y0=part.start)  # fmt: skip


@lowers("split")
def split(low: Lowering, node: Node) -> None:
    dy, axis = one(node), node.attrs["axis"]
    shape, part = low.shape(dy), low.shape(node.outputs[0])
    columns = _columns(part, axis)
    low.step("copy_columns", node, x=low.read(dy), y=low.write(node.outputs[0]), rows=math.prod(part[:axis]),
             cols=columns, xcols=_columns(shape, axis), x0=node.attrs["start"] * _columns(shape, axis + 1),
             ycols=columns, y0=0)  # fmt: skip


@lowers("upsample2d")
def upsample2d(low: Lowering, node: Node) -> None:
    """Times 1, with strides of 0 along the repetitions."""
    x = one(node)
    n, h, w, c = low.shape(x)
    rows, columns = node.attrs["size"]
    sizes = (n * h, rows, w, columns, c)
    strides = (w * c, 0, c, 0, 1)
    fields = {f"d{i}": size for i, size in enumerate(sizes)} | {f"p{i}": s for i, s in enumerate(strides)}
    low.step("binary", node, p=low.read(x), q=low.fixed(1.0), y=low.write(node.outputs[0]), kind=BINARY["multiply"],
             **fields, **{f"q{i}": 0 for i in range(5)})  # fmt: skip

"""Kernels of resampling."""

from __future__ import annotations

from typing import Any

from .._ops.resampling import taps
from ..graph import Node
from .lowering import Lowering, lowers, one
from .memory import Buffer


def _resize(low: Lowering, node: Node, size: tuple[int, int], out: tuple[int, int], backward: bool) -> None:
    """From images of `size` to images of `out` pixels, or for the gradient back from there."""
    x = one(node)
    n, h, w, c = low.shape(x)
    scales = node.attrs["scales"] or (None, None)
    args: dict[str, Any] = {}
    for axis, before, after, scale in zip(("row", "col"), size, out, scales):
        found = taps(before, after, node.attrs["how"], scale, backward)
        for name, array in found.arrays(axis).items():
            args[name] = Buffer(array.size, str(array.dtype), name="taps", array=array)
        args[f"{axis}_taps"] = found.index.size
    _, oh, ow, _ = low.shape(node.outputs[0])
    low.step("resize", node, x=low.read(x), y=low.write(node.outputs[0]), n=n, h=h, w=w, c=c, oh=oh, ow=ow,
             **args)  # fmt: skip


@lowers("resize")
def resize(low: Lowering, node: Node) -> None:
    _, h, w, _ = low.shape(one(node))
    _resize(low, node, (h, w), node.attrs["size"], backward=False)


@lowers("resize_backward")
def resize_backward(low: Lowering, node: Node) -> None:
    _, h, w, _ = low.shape(node.outputs[0])
    _resize(low, node, (h, w), node.attrs["size"], backward=True)

"""Kernels of parts of feature maps."""

from __future__ import annotations

from typing import Any

from ..graph import Node, Value
from .lowering import Lowering, lowers


def _arguments(low: Lowering, node: Node, maps: Value, boxes: Value) -> dict[str, Any]:
    n, h, w, c = low.shape(maps)
    images, k, _ = low.shape(boxes)
    if images != n:
        raise ValueError(f"layer {node.name!r}: feature maps of {n} images, but boxes of {images}")
    (oh, ow), attrs = node.attrs["size"], node.attrs
    return {
        "boxes": low.read(boxes), "image": None, "n": n, "h": h, "w": w, "c": c, "regions": n * k, "oh": oh, "ow": ow,
        "samples": attrs["samples"], "aligned": int(attrs["aligned"]), "scale": attrs["scale"],
    }  # fmt: skip


@lowers("roi_align")
def roi_align(low: Lowering, node: Node) -> None:
    x, boxes = node.inputs
    assert x is not None and boxes is not None
    low.step("roi_align", node, x=low.read(x), y=low.write(node.outputs[0]), **_arguments(low, node, x, boxes))


@lowers("roi_align_backward")
def roi_align_backward(low: Lowering, node: Node) -> None:
    dy, boxes = node.inputs
    assert dy is not None and boxes is not None
    dx = node.outputs[0]
    low.step("roi_align_backward", node, dy=low.read(dy), dx=low.write(dx), **_arguments(low, node, dx, boxes))

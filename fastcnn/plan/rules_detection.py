"""How losses of boxes and of detectors become kernels."""

from __future__ import annotations

from typing import Any

from .._ops.kinds import ASSIGNMENT, CLASS_LOSS, OVERLAP
from ..graph import Node, Value
from .lowering import Lowering, lowers


def _memory(low: Lowering, value: Value | None) -> Any:
    return None if value is None else low.read(value)


@lowers("box_loss")
def box_loss(low: Lowering, node: Node) -> None:
    p, t, weight = (*node.inputs, None)[:3]
    losses, dp = node.outputs
    rows = low.size(losses)
    scale = node.attrs["scale"] / max(1, rows) if node.attrs["mean_rows"] else node.attrs["scale"]
    low.step("box_loss", node, p=_memory(low, p), t=_memory(low, t), weight=_memory(low, weight),
             losses=low.write(losses), dp=low.write(dp) if low.wanted(dp) else None, rows=rows,
             kind=OVERLAP[node.attrs["kind"]], scale=scale)  # fmt: skip


def _detector(low: Lowering, node: Node) -> dict[str, Any]:
    """What both kernels read: a detector's output, its places and the objects."""
    raw, places, targets = node.inputs[:3]
    assert raw is not None and places is not None and targets is not None
    n, p, width = low.shape(raw)
    arrays = {"raw": low.read(raw), "places": low.read(places), "targets": low.read(targets)}
    return {**arrays, "n": n, "p": p, "c": width - 4, "m": low.shape(targets)[1]}


@lowers("detection_assign")
def detection_assign(low: Lowering, node: Node) -> None:
    assigned, scores, totals = node.outputs
    attrs = node.attrs
    low.step("detection_assign", node, **_detector(low, node), assigned=low.write(assigned), scores=low.write(scores),
             totals=low.write(totals), method=ASSIGNMENT[attrs["method"]], top=attrs["top"], alpha=attrs["alpha"],
             beta=attrs["beta"])  # fmt: skip


@lowers("detection_loss")
def detection_loss(low: Lowering, node: Node) -> None:
    assigned, scores, totals, weight = (*node.inputs, None)[3:7]
    losses, draw, parts = node.outputs
    attrs = node.attrs
    numbers = {k: attrs[k] for k in ("class_weight", "box_weight", "gamma", "alpha", "scale")}
    low.step("detection_loss", node, **_detector(low, node), assigned=_memory(low, assigned),
             scores=_memory(low, scores), totals=_memory(low, totals), weight=_memory(low, weight),
             losses=low.write(losses), parts=low.write(parts), draw=low.write(draw) if low.wanted(draw) else None,
             class_loss=CLASS_LOSS[attrs["class_loss"]], box_loss=OVERLAP[attrs["box_loss"]],
             normalize=int(attrs["normalize"]), **numbers)  # fmt: skip

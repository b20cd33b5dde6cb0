"""How losses become kernels."""

from __future__ import annotations

from typing import Any

from .._ops.kinds import LOSS
from ..graph import Node, Value
from .lowering import Lowering, lowers


def _rows(low: Lowering, value: Value) -> dict[str, int]:
    cols = low.shape(value)[-1]
    return {"rows": low.size(value) // cols, "cols": cols}


def _gradient_scale(node: Node, rows: int) -> float:
    return node.attrs["scale"] / max(1, rows) if node.attrs["mean_rows"] else node.attrs["scale"]


def _loss_inputs(low: Lowering, node: Node, fixed: int = 2) -> tuple[Value, Any, Any]:
    """Prediction, target, and the rows' weights behind `fixed` inputs that are always there."""
    prediction, target = node.inputs[0], node.inputs[1]
    assert prediction is not None and target is not None
    weight = node.inputs[fixed] if len(node.inputs) > fixed else None
    return prediction, low.read(target), low.read(weight) if weight is not None else None


@lowers("softmax_crossentropy")
def softmax_crossentropy(low: Lowering, node: Node) -> None:
    low.step("softmax_crossentropy", node, **_of_classes(low, node, 2))


@lowers("softmax_focal")
def softmax_focal(low: Lowering, node: Node) -> None:
    assert node.inputs[2] is not None
    alpha, gamma = low.read(node.inputs[2]), node.attrs["gamma"]
    low.step("softmax_focal", node, alpha=alpha, gamma=gamma, **_of_classes(low, node, 3))


def _of_classes(low: Lowering, node: Node, fixed: int) -> dict[str, Any]:
    """What the kernels of losses over classes have in common."""
    logits, target, weight = _loss_inputs(low, node, fixed)
    sizes = _rows(low, logits)
    losses, dlogits, probs = node.outputs
    return {
        "logits": low.read(logits),
        "labels" if node.attrs["sparse"] else "targets": target,
        "weight": weight,
        "losses": low.write(losses),
        "dlogits": low.write(dlogits) if low.wanted(dlogits) else None,
        "probs": low.write(probs) if low.wanted(probs) else None,
        "scale": _gradient_scale(node, sizes["rows"]),
        "smoothing": node.attrs["smoothing"],
        **sizes,
    }


@lowers("pointwise_loss")
def pointwise_loss(low: Lowering, node: Node) -> None:
    prediction, target, weight = _loss_inputs(low, node)
    sizes = _rows(low, prediction)
    losses, dp = node.outputs
    low.step("pointwise_loss", node, p=low.read(prediction), t=target, weight=weight, losses=low.write(losses),
             dp=low.write(dp) if low.wanted(dp) else None, kind=LOSS[node.attrs["kind"]],
             scale=_gradient_scale(node, sizes["rows"]),
             row_scale=1.0 / sizes["cols"] if node.attrs["mean"] else 1.0, **sizes)  # fmt: skip


@lowers("binary_focal_loss")
def binary_focal_loss(low: Lowering, node: Node) -> None:
    prediction, target, weight = _loss_inputs(low, node)
    sizes, attrs = _rows(low, prediction), node.attrs
    losses, dp = node.outputs
    low.step("binary_focal_loss", node, p=low.read(prediction), t=target, weight=weight, losses=low.write(losses),
             dp=low.write(dp) if low.wanted(dp) else None, from_logits=int(attrs["from_logits"]),
             gamma=attrs["gamma"], positive=attrs["positive"], negative=attrs["negative"],
             smoothing=attrs["smoothing"], scale=_gradient_scale(node, sizes["rows"]), row_scale=1.0 / sizes["cols"],
             **sizes)  # fmt: skip

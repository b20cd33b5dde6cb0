"""Losses of boxes and of detectors, with their gradients in one pass; differentiation starts at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..values import Op, Spec, register


@register
class BoxLoss(Op):
    """(prediction, target[, weight]) -> losses, dprediction; attrs: kind, scale, mean_rows.

    Boxes on the last axis; weights are the rows'.
    """

    name = "box_loss"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        prediction, target = inputs[0], inputs[1]
        if not prediction.shape or prediction.shape[-1] != 4:
            raise ValueError(
                f"a loss of boxes needs predictions of shape (..., 4), left, top, right and bottom, received "
                f"{prediction.shape}"
            )
        if target.shape != prediction.shape:
            raise ValueError(f"y has shape {target.shape} where the model's output has {prediction.shape}")
        return [Spec(prediction.shape[:-1]), Spec(prediction.shape)]


@register
class DetectionAssign(Op):
    """(raw, places, targets) -> assigned, scores, totals; attrs: method, top, alpha, beta.

    raw (n, p, 4 + classes), places (3, p): x, y and stride, targets (n, m, 5): class and box.
    """

    name = "detection_assign"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        raw, places, targets = inputs
        if len(raw.shape) != 3 or raw.shape[1:2] != places.shape[1:] or raw.shape[2] is None or raw.shape[2] < 5:
            raise ValueError(
                f"a detector's output must have shape (batch, {places.shape[1]}, 4 + classes), four distances and the "
                f"classes' logits for each place, received {raw.shape}"
            )
        if len(targets.shape) != 3 or targets.shape[2] != 5:
            raise ValueError(f"y must have shape (batch, objects, 5), class and box, received {targets.shape}")
        found = raw.shape[:2]
        return [Spec(found, "int32"), Spec(found), Spec(raw.shape[:1])]


@register
class DetectionLoss(Op):
    """(raw, places, targets, assigned, scores, totals[, weight]) -> losses, draw, parts.

    Attrs: class_loss, box_loss, class_weight, box_weight, gamma, alpha, normalize, scale. Losses are the images', parts
    (n, 2) what classes and boxes have of them; weights are the images'.
    """

    name = "detection_loss"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        raw = inputs[0]
        return [Spec(raw.shape[:1]), Spec(raw.shape), Spec((raw.shape[0], 2))]

"""Losses of boxes: how little a predicted one and the one that is wanted overlap."""

from __future__ import annotations

from typing import ClassVar

from ..graph import Value, apply
from .loss import Loss, Terms


class IoULoss(Loss):
    """1 - intersection over union of boxes (..., 4): left, top, right, bottom, one loss a box.

    Where boxes don't meet it is 1 and has no gradient; `GIoULoss`, `DIoULoss` and `CIoULoss` go on there. A predicted
    box whose right lies left of its left counts as empty. Yu et al., "UnitBox", ACM Multimedia 2016.

    Examples
    --------
    >>> model.compile("adam", fastcnn.losses.GIoULoss())  # a model that gives one box a picture: (batch, 4)
    """

    kind: ClassVar[str] = "iou"

    def __init__(self, reduction: str = "sum_over_batch_size", name: str | None = None) -> None:
        super().__init__(reduction, name or f"{self.kind}_loss")

    def terms(self, prediction: Value, target: Value, weight: Value | None, scale: float) -> Terms:
        attrs = {**self._attrs(scale), "kind": self.kind}
        losses, gradient = apply("box_loss", [prediction, target, weight], attrs, self.name).outputs
        return Terms(self._total(losses, scale), {prediction: gradient}, prediction)


class GIoULoss(IoULoss):
    """1 - IoU + the share of the least box around both that neither covers.

    Rezatofighi et al., "Generalized intersection over union", CVPR 2019.
    """

    kind = "giou"


class DIoULoss(IoULoss):
    """1 - IoU + (distance of the middles / diagonal of the least box around both)^2.

    Zheng et al., "Distance-IoU loss: faster and better learning for bounding box regression", AAAI 2020.
    """

    kind = "diou"


class CIoULoss(IoULoss):
    """`DIoULoss` + v^2 / (1 - IoU + v), v how far the ratios of width to height are apart: 4 / pi^2 times the squared
    difference of their angles.

    Zheng et al., AAAI 2020; as there, v / (1 - IoU + v) counts as a constant in the gradient.
    """

    kind = "ciou"

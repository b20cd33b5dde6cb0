"""The loss of a detector: which place is to find which object, and how well it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import ops
from .._ops import core
from .._ops.arrays import as_float32
from .._ops.kinds import ASSIGNMENT, CLASS_LOSS, OVERLAP
from ..errors import shown, unknown_name
from ..graph import Value, apply, constant
from ..graph.functional import affine, reduce
from ..graph.values import Shape
from ..shapes import pair, real_number, whole_number
from .loss import Loss, Terms

#: What an assignment takes where nothing is said: top, alpha, beta.
_USUAL = {"task_aligned": (13, 1.0, 6.0), "simota": (10, 3.0, 2.5)}
#: What the focal ones of the class losses give objects.
_BALANCE = {"varifocal": 0.75, "focal": 0.25}


class DetectionLoss(Loss):
    """The loss of an anchor-free detector, whose places are given to objects as it learns.

    The prediction has shape (batch, places, 4 + classes): for each place the distances of the object's left, top, right
    and bottom from it, in strides of its level and at least 0, then the classes' logits. Places are those of
    `fastcnn.ops.anchor_points`, in its order. y has shape (batch, objects, 5): class number, left, top, right, bottom
    in pixels of the network's input; rows with a class below 0 or a box without an area are none. The class loss of all
    places, and the box loss of those with an object, weighted with their scores, are divided by the batch's sum of
    scores, or by 1 if that is less.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width of the network's input, in pixels.
    num_classes : int
    strides : sequence of int
        Of the levels, in pixels.
    max_boxes : int, optional
        How many rows y has for each image; any number if not given.
    class_loss : "bce", "quality_focal", "varifocal" or "focal"
        - "bce": binary cross entropy with the score as target.
        - "quality_focal": that times the distance of score and p to the power gamma (Li et al., "Generalized focal
          loss", NeurIPS 2020).
        - "varifocal": that times the score for objects, and balance p^gamma for the rest (Zhang et al., "VarifocalNet",
          CVPR 2021).
        - "focal": focal loss with the target 1, of which objects weigh balance, the rest 1 - balance (Lin et al.,
          "Focal loss for dense object detection", ICCV 2017).
    box_loss : "ciou", "giou", "diou" or "iou"
        As `CIoULoss` and its kin.
    assignment : "task_aligned" or "simota"
        Which of the places within an object's box learn it. An object without any has the one next to its middle,
        unless an earlier object without any has that; of several objects with the same box the first one learns.

        - "task_aligned" (Feng et al., "TOOD", ICCV 2021): the `top` with the largest t = p^alpha IoU^beta, p being the
          probability of its class. Of several objects that want a place the one with the largest IoU has it. Scores
          are t, scaled so that an object's largest is its largest IoU.
        - "simota" (Ge et al., "YOLOX", 2021): as many as the `top` largest IoUs sum up to, those that cost least: cross
          entropy - alpha log(IoU), and 100,000 more where they are beta strides or more away from the box's middle.
          Scores are the IoUs.
    class_weight, box_weight : float
        Of the two losses.
    top, alpha, beta : optional
        If not given 13, 1 and 6 for "task_aligned", 10, 3 and 2.5 for "simota".
    gamma : float
    balance : float, optional
        If not given 0.75 for "varifocal" and 0.25 for "focal".
    reduction : "sum_over_batch_size", "mean" or "sum"
        With "sum" nothing is divided.

    Examples
    --------
    >>> model.compile("adam", fastcnn.losses.DetectionLoss((320, 320), num_classes=3))
    """

    def __init__(
        self,
        image_size: int | tuple[int, int],
        num_classes: int,
        strides: Sequence[int] = (8, 16, 32),
        max_boxes: int | None = None,
        class_loss: str = "bce",
        box_loss: str = "ciou",
        assignment: str = "task_aligned",
        class_weight: float = 1.0,
        box_weight: float = 2.5,
        top: int | None = None,
        alpha: float | None = None,
        beta: float | None = None,
        gamma: float = 2.0,
        balance: float | None = None,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.image_size = pair(image_size, "image_size")
        self.num_classes = whole_number(num_classes, "num_classes")
        if not isinstance(strides, Iterable):
            raise TypeError(f"strides must be a sequence of integers, received {shown(strides)}")
        self.strides = tuple(whole_number(s, "strides") for s in strides)
        if not self.strides or list(self.strides) != sorted(set(self.strides)):
            raise ValueError(f"strides must be different and begin with the smallest, received {shown(strides)}")
        self.max_boxes = None if max_boxes is None else whole_number(max_boxes, "max_boxes")
        self.class_loss = _known(class_loss, "class_loss", CLASS_LOSS)
        self.box_loss = _known(box_loss, "box_loss", OVERLAP)
        self.assignment = _known(assignment, "assignment", ASSIGNMENT)
        self.class_weight = real_number(class_weight, "class_weight")
        self.box_weight = real_number(box_weight, "box_weight")
        usual = _USUAL[assignment]
        self.top = whole_number(usual[0] if top is None else top, "top")
        self.alpha = real_number(usual[1] if alpha is None else alpha, "alpha")
        self.beta = real_number(usual[2] if beta is None else beta, "beta")
        self.gamma = real_number(gamma, "gamma")
        self.balance = real_number(_BALANCE.get(class_loss, 0.5) if balance is None else balance, "balance", high=1.0)

    def places(self) -> np.ndarray:
        """x, y and stride of all places, in pixels: float32 (3, places)."""
        points, stride = ops.anchor_points(self.image_size, self.strides)
        return np.ascontiguousarray(np.concatenate([points.T, stride[None]]))

    def target(self, prediction: Value, name: str) -> Value:
        return Value((prediction.shape[0], self.max_boxes, 5), "float32", name=name)

    def rows(self, target: Shape) -> Shape:
        return target[:1]

    def check_target(self, target: np.ndarray, label: str) -> None:
        """Class numbers are whole and below `num_classes`, and everything is finite."""
        classes = target[..., 0]
        real = classes >= 0
        if not np.isfinite(target).all():
            image = int(np.argwhere(~np.isfinite(target))[0][0])
            raise ValueError(f"{label} must hold classes and boxes, received NaN or infinity for image {image}")
        wrong = real & ((classes >= self.num_classes) | (classes != np.floor(classes)))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"{label}'s class numbers must be whole, below {self.num_classes}, and negative for rows without an "
                f"object, received {classes[at]:g} for image {at[0]}, row {at[1]}"
            )

    def terms(self, prediction: Value, target: Value, weight: Value | None, scale: float) -> Terms:
        places = constant(self.places(), f"{self.name}/places")
        if prediction.shape[1:] != (places.shape[1], 4 + self.num_classes):
            raise ValueError(
                f"the loss {self.name!r} for {self.num_classes} classes, images of {self.image_size} and strides "
                f"{self.strides} needs an output of shape (batch, {places.shape[1]}, {4 + self.num_classes}), received "
                f"{prediction.shape}"
            )
        how = {"method": self.assignment, "top": self.top, "alpha": self.alpha, "beta": self.beta}
        given = [prediction, places, target]
        assigned = apply("detection_assign", given, how, f"{self.name}/assign").outputs
        attrs = {
            **{k: getattr(self, k) for k in ("class_loss", "box_loss", "class_weight", "box_weight", "gamma")},
            "alpha": self.balance, "normalize": self.reduction != "sum", "scale": float(scale),
        }  # fmt: skip
        losses, gradient, _ = apply("detection_loss", [*given, *assigned, weight], attrs, self.name).outputs
        total = reduce(losses, None, "sum")
        return Terms(total if scale == 1 else affine(total, scale, 0.0), {prediction: gradient}, prediction)

    def parts(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, float]:
        """What classes and boxes have of the loss of a batch, given as arrays.

        Parameters
        ----------
        y_true : array_like, (batch, objects, 5)
        y_pred : array_like, (batch, places, 4 + classes)
        sample_weight : array_like, (batch,), optional
        """
        places = self.places()
        raw, objects = as_float32(y_pred, "y_pred"), as_float32(y_true, "y_true")
        expected = (len(objects), places.shape[1], 4 + self.num_classes)
        if objects.ndim != 3 or objects.shape[2] != 5 or raw.shape != expected:
            raise ValueError(
                f"y_true must have shape (batch, objects, 5) and y_pred (batch, {', '.join(map(str, expected[1:]))}), "
                f"received {objects.shape} and {raw.shape}"
            )
        self.check_target(objects, "y_true")
        weight = None if sample_weight is None else as_float32(sample_weight, "sample_weight").reshape(expected[0])
        detector = {"raw": raw, "places": places, "targets": objects, "n": expected[0], "p": expected[1],
                    "c": self.num_classes, "m": objects.shape[1]}  # fmt: skip
        count = expected[:1]
        found = {"assigned": np.empty(expected[:2], np.int32), "scores": np.empty(expected[:2], np.float32),
                 "totals": np.empty(count, np.float32)}  # fmt: skip
        core.call("detection_assign", **detector, **found, method=ASSIGNMENT[self.assignment], top=self.top,
                  alpha=self.alpha, beta=self.beta)  # fmt: skip
        parts = np.empty((*count, 2), np.float32)
        core.call("detection_loss", **detector, **found, weight=weight, losses=np.empty(count, np.float32), parts=parts,
                  class_loss=CLASS_LOSS[self.class_loss], box_loss=OVERLAP[self.box_loss], scale=1.0,
                  normalize=int(self.reduction != "sum"), class_weight=self.class_weight, box_weight=self.box_weight,
                  gamma=self.gamma, alpha=self.balance)  # fmt: skip
        classes, boxes = parts.sum(axis=0, dtype=np.float64)
        return float(classes), float(boxes)

    def get_config(self) -> dict[str, Any]:
        own = (
            "num_classes", "max_boxes", "class_loss", "box_loss", "assignment", "class_weight", "box_weight", "top",
            "alpha", "beta", "gamma", "balance",
        )  # fmt: skip
        sizes = {"image_size": list(self.image_size), "strides": list(self.strides)}
        return {**super().get_config(), **sizes, **{name: getattr(self, name) for name in own}}


def _known(name: str, what: str, known: Mapping[str, int]) -> str:
    if name not in known:
        raise unknown_name(what, name, known)
    return name

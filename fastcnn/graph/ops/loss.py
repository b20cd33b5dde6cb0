"""Losses with their gradients in one pass.

A loss operation gives (losses of each row, gradient of the mean loss with respect to the prediction). It is where
differentiation starts, so it has no gradient itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..values import Op, Spec, register


def _check_target(prediction: Any, target: Any, sparse: bool) -> None:
    expected = prediction.shape[:-1] if sparse else prediction.shape
    if target.shape != expected:
        raise ValueError(
            f"y has shape {target.shape} where the model's output of shape {prediction.shape} needs {expected}"
        )


@register
class SoftmaxCrossentropy(Op):
    """(logits, target[, weight]) -> losses, dlogits, probabilities; attrs: sparse, smoothing, scale, mean_rows.

    Targets are class numbers (sparse, int32) or distributions. Loss rows are all axes but the last.
    The gradient is `scale` (a loss weight) times that of the mean over rows, or with mean_rows=False of their sum.
    """

    name = "softmax_crossentropy"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        logits = inputs[0]
        _check_target(logits, inputs[1], attrs["sparse"])
        return [Spec(logits.shape[:-1]), Spec(logits.shape), Spec(logits.shape)]


@register
class SoftmaxFocal(Op):
    """(logits, target, alpha[, weight]) -> losses, dlogits, probabilities; attrs: gamma and those of cross entropy.

    alpha: one number for each class.
    """

    name = "softmax_focal"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        logits = inputs[0]
        _check_target(logits, inputs[1], attrs["sparse"])
        return [Spec(logits.shape[:-1]), Spec(logits.shape), Spec(logits.shape)]


@register
class PointwiseLoss(Op):
    """(prediction, target[, weight]) -> losses, dprediction; attrs: kind, scale, mean, mean_rows.

    The loss of a row is the mean (or, with mean=False, the sum) over the last axis.
    """

    name = "pointwise_loss"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        _check_target(inputs[0], inputs[1], False)
        return [Spec(inputs[0].shape[:-1]), Spec(inputs[0].shape)]


@register
class BinaryFocalLoss(Op):
    """(prediction, target[, weight]) -> losses, dprediction; attrs: from_logits, gamma, positive, negative, smoothing,
    scale, mean_rows. The loss of a row is the mean over the last axis.
    """

    name = "binary_focal_loss"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        _check_target(inputs[0], inputs[1], False)
        return [Spec(inputs[0].shape[:-1]), Spec(inputs[0].shape)]

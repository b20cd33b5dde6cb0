"""Losses for data in which some classes are rare, or most samples are easy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import shown
from ..graph import Node, Value, apply, constant
from ..graph.functional import binary
from ..shapes import real_number
from .loss import Loss, SoftmaxLoss, Terms, behind_sigmoid, check_axis


class BinaryFocalCrossentropy(Loss):
    """Binary cross entropy times how wrong the prediction is, to the power gamma: the mean over the last axis.

    Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense object detection", ICCV 2017. With p_t the probability
    given to what is right, -alpha_t (1 - p_t)^gamma log(p_t): easy samples, of which there are many, count little.

    Parameters
    ----------
    apply_class_balancing : bool
        Whether ones count `alpha` and zeros 1 - `alpha`; else both count 1.
    alpha : float
        From 0 to 1.
    gamma : float
        At least 0; with 0 it is cross entropy.
    from_logits, label_smoothing, axis
        As for `BinaryCrossentropy`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        check_axis(axis)
        self.apply_class_balancing, self.from_logits = bool(apply_class_balancing), bool(from_logits)
        self.alpha, self.gamma = real_number(alpha, "alpha", high=1.0), real_number(gamma, "gamma")
        self.label_smoothing = real_number(label_smoothing, "label_smoothing", high=1.0, closed=False)

    def terms(self, prediction: Value, target: Value, weight: Value | None, scale: float) -> Terms:
        logits = prediction if self.from_logits else behind_sigmoid(prediction)
        of = prediction if logits is None else logits
        attrs = {
            **self._attrs(scale),
            "from_logits": logits is not None,
            "gamma": self.gamma,
            "positive": self.alpha if self.apply_class_balancing else 1.0,
            "negative": 1.0 - self.alpha if self.apply_class_balancing else 1.0,
            "smoothing": self.label_smoothing,
        }
        losses, gradient = apply("binary_focal_loss", [of, target, weight], attrs, self.name).outputs
        return Terms(self._total(losses, scale), {of: gradient}, prediction)

    def get_config(self) -> dict[str, Any]:
        own = ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


class _SoftmaxFocal(SoftmaxLoss):
    """-sum(alpha y (1 - p)^gamma log p) over the classes, p = softmax of the logits."""

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name)
        self.gamma = real_number(gamma, "gamma")
        self._alpha = _numbers(alpha, "alpha", 0.0)
        self.alpha = float(self._alpha) if self._alpha.ndim == 0 else self._alpha.tolist()

    def node(self, logits: Value, target: Value, weight: Value | None, attrs: dict[str, Any]) -> Node:
        alpha = _by_class(self._alpha, logits, "alpha", self.name)
        return apply("softmax_focal", [logits, target, alpha, weight], {**attrs, "gamma": self.gamma}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "gamma": self.gamma}


class CategoricalFocalCrossentropy(_SoftmaxFocal):
    """-sum(alpha y (1 - p)^gamma log p); y holds one-hot rows or distributions.

    Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense object detection", ICCV 2017.

    Parameters
    ----------
    alpha : float or list of float
        What the classes count, all the same or each its own; at least 0.
    gamma : float
        At least 0: how much less what is easy counts.
    from_logits, label_smoothing, axis
        As for `CategoricalCrossentropy`.
    """


class SparseCategoricalFocalCrossentropy(_SoftmaxFocal):
    """`CategoricalFocalCrossentropy` for y that holds class numbers.

    Parameters
    ----------
    alpha, gamma, from_logits, label_smoothing, axis
        As for `CategoricalFocalCrossentropy`.
    """

    sparse = True


class LogitAdjustedCrossentropy(SoftmaxLoss):
    """Cross entropy of the logits + tau log(prior), which asks of frequent classes that they win by more.

    Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, equation 10: what is learned this way suits a
    test in which all classes are equally frequent. Predictions stay those of the plain logits.

    Parameters
    ----------
    prior : list of float
        How frequent each class is in training: shares, or numbers of samples (``np.bincount(y_train)``); above 0.
    tau : float
        At least 0; with 0 it is cross entropy.
    from_logits, label_smoothing
        As for `CategoricalCrossentropy`.
    sparse : bool
        Whether y holds class numbers instead of one-hot rows.
    """

    shows_probabilities = False

    def __init__(
        self,
        prior: Sequence[float],
        tau: float = 1.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        sparse: bool = True,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, -1, reduction, name)
        counts = _numbers(prior, "prior", 0.0)
        if counts.ndim != 1 or not (counts > 0).all():
            raise ValueError(f"prior must be one number above 0 for each class, received {shown(prior)}")
        self._prior = counts
        self.prior: list[float] = counts.tolist()
        self.tau = real_number(tau, "tau")
        self.sparse = bool(sparse)

    def node(self, logits: Value, target: Value, weight: Value | None, attrs: dict[str, Any]) -> Node:
        shift = _by_class(self.tau * np.log(self._prior / self._prior.sum()), logits, "prior", self.name)
        return super().node(binary(logits, shift, "add"), target, weight, attrs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "prior": self.prior, "tau": self.tau, "sparse": self.sparse}


def _numbers(given: Any, name: str, low: float) -> np.ndarray:
    """A number, or one for each class, as float64."""
    try:
        found = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if found.ndim > 1 or not np.isfinite(found).all() or not (found >= low).all():
        raise ValueError(f"{name} must be a number of at least {low:g}, or one for each class, received {shown(given)}")
    return found


def _by_class(numbers: np.ndarray, logits: Value, name: str, loss: str) -> Value:
    """One number for each class of the model's output, as a constant."""
    classes = logits.shape[-1]
    if numbers.ndim and numbers.shape != (classes,):
        raise ValueError(
            f"the loss {loss!r} was given {name} for {len(numbers)} classes, but the model's output has {classes}"
        )
    return constant(np.broadcast_to(numbers, (classes or 1,)), name)

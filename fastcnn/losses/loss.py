"""Losses: what training makes small, described in the graph together with its gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..errors import shown
from ..graph import Node, Value, apply
from ..graph.functional import affine, reduce, unary
from ..graph.ops.elementwise import ones
from ..graph.values import Shape
from ..shapes import real_number
from ..utils.registry import snake_case


@dataclasses.dataclass
class Terms:
    """A loss in the graph.

    Attributes
    ----------
    total : Value
        The scalar, weighted and reduced.
    seeds : {value: gradient}
        Where differentiation starts.
    prediction : Value
        What to give out as the model's output; the fused loss's own probabilities where it has them.
    """

    total: Value
    seeds: dict[Value, Value]
    prediction: Value


class Loss:
    """Base of the losses.

    Parameters
    ----------
    reduction : "sum_over_batch_size", "mean" or "sum"
        Mean over all rows of the batch (the first two are the same), or their sum. Weights of samples multiply the
        rows' losses and don't change the divisor, as in Keras.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str | None = None) -> None:
        if reduction not in ("sum_over_batch_size", "mean", "sum"):
            raise ValueError(f'reduction must be "sum_over_batch_size", "mean" or "sum", received {reduction!r}')
        self.reduction = reduction
        self.name = name or snake_case(type(self).__name__)

    #: Whether targets are class numbers, one a row, instead of an array shaped as the prediction.
    sparse: bool = False

    def target(self, prediction: Value, name: str) -> Value:
        """The input that takes y for this prediction."""
        shape = prediction.shape[:-1] if self.sparse else prediction.shape
        return Value(shape, "int32" if self.sparse else "float32", name=name)

    def rows(self, target: Shape) -> Shape:
        """The shape of the losses before they are reduced, and of their weights, from that of targets."""
        return target if self.sparse else target[:-1]

    def check_target(self, target: np.ndarray, label: str) -> None:
        """Raise ValueError where targets of the right shape make no sense; `label` is what the user calls them."""

    def terms(self, prediction: Value, target: Value, weight: Value | None, scale: float) -> Terms:
        """The loss of a batch, times `scale`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {"reduction": self.reduction, "name": self.name}

    def _attrs(self, scale: float) -> dict[str, Any]:
        return {"scale": float(scale), "mean_rows": self.reduction != "sum"}

    def _total(self, losses: Value, scale: float) -> Value:
        total = reduce(losses, None, "sum" if self.reduction == "sum" else "mean")
        return total if scale == 1 else affine(total, scale, 0.0)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


def check_axis(axis: int) -> None:
    """Keras' losses have the argument; here classes lie on the last axis."""
    if axis != -1:
        raise ValueError(f"axis must be -1, the last axis, received {shown(axis)}")


def _behind_softmax(prediction: Value) -> Value | None:
    """The logits of a prediction that is a softmax's result."""
    node = prediction.node
    while node is not None and node.op.name == "identity" and node.inputs[0] is not None:
        node = node.inputs[0].node
    return node.inputs[0] if node is not None and node.op.name == "softmax" else None


class SoftmaxLoss(Loss):
    """Base of the losses over classes; softmax, loss and gradient are one kernel.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits instead of probabilities. A model that ends in a softmax is trained through its
        logits either way.
    label_smoothing : float
        So much of y, from 0 to below 1, is spread evenly over the classes (Szegedy et al., CVPR 2016, section 7).
    axis : -1
        Classes lie on the last axis.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        check_axis(axis)
        self.from_logits = bool(from_logits)
        self.label_smoothing = real_number(label_smoothing, "label_smoothing", high=1.0, closed=False)

    def terms(self, prediction: Value, target: Value, weight: Value | None, scale: float) -> Terms:
        behind = None if self.from_logits else _behind_softmax(prediction)
        if self.from_logits:
            logits = prediction
        elif behind is not None:
            logits = behind
        else:
            # Probabilities that are no softmax: their logarithms are logits of the same distribution.
            logits = unary(affine(prediction, 1.0, 1e-7), "log")
        attrs = {**self._attrs(scale), "sparse": self.sparse, "smoothing": self.label_smoothing}
        node = self.node(logits, target, weight, attrs)
        losses, dlogits, probabilities = node.outputs
        shown_as = probabilities if behind is not None and self.shows_probabilities else prediction
        return Terms(self._total(losses, scale), {logits: dlogits}, shown_as)

    #: Whether the kernel's probabilities are those that the model gives.
    shows_probabilities: ClassVar[bool] = True

    def node(self, logits: Value, target: Value, weight: Value | None, attrs: dict[str, Any]) -> Node:
        """The operation: losses, the gradient with respect to the logits, probabilities."""
        return apply("softmax_crossentropy", [logits, target, weight], attrs, self.name)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}
        return {**super().get_config(), **own}


class SparseCategoricalCrossentropy(SoftmaxLoss):
    """-log of the probability given to the true class; y holds class numbers.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits instead of probabilities.
    label_smoothing : float
        As in `CategoricalCrossentropy`; Keras has it there only.
    """

    sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        reduction: str = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name)


class CategoricalCrossentropy(SoftmaxLoss):
    """-sum(y log p); y holds one-hot rows or distributions.

    Parameters
    ----------
    from_logits : bool
    label_smoothing : float
        So much of y is spread evenly over the classes (Szegedy et al., CVPR 2016, section 7).
    axis : -1
    """


class _Pointwise(Loss):
    """The mean over the last axis of a function of prediction and target."""

    kind: ClassVar[str]

    def terms(self, prediction: Value, target: Value, weight: Value | None, scale: float) -> Terms:
        attrs = {**self._attrs(scale), "kind": self.kernel_kind(), "mean": True}
        node = apply("pointwise_loss", [prediction, target, weight], attrs, self.name)
        losses, gradient = node.outputs
        return Terms(self._total(losses, scale), {prediction: gradient}, prediction)

    def kernel_kind(self) -> str:
        return self.kind


class MeanSquaredError(_Pointwise):
    """mean((y - p)^2) over the last axis."""

    kind = "squared_error"


class MeanAbsoluteError(_Pointwise):
    """mean(|y - p|) over the last axis."""

    kind = "absolute_error"


def behind_sigmoid(prediction: Value) -> Value | None:
    """The logits of a prediction that is a sigmoid's result."""
    node = prediction.node
    return node.inputs[0] if node is not None and node.op.name == "unary" and node.attrs["kind"] == "sigmoid" else None


class BinaryCrossentropy(_Pointwise):
    """-(y log p + (1 - y) log(1 - p)), the mean over the last axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits instead of probabilities. A model that ends in a sigmoid is trained through
        its logits either way, which is exact where probabilities are near 0 or 1.
    label_smoothing : float
        y becomes (1 - label_smoothing) y + label_smoothing / 2.
    axis : -1
    """

    kind = "binary_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        check_axis(axis)
        self.from_logits = bool(from_logits)
        self.label_smoothing = real_number(label_smoothing, "label_smoothing", high=1.0, closed=False)

    def terms(self, prediction: Value, target: Value, weight: Value | None, scale: float) -> Terms:
        logits = None if self.from_logits else behind_sigmoid(prediction)
        if logits is not None:
            on_logits = BinaryCrossentropy(True, self.label_smoothing, -1, self.reduction, self.name)
            terms = on_logits.terms(logits, target, weight, scale)
            return Terms(terms.total, terms.seeds, prediction)
        if self.label_smoothing:
            target = affine(target, 1 - self.label_smoothing, self.label_smoothing / 2)
        return super().terms(prediction, target, weight, scale)

    def kernel_kind(self) -> str:
        return "binary_crossentropy_logits" if self.from_logits else self.kind

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}
        return {**super().get_config(), **own}


class FunctionLoss(Loss):
    """A loss written by the user: ``fn(y_true, y_pred)`` on graph values.

    The function uses arithmetic operators and `fastcnn.ops` on what it is given, and returns one loss a row, or a
    scalar. Its gradient is worked out by automatic differentiation.
    """

    def __init__(
        self,
        function: Callable[[Value, Value], Any],
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name or getattr(function, "__name__", "loss"))
        self.function = function

    def terms(self, prediction: Value, target: Value, weight: Value | None, scale: float) -> Terms:
        losses = self.function(target, prediction)
        if not isinstance(losses, Value):
            raise TypeError(
                f"the loss {self.name!r} must return a graph value made from its arguments, received {shown(losses)}"
            )
        if weight is not None:
            if losses.shape[: weight.ndim] != weight.shape:
                raise ValueError(
                    f"the loss {self.name!r} returns the shape {losses.shape}, so sample_weight and class_weight can't "
                    f"be applied; return one loss for each row, shape {weight.shape}"
                )
            if losses.ndim > weight.ndim:
                losses = reduce(losses, tuple(range(weight.ndim, losses.ndim)), "mean")
            losses = losses * weight
        total = self._total(losses, scale) if losses.ndim else affine(losses, scale, 0.0)
        return Terms(total, {total: ones()}, prediction)

    def get_config(self) -> dict[str, Any]:
        raise ValueError(f"the loss {self.name!r} is a function and can't be saved with the model")

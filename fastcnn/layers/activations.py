"""Activation functions as layers of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from .. import activations, initializers, regularizers
from ..errors import shown
from ..graph import Value
from ..graph.functional import binary
from ..shapes import real_number, whole_number
from .base import SingleInputLayer


class Activation(SingleInputLayer):
    """An activation function as a layer of its own.

    Parameters
    ----------
    activation : str or callable
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation) or activations.linear

    def call(self, inputs: Value) -> Value:
        return activations.apply(self.activation, inputs, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class _Function(SingleInputLayer):
    """A function of `fastcnn.activations` with the arguments `settings`, numbers that are attributes of the layer."""

    function: ClassVar[Callable[..., Value]]
    settings: ClassVar[tuple[str, ...]] = ()

    def call(self, inputs: Value) -> Value:
        return activations.apply(lambda x: type(self).function(x, **self._arguments()), inputs, self.name)

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.settings}

    def _number(self, value: Any, name: str) -> float:
        return real_number(value, f"layer {self.name!r}: {name}")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._arguments()}


class ReLU(_Function):
    """Max(x, 0); with further arguments x above the threshold, at most max_value, and a slope below the threshold.

    Parameters
    ----------
    max_value : float, optional
        The largest result, at least 0; 6 for ReLU6.
    negative_slope : float
        Slope below the threshold, at least 0.
    threshold : float
        At least 0.
    """

    function = activations.relu
    settings = ("max_value", "negative_slope", "threshold")

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else self._number(max_value, "max_value")
        self.negative_slope = self._number(negative_slope, "negative_slope")
        self.threshold = self._number(threshold, "threshold")


class LeakyReLU(_Function):
    """X where positive, else negative_slope * x.

    Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.

    Parameters
    ----------
    negative_slope : float
        At least 0.
    """

    function = activations.leaky_relu
    settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = self._number(negative_slope, "negative_slope")


class PReLU(SingleInputLayer):
    """X where positive, else alpha * x, where alpha is learned: one number for each place, or shared by many.

    He et al., "Delving deep into rectifiers: surpassing human-level performance on ImageNet classification", 2015.

    Parameters
    ----------
    alpha_initializer, alpha_regularizer
        Names or objects.
    shared_axes : sequence of int, optional
        Axes (1 is the first after the batch) along which alpha is the same: ``[1, 2]`` for one number a channel.
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        axes = shared_axes if isinstance(shared_axes, (list, tuple)) else () if shared_axes is None else (shared_axes,)
        self.shared_axes = tuple(whole_number(axis, f"layer {self.name!r}: shared_axes") for axis in axes)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes:
            if axis > len(shape):
                raise ValueError(
                    f"shared_axes must be from 1 to {len(shape)} for inputs {input_shape}, received {axis}"
                )
            shape[axis - 1] = 1
        known = [size for size in shape if size is not None]
        if len(known) < len(shape):
            raise ValueError(f"axes whose size isn't known must be among shared_axes, received inputs {input_shape}")
        self.alpha = self.add_weight(known, self.alpha_initializer, "alpha", regularizer=self.alpha_regularizer)

    def call(self, inputs: Value) -> Value:
        mine, theirs = self.alpha.shape, inputs.shape[1:]
        if len(mine) != len(theirs) or any(a not in (1, b) for a, b in zip(mine, theirs)):
            raise ValueError(f"its alpha of shape {mine} doesn't fit inputs of shape {inputs.shape}")
        return binary(inputs, self.alpha.value(), "prelu", self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "shared_axes": list(self.shared_axes) or None,
        }


class ELU(_Function):
    """X where positive, else alpha (exp(x) - 1).

    Clevert et al., "Fast and accurate deep network learning by exponential linear units (ELUs)", 2015.

    Parameters
    ----------
    alpha : float
        At least 0.
    """

    function = activations.elu
    settings = ("alpha",)

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = self._number(alpha, "alpha")


class SELU(_Function):
    """The exponential linear unit scaled so that mean 0 and variance 1 stay.

    Klambauer et al., "Self-normalizing neural networks", 2017.
    """

    function = activations.selu


class GELU(_Function):
    """X times the normal distribution function at x.

    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016.

    Parameters
    ----------
    approximate : bool
        By a formula with tanh instead of the error function.
    """

    function = activations.gelu
    settings = ("approximate",)

    def __init__(self, approximate: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approximate = bool(approximate)


class SiLU(_Function):
    """x * sigmoid(x), also called swish.

    Ramachandran et al., "Searching for activation functions", 2017.
    """

    function = activations.silu


class HardSwish(_Function):
    """x * hard_sigmoid(x).

    Howard et al., "Searching for MobileNetV3", 2019.
    """

    function = activations.hard_silu


class HardSigmoid(_Function):
    """x / 6 + 1 / 2, but not below 0 nor above 1."""

    function = activations.hard_sigmoid


class Mish(_Function):
    """x * tanh(softplus(x)).

    Misra, "Mish: a self regularized non-monotonic activation function", 2019.
    """

    function = activations.mish


class Softplus(_Function):
    """log(1 + exp(x))."""

    function = activations.softplus


class Softmax(_Function):
    """exp(x) / sum(exp(x)) along an axis.

    Parameters
    ----------
    axis : int
        Any but 0, the batch; -1 is the last.
    """

    function = activations.softmax
    settings = ("axis",)

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int) or isinstance(axis, bool) or axis == 0:
            raise ValueError(
                f"layer {self.name!r}: axis must be an integer other than 0, the batch, received {shown(axis)}"
            )
        self.axis = axis

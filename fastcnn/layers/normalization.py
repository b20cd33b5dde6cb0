"""Batch normalization."""

from __future__ import annotations

from typing import Any

from .. import initializers, regularizers
from ..graph import Value, Variable, emit
from ..shapes import real_number
from .base import SingleInputLayer


class BatchNormalization(SingleInputLayer):
    """Each channel shifted and scaled to mean 0 and variance 1, then by `gamma` and `beta`, which are learned.

    In training the statistics are the batch's own, and moving averages of them are kept: ``moving = momentum * moving
    + (1 - momentum) * batch`` (with the biased variance, as in Keras 3; PyTorch's momentum is one minus this one's).
    Otherwise, and where the layer is frozen (``trainable=False``), the moving averages are the statistics.

    A convolution or dense layer right before it takes it into its weights in prediction; an addition and a ReLU right
    behind it are computed along with it.

    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
    2015.

    Parameters
    ----------
    axis : int
        The channels' axis: the last one.
    momentum : float
        Of the moving averages, 0 <= momentum <= 1.
    epsilon : float
        Added to variances.
    center, scale : bool
        Whether there is a `beta`, a `gamma`.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer
        Names or objects.
    beta_regularizer, gamma_regularizer
        Names or objects.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.momentum = real_number(momentum, f"layer {self.name!r}: momentum", high=1.0)
        self.epsilon = real_number(epsilon, f"layer {self.name!r}: epsilon")
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        rank, channels = len(input_shape), input_shape[-1]
        if rank < 2 or channels is None:
            raise ValueError(f"BatchNormalization takes inputs (batch, …, channels), received shape {input_shape}")
        if self.axis not in (-1, rank - 1):
            raise ValueError(f"axis must be -1, the channels' (last) axis, received {self.axis!r}")
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                (channels,), self.gamma_initializer, "gamma", regularizer=self.gamma_regularizer
            )
        if self.center:
            self.beta = self.add_weight((channels,), self.beta_initializer, "beta", regularizer=self.beta_regularizer)
        self.moving_mean = self.add_weight((channels,), self.moving_mean_initializer, "moving_mean", trainable=False)
        self.moving_variance = self.add_weight(
            (channels,), self.moving_variance_initializer, "moving_variance", trainable=False
        )

    @property
    def moving_weights(self) -> list[Variable]:
        return [self.moving_mean, self.moving_variance] if self.built and self.trainable else []

    def call(self, inputs: Value) -> Value:
        weights = [v.value() if v is not None else None for v in (self.gamma, self.beta)]
        attrs = {"epsilon": self.epsilon, "momentum": self.momentum, "activation": "linear", "alpha": 0.0}
        statistics = [self.moving_mean.value(), self.moving_variance.value()]
        return emit("batch_norm", [inputs, *weights, *statistics], attrs, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
        }

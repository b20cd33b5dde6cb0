"""Layer and group normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import initializers, regularizers
from ..errors import shown
from ..graph import Value, emit
from ..shapes import real_number
from .base import SingleInputLayer


class _Normalization(SingleInputLayer):
    """What layers share that normalize each image by itself: epsilon, gamma and beta."""

    def __init__(
        self,
        axis: Any,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = real_number(epsilon, f"layer {self.name!r}: epsilon")
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)

    def add_scale(self, shape: Sequence[int]) -> None:
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(shape, self.gamma_initializer, "gamma", regularizer=self.gamma_regularizer)
        if self.center:
            self.beta = self.add_weight(shape, self.beta_initializer, "beta", regularizer=self.beta_regularizer)

    def normalized(self, op: str, inputs: Value, **attrs: Any) -> Value:
        weights = [None if v is None else v.value() for v in (self.gamma, self.beta)]
        return emit(op, [inputs, *weights], {**attrs, "epsilon": self.epsilon}, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
        }


class LayerNormalization(_Normalization):
    """Each sample by itself shifted and scaled to mean 0 and variance 1, then by `gamma` and `beta`, which are learned.

    Ba, Kiros and Hinton, "Layer normalization", 2016.

    Parameters
    ----------
    axis : int or list of int
        The axes over which means are taken: the last one, or the last ones in order. gamma and beta have their shape.
    epsilon : float
        Added to variances.
    center, scale : bool
        Whether there is a `beta`, a `gamma`.
    beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        Names or objects.

    Raises
    ------
    ValueError
        Axes that are not the last ones, or the batch among them.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                         gamma_regularizer, **kwargs)  # fmt: skip
        axes = [axis] if isinstance(axis, int) else list(axis) if isinstance(axis, (list, tuple)) else []
        if not axes or any(isinstance(a, bool) or not isinstance(a, int) for a in axes):
            raise ValueError(
                f"layer {self.name!r}: axis must be an integer or a list of integers, received {shown(axis)}"
            )
        self.axis = axes if isinstance(axis, (list, tuple)) else axis
        self._axes = axes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        rank = len(input_shape)
        axes = sorted(a + rank if a < 0 else a for a in self._axes)
        if axes[0] < 1 or axes != list(range(axes[0], rank)):
            raise ValueError(f"axis must be the last axes behind the batch of {input_shape}, received {self.axis!r}")
        sizes = [size for size in input_shape[axes[0] :] if size is not None]
        if len(sizes) != len(axes):
            raise ValueError(f"LayerNormalization must know the axes that it is over, received shape {input_shape}")
        self.add_scale(sizes)

    def call(self, inputs: Value) -> Value:
        return self.normalized("layer_norm", inputs, axis=inputs.ndim - len(self._axes))


class GroupNormalization(_Normalization):
    """Groups of channels of each image shifted and scaled to mean 0 and variance 1, then by `gamma` and `beta`.

    Means are over a group's channels and all pixels. With as many groups as channels it is instance normalization, with
    one group it is layer normalization over whole images. It doesn't depend on the batch, and is the same in training
    and prediction. Wu and He, "Group normalization", 2018.

    Parameters
    ----------
    groups : int
        Divides the channels; -1: as many as there are channels.
    axis : int
        The channels' axis: the last one.
    epsilon : float
        Added to variances.
    center, scale : bool
        Whether there is a `beta`, a `gamma`, each (channels,).
    beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        Names or objects.

    Raises
    ------
    ValueError
        Groups that don't divide the channels, or another axis.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                         gamma_regularizer, **kwargs)  # fmt: skip
        if isinstance(groups, bool) or not isinstance(groups, int) or groups < -1 or groups == 0:
            raise ValueError(
                f"layer {self.name!r}: groups must be a positive integer, or -1 for as many as channels, received "
                f"{shown(groups)}"
            )
        self.groups = groups

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        rank, channels = len(input_shape), input_shape[-1]
        if rank < 2 or channels is None:
            raise ValueError(f"GroupNormalization takes inputs (batch, …, channels), received shape {input_shape}")
        if self.axis not in (-1, rank - 1):
            raise ValueError(f"axis must be -1, the channels' (last) axis, received {self.axis!r}")
        if self.groups > 0 and channels % self.groups:
            raise ValueError(f"groups must divide the {channels} channels, received {self.groups}")
        self.add_scale((channels,))

    def call(self, inputs: Value) -> Value:
        return self.normalized("group_norm", inputs, groups=inputs.shape[-1] if self.groups == -1 else self.groups)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups}

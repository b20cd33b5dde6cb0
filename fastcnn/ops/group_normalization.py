"""Group, layer and instance normalization, forward and backward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, empty, result, same_shape
from .._ops.geometry import group_norm_parts
from ..errors import shown
from ..shapes import real_number, whole_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def group_norm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    groups: int = 32,
    epsilon: float = 1e-3,
    out: Floats | None = None,
) -> Floats:
    """Each image's groups of channels with mean 0 and variance 1, times gamma, plus beta.

    Parameters
    ----------
    x : array_like, (n, ..., c)
        Channels last; means are over a group's channels and all axes between.
    gamma, beta : array_like, (c,), optional
        1 and 0 if not given.
    groups : int
        Divides c. c itself: instance normalization.
    epsilon : float
        Added to variances.
    out : ndarray, of x's shape, optional
        Where the result goes: float32, C-contiguous; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind or shape; nothing to take the mean of.

    References
    ----------
    Wu and He (2018), "Group normalization". Ulyanov et al. (2016), "Instance normalization: the missing ingredient for
    fast stylization".
    """
    given = _Groups.of_channels(x, groups, "group_norm")
    return given.forward(gamma, beta, epsilon, out, "group_norm")


def group_norm_backward(
    dy: ArrayLike, x: ArrayLike, gamma: ArrayLike | None = None, groups: int = 32, epsilon: float = 1e-3
) -> tuple[Floats, Floats, Floats]:
    """The gradients of `group_norm` with respect to x, gamma and beta.

    Parameters
    ----------
    dy : array_like, of x's shape
        The gradient with respect to the result.
    x, gamma, groups, epsilon
        As given to `group_norm`.

    Returns
    -------
    dx : ndarray, of x's shape
    dgamma, dbeta : ndarray, (c,)

    Raises
    ------
    TypeError, ValueError
        As `group_norm`; dy is not of x's shape.
    """
    return _Groups.of_channels(x, groups, "group_norm_backward").backward(dy, gamma, epsilon)


def layer_norm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    axis: int = -1,
    epsilon: float = 1e-3,
    out: Floats | None = None,
) -> Floats:
    """Each sample with mean 0 and variance 1 over its last axes, times gamma, plus beta.

    Parameters
    ----------
    x : array_like
        Of at least two axes.
    gamma, beta : array_like, optional
        Of the shape of x's axes from `axis` on; 1 and 0 if not given.
    axis : int
        The first of the axes that means are over, not 0.
    epsilon : float
        Added to variances.
    out : ndarray, of x's shape, optional
        Where the result goes: float32, C-contiguous; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind or shape; nothing to take the mean of.

    References
    ----------
    Ba, Kiros and Hinton (2016), "Layer normalization".
    """
    return _Groups.of_axes(x, axis, "layer_norm").forward(gamma, beta, epsilon, out, "layer_norm")


def layer_norm_backward(
    dy: ArrayLike, x: ArrayLike, gamma: ArrayLike | None = None, axis: int = -1, epsilon: float = 1e-3
) -> tuple[Floats, Floats, Floats]:
    """The gradients of `layer_norm` with respect to x, gamma and beta.

    Parameters
    ----------
    dy : array_like, of x's shape
        The gradient with respect to the result.
    x, gamma, axis, epsilon
        As given to `layer_norm`.

    Returns
    -------
    dx : ndarray, of x's shape
    dgamma, dbeta : ndarray
        Of the shape of x's axes from `axis` on.

    Raises
    ------
    TypeError, ValueError
        As `layer_norm`; dy is not of x's shape.
    """
    return _Groups.of_axes(x, axis, "layer_norm_backward").backward(dy, gamma, epsilon)


class _Groups:
    """An array as the kernels take it: images of pixels of groups of channels."""

    def __init__(self, x: Floats, pixels: int, groups: int, scale: tuple[int, ...], where: str) -> None:
        self.x, self.scale = x, scale
        channels = math.prod(scale)
        if channels == 0 or pixels == 0:
            raise ValueError(f"{where}: x of shape {x.shape} has nothing to take the mean of")
        n = x.size // (channels * pixels)
        self.numbers = {"n": n, "pixels": pixels, "groups": groups, "c": channels // groups}

    @classmethod
    def of_channels(cls, x: ArrayLike, groups: Any, where: str) -> _Groups:
        given = as_float32(x, "x")
        if given.ndim < 2:
            raise ValueError(f"x must have at least two axes, (n, ..., c), received shape {given.shape}")
        count = whole_number(groups, "groups")
        if given.shape[-1] % count:
            raise ValueError(f"groups must divide the {given.shape[-1]} channels of x, received {count}")
        return cls(given, math.prod(given.shape[1:-1]), count, given.shape[-1:], where)

    @classmethod
    def of_axes(cls, x: ArrayLike, axis: Any, where: str) -> _Groups:
        given = as_float32(x, "x")
        if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
            raise TypeError(f"axis must be an integer, received {shown(axis)}")
        first = int(axis) + given.ndim if axis < 0 else int(axis)
        if not 0 < first < given.ndim:
            raise ValueError(f"axis must be one of x's behind the first, shape {given.shape}, received {axis}")
        return cls(given, 1, 1, given.shape[first:], where)

    def _scale(self, gamma: ArrayLike | None, name: str) -> Floats | None:
        return None if gamma is None else same_shape(gamma, name, self.scale, "x's normalized axes")

    def forward(
        self, gamma: ArrayLike | None, beta: ArrayLike | None, epsilon: float, out: Floats | None, where: str
    ) -> Floats:
        scale, shift = self._scale(gamma, "gamma"), self._scale(beta, "beta")
        small = real_number(epsilon, "epsilon")
        y = result(out, self.x.shape, [self.x], where, in_place=True)
        core.call("group_norm_forward", x=self.x, gamma=scale, beta=shift, y=y, epsilon=small, **self.numbers)
        return y

    def backward(self, dy: ArrayLike, gamma: ArrayLike | None, epsilon: float) -> tuple[Floats, Floats, Floats]:
        upstream = same_shape(dy, "dy", self.x.shape, "x")
        scale, small = self._scale(gamma, "gamma"), real_number(epsilon, "epsilon")
        n, channels = self.numbers["n"], math.prod(self.scale)
        mean, rstd = (empty((n * self.numbers["groups"],), "the statistics") for _ in range(2))
        dx = empty(self.x.shape, "dx")
        core.call("group_norm_forward", x=self.x, y=dx, mean=mean, rstd=rstd, epsilon=small, **self.numbers)
        parts = group_norm_parts(n, self.numbers["pixels"])
        sums = [empty((parts, channels), "partial sums") for _ in range(2)]
        core.call("group_norm_backward", x=self.x, dy=upstream, mean=mean, rstd=rstd, gamma=scale, dx=dx,
                  dgamma=sums[0], dbeta=sums[1], parts=parts, **self.numbers)  # fmt: skip
        dgamma, dbeta = (empty(self.scale, name) for name in ("dgamma", "dbeta"))
        for x, y in zip(sums, (dgamma, dbeta)):
            core.call("fold", x=x, y=y, parts=parts, count=channels)
        return dx, dgamma, dbeta

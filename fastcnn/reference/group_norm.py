"""Group, layer and instance normalization.

Wu and He, "Group normalization", 2018; Ba, Kiros and Hinton, "Layer normalization", 2016; Ulyanov, Vedaldi and
Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import Array, real, same_shape


def group_norm(
    x: ArrayLike, groups: int, gamma: ArrayLike = 1.0, beta: ArrayLike = 0.0, epsilon: float = 1e-3
) -> Array:
    """Each image's groups of channels with mean 0 and variance 1, then scaled by gamma and shifted by beta.

    Parameters
    ----------
    x : array (n, ..., c)
    groups : int
        Divides c; c itself for instance normalization.
    gamma, beta : array (c,)
    """
    x = real(x, "x")
    return _normal(x, groups, epsilon)[0] * real(gamma, "gamma") + real(beta, "beta")


def _parts(x: Array, groups: int) -> tuple[int, ...]:
    """(images, pixels, groups, channels of a group)."""
    return len(x), math.prod(x.shape[1:-1]), groups, x.shape[-1] // groups


def _normal(x: Array, groups: int, epsilon: float) -> tuple[Array, Array]:
    """x with mean 0 and variance 1, and 1 / sqrt(variance + epsilon), both of x's shape."""
    parts = x.reshape(_parts(x, groups))
    mean, variance = parts.mean(axis=(1, 3), keepdims=True), parts.var(axis=(1, 3), keepdims=True)
    rstd = np.broadcast_to(1 / np.sqrt(variance + epsilon), parts.shape)
    return ((parts - mean) * rstd).reshape(x.shape), rstd.reshape(x.shape)


def group_norm_backward(
    dy: ArrayLike, x: ArrayLike, groups: int, gamma: ArrayLike = 1.0, epsilon: float = 1e-3
) -> tuple[Array, Array, Array]:
    """Gradients dx, dgamma and dbeta of `group_norm`."""
    dy, x, gamma = real(dy, "dy"), real(x, "x"), real(gamma, "gamma")
    same_shape(dy, x.shape, "dy")
    normal, rstd = _normal(x, groups, epsilon)
    d, shape = dy * gamma, _parts(x, groups)

    def mean(values: Array) -> Array:
        parts = values.reshape(shape)
        return np.broadcast_to(parts.mean(axis=(1, 3), keepdims=True), parts.shape).reshape(x.shape)

    dx = rstd * (d - mean(d) - normal * mean(d * normal))
    axes = tuple(range(x.ndim - 1))
    return dx, (dy * normal).sum(axis=axes), dy.sum(axis=axes)


def layer_norm(
    x: ArrayLike, axis: int = -1, gamma: ArrayLike = 1.0, beta: ArrayLike = 0.0, epsilon: float = 1e-3
) -> Array:
    """Normalization over the axes from `axis` on; gamma and beta have these axes' shape."""
    x = real(x, "x")
    axes = tuple(range(axis % x.ndim, x.ndim))
    normal = (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)
    return normal * real(gamma, "gamma") + real(beta, "beta")


def layer_norm_backward(
    dy: ArrayLike, x: ArrayLike, axis: int = -1, gamma: ArrayLike = 1.0, epsilon: float = 1e-3
) -> tuple[Array, Array, Array]:
    """Gradients dx, dgamma and dbeta of `layer_norm`."""
    dy, x = real(dy, "dy"), real(x, "x")
    inner = x.shape[axis % x.ndim :]
    flat = (math.prod(x.shape[: axis % x.ndim]), math.prod(inner))
    scale = np.broadcast_to(real(gamma, "gamma"), inner).reshape(-1)
    dx, dgamma, dbeta = group_norm_backward(dy.reshape(flat), x.reshape(flat), 1, scale, epsilon)
    return dx.reshape(x.shape), dgamma.reshape(inner), dbeta.reshape(inner)

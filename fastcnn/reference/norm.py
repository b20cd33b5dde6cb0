"""Batch normalization.

Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift", 2015.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import Array, real, same_shape
from .activations import unary, unary_backward


def moments(x: ArrayLike) -> tuple[Array, Array]:
    """Mean and variance of each channel (the last axis): over all other axes, the variance biased.

    Parameters
    ----------
    x : array (…, c)

    Returns
    -------
    mean, variance : array (c,)
        0 where there is nothing to take the mean of.
    """
    x = real(x, "x")
    rows = x.reshape(-1, x.shape[-1])
    if len(rows) == 0:
        return np.zeros(x.shape[-1]), np.zeros(x.shape[-1])
    return rows.mean(axis=0), rows.var(axis=0)


def batch_norm(
    x: ArrayLike,
    gamma: ArrayLike = 1.0,
    beta: ArrayLike = 0.0,
    statistics: tuple[ArrayLike, ArrayLike] | None = None,
    epsilon: float = 1e-3,
    residual: ArrayLike = 0.0,
    activation: str = "linear",
    alpha: float = 0.0,
) -> Array:
    """``activation(gamma (x - mean) / sqrt(variance + epsilon) + beta + residual)``.

    Parameters
    ----------
    x : array (…, c)
    gamma, beta : array (c,)
    statistics : (mean, variance), optional
        Those to use; by default x's own.
    residual : array (…, c)
    activation : str
        One of `UNARY`; alpha is its slope.
    """
    x = real(x, "x")
    mean, variance = moments(x) if statistics is None else statistics
    normal = (x - real(mean, "mean")) / np.sqrt(real(variance, "variance") + epsilon)
    return unary(normal * real(gamma, "gamma") + real(beta, "beta") + real(residual, "residual"), activation, alpha)


def batch_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike = 1.0,
    beta: ArrayLike = 0.0,
    statistics: tuple[ArrayLike, ArrayLike] | None = None,
    epsilon: float = 1e-3,
    residual: ArrayLike = 0.0,
    activation: str = "linear",
    alpha: float = 0.0,
) -> tuple[Array, Array, Array, Array]:
    """Gradients dx, dgamma, dbeta and dresidual of `batch_norm`. Given statistics are constants."""
    dy, x, gamma = real(dy, "dy"), real(x, "x"), real(gamma, "gamma")
    same_shape(dy, x.shape, "dy")
    mean, variance = moments(x) if statistics is None else (real(s, "statistics") for s in statistics)
    deviation = np.sqrt(variance + epsilon)
    normal = (x - mean) / deviation
    before = normal * gamma + real(beta, "beta") + real(residual, "residual")
    dz = unary_backward(dy, before, activation, alpha)
    axes = tuple(range(x.ndim - 1))
    dgamma, dbeta = (dz * normal).sum(axis=axes), dz.sum(axis=axes)
    dx = dz * gamma / deviation
    if statistics is None:
        count = max(1, x.size // x.shape[-1])
        dx -= gamma / deviation * (dbeta + normal * dgamma) / count
    return dx, dgamma, dbeta, dz

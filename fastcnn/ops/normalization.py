"""Batch normalization, forward and backward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, empty, result, same_shape
from .._ops.geometry import norm_parts
from .._ops.kinds import FUSED, UNARY
from ..errors import unknown_name
from ..shapes import real_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats

_LEAKY_SLOPE = 0.2


def moments(x: ArrayLike) -> tuple[Floats, Floats]:
    """The mean and the (biased) variance of each channel: over all axes but the last.

    Variances are sums of squared deviations from means of blocks, joined pairwise (Chan, Golub and LeVeque 1979,
    "Updating formulae and a pairwise algorithm for computing sample variances"): exact however large the mean is.

    Parameters
    ----------
    x : array_like, (..., c)

    Returns
    -------
    mean, variance : ndarray, (c,)

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, or there is nothing to take the mean of.
    """
    given = _Matrix(x)
    numbers = given.statistics(None, None, 0.0, "moments")
    return numbers["mean"], numbers["variance"]


def batch_norm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    mean: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    epsilon: float = 1e-3,
    activation: str | None = None,
    out: Floats | None = None,
) -> Floats:
    """``activation(gamma (x - mean) / sqrt(variance + epsilon) + beta + residual)``, channel by channel.

    Parameters
    ----------
    x : array_like, (..., c)
        Channels last; at least two axes.
    gamma, beta : array_like, (c,), optional
        1 and 0 if not given.
    mean, variance : array_like, (c,), optional
        The statistics to normalize with, as in prediction; x's own (`moments`), as in training, if not given.
    residual : array_like, of x's shape, optional
        Added before the activation.
    epsilon : float
    activation : str, optional
        "linear", "relu", "relu6" or "leaky_relu" (slope 0.2).
    out : ndarray, of x's shape, optional
        Where the result goes: float32, C-contiguous; may be x or the residual itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind or shape; one of mean and variance without the other; nothing to take the
        mean of.

    References
    ----------
    Ioffe and Szegedy (2015), "Batch normalization: accelerating deep network training by reducing internal covariate
    shift".
    """
    act = _activation(activation)
    given = _Matrix(x)
    added = None if residual is None else same_shape(residual, "residual", given.x.shape, "x")
    numbers = given.numbers(gamma, beta, mean, variance, epsilon, "batch_norm")
    inputs = [given.x] if added is None else [given.x, added]
    y = result(out, given.x.shape, inputs, "batch_norm", in_place=True)
    given.apply(numbers, added, act, y)
    return y


def batch_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    mean: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    epsilon: float = 1e-3,
    activation: str | None = None,
) -> tuple[Floats, Floats, Floats, Floats | None]:
    """The gradients of `batch_norm` with respect to x, gamma, beta and the residual.

    Statistics that are given count as constants; x's own depend on x.

    Parameters
    ----------
    dy : array_like, of x's shape
        The gradient with respect to the result.
    x, gamma, beta, mean, variance, residual, epsilon, activation
        As given to `batch_norm`.

    Returns
    -------
    dx : ndarray, of x's shape
    dgamma, dbeta : ndarray, (c,)
    dresidual : ndarray, of x's shape, or None where there is no residual

    Raises
    ------
    TypeError, ValueError
        As `batch_norm`; dy is not of x's shape.
    """
    act = _activation(activation)
    given = _Matrix(x)
    shape = given.x.shape
    upstream = same_shape(dy, "dy", shape, "x")
    added = None if residual is None else same_shape(residual, "residual", shape, "x")
    numbers = given.numbers(gamma, beta, mean, variance, epsilon, "batch_norm_backward")
    y = dz = None
    if added is not None:
        y, dz = empty(shape, "batch_norm_backward: the result"), empty(shape, "dresidual")
        given.apply(numbers, added, act, y)
    scales = {name: numbers[name] for name in ("scale", "shift")}
    sums = np.empty(2 * given.parts * given.c, np.float32)
    core.call("batch_norm_sums", x=given.x, dy=upstream, y=y, dz=dz, mean=numbers["mean"], sums=sums, **scales, **act,
              parts=given.parts, **given.size)  # fmt: skip
    dgamma, dbeta, slope, offset = (np.empty(given.c, np.float32) for _ in range(4))
    core.call("batch_norm_slopes", sums=sums, mean=numbers["mean"], variance=numbers["variance"],
              scale=numbers["scale"], dgamma=dgamma, dbeta=dbeta, slope=slope, offset=offset, parts=given.parts,
              epsilon=float(epsilon), **given.size)  # fmt: skip
    if mean is not None:
        slope[:] = offset[:] = 0
    dx = empty(shape, "dx")
    core.call("batch_norm_backward", x=given.x, dy=upstream, y=y, dx=dx, slope=slope, offset=offset, **scales, **act,
              **given.size)  # fmt: skip
    return dx, dgamma, dbeta, dz


class _Matrix:
    """x as the kernels see it, rows of channels, and what they are called with."""

    def __init__(self, x: ArrayLike) -> None:
        self.x = as_float32(x, "x")
        if self.x.ndim < 2 or self.x.shape[-1] == 0:
            raise ValueError(f"x must have shape (..., channels) with at least one channel, received {self.x.shape}")
        self.c = self.x.shape[-1]
        self.rows = math.prod(self.x.shape[:-1])
        self.size = {"rows": self.rows, "c": self.c}
        self.parts = norm_parts(self.rows, self.c)

    def channel(self, array: ArrayLike | None, name: str) -> Floats | None:
        return None if array is None else same_shape(array, name, (self.c,), "x's channels")

    def numbers(self, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float, where: str) -> dict[str, Floats]:
        """mean, variance, scale and shift, of the statistics given or of x's own."""
        epsilon = real_number(epsilon, "epsilon")
        if (mean is None) != (variance is None):
            raise ValueError("mean and variance must be given both or neither")
        gamma, beta = self.channel(gamma, "gamma"), self.channel(beta, "beta")
        center, spread = self.channel(mean, "mean"), self.channel(variance, "variance")
        if center is None or spread is None:
            return self.statistics(gamma, beta, epsilon, where)
        scale, shift = np.empty(self.c, np.float32), np.empty(self.c, np.float32)
        core.call("batch_norm_scales", gamma=gamma, beta=beta, mean=center, variance=spread, scale=scale, shift=shift,
                  c=self.c, epsilon=epsilon)  # fmt: skip
        return {"mean": center, "variance": spread, "scale": scale, "shift": shift}

    def statistics(self, gamma: Any, beta: Any, epsilon: float, where: str) -> dict[str, Floats]:
        if self.rows == 0:
            raise ValueError(f"{where}: x of shape {self.x.shape} has nothing to take the mean of")
        sums = np.empty(2 * self.parts * self.c, np.float32)
        core.call("batch_norm_statistics", x=self.x, sums=sums, parts=self.parts, **self.size)
        made = {name: np.empty(self.c, np.float32) for name in ("mean", "variance", "scale", "shift")}
        core.call("batch_norm_join", sums=sums, gamma=gamma, beta=beta, **made, parts=self.parts, epsilon=epsilon,
                  momentum=0.0, **self.size)  # fmt: skip
        return made

    def apply(self, numbers: dict[str, Floats], residual: Floats | None, act: dict[str, Any], y: Floats) -> None:
        core.call("batch_norm_apply", x=self.x, scale=numbers["scale"], shift=numbers["shift"], residual=residual, y=y,
                  **act, **self.size)  # fmt: skip


def _activation(name: str | None) -> dict[str, Any]:
    """The kernels' arguments for an activation."""
    if name is not None and name not in FUSED:
        raise unknown_name("activation", name, FUSED)
    return {"act": UNARY[name or "linear"], "alpha": _LEAKY_SLOPE if name == "leaky_relu" else 0.0}

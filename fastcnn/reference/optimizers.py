"""One step of each optimizer, with Keras 3's formulas.

Each takes the weights `w`, the gradient `g` and the optimizer's state, and returns the new weights and state. Decoupled
weight decay (Loshchilov and Hutter 2019) comes first in every one of them: w -= lr * weight_decay * w.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import Array, real


def _decayed(w: ArrayLike, lr: float, weight_decay: float) -> Array:
    weights = real(w, "w")
    return weights - lr * weight_decay * weights


def sgd(
    w: ArrayLike,
    g: ArrayLike,
    m: ArrayLike | None = None,
    lr: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Array, Array | None]:
    """Gradient descent; with momentum m (velocity) if given. Returns w, m.

    Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """
    w, g = _decayed(w, lr, weight_decay), real(g, "g")
    if m is None:
        return w - lr * g, None
    m = momentum * real(m, "m") - lr * g
    return w + (momentum * m - lr * g if nesterov else m), m


def rmsprop(
    w: ArrayLike,
    g: ArrayLike,
    v: ArrayLike,
    m: ArrayLike | None = None,
    d: ArrayLike | None = None,
    lr: float = 0.001,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    weight_decay: float = 0.0,
) -> tuple[Array, Array, Array | None, Array | None]:
    """RMSprop (Tieleman and Hinton 2012); returns w, v, m, d.

    v is the running mean of g^2, m the momentum if any, d the running mean of g if the variance is centered.
    """
    w, g = _decayed(w, lr, weight_decay), real(g, "g")
    v = rho * real(v, "v") + (1.0 - rho) * g * g
    variance = v
    if d is not None:
        d = rho * real(d, "d") + (1.0 - rho) * g
        variance = v - d * d
    step = lr * g / np.sqrt(variance + epsilon)
    if m is not None:
        step = m = momentum * real(m, "m") + step
    return w - step, v, m, d


def adam(
    w: ArrayLike,
    g: ArrayLike,
    m: ArrayLike,
    v: ArrayLike,
    iteration: int,
    lr: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    weight_decay: float = 0.0,
) -> tuple[Array, Array, Array]:
    """Adam, and AdamW with weight_decay; returns w, m, v. `iteration` counts from 1.

    Kingma and Ba 2015, "Adam: a method for stochastic optimization", in the form at the end of section 2: epsilon is
    added to the uncorrected root, as Keras does it.
    """
    w, g = _decayed(w, lr, weight_decay), real(g, "g")
    m, v = real(m, "m"), real(v, "v")
    m = m + (1.0 - beta_1) * (g - m)
    v = v + (1.0 - beta_2) * (g * g - v)
    corrected = lr * np.sqrt(1.0 - beta_2**iteration) / (1.0 - beta_1**iteration)
    return w - corrected * m / (np.sqrt(v) + epsilon), m, v


def adagrad(
    w: ArrayLike, g: ArrayLike, v: ArrayLike, lr: float = 0.001, epsilon: float = 1e-7, weight_decay: float = 0.0
) -> tuple[Array, Array]:
    """Adagrad (Duchi et al. 2011); v is the sum of g^2 so far. Returns w, v."""
    w, g = _decayed(w, lr, weight_decay), real(g, "g")
    v = real(v, "v") + g * g
    return w - lr * g / np.sqrt(v + epsilon), v


def adadelta(
    w: ArrayLike,
    g: ArrayLike,
    v: ArrayLike,
    u: ArrayLike,
    lr: float = 0.001,
    rho: float = 0.95,
    epsilon: float = 1e-7,
    weight_decay: float = 0.0,
) -> tuple[Array, Array, Array]:
    """Adadelta (Zeiler 2012); v and u are the running means of g^2 and of the squared steps. Returns w, v, u."""
    w, g = _decayed(w, lr, weight_decay), real(g, "g")
    v, u = real(v, "v"), real(u, "u")
    v = rho * v + (1.0 - rho) * g * g
    step = g * np.sqrt(u + epsilon) / np.sqrt(v + epsilon)
    u = rho * u + (1.0 - rho) * step * step
    return w - lr * step, v, u


def lion(
    w: ArrayLike,
    g: ArrayLike,
    m: ArrayLike,
    lr: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
    weight_decay: float = 0.0,
) -> tuple[Array, Array]:
    """Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2). Returns w, m."""
    w, g, m = _decayed(w, lr, weight_decay), real(g, "g"), real(m, "m")
    w = w - lr * np.sign(beta_1 * m + (1.0 - beta_1) * g)
    return w, beta_2 * m + (1.0 - beta_2) * g


def clip_norm(g: ArrayLike, limit: float) -> Array:
    """g, or where its norm is above `limit`, g scaled to have that norm; all NaN where the norm is NaN.

    Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", algorithm 1.
    """
    g = real(g, "g")
    norm = np.sqrt(np.sum(np.square(g)))
    return g if norm <= limit else g * (limit / norm)


def moving_average(average: ArrayLike, w: ArrayLike, momentum: float = 0.99) -> Array:
    """The average of the weights w after one more step (Polyak and Juditsky 1992, with weights that fade)."""
    return momentum * real(average, "average") + (1.0 - momentum) * real(w, "w")

"""Dropout and noise from a counter-based generator: pure functions of (seed, step, site, element).

Philox4x32-10 of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import Array, real

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF


def philox4x32(counter: ArrayLike, key: tuple[int, int], rounds: int = 10) -> NDArray[np.uint64]:
    """Four random 32-bit words for each counter.

    Parameters
    ----------
    counter : array (..., 4) of integers below 2^32
    key : two integers below 2^32

    Returns
    -------
    array (..., 4) of uint64, each below 2^32
    """
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, dtype=np.uint64), -1, 0)
    k0, k1 = key
    low, half = np.uint64(_LOW), np.uint64(32)
    for _ in range(rounds):
        product0, product1 = np.uint64(_MULTIPLIERS[0]) * c0, np.uint64(_MULTIPLIERS[1]) * c2
        c0, c1, c2, c3 = (
            (product1 >> half) ^ c1 ^ np.uint64(k0),
            product1 & low,
            (product0 >> half) ^ c3 ^ np.uint64(k1),
            product0 & low,
        )
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return np.stack([c0, c1, c2, c3], axis=-1)


def _words(count: int, seed: int, step: int, site: int) -> NDArray[np.uint64]:
    """Random words for `count` elements, and a few more: whole blocks."""
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    counter = np.empty((len(blocks), 4), np.uint64)
    counter[:, 0], counter[:, 1] = blocks & np.uint64(_LOW), blocks >> np.uint64(32)
    counter[:, 2], counter[:, 3] = step & _LOW, (site + (step >> 32)) & _LOW
    return philox4x32(counter, (seed & _LOW, seed >> 32)).reshape(-1)


def dropout_mask(count: int, rate: float, seed: int, step: int = 0, site: int = 0) -> NDArray[np.bool_]:
    """Which of `count` elements are kept: element i with probability 1 - rate.

    Element i has word i % 4 of the block with the counter (i // 4 low, i // 4 high, step low, site + step high) under
    the key (seed low, seed high), and is kept if that word / 2^32 >= rate.
    """
    words = _words(count, seed, step, site)[:count]
    return words / 2.0**32 >= rate


def dropout(x: ArrayLike, rate: float, seed: int, step: int = 0, site: int = 0) -> Array:
    """A share `rate` of the elements of x becomes 0, the others are divided by 1 - rate.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting". The gradient is the
    same function of dy. 0 <= rate < 1; seed and step are below 2^64, site (which dropout of the model) below 2^32.
    """
    x = real(x, "x")
    keep = dropout_mask(x.size, rate, seed, step, site).reshape(x.shape)
    return np.where(keep, x / (1.0 - rate), 0.0)


def normals(count: int, seed: int, step: int = 0, site: int = 0) -> Array:
    """`count` normally distributed numbers.

    Box and Muller 1958, "A note on the generation of random normal deviates". Each pair of words gives two: with u =
    (word // 512 + 1/2) / 2^23 of both, sqrt(-2 log u0) times the cosine and the sine of 2 pi u1.
    """
    words = _words(count, seed, step, site).reshape(-1, 2)
    u0, u1 = np.moveaxis((np.floor(words / 512.0) + 0.5) / 2.0**23, -1, 0)
    radius, angle = np.sqrt(-2 * np.log(u0)), 2 * np.pi * u1
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1)[:count]


def gaussian_noise(x: ArrayLike, stddev: float, seed: int, step: int = 0, site: int = 0) -> Array:
    """The input plus normally distributed numbers with mean 0 and standard deviation `stddev`."""
    x = real(x, "x")
    return x + stddev * normals(x.size, seed, step, site).reshape(x.shape)

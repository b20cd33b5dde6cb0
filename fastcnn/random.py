"""The one source of randomness that is not given a seed of its own: initial weights, shuffling, dropout."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from .errors import shown

if TYPE_CHECKING:
    from numpy.random import Generator

# Made at the first use: numpy.random is slow to import, and a program that only predicts never needs it.
_generator: Generator | None = None


def check_seed(seed: object, name: str = "seed") -> int:
    """`seed` as an int >= 0, or an error that names the argument."""
    try:
        if isinstance(seed, bool):
            raise TypeError
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, received {shown(seed)}") from None
    if number < 0:
        raise ValueError(f"{name} must be at least 0, received {number}")
    return number


def set_seed(seed: int | None) -> None:
    """Start fastcnn's random numbers anew: initial weights, shuffling and dropout then repeat from run to run.

    Parameters
    ----------
    seed : int or None
        At least 0. None: unpredictable, as when the program started.
    """
    global _generator
    _generator = np.random.default_rng(None if seed is None else check_seed(seed))


def generator() -> Generator:
    """The random numbers of fastcnn as a NumPy Generator; what is drawn from it is gone for the others."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def next_seed() -> int:
    """A new 63-bit seed from `generator`, for what keeps a state of its own (a dropout layer, an initializer)."""
    return int(generator().integers(2**63))

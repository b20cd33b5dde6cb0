"""The one source of randomness that is not given a seed of its own: initial weights, shuffling, dropout."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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


def get_state() -> dict[str, Any]:
    """Where `generator` is: plain data for `set_state`, and for `generator_at`."""
    return dict(generator().bit_generator.state)


def set_state(state: Mapping[str, Any]) -> None:
    """Let `generator` go on where it was."""
    global _generator
    _generator = generator_at(state)


def generator_at(state: Mapping[str, Any]) -> Generator:
    """Another generator, which gives what `generator` gave from there on."""
    found = np.random.default_rng()
    found.bit_generator.state = state
    return found


def next_seed() -> int:
    """A new 63-bit seed from `generator`, for what keeps a state of its own (a dropout layer, an initializer)."""
    return int(generator().integers(2**63))

"""Helpers that stand below everything else: files, names, small NumPy functions, progress bars."""

from __future__ import annotations

import random as _python_random

import numpy as np

from .. import random as _random
from .arrays import normalize, to_categorical
from .files import atomic_write, cache_dir
from .imbalance import class_weights

__all__ = ["atomic_write", "cache_dir", "class_weights", "normalize", "set_random_seed", "to_categorical"]


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and fastcnn's random numbers: a program then repeats itself.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.
    """
    if not 0 <= _random.check_seed(seed) < 2**32:
        raise ValueError(f"seed must be from 0 to {2**32 - 1}, received {seed}")
    _python_random.seed(seed)
    np.random.seed(seed)
    _random.set_seed(seed)

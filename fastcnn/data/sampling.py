"""Samplers: which samples an epoch takes, and in which order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import random
from ..errors import shown
from ..shapes import whole_number


class Sampler:
    """Base of the samplers.

    An epoch's order depends on the seed and the epoch's number alone, so that a run that was interrupted goes on with
    the same samples.

    Parameters
    ----------
    seed : int, optional
        At least 0; drawn from fastcnn's random numbers (`fastcnn.random.set_seed`) if not given.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = random.next_seed() if seed is None else random.check_seed(seed)

    def __len__(self) -> int:
        """Samples of an epoch."""
        raise NotImplementedError

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        """The samples of an epoch, in any order."""
        raise NotImplementedError

    def order(self, epoch: int) -> np.ndarray:
        """Places of the samples of an epoch, counted from 0: int64 (len(self),)."""
        generator = np.random.default_rng([self.seed, whole_number(epoch, "epoch", 0)])
        return generator.permutation(self._draw(generator)).astype(np.int64)

    def state_dict(self) -> dict[str, Any]:
        """What the orders depend on, as plain data."""
        return {"seed": self.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as the sampler did whose state this is."""
        self.seed = random.check_seed(state["seed"])


class _ByClass(Sampler):
    """Takes equally many samples of each class."""

    def __init__(self, labels: ArrayLike, seed: int | None = None) -> None:
        super().__init__(seed)
        given = np.asarray(labels)
        if given.dtype.kind not in "iu" or given.ndim != 1:
            raise TypeError(
                f"labels must be class numbers of shape (n,), received {given.dtype} of shape {given.shape}"
            )
        if given.size == 0:
            raise ValueError("labels is empty: there is nothing to take samples from")
        self._places = [np.flatnonzero(given == c) for c in np.unique(given)]

    def _each(self) -> int:
        """Samples of each class."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self._each() * len(self._places)


class RandomOverSampler(_ByClass):
    """As many samples of each class as the most frequent one has: those of rare classes come again and again.

    No sample of a class comes twice more often than another; which ones come once more changes from epoch to epoch.

    Parameters
    ----------
    labels : array_like of int, (n,)
        The class of each sample.
    seed : int, optional
    """

    def _each(self) -> int:
        return max(map(len, self._places))

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        parts = []
        for places in self._places:
            times, rest = divmod(self._each(), len(places))
            parts += [np.tile(places, times), generator.choice(places, rest, replace=False)]
        return np.concatenate(parts)


class RandomUnderSampler(_ByClass):
    """As many samples of each class as the rarest one has: another random part of the frequent ones each epoch.

    Parameters
    ----------
    labels : array_like of int, (n,)
        The class of each sample.
    seed : int, optional
    """

    def _each(self) -> int:
        return min(map(len, self._places))

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        return np.concatenate([generator.choice(places, self._each(), replace=False) for places in self._places])


class WeightedRandomSampler(Sampler):
    """Samples drawn at random, each as likely as its weight says; PyTorch's sampler of that name.

    Parameters
    ----------
    weights : array_like, (n,)
        Of each sample, at least 0; they need not add up to anything.
    num_samples : int, optional
        Samples of an epoch; as many as there are weights if not given.
    replacement : bool
        Whether a sample may come several times in an epoch.
    seed : int, optional

    Raises
    ------
    ValueError
        Weights below 0, not finite or all 0; without replacement, fewer samples of weight above 0 than asked for.
    """

    def __init__(
        self, weights: ArrayLike, num_samples: int | None = None, replacement: bool = True, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        given = np.asarray(weights, np.float64)
        if given.ndim != 1 or not np.isfinite(given).all() or not (given >= 0).all() or not given.any():
            raise ValueError(
                f"weights must be numbers of at least 0, some above, shape (n,), received {shown(weights)}"
            )
        self._shares = given / given.sum()
        self._count = len(given) if num_samples is None else whole_number(num_samples, "num_samples")
        self._replacement = bool(replacement)
        if not replacement and self._count > np.count_nonzero(given):
            raise ValueError(
                f"num_samples is {self._count}, but only {np.count_nonzero(given)} samples have a weight above 0; with "
                f"replacement=True they may come several times"
            )

    def __len__(self) -> int:
        return self._count

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        return generator.choice(len(self._shares), self._count, self._replacement, self._shares)


__all__ = ["RandomOverSampler", "RandomUnderSampler", "Sampler", "WeightedRandomSampler"]

"""Samples cut into folds: at random, evenly by class, by group. Each function gives every sample its fold's number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..shapes import whole_number

Ints = NDArray[np.int64]


def unstratified_folds(count: int, k: int, rng: np.random.Generator) -> Ints:
    """`count` samples in `k` folds at random, whose sizes differ by at most one."""
    k = _checked(k, count, "samples")
    return rng.permutation(np.arange(count) % k)


def stratified_folds(labels: ArrayLike, k: int, rng: np.random.Generator) -> Ints:
    """Samples in `k` folds at random, so that of each class, and of all, any two folds have numbers one apart at most.

    Parameters
    ----------
    labels : array, shape (samples,)
    k : int
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        There is a class with fewer samples than folds: some fold would have nothing of it.
    """
    classes, numbers, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    k = _checked(k, len(numbers), "samples")
    if sizes.min() < k:
        rare = classes[sizes.argmin()]
        raise ValueError(
            f"k={k} folds need at least {k} samples of each class, class {rare} has {sizes.min()}; give a smaller k, "
            f"or stratified=False"
        )
    # In a random order within each class; dealt out in turns, each class going on where the last one stopped.
    order = rng.permutation(len(numbers))
    order = order[np.argsort(numbers[order], kind="stable")]
    folds = np.empty(len(numbers), np.int64)
    folds[order] = rng.permutation(k)[np.arange(len(numbers)) % k]
    return folds


def group_folds(groups: ArrayLike, k: int, rng: np.random.Generator, labels: ArrayLike | None = None) -> Ints:
    """Whole groups in `k` folds, of sizes as equal as can be, and with `labels` with classes as even as can be.

    Groups are dealt out one by one, the largest first, of equal ones in a random order, each to the fold that leaves
    the folds' numbers of samples (of each class) with the smallest sum of squares.

    Parameters
    ----------
    groups : array, shape (samples,)
        What must not be torn apart: pictures of one patient, say.
    k : int
    rng : numpy.random.Generator
    labels : array, shape (samples,), optional

    Raises
    ------
    ValueError
        There are fewer groups than folds.
    """
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    count = int(numbers.max()) + 1 if len(numbers) else 0
    k = _checked(k, count, "groups")
    classes = np.zeros(len(numbers), np.int64)
    if labels is not None:
        classes = np.unique(np.asarray(labels), return_inverse=True)[1]
    width = int(classes.max()) + 1
    held = np.bincount(numbers * width + classes, minlength=count * width).reshape(count, width).astype(np.float64)
    held /= np.maximum(held.sum(0), 1)  # shares of each class, so that rare ones count as much
    order = rng.permutation(count)
    order = order[np.argsort(-held[order].sum(1), kind="stable")]
    filled = np.zeros((k, width))
    fold_of = np.empty(count, np.int64)
    for group in order:
        # (a + g)^2 - a^2: what each fold's squares would grow by.
        growth = (held[group] * (2 * filled + held[group])).sum(1)
        fold_of[group] = growth.argmin()
        filled[fold_of[group]] += held[group]
    return fold_of[numbers]


def _checked(k: int, count: int, what: str) -> int:
    k = whole_number(k, "k", 2)
    if k > count:
        raise ValueError(f"k must be at most the number of {what}, {count}, received {k}")
    return k

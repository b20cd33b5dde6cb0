"""What a sample of each class should count where classes are not equally frequent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import shown, unknown_name
from ..shapes import real_number

#: What `class_weight` may be called by name.
NAMES = ("balanced", "effective_number")


def class_weights(y: ArrayLike, kind: str = "balanced", beta: float = 0.999) -> dict[int, float]:
    """Weights of the classes that occur in `y`, to be given to ``fit(..., class_weight=)``.

    Parameters
    ----------
    y : array_like of int, (n,)
        Class numbers.
    kind : "balanced" or "effective_number"
        "balanced": n / (classes * count), as scikit-learn has it: all classes count the same in sum.
        "effective_number": in proportion to (1 - beta) / (1 - beta**count), one on average over the classes. A class's
        further samples tell less and less that is new; the weights lie between none and "balanced". Cui, Jia, Lin, Song
        and Belongie, "Class-balanced loss based on effective number of samples", CVPR 2019.
    beta : float
        From 0 to below 1, for "effective_number": 0 is no weighting, towards 1 it becomes balanced; the paper has
        0.9 to 0.9999.

    Returns
    -------
    dict of class number to weight

    Raises
    ------
    TypeError, ValueError
        `y` is empty or holds no class numbers, an unknown kind, beta out of range.
    """
    labels = np.asarray(y)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise TypeError(f"y must be class numbers of shape (n,), received {labels.dtype} of shape {labels.shape}")
    if labels.size == 0 or labels.min() < 0:
        raise ValueError(f"y must hold class numbers of at least 0, received {shown(y)}")
    if kind not in NAMES:
        raise unknown_name("kind of class weights", kind, NAMES)
    beta = real_number(beta, "beta", high=1.0, closed=False)
    classes, counts = np.unique(labels, return_counts=True)
    weights: np.ndarray[Any, np.dtype[np.float64]]
    if kind == "balanced":
        weights = labels.size / (len(classes) * counts)
    else:
        # 1 - beta**n without losing what is left of it where beta is near 1.
        weights = 1.0 / -np.expm1(counts * np.log(beta)) if beta else np.ones(len(classes))
        weights *= len(classes) / weights.sum()
    return {int(c): float(w) for c, w in zip(classes, weights)}

"""Small functions on NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown
from ..shapes import whole_number


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float32]:
    """Class numbers as rows with a single one.

    Parameters
    ----------
    x : array of integers, any shape
        Classes from 0. A last axis of size 1 is dropped.
    num_classes : int, optional
        By default the largest class + 1.

    Returns
    -------
    array of shape x.shape + (num_classes,), float32

    Examples
    --------
    >>> to_categorical([2, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    classes = np.asarray(x)
    with np.errstate(invalid="ignore"):  # NaN becomes some integer, which the comparison below turns away
        whole = classes.astype(np.int64) if classes.dtype.kind in "iufb" else None
    if whole is None or (classes.dtype.kind == "f" and not np.array_equal(whole, classes)):
        raise TypeError(f"x must hold class numbers (integers), received {shown(x)}")
    if whole.ndim > 1 and whole.shape[-1] == 1:
        whole = whole[..., 0]
    if num_classes is None:
        if not whole.size:
            raise ValueError("num_classes must be given where x is empty")
        num_classes = int(whole.max()) + 1
    count = whole_number(num_classes, "num_classes", 0)
    if whole.size and (whole.min() < 0 or whole.max() >= count):
        raise ValueError(
            f"x must hold classes from 0 to {count - 1}, received {int(whole.min())} to {int(whole.max())}"
        )
    out = np.zeros((whole.size, count), np.float32)
    out[np.arange(whole.size), whole.ravel()] = 1
    return out.reshape(*whole.shape, count)


def normalize(x: ArrayLike, axis: int = -1, order: float = 2) -> NDArray[Any]:
    """Each vector along `axis` divided by its norm; zero vectors stay zero.

    Parameters
    ----------
    x : array
    axis : int
    order : float
        Of the norm: 2 is the Euclidean one.
    """
    values = np.asarray(x)
    norms = np.linalg.norm(values, order, axis, keepdims=True)
    return values / np.where(norms == 0, 1, norms)

"""Losses and their gradients with respect to the predictions.

Arguments come in the order of ``keras.ops``: the target first. Each function gives one loss a row (the last axis is
summed or averaged over; `binary_crossentropy` gives one an element), and its ``_backward`` takes one `dy` a loss: with
``dy = np.full(n, 1 / n)`` the result is the gradient of the mean over n losses.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, as_labels, empty, same_shape
from .._ops.kinds import LOSS
from ..errors import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def sparse_categorical_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False) -> Floats:
    """-log of the probability given to the right class.

    Parameters
    ----------
    target : array_like of int, (...) or (..., 1)
        Class numbers from 0 to classes - 1.
    output : array_like, (..., classes)
        Probabilities that sum to 1 along the last axis (clipped to [1e-7, 1 - 1e-7]), or logits.
    from_logits : bool
        Whether `output` is logits; softmax and logarithm are then taken together, which is exact for large ones too.

    Returns
    -------
    ndarray, (...)

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that don't fit, a class number out of range (named with its place).
    """
    return _categorical(None, *_labelled(target, output), from_logits, 0.0)[0]


def sparse_categorical_crossentropy_backward(
    dy: ArrayLike, target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """The gradient of `sparse_categorical_crossentropy` with respect to `output`.

    Parameters
    ----------
    dy : array_like, (...)
        The gradient with respect to the losses.
    target, output, from_logits
        As given to `sparse_categorical_crossentropy`.

    Returns
    -------
    ndarray, (..., classes)
        From logits: dy (softmax(output) - one_hot(target)).
    """
    return _gradient(_categorical(dy, *_labelled(target, output), from_logits, 0.0))


def categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """-sum(target log(output)) along the last axis.

    Parameters
    ----------
    target : array_like, (..., classes)
        Distributions over the classes; one-hot for plain labels.
    output : array_like, (..., classes)
        Probabilities (clipped to [1e-7, 1 - 1e-7]), or logits.
    from_logits : bool
        Whether `output` is logits.
    label_smoothing : float
        From 0 to 1: so much of the target is spread evenly over the classes (Szegedy et al. 2016, "Rethinking the
        Inception architecture", section 7).

    Returns
    -------
    ndarray, (...)

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that differ, smoothing out of range.
    """
    return _categorical(None, *_distributed(target, output), from_logits, label_smoothing)[0]


def categorical_crossentropy_backward(
    dy: ArrayLike,
    target: ArrayLike,
    output: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Floats:
    """The gradient of `categorical_crossentropy` with respect to `output`.

    Parameters
    ----------
    dy : array_like, (...)
        The gradient with respect to the losses.
    target, output, from_logits, label_smoothing
        As given to `categorical_crossentropy`.

    Returns
    -------
    ndarray, (..., classes)
    """
    return _gradient(_categorical(dy, *_distributed(target, output), from_logits, label_smoothing))


def binary_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False) -> Floats:
    """-(target log(output) + (1 - target) log(1 - output)), element by element.

    Parameters
    ----------
    target : array_like
        0, 1, or between.
    output : array_like
        Of target's shape: probabilities (clipped to [1e-7, 1 - 1e-7]), or logits.
    from_logits : bool
        Whether `output` is logits.

    Returns
    -------
    ndarray
        Of target's shape.

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that differ.
    """
    return _pointwise(None, target, output, _binary_kind(from_logits), rowwise=False)[0]


def binary_crossentropy_backward(
    dy: ArrayLike, target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """The gradient of `binary_crossentropy` with respect to `output`.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the losses, of target's shape.
    target, output, from_logits
        As given to `binary_crossentropy`.

    Returns
    -------
    ndarray
        Of target's shape.
    """
    return _gradient(_pointwise(dy, target, output, _binary_kind(from_logits), rowwise=False))


def mean_squared_error(target: ArrayLike, output: ArrayLike) -> Floats:
    """The mean of (output - target)^2 along the last axis.

    Parameters
    ----------
    target, output : array_like, (..., m)
        Of the same shape: nothing is broadcast.

    Returns
    -------
    ndarray, (...)

    Raises
    ------
    TypeError, ValueError
        Not arrays of numbers, shapes that differ, no last axis, or nothing along it.
    """
    return _pointwise(None, target, output, "squared_error")[0]


def mean_squared_error_backward(dy: ArrayLike, target: ArrayLike, output: ArrayLike) -> Floats:
    """The gradient of `mean_squared_error` with respect to `output`: 2 dy (output - target) / m.

    Parameters
    ----------
    dy : array_like, (...)
        The gradient with respect to the losses.
    target, output : array_like, (..., m)

    Returns
    -------
    ndarray, (..., m)
    """
    return _gradient(_pointwise(dy, target, output, "squared_error"))


def mean_absolute_error(target: ArrayLike, output: ArrayLike) -> Floats:
    """The mean of |output - target| along the last axis.

    Parameters
    ----------
    target, output : array_like, (..., m)
        As in `mean_squared_error`.

    Returns
    -------
    ndarray, (...)

    Raises
    ------
    TypeError, ValueError
        As `mean_squared_error`.
    """
    return _pointwise(None, target, output, "absolute_error")[0]


def mean_absolute_error_backward(dy: ArrayLike, target: ArrayLike, output: ArrayLike) -> Floats:
    """The gradient of `mean_absolute_error` with respect to `output`: dy sign(output - target) / m, 0 where equal.

    Parameters
    ----------
    dy : array_like, (...)
        The gradient with respect to the losses.
    target, output : array_like, (..., m)

    Returns
    -------
    ndarray, (..., m)
    """
    return _gradient(_pointwise(dy, target, output, "absolute_error"))


def _gradient(found: tuple[Floats, Floats | None]) -> Floats:
    assert found[1] is not None  # a dy was given
    return found[1]


def _predictions(output: ArrayLike) -> Floats:
    given = as_float32(output, "output")
    if given.ndim < 1 or given.shape[-1] < 1:
        raise ValueError(f"output must have a last axis of at least 1 element, received shape {given.shape}")
    return given


def _labelled(target: ArrayLike, output: ArrayLike) -> tuple[np.ndarray, Floats]:
    given = _predictions(output)
    return as_labels(target, "target", given.shape[:-1], given.shape[-1]), given


def _distributed(target: ArrayLike, output: ArrayLike) -> tuple[np.ndarray, Floats]:
    given = _predictions(output)
    return same_shape(target, "target", given.shape, "output"), given


def _categorical(
    dy: ArrayLike | None, target: np.ndarray, output: Floats, from_logits: bool, smoothing: Any
) -> tuple[Floats, Floats | None]:
    """Losses, and with `dy` the gradient. An integer `target` is labels, a float one distributions."""
    classes = output.shape[-1]
    if isinstance(smoothing, (bool, str)) or not 0 <= smoothing <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1, received {shown(smoothing)}")
    if not _flag(from_logits):
        if target.dtype == np.int32:
            target = np.eye(classes, dtype=np.float32)[target]
        target = target * np.float32(1 - smoothing) + np.float32(smoothing / classes)
        return _pointwise(dy, target, output, "categorical_crossentropy", row_scale=1.0)
    losses, weight, dlogits = _places(dy, output, output.shape[:-1])
    kind = "labels" if target.dtype == np.int32 else "targets"
    core.call(
        "softmax_crossentropy",
        logits=output,
        weight=weight,
        losses=losses,
        dlogits=dlogits,
        rows=losses.size,
        cols=classes,
        scale=1.0,
        smoothing=float(smoothing),
        **{kind: target},
    )
    return losses, dlogits


def _pointwise(
    dy: ArrayLike | None,
    target: ArrayLike,
    output: ArrayLike,
    kind: str,
    rowwise: bool = True,
    row_scale: float | None = None,
) -> tuple[Floats, Floats | None]:
    """Losses, and with `dy` the gradient. `row_scale`: factor of a row's sum, 1 / columns if not given."""
    p = _predictions(output) if rowwise else as_float32(output, "output")
    t = same_shape(target, "target", p.shape, "output")
    shape = p.shape[:-1] if rowwise else p.shape
    columns = p.shape[-1] if rowwise else 1
    losses, weight, dp = _places(dy, p, shape)
    scale = 1.0 / columns if row_scale is None else row_scale
    core.call(
        "pointwise_loss",
        p=p,
        t=t,
        weight=weight,
        losses=losses,
        dp=dp,
        rows=math.prod(shape),
        cols=columns,
        kind=LOSS[kind],
        scale=1.0,
        row_scale=scale,
    )
    return losses, dp


def _places(
    dy: ArrayLike | None, output: Floats, shape: tuple[int, ...]
) -> tuple[Floats, Floats | None, Floats | None]:
    """Memory for the losses; with `dy`, that as the rows' weights, and memory for the gradient."""
    losses = empty(shape, "the losses")
    if dy is None:
        return losses, None, None
    return losses, same_shape(dy, "dy", shape, "the losses"), empty(output.shape, "the gradient")


def _binary_kind(from_logits: bool) -> str:
    return "binary_crossentropy_logits" if _flag(from_logits) else "binary_crossentropy"


def _flag(from_logits: Any) -> bool:
    if not isinstance(from_logits, (bool, np.bool_)):
        raise TypeError(f"from_logits must be True or False, received {shown(from_logits)}")
    return bool(from_logits)

"""Activation functions made of straight lines, other than the ReLUs, forward and backward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..shapes import real_number
from .activations import unary, unary_backward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def hard_sigmoid(x: ArrayLike, out: Floats | None = None) -> Floats:
    """min(max(x / 6 + 1 / 2, 0), 1), element by element.

    Parameters
    ----------
    x : array_like
        Of any shape.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, or out doesn't fit.
    """
    return unary("hard_sigmoid", x, out)


def hard_sigmoid_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `hard_sigmoid` with respect to x: dy / 6 where -3 < x < 3, else 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `hard_sigmoid`.
    y : array_like, optional
        The result of ``hard_sigmoid(x)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `hard_sigmoid`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("hard_sigmoid", dy, x, out, y)


def hard_silu(x: ArrayLike, out: Floats | None = None) -> Floats:
    """x hard_sigmoid(x), also called hard_swish (Howard et al. 2019, "Searching for MobileNetV3").

    Parameters
    ----------
    x : array_like
        Of any shape.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, or out doesn't fit.
    """
    return unary("hard_silu", x, out)


def hard_silu_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `hard_silu` with respect to x: dy (x / 3 + 1 / 2) where -3 < x < 3, dy above, 0 below.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `hard_silu`.
    out : ndarray, optional
        As in `hard_silu`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("hard_silu", dy, x, out)


def hard_tanh(x: ArrayLike, out: Floats | None = None) -> Floats:
    """min(max(x, -1), 1), element by element.

    Parameters
    ----------
    x : array_like
        Of any shape.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, or out doesn't fit.
    """
    return unary("clip", x, out, alpha=-1.0, beta=1.0)


def hard_tanh_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `hard_tanh` with respect to x: dy where -1 < x < 1, else 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `hard_tanh`.
    y : array_like, optional
        The result of ``hard_tanh(x)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `hard_tanh`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("clip", dy, x, out, y, alpha=-1.0, beta=1.0)


def threshold(x: ArrayLike, threshold: float, default_value: float, out: Floats | None = None) -> Floats:
    """x where x > threshold, else default_value, element by element.

    Parameters
    ----------
    x : array_like
        Of any shape.
    threshold : float
    default_value : float
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, threshold or default_value is not a finite number, or out doesn't fit.
    """
    return unary(
        "threshold", x, out, alpha=_finite(threshold, "threshold"), beta=_finite(default_value, "default_value")
    )


def threshold_backward(
    dy: ArrayLike, x: ArrayLike, threshold: float, default_value: float, out: Floats | None = None
) -> Floats:
    """The gradient of `threshold` with respect to x: dy where x > threshold, else 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, threshold, default_value
        As given to `threshold`.
    out : ndarray, optional
        As in `threshold`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward(
        "threshold", dy, x, out, alpha=_finite(threshold, "threshold"), beta=_finite(default_value, "default_value")
    )


def hard_shrink(x: ArrayLike, threshold: float = 0.5, out: Floats | None = None) -> Floats:
    """x where abs(x) > threshold, else 0, element by element.

    Parameters
    ----------
    x : array_like
        Of any shape.
    threshold : float
        At least 0.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, threshold is negative or no number, or out doesn't fit.
    """
    threshold = real_number(threshold, "threshold")
    return unary("shrink", x, out, alpha=threshold, beta=0.0)


def hard_shrink_backward(dy: ArrayLike, x: ArrayLike, threshold: float = 0.5, out: Floats | None = None) -> Floats:
    """The gradient of `hard_shrink` with respect to x: dy where abs(x) > threshold, else 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, threshold
        As given to `hard_shrink`.
    out : ndarray, optional
        As in `hard_shrink`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    threshold = real_number(threshold, "threshold")
    return unary_backward("shrink", dy, x, out, alpha=threshold, beta=0.0)


def soft_shrink(x: ArrayLike, threshold: float = 0.5, out: Floats | None = None) -> Floats:
    """x moved towards 0 by threshold where abs(x) > threshold, else 0, element by element.

    Parameters
    ----------
    x : array_like
        Of any shape.
    threshold : float
        At least 0.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, threshold is negative or no number, or out doesn't fit.
    """
    threshold = real_number(threshold, "threshold")
    return unary("shrink", x, out, alpha=threshold, beta=threshold)


def soft_shrink_backward(dy: ArrayLike, x: ArrayLike, threshold: float = 0.5, out: Floats | None = None) -> Floats:
    """The gradient of `soft_shrink` with respect to x: dy where abs(x) > threshold, else 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, threshold
        As given to `soft_shrink`.
    out : ndarray, optional
        As in `soft_shrink`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    threshold = real_number(threshold, "threshold")
    return unary_backward("shrink", dy, x, out, alpha=threshold, beta=threshold)


def _finite(value: float, name: str) -> float:
    return real_number(value, name, low=-math.inf)

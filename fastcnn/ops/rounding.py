"""Functions with steps and limits, element by element, forward and backward."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING

from ..errors import shown
from .activations import unary, unary_backward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def clip(x: ArrayLike, x_min: float, x_max: float, out: Floats | None = None) -> Floats:
    """min(max(x, x_min), x_max), element by element; NaN stays NaN.

    Parameters
    ----------
    x : array_like
        Of any shape.
    x_min : float
        May be minus infinity.
    x_max : float
        May be infinity. Where it is below x_min, all results are x_max.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, a limit is NaN or no number, or out doesn't fit.
    """
    return unary("clip", x, out, alpha=_limit(x_min, "x_min"), beta=_limit(x_max, "x_max"))


def clip_backward(
    dy: ArrayLike, x: ArrayLike, x_min: float, x_max: float, y: ArrayLike | None = None, out: Floats | None = None
) -> Floats:
    """The gradient of `clip` with respect to x: dy where x_min < x < x_max, else 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, x_min, x_max
        As given to `clip`.
    y : array_like, optional
        The result of ``clip(x, x_min, x_max)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `clip`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("clip", dy, x, out, y, alpha=_limit(x_min, "x_min"), beta=_limit(x_max, "x_max"))


def floor(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The largest whole number that is not above x, element by element.

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
    return unary("floor", x, out)


def floor_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `floor` with respect to x: 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `floor`.
    out : ndarray, optional
        As in `floor`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("floor", dy, x, out)


def ceil(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The smallest whole number that is not below x, element by element.

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
    return unary("ceil", x, out)


def ceil_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `ceil` with respect to x: 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `ceil`.
    out : ndarray, optional
        As in `ceil`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("ceil", dy, x, out)


def round(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The nearest whole number, halves to the even one, element by element.

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
    return unary("round", x, out)


def round_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `round` with respect to x: 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `round`.
    out : ndarray, optional
        As in `round`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("round", dy, x, out)


def sign(x: ArrayLike, out: Floats | None = None) -> Floats:
    """-1, 0 or 1, element by element.

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
    return unary("sign", x, out)


def sign_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `sign` with respect to x: 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `sign`.
    out : ndarray, optional
        As in `sign`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("sign", dy, x, out)


def _limit(value: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
        raise ValueError(f"{name} must be a number other than NaN, received {shown(value)}")
    return float(value)

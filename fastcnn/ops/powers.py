"""Powers and roots, element by element, forward and backward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._ops.kinds import POWERS
from ..shapes import real_number
from .activations import unary, unary_backward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def sqrt(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The square root; NaN below 0, element by element.

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
    return unary("sqrt", x, out)


def sqrt_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `sqrt` with respect to x: dy / (2 sqrt(x)).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `sqrt`.
    y : array_like, optional
        The result of ``sqrt(x)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `sqrt`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("sqrt", dy, x, out, y)


def square(x: ArrayLike, out: Floats | None = None) -> Floats:
    """x^2, element by element.

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
    return unary("square", x, out)


def square_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `square` with respect to x: 2 dy x.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `square`.
    out : ndarray, optional
        As in `square`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("square", dy, x, out)


def reciprocal(x: ArrayLike, out: Floats | None = None) -> Floats:
    """1 / x, element by element.

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
    return unary("reciprocal", x, out)


def reciprocal_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `reciprocal` with respect to x: -dy / x^2.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `reciprocal`.
    y : array_like, optional
        The result of ``reciprocal(x)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `reciprocal`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("reciprocal", dy, x, out, y)


def power(x: ArrayLike, exponent: float, out: Floats | None = None) -> Floats:
    """x to a power, element by element; NaN for negative x unless the exponent is whole.

    Parameters
    ----------
    x : array_like
        Of any shape.
    exponent : float
        Finite.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, exponent is not a finite number, or out doesn't fit.
    """
    number = real_number(exponent, "exponent", low=-math.inf)
    return unary(POWERS.get(number, "power"), x, out, alpha=number)


def power_backward(dy: ArrayLike, x: ArrayLike, exponent: float, out: Floats | None = None) -> Floats:
    """The gradient of `power` with respect to x: dy exponent x^(exponent - 1).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, exponent
        As given to `power`.
    out : ndarray, optional
        As in `power`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    number = real_number(exponent, "exponent", low=-math.inf)
    return unary_backward(POWERS.get(number, "power"), dy, x, out, alpha=number)

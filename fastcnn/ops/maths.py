"""Elementary functions, element by element, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .activations import unary, unary_backward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def exp(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The exponential function, element by element.

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
    return unary("exp", x, out)


def exp_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `exp` with respect to x: dy exp(x).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `exp`.
    y : array_like, optional
        The result of ``exp(x)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `exp`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("exp", dy, x, out, y)


def log(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The natural logarithm; -inf at 0, NaN below, element by element.

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
    return unary("log", x, out)


def log_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `log` with respect to x: dy / x.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `log`.
    out : ndarray, optional
        As in `log`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("log", dy, x, out)


def abs(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The absolute value, element by element.

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
    return unary("abs", x, out)


def abs_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `abs` with respect to x: dy sign(x).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `abs`.
    out : ndarray, optional
        As in `abs`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("abs", dy, x, out)


def negative(x: ArrayLike, out: Floats | None = None) -> Floats:
    """-x, element by element.

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
    return unary("negative", x, out)


def negative_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `negative` with respect to x: -dy.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `negative`.
    out : ndarray, optional
        As in `negative`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("negative", dy, x, out)


def erf(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) over t = 0 .. x, element by element.

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
    return unary("erf", x, out)


def erf_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `erf` with respect to x: 2 / sqrt(pi) dy exp(-x^2).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `erf`.
    out : ndarray, optional
        As in `erf`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("erf", dy, x, out)

"""Activation functions with an exponential or the error function in them, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..shapes import real_number
from .activations import unary, unary_backward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def elu(x: ArrayLike, alpha: float = 1.0, out: Floats | None = None) -> Floats:
    """x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2015, "Exponential linear units").

    Parameters
    ----------
    x : array_like
        Of any shape.
    alpha : float
        The limit far below 0 is -alpha; at least 0.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, alpha is negative or no number, or out doesn't fit.
    """
    alpha = real_number(alpha, "alpha")
    return unary("elu", x, out, alpha=alpha)


def elu_backward(
    dy: ArrayLike, x: ArrayLike, alpha: float = 1.0, y: ArrayLike | None = None, out: Floats | None = None
) -> Floats:
    """The gradient of `elu` with respect to x: dy where x > 0, else dy alpha exp(x).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, alpha
        As given to `elu`.
    y : array_like, optional
        The result of ``elu(x, alpha)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `elu`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    alpha = real_number(alpha, "alpha")
    return unary_backward("elu", dy, x, out, y, alpha=alpha)


def selu(x: ArrayLike, out: Floats | None = None) -> Floats:
    """1.0507 x where x > 0, else 1.0507 * 1.6733 (exp(x) - 1): `elu` with numbers that keep mean 0 and variance 1.

    Klambauer et al. 2017, "Self-normalizing neural networks".

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
    return unary("selu", x, out)


def selu_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `selu` with respect to x: 1.0507 dy where x > 0, else 1.0507 * 1.6733 dy exp(x).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `selu`.
    y : array_like, optional
        The result of ``selu(x)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `selu`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("selu", dy, x, out, y)


def celu(x: ArrayLike, alpha: float = 1.0, out: Floats | None = None) -> Floats:
    """x where x > 0, else alpha (exp(x / alpha) - 1), whose slope at 0 is 1 for any alpha.

    Barron 2017, "Continuously differentiable exponential linear units".

    Parameters
    ----------
    x : array_like
        Of any shape.
    alpha : float
        The limit far below 0 is -alpha; above 0.
    out : ndarray, optional
        Where the result goes: float32, C-contiguous, of x's shape; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        x is not an array of numbers, alpha is not above 0, or out doesn't fit.
    """
    alpha = above_zero(alpha, "alpha")
    return unary("elu", x, out, alpha=alpha, beta=1.0 / alpha)


def celu_backward(
    dy: ArrayLike, x: ArrayLike, alpha: float = 1.0, y: ArrayLike | None = None, out: Floats | None = None
) -> Floats:
    """The gradient of `celu` with respect to x: dy where x > 0, else dy exp(x / alpha).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, alpha
        As given to `celu`.
    y : array_like, optional
        The result of ``celu(x, alpha)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `celu`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    alpha = above_zero(alpha, "alpha")
    return unary_backward("elu", dy, x, out, y, alpha=alpha, beta=1.0 / alpha)


def softplus(x: ArrayLike, out: Floats | None = None) -> Floats:
    """log(1 + exp(x)), a smooth `relu` (Glorot et al. 2011, "Deep sparse rectifier neural networks").

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
    return unary("softplus", x, out)


def softplus_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `softplus` with respect to x: dy sigmoid(x).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `softplus`.
    y : array_like, optional
        The result of ``softplus(x)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `softplus`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("softplus", dy, x, out, y)


def softsign(x: ArrayLike, out: Floats | None = None) -> Floats:
    """x / (1 + abs(x)), element by element; -1 and 1 at the infinities.

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
    return unary("softsign", x, out)


def softsign_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `softsign` with respect to x: dy / (1 + abs(x))^2.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `softsign`.
    y : array_like, optional
        The result of ``softsign(x)``, where it is at hand: it needn't be computed again then.
    out : ndarray, optional
        As in `softsign`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("softsign", dy, x, out, y)


def silu(x: ArrayLike, out: Floats | None = None) -> Floats:
    """x sigmoid(x), also called swish (Ramachandran et al. 2017, "Searching for activation functions").

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
    return unary("silu", x, out)


def silu_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `silu` with respect to x: dy s (1 + x (1 - s)), s = sigmoid(x).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `silu`.
    out : ndarray, optional
        As in `silu`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("silu", dy, x, out)


def gelu(x: ArrayLike, approximate: bool = False, out: Floats | None = None) -> Floats:
    """x times the normal distribution function at x (Hendrycks and Gimpel 2016, "Gaussian error linear units").

    Parameters
    ----------
    x : array_like
        Of any shape.
    approximate : bool
        By a formula with tanh instead of the error function.
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
    return unary("gelu_tanh" if approximate else "gelu", x, out)


def gelu_backward(dy: ArrayLike, x: ArrayLike, approximate: bool = False, out: Floats | None = None) -> Floats:
    """The gradient of `gelu` with respect to x: dy (cdf(x) + x density(x)).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x, approximate
        As given to `gelu`.
    out : ndarray, optional
        As in `gelu`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("gelu_tanh" if approximate else "gelu", dy, x, out)


def mish(x: ArrayLike, out: Floats | None = None) -> Floats:
    """x tanh(softplus(x)) (Misra 2019, "Mish: a self regularized non-monotonic activation function").

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
    return unary("mish", x, out)


def mish_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `mish` with respect to x: dy (t + x (1 - t^2) sigmoid(x)), t = tanh(softplus(x)).

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `mish`.
    out : ndarray, optional
        As in `mish`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("mish", dy, x, out)


def above_zero(value: object, name: str) -> float:
    """`value` as a finite float > 0, or an error that names the argument."""
    number = real_number(value, name)
    if number == 0:
        raise ValueError(f"{name} must be a finite number above 0, received {value!r}")
    return number

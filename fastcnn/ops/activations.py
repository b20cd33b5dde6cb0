"""The ReLUs, sigmoid and tanh, forward and backward, and what functions of one argument share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, result, same_shape
from .._ops.kinds import FROM_RESULT, NUMBERS, UNARY
from ..errors import shown, unknown_name
from ..graph import Value, functional
from .softmax import softmax_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats

#: What conv2d, depthwise_conv2d and dense take as `activation`.
ACTIVATIONS = ("linear", "relu", "leaky_relu", "relu6", "sigmoid", "tanh", "softmax")


def check_activation(activation: Any) -> str:
    """The name of an activation; None is "linear"."""
    if activation is None:
        return "linear"
    if not isinstance(activation, str):
        raise TypeError(f"activation must be a name or None, received {shown(activation)}")
    if activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    return activation


def activate_in_place(y: Floats, activation: str, alpha: float = 0.0) -> None:
    """Apply an activation to a result; alpha: the slope of leaky ReLU."""
    if activation == "softmax":
        softmax_rows(y, y)
    else:
        core.call("unary_forward", x=y, y=y, count=y.size, kind=UNARY[activation], alpha=alpha, beta=0.0)


def unary(name: str, x: ArrayLike, out: Floats | None, alpha: float | None = None, beta: float | None = None) -> Any:
    """f(x) for one of the kernels' element-wise functions; alpha and beta: its numbers, Keras' where left out."""
    if isinstance(x, Value):
        return functional.unary(x, name, alpha, beta=beta)
    given = as_float32(x, "x")
    y = result(out, given.shape, [given], name, in_place=True)
    core.call("unary_forward", x=given, y=y, count=y.size, **_kernel_numbers(name, alpha, beta))
    return y


def _kernel_numbers(name: str, alpha: float | None, beta: float | None) -> dict[str, Any]:
    usual = NUMBERS.get(name, (0.0, 0.0))
    numbers = {"alpha": usual[0] if alpha is None else alpha, "beta": usual[1] if beta is None else beta}
    return {"kind": UNARY[name], **numbers}


def unary_backward(
    name: str,
    dy: ArrayLike,
    x: ArrayLike,
    out: Floats | None,
    y: ArrayLike | None = None,
    alpha: float | None = None,
    beta: float | None = None,
) -> Floats:
    """The gradient dy f'(x). `y`: f(x) where the caller has it, else it is computed again where the kernel needs it."""
    given = as_float32(x, "x")
    upstream = same_shape(dy, "dy", given.shape, "x")
    saved = given
    if y is not None:
        saved = same_shape(y, "y", given.shape, "x")
    elif name in FROM_RESULT:
        saved = unary(name, given, None, alpha, beta)
    # Only over dy may the gradient be written.
    dx = result(out, given.shape, [upstream], name, in_place=True)
    if np.may_share_memory(dx, saved) or np.may_share_memory(dx, given):
        raise ValueError("out must not overlap x or y")
    numbers = _kernel_numbers(name, alpha, beta)
    core.call("unary_backward", dy=upstream, saved=saved, dx=dx, count=dx.size, **numbers)
    return dx


def relu(x: ArrayLike, out: Floats | None = None) -> Floats:
    """max(x, 0), element by element; NaN stays NaN (Nair and Hinton 2010, "Rectified linear units").

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
    return unary("relu", x, out)


def relu_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `relu` with respect to x: dy where x > 0, else 0.

    Parameters
    ----------
    dy : array_like
        The gradient with respect to the result, of x's shape.
    x : array_like
        As given to `relu` (its result serves as well).
    out : ndarray, optional
        As in `relu`; may be dy itself.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("relu", dy, x, out, y=x)


def relu6(x: ArrayLike, out: Floats | None = None) -> Floats:
    """min(max(x, 0), 6), element by element (Howard et al. 2017, "MobileNets").

    Parameters
    ----------
    x, out
        As in `relu`.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary("relu6", x, out)


def relu6_backward(dy: ArrayLike, x: ArrayLike, out: Floats | None = None) -> Floats:
    """The gradient of `relu6` with respect to x: dy where 0 < x < 6, else 0.

    Parameters
    ----------
    dy, x, out
        As in `relu_backward`.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("relu6", dy, x, out, y=x)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.2, out: Floats | None = None) -> Floats:
    """Linear on both sides of 0: x where x >= 0, else negative_slope x (Maas et al. 2013, "Rectifier nonlinearities").

    Parameters
    ----------
    x, out
        As in `relu`.
    negative_slope : float
        Finite.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary("leaky_relu", x, out, _slope(negative_slope))


def leaky_relu_backward(dy: ArrayLike, x: ArrayLike, negative_slope: float = 0.2, out: Floats | None = None) -> Floats:
    """The gradient of `leaky_relu` with respect to x.

    Parameters
    ----------
    dy, out
        As in `relu_backward`.
    x, negative_slope
        As given to `leaky_relu`.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("leaky_relu", dy, x, out, y=x, alpha=_slope(negative_slope))


def sigmoid(x: ArrayLike, out: Floats | None = None) -> Floats:
    """1 / (1 + exp(-x)), element by element.

    Parameters
    ----------
    x, out
        As in `relu`.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary("sigmoid", x, out)


def sigmoid_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `sigmoid` with respect to x: dy y (1 - y).

    Parameters
    ----------
    dy, x, out
        As in `relu_backward`.
    y : array_like, optional
        The result of ``sigmoid(x)``, where it is at hand: it needn't be computed again then.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("sigmoid", dy, x, out, y)


def tanh(x: ArrayLike, out: Floats | None = None) -> Floats:
    """The hyperbolic tangent, element by element.

    Parameters
    ----------
    x, out
        As in `relu`.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary("tanh", x, out)


def tanh_backward(dy: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, out: Floats | None = None) -> Floats:
    """The gradient of `tanh` with respect to x: dy (1 - y^2).

    Parameters
    ----------
    dy, x, out
        As in `relu_backward`.
    y : array_like, optional
        The result of ``tanh(x)``, where it is at hand.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    return unary_backward("tanh", dy, x, out, y)


def _slope(negative_slope: Any) -> float:
    if isinstance(negative_slope, (bool, str)) or not np.isscalar(negative_slope) or not np.isreal(negative_slope):
        raise TypeError(f"negative_slope must be a number, received {shown(negative_slope)}")
    slope = float(negative_slope)  # type: ignore[arg-type]
    if not math.isfinite(slope):
        raise ValueError(f"negative_slope must be finite, received {slope}")
    return slope

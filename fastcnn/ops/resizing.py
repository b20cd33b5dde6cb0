"""Images of another size, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._ops import core
from .._ops.arrays import as_images, result, same_shape
from .._ops.resampling import KERAS, Resampling, taps
from ..errors import unknown_name
from ..shapes import pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def resize(
    x: ArrayLike,
    size: int | Sequence[int],
    interpolation: str | Resampling = "bilinear",
    antialias: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Images of another size.

    Parameters
    ----------
    x : array_like, (n, height, width, c)
    size : int or (int, int)
        Rows and columns of the result.
    interpolation : str or Resampling
        "bilinear", "nearest" or "bicubic", as Keras has them; "area", the mean over what a pixel covers; a `Resampling`
        for other ways.
    antialias : bool
        Where images become smaller, take the mean over all pixels between. Not of a `Resampling`, which says so itself.
    out : ndarray, (n, rows, columns, c), optional
        Where the result goes: float32, C-contiguous, apart from x.

    Returns
    -------
    ndarray, (n, rows, columns, c)

    Raises
    ------
    TypeError, ValueError
        x is not images, or has no pixels; a size that is not positive; another interpolation; out doesn't fit.
    """
    images = as_images(x, "x")
    shape = images.shape
    rows, columns = pair(size, "size")
    y = result(out, (shape[0], rows, columns, shape[3]), [images], "resize")
    _resample(images, y, shape[1:3], (rows, columns), _how(interpolation, antialias), False)
    return y


def resize_backward(
    dy: ArrayLike,
    x: ArrayLike,
    size: int | Sequence[int],
    interpolation: str | Resampling = "bilinear",
    antialias: bool = False,
) -> Floats:
    """The gradient of `resize` with respect to x.

    Parameters
    ----------
    dy : array_like, (n, rows, columns, c)
        The gradient with respect to the result.
    x, size, interpolation, antialias
        As given to `resize`; of x only the shape matters.

    Returns
    -------
    ndarray
        Of x's shape.
    """
    shape = as_images(x, "x").shape
    rows, columns = pair(size, "size")
    upstream = same_shape(dy, "dy", (shape[0], rows, columns, shape[3]), "the result")
    dx = result(None, shape, [], "resize_backward")
    _resample(upstream, dx, shape[1:3], (rows, columns), _how(interpolation, antialias), True)
    return dx


def _how(interpolation: Any, antialias: bool) -> Resampling:
    if isinstance(interpolation, Resampling):
        return interpolation
    if interpolation not in KERAS:
        raise unknown_name("interpolation", interpolation, KERAS)
    return KERAS[interpolation].smooth() if antialias else KERAS[interpolation]


def _resample(x: Floats, y: Floats, size: Any, out: tuple[int, int], how: Resampling, backward: bool) -> None:
    if min(size) < 1:
        raise ValueError(f"x must be at least 1x1, received images of {size[0]}x{size[1]}")
    n, h, w, c = x.shape
    args: dict[str, Any] = {}
    for axis, before, after in zip(("row", "col"), size, out):
        found = taps(before, after, how, None, backward)
        args |= {**found.arrays(axis), f"{axis}_taps": found.index.size}
    core.call("resize", x=x, y=y, n=n, h=h, w=w, c=c, oh=y.shape[1], ow=y.shape[2], **args)

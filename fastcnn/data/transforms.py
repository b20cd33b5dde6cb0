"""Sizes and parts of images, as functions on arrays.

Images are (height, width, channels), or (n, height, width, channels) for several; whatever has one of these shapes
comes back in it. Where pixels are interpolated the result is float32, and the same as that of the layer of that name;
elsewhere pixels stay what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops, random
from .._ops.arrays import real_array, result
from .._ops.resampling import KERAS, Resampling
from ..errors import shown, unknown_name
from ..shapes import check_padding, pair, real_number
from .placing import Placement, fitted, largest_within, smallest_around

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Images = NDArray[Any]
    Floats = NDArray[np.float32]

#: Ways to fill margins: NumPy's name of each.
FILLS = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}


def as_batch(x: ArrayLike) -> tuple[Images, bool]:
    """Images with a batch axis, and whether there was none."""
    given = real_array(x, "x")
    if given.ndim not in (3, 4):
        raise ValueError(f"x must be (height, width, channels) or (n, height, width, channels), received {given.shape}")
    return (given[None], True) if given.ndim == 3 else (given, False)


def resize(
    x: ArrayLike,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_value: float = 0.0,
) -> Floats:
    """Images of another size, as the layer `Resizing` makes them.

    Parameters
    ----------
    x : array_like
    size : int or (int, int)
        Height and width of the result.
    interpolation : "bilinear", "nearest", "bicubic" or "area"
        "area" is the mean over all that a pixel covers.
    antialias : bool
        Where images become smaller, take a mean over all pixels between instead of leaving most out.
    crop_to_aspect_ratio, pad_to_aspect_ratio : bool
        First cut off, or fill with `fill_value`, what another ratio of height to width leaves over, instead of
        stretching.

    Returns
    -------
    array, float32

    Raises
    ------
    ValueError, TypeError
        x is not images; a size below 1; an unknown interpolation; both of cropping and padding.
    """
    images, single = as_batch(x)
    height, width = pair(size, "size")
    rows, columns = images.shape[1:3]
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("crop_to_aspect_ratio and pad_to_aspect_ratio can't both be True")
    if crop_to_aspect_ratio:
        top, left, part_rows, part_columns = largest_within(rows, columns, height, width)
        images = images[:, top : top + part_rows, left : left + part_columns]
    elif pad_to_aspect_ratio:
        margins = smallest_around(rows, columns, height, width)
        fill = real_number(fill_value, "fill_value", -np.inf)
        images = np.pad(images.astype(np.float32), ((0, 0), *margins, (0, 0)), constant_values=fill)
    y = ops.resize(images, (height, width), interpolation, antialias)
    return y[0] if single else y


def letterbox(
    x: ArrayLike,
    size: Any,
    fill_value: float = 114.0,
    interpolation: str = "bilinear",
    antialias: bool = True,
    center: bool = True,
    out: Floats | None = None,
) -> tuple[Floats, Placement]:
    """Images resized so that they fit, their ratio kept, between margins.

    Parameters
    ----------
    x : array_like
    size : int or (int, int)
    fill_value : float
        Of the margins.
    interpolation, antialias
        As for `resize`.
    center : bool
        Whether the images lie in the middle; False: in the upper left.
    out : ndarray, float32, optional
        Where the result goes: C-contiguous, apart from x.

    Returns
    -------
    images : array, float32
    placement : Placement
        ``placement.boxes(boxes)`` moves boxes along, ``placement.inverse(boxes)`` moves a detector's back.

    Raises
    ------
    ValueError, TypeError
        x is not images, or has no pixels; a size below 1; an unknown interpolation; out doesn't fit.
    """
    images, single = as_batch(x)
    height, width = pair(size, "size")
    fill = real_number(fill_value, "fill_value", -np.inf)
    rows, columns = images.shape[1:3]
    if min(rows, columns) < 1:
        raise ValueError(f"x must have pixels, received images of {rows}x{columns}")
    if not isinstance(interpolation, Resampling) and interpolation not in KERAS:
        raise unknown_name("interpolation", interpolation, KERAS)
    inner = fitted(rows, columns, height, width)
    top, left = ((height - inner[0]) // 2, (width - inner[1]) // 2) if center else (0, 0)
    given = out[None] if single and isinstance(out, np.ndarray) else out
    y = result(given, (len(images), height, width, images.shape[3]), [images], "letterbox")
    band = y[:, top : top + inner[0]]
    for margin in (y[:, :top], y[:, top + inner[0] :], band[:, :, :left], band[:, :, left + inner[1] :]):
        margin[...] = fill
    part = band[:, :, left : left + inner[1]]
    if inner == (rows, columns):
        part[...] = images
    elif part.flags.c_contiguous:  # one image between margins above and below it: no copy of it
        ops.resize(images, inner, interpolation, antialias, part)
    else:
        part[...] = ops.resize(images, inner, interpolation, antialias)
    return (y[0] if single else y), Placement(inner[1] / columns, inner[0] / rows, left, top, (rows, columns))


def _crop_size(images: Images, size: Any) -> tuple[int, int]:
    height, width = pair(size, "size")
    if height > images.shape[1] or width > images.shape[2]:
        raise ValueError(
            f"size must be at most that of the images, {images.shape[1]}x{images.shape[2]}, received {height}x{width}"
        )
    return height, width


def center_crop(x: ArrayLike, size: Any) -> Images:
    """The middle of images, as the layer `CenterCrop` takes it: what is smaller than `size` is resized instead, without
    stretching it, to float32.
    """
    images, single = as_batch(x)
    height, width = pair(size, "size")
    rows, columns = images.shape[1:3]
    if rows < height or columns < width:
        return resize(x, (height, width), crop_to_aspect_ratio=True)
    top, left = (rows - height) // 2, (columns - width) // 2
    y = images[:, top : top + height, left : left + width]
    return y[0] if single else y


def random_crop(x: ArrayLike, size: Any, seed: int | None = None) -> Images:
    """A part of each image, anywhere in it.

    Parameters
    ----------
    seed : int, optional
        Where not given, the places are drawn from fastcnn's random numbers.

    Raises
    ------
    ValueError
        The images are smaller than `size`.
    """
    images, single = as_batch(x)
    height, width = _crop_size(images, size)
    generator = random.generator() if seed is None else np.random.default_rng(random.check_seed(seed))
    tops = generator.integers(0, images.shape[1] - height + 1, len(images))
    lefts = generator.integers(0, images.shape[2] - width + 1, len(images))
    y = np.empty((len(images), height, width, images.shape[3]), images.dtype)
    for i, (top, left) in enumerate(zip(tops, lefts)):
        y[i] = images[i, top : top + height, left : left + width]
    return y[0] if single else y


def corner_crops(x: ArrayLike, size: Any) -> Images:
    """The four corners of images and their middle: (n, 5, height, width, channels), or without n of one image.

    The order is top left, top right, bottom left, bottom right, middle. A prediction that is the mean over them is the
    "multi-crop" of Krizhevsky et al. (2012), without the mirrored ones.
    """
    images, single = as_batch(x)
    height, width = _crop_size(images, size)
    bottom, right = images.shape[1] - height, images.shape[2] - width
    corners = ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2))
    y = np.stack([images[:, top : top + height, left : left + width] for top, left in corners], axis=1)
    return y[0] if single else y


def pad(x: ArrayLike, padding: Any, fill_mode: str = "constant", fill_value: float = 0.0) -> Images:
    """Images with margins.

    Parameters
    ----------
    x : array_like
    padding : int or ((int, int), (int, int))
        At all sides, or ((top, bottom), (left, right)).
    fill_mode : "constant", "nearest", "reflect" or "wrap"
        With `fill_value`, with the pixels of the edge, mirrored at the edge, or with those of the other side.

    Raises
    ------
    ValueError
        Another mode; a fill_value that pixels of this type can't have.
    """
    images, single = as_batch(x)
    sides = check_padding(padding)
    if isinstance(sides, str):
        raise ValueError(f"padding must be an int or ((top, bottom), (left, right)), received {shown(padding)}")
    if fill_mode not in FILLS:
        raise unknown_name("fill_mode", fill_mode, FILLS)
    options: dict[str, Any] = {}
    if fill_mode == "constant":
        given = real_number(fill_value, "fill_value", -np.inf)
        with np.errstate(all="ignore"):
            value = np.asarray(given).astype(images.dtype)
        # Floating-point pixels round it; too large a number becomes infinite.
        if float(value) != given if images.dtype.kind in "biu" else np.isfinite(value) != np.isfinite(given):
            raise ValueError(f"fill_value must be a number that pixels of {images.dtype} can be, received {fill_value}")
        options["constant_values"] = value
    how: Any = FILLS[fill_mode]  # NumPy lists the names in its types
    y = np.pad(images, ((0, 0), *sides, (0, 0)), how, **options)
    return y[0] if single else y

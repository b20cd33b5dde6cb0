"""Numbers and colours of pixels, as functions on arrays (..., height, width, channels)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops.arrays import real_array
from ..errors import shown, unknown_name

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Images = NDArray[Any]
    Floats = NDArray[np.float32]

#: How bright red, green and blue are (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
#: Mean and standard deviation of pixels from 0 to 255, as networks were trained with them. "imagenet" is PyTorch's,
#: "caffe" has its colours in the order blue, green, red.
PRESETS: dict[str, tuple[Any, Any]] = {
    "imagenet": ((255 * 0.485, 255 * 0.456, 255 * 0.406), (255 * 0.229, 255 * 0.224, 255 * 0.225)),
    "caffe": ((103.939, 116.779, 123.68), 1.0),
    "tf": (127.5, 127.5),
    "-1..1": (127.5, 127.5),
    "0..1": (0.0, 255.0),
}


def normalize(x: ArrayLike, preset: str | None = None, mean: Any = None, std: Any = None) -> Floats:
    """``(x - mean) / std`` for each channel, as the layer `Normalization` with these statistics does.

    Parameters
    ----------
    x : array_like, (..., channels)
    preset : "imagenet", "caffe", "tf", "-1..1" or "0..1"
        Of pixels from 0 to 255, red, green and blue; "caffe" puts blue first. Instead of `mean` and `std`.
    mean, std : float or (channels,) array_like
        Of pixels as they are in x.

    Returns
    -------
    array of the same shape, float32

    Raises
    ------
    ValueError
        An unknown preset; neither a preset nor both of mean and std, or all; other numbers of channels; an std that is
        not above 0.
    """
    images = real_array(x, "x")
    if (preset is None) == (mean is None or std is None) or (preset is not None and (mean, std) != (None, None)):
        raise ValueError("either preset or both of mean and std must be given")
    if preset is not None:
        if preset not in PRESETS:
            raise unknown_name("preset", preset, PRESETS)
        mean, std = PRESETS[preset]
        if preset == "caffe":
            images = reverse_channels(images)
    shift, scale = (real_array(v, name).astype(np.float32) for v, name in ((mean, "mean"), (std, "std")))
    for name, given in (("mean", shift), ("std", scale)):
        if given.ndim > 1 or (given.ndim == 1 and images.shape[-1:] != given.shape):
            raise ValueError(f"{name} must be a number or one for each of the channels of {images.shape}, received "
                             f"shape {given.shape}")  # fmt: skip
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"std must be above 0, received {shown(std)}")
    y = images.astype(np.float32)
    y -= shift
    y /= scale
    return y


def standardize(x: ArrayLike, per: str = "image") -> Floats:
    """Each image with a mean of 0 and a standard deviation of 1.

    Parameters
    ----------
    x : array_like, (..., height, width, channels)
    per : "image" or "channel"
        Whether all of an image's pixels count together, or those of each channel. Deviations below one over the root of
        their number count as that, so that an even image becomes 0.

    Returns
    -------
    array of the same shape, float32
    """
    images = real_array(x, "x")
    if images.ndim < 3:
        raise ValueError(f"x must be (..., height, width, channels), received shape {images.shape}")
    if per not in ("image", "channel"):
        raise unknown_name("per", per, ("image", "channel"))
    axes = (-3, -2, -1) if per == "image" else (-3, -2)
    count = int(np.prod([images.shape[a] for a in axes]))
    y = images.astype(np.float32)
    if count:
        deviation = y.std(axis=axes, keepdims=True, dtype=np.float64)
        y -= y.mean(axis=axes, keepdims=True, dtype=np.float64).astype(np.float32)
        y /= np.maximum(deviation, count**-0.5).astype(np.float32)
    return y


def grayscale(x: ArrayLike, channels: int = 1) -> Floats:
    """Colours as brightness: 0.299 red + 0.587 green + 0.114 blue.

    Parameters
    ----------
    x : array_like, (..., 3)
    channels : 1 or 3
        Of the result; 3 equal ones for networks that want colours.

    Returns
    -------
    array, (..., channels), float32
    """
    images = real_array(x, "x")
    if images.ndim < 1 or images.shape[-1] != 3:
        raise ValueError(f"x must be (..., 3), red, green and blue, received shape {images.shape}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, received {shown(channels)}")
    y = (images.astype(np.float32) @ np.array(LUMA, np.float32))[..., None]
    return np.repeat(y, 3, axis=-1) if channels == 3 else y


def reverse_channels(x: ArrayLike) -> Images:
    """Blue, green, red from red, green, blue, and back; a copy."""
    images = real_array(x, "x")
    if images.ndim < 1 or images.shape[-1] != 3:
        raise ValueError(f"x must be (..., 3), received shape {images.shape}")
    return np.ascontiguousarray(images[..., ::-1])


def channels_first(x: ArrayLike) -> Images:
    """(..., channels, height, width) from (..., height, width, channels), as PyTorch and ONNX have them; a copy."""
    return _moved(x, -1, -3, "(..., height, width, channels)")


def channels_last(x: ArrayLike) -> Images:
    """(..., height, width, channels) from (..., channels, height, width); a copy."""
    return _moved(x, -3, -1, "(..., channels, height, width)")


def _moved(x: ArrayLike, source: int, target: int, axes: str) -> Images:
    images = real_array(x, "x")
    if images.ndim < 3:
        raise ValueError(f"x must be {axes}, received shape {images.shape}")
    return np.ascontiguousarray(np.moveaxis(images, source, target))


def convert_dtype(x: ArrayLike, dtype: str) -> Images:
    """The same numbers in another type: into integers rounded to the nearest, and to the type's limits.

    Parameters
    ----------
    x : array_like
    dtype : str
        NumPy's name of a type of integers or floats.

    Raises
    ------
    ValueError
        NaN has no integer; another type.
    """
    values, wanted = real_array(x, "x"), np.dtype(dtype)
    if wanted.kind not in "uif":
        raise ValueError(f"dtype must be one of integers or floats, received {wanted}")
    if wanted.kind == "f" or values.dtype == bool or np.can_cast(values.dtype, wanted):
        return values.astype(wanted)
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(f"x must not have NaN to become {wanted}")
    limits = np.iinfo(wanted)
    if values.dtype.kind == "f":
        # The largest 64-bit integers are no floats: those above are the type's own limits.
        rounded = np.rint(values.astype(np.float64))
        inside = rounded.clip(float(limits.min), np.nextafter(float(limits.max) + 1, 0)).astype(wanted)
        return np.where(rounded >= float(limits.max), wanted.type(limits.max), inside)
    low, high = max(limits.min, np.iinfo(values.dtype).min), min(limits.max, np.iinfo(values.dtype).max)
    return values.clip(low, high).astype(wanted)

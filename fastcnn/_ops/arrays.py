"""Arrays from outside, made fit for the kernels: any layout and any real dtype in, dense native float32 out.

What already fits is passed on as it is, never copied; nothing here writes to what it was given.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import shown
from . import cgroup, core

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]


def as_float32(array: ArrayLike, name: str, ndim: int | None = None, axes: str = "") -> Floats:
    """`array` as a C-contiguous, aligned, native float32 array: itself where it is one already, else a copy.

    Parameters
    ----------
    array : array_like
        Of float, integer or bool dtype; any strides, byte order and alignment.
    name : str
        The argument's name, for error messages.
    ndim : int, optional
        The rank it must have.
    axes : str
        What its axes are, for error messages: ``"(batch, height, width, channels)"``.

    Raises
    ------
    TypeError
        A dtype that is not a real number's (object, complex, string, date).
    ValueError
        Another rank, or nested lists of unequal lengths.
    MemoryError
        The copy would be larger than the machine's memory.
    """
    given = real_array(array, name)
    if ndim is not None and given.ndim != ndim:
        expected = f"rank {ndim}" + (f", {axes}" if axes else "")
        hint = ""
        if ndim == 4 and given.ndim == 3:
            hint = f"; add a batch axis to a single image: {name}[None]"
        raise ValueError(f"{name} must have {expected}, received rank {given.ndim}, shape {given.shape}{hint}")
    if given.dtype != np.float32 or not given.flags.c_contiguous or not given.flags.aligned:
        check_memory(given.shape, f"a float32 copy of {name}")
        made = empty(given.shape, name)
        # An unaligned source's elements may start anywhere; NumPy copies those correctly too.
        np.copyto(made, given, casting="unsafe")
        return made
    return given


def real_array(array: ArrayLike, name: str) -> NDArray[Any]:
    """`array` as a NumPy array of float, integer or bool dtype, or an error that names it."""
    try:
        given = np.asarray(array)
    except ValueError as error:
        raise ValueError(f"{name} can't be made an array: {error}; received {shown(array)}") from None
    if given.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of numbers (float, int or bool), received dtype {given.dtype}")
    return given


def as_images(array: ArrayLike, name: str) -> Floats:
    """A batch of images or feature maps, (batch, height, width, channels)."""
    return as_float32(array, name, 4, "(batch, height, width, channels)")


def same_shape(array: ArrayLike, name: str, shape: Sequence[int], why: str) -> Floats:
    """`as_float32` of an array that must have exactly this shape; `why` says whose shape it is."""
    made = as_float32(array, name)
    if made.shape == (0,) and 0 in shape:  # an empty list
        made = made.reshape(tuple(shape))
    if made.shape != tuple(shape):
        raise ValueError(f"{name} must have the shape {tuple(shape)} of {why}, received {made.shape}")
    return made


def as_labels(labels: ArrayLike, name: str, shape: Sequence[int], classes: int) -> NDArray[np.int32]:
    """Class numbers as int32, checked to lie in 0 .. classes - 1.

    Parameters
    ----------
    labels : array_like
        Of integers, or of floats with whole values; of `shape`, or with one more axis of size 1 (as Keras allows).
    shape : sequence of int
        One label for each row of the predictions.

    Raises
    ------
    TypeError, ValueError
        Another dtype or shape, a fraction, a NaN, a number out of range; the first offender and its place are named.
    """
    given = real_array(labels, name)
    shape = tuple(shape)
    if given.shape == (*shape, 1):
        given = given.reshape(shape)
    if given.shape != shape:
        raise ValueError(f"{name} must hold one class number a row, shape {shape}, received shape {given.shape}")
    good = (given >= 0) & (given < classes)
    if given.dtype.kind == "f":
        good &= given == np.floor(given)
    if not good.all():
        place = tuple(int(i) for i in np.argwhere(~good)[0])
        at = place[0] if len(place) == 1 else place
        raise ValueError(f"{name} must be whole numbers from 0 to {classes - 1}, received {given[place]} at {at}")
    return np.ascontiguousarray(given, dtype=np.int32).reshape(shape)


def check_out(out: Any, shape: Sequence[int], inputs: Sequence[NDArray[Any]], in_place: bool = False) -> None:
    """Check an `out` argument: a writeable, C-contiguous float32 array of this shape, apart from the inputs.

    Parameters
    ----------
    inputs : sequence of ndarray
        As the kernel will read them: contiguous.
    in_place : bool
        Whether `out` may be the very memory of an input of the same size.

    Raises
    ------
    TypeError, ValueError
        It isn't.
    """
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, received {type(out).__name__}")
    if out.dtype != np.float32:
        raise TypeError(f"out must be of native dtype float32, received {out.dtype.str}")
    if out.shape != tuple(shape):
        raise ValueError(f"out must have the result's shape {tuple(shape)}, received {out.shape}")
    if not out.flags.c_contiguous or not out.flags.aligned:
        raise ValueError(f"out must be C-contiguous and aligned, received strides {out.strides}")
    if not out.flags.writeable:
        raise ValueError("out must be writeable, received a read-only array")
    for array in inputs:
        # Of contiguous arrays the bounds say it all.
        if np.may_share_memory(out, array):
            same = array.size == out.size and _address(array) == _address(out)
            if not (in_place and same):
                raise ValueError("out must not overlap the inputs" + (" unless it is one of them" if in_place else ""))


def _address(array: NDArray[Any]) -> int:
    return array.__array_interface__["data"][0]


def result(
    out: Any, shape: Sequence[int], inputs: Sequence[NDArray[Any]], where: str, in_place: bool = False
) -> Floats:
    """Where a result goes: `out` if given (checked), else a new array."""
    if out is None:
        return empty(shape, f"{where}: the result")
    check_out(out, shape, inputs, in_place)
    return out


def empty(shape: Sequence[int], name: str) -> Floats:
    """An uninitialised float32 array that starts on a cache line.

    Raises
    ------
    MemoryError
        It would be larger than the machine's memory.
    """
    check_memory(shape, name)
    flat = core.aligned_empty(4 * math.prod(shape))
    return flat.view(np.float32).reshape(tuple(shape))


def check_memory(shape: Sequence[int], name: str) -> None:
    """A MemoryError for an array that can't fit, before the operating system kills the process that fills it."""
    nbytes = 4 * math.prod(shape)
    if nbytes > _SURE_TO_FIT and nbytes > memory_limit():
        limit = memory_limit() / 2**30
        raise MemoryError(
            f"{name}, shape {tuple(shape)}, would take {nbytes / 2**30:.1f} GiB; this process can have {limit:.1f} GiB"
        )


#: Arrays up to this size are not worth asking the system about.
_SURE_TO_FIT = 2**28


@functools.cache
def memory_limit() -> int:
    """Bytes of memory in this machine, or as much of it as the process' control group grants."""
    try:
        limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        limit = 2**48  # the system doesn't say; what it has no room for it refuses itself
    return min(limit, cgroup.memory() or limit)

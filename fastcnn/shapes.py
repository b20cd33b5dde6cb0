"""Numbers given as arguments, and sizes of windows: strides, padding and output sizes, checked in one place.

Padding follows Keras and TensorFlow: "same" gives ``ceil(size / stride)`` outputs and puts the odd row or column
below and to the right; "valid" adds nothing. An int pads every side, ``((top, bottom), (left, right))`` each by
its own amount.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any, TypeAlias, TypeGuard

from .errors import shown

Padding: TypeAlias = str | int | Sequence[Any]
Pads = tuple[tuple[int, int], tuple[int, int]]

#: The largest size accepted for any one axis, window, stride or pad; products are checked where memory is laid out.
MAX_SIZE = 2**31 - 1


def whole_number(value: Any, name: str, minimum: int = 1) -> int:
    """`value` as an int >= minimum, or an error that names the argument."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, received {shown(value)}") from None
    if not minimum <= number <= MAX_SIZE:
        raise ValueError(f"{name} must be at least {minimum} and at most {MAX_SIZE}, received {number}")
    return number


def real_number(value: Any, name: str, low: float = 0.0, high: float = math.inf, closed: bool = True) -> float:
    """`value` as a finite float with low <= value <= high, or an error that names the argument.

    Parameters
    ----------
    value
        A number of Python or NumPy, or an array of rank 0; True and False are none.
    closed : bool
        Whether `high` itself is allowed.
    """
    plain = value.item() if getattr(value, "shape", None) == () else value
    number = float(plain) if isinstance(plain, Real) and not isinstance(plain, bool) else math.nan
    if not math.isfinite(number) or not (low <= number <= high if closed else low <= number < high):
        if high < math.inf:
            wanted = f"a number from {low:g} to {'' if closed else 'below '}{high:g}"
        else:
            wanted = "a finite number" + (f" of at least {low:g}" if low > -math.inf else "")
        raise ValueError(f"{name} must be {wanted}, received {shown(value)}")
    return number


def pair(value: Any, name: str, minimum: int = 1) -> tuple[int, int]:
    """An int or two ints (a tuple, list or array), as (rows, columns)."""
    if _is_sequence(value):
        if len(value) != 2:
            raise ValueError(f"{name} must be an int or a pair (rows, columns), received {shown(value)}")
        return whole_number(value[0], name, minimum), whole_number(value[1], name, minimum)
    number = whole_number(value, name, minimum)
    return number, number


def _is_sequence(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether `value` has parts: a tuple, a list, an array with an axis."""
    if isinstance(value, Sequence):
        return not isinstance(value, (str, bytes))
    return bool(getattr(value, "shape", ()))


def check_padding(padding: Padding, name: str = "padding") -> str | Pads:
    """A padding argument in its normal form: "valid", "same" or ((top, bottom), (left, right))."""
    if isinstance(padding, str):
        low = padding.lower()
        if low not in ("valid", "same"):
            raise ValueError(
                f'{name} must be "valid", "same", an int or ((top, bottom), (left, right)), received {padding!r}'
            )
        return low
    if _is_sequence(padding):
        if len(padding) != 2:
            raise ValueError(f"{name} must be ((top, bottom), (left, right)), received {shown(padding)}")
        rows, columns = pair(padding[0], name, 0), pair(padding[1], name, 0)
        return rows, columns
    number = whole_number(padding, name, 0)
    return (number, number), (number, number)


def single(value: Any, name: str, minimum: int = 1) -> int:
    """An int, or the one int of a sequence: windows over one axis."""
    return whole_number(value[0] if _is_sequence(value) and len(value) == 1 else value, name, minimum)


def named_padding(padding: Any, name: str, known: tuple[str, ...]) -> str:
    """A padding argument that must be one of these words."""
    word = padding.lower() if isinstance(padding, str) else padding
    if word not in known:
        words = " or ".join(f'"{w}"' for w in known)
        raise ValueError(f"{name} must be {words}, received {shown(padding)}")
    return word


#: Rows and columns of an image, None where they are not known yet.
Size = tuple[int | None, int | None]


def _axis(
    size: int | None, window: int, stride: int, pads: str | tuple[int, int]
) -> tuple[int | None, tuple[int, int]]:
    if pads == "same":
        if size is None:
            return None, (0, 0)
        out = -(-size // stride)
        total = max(0, (out - 1) * stride + window - size)
        return out, (total // 2, total - total // 2)
    before, after = (0, 0) if isinstance(pads, str) else pads
    return None if size is None else (size + before + after - window) // stride + 1, (before, after)


def window_output(
    size: tuple[int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str | Pads,
    dilation: tuple[int, int] = (1, 1),
    where: str = "conv2d",
) -> tuple[tuple[int, int], Pads]:
    """Output rows and columns, and the padding on each side.

    Parameters
    ----------
    size : (int, int)
        Input height and width.
    padding
        As `check_padding` returns it.
    where : str
        Who asks, for the error message.

    Raises
    ------
    ValueError
        The (dilated) window is larger than the padded input.
    """
    (oh, ow), pads = _window_output(size, window, strides, padding, dilation, where)
    assert oh is not None and ow is not None
    return (oh, ow), pads


def open_window_output(
    size: Size,
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str | Pads,
    dilation: tuple[int, int] = (1, 1),
    where: str = "conv2d",
) -> Size:
    """`window_output`'s rows and columns for an input of which they may not be known yet."""
    return _window_output(size, window, strides, padding, dilation, where)[0]


def _window_output(
    size: Size,
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str | Pads,
    dilation: tuple[int, int],
    where: str,
) -> tuple[Size, Pads]:
    reach = ((window[0] - 1) * dilation[0] + 1, (window[1] - 1) * dilation[1] + 1)
    sides: tuple[Any, Any] = (padding, padding) if isinstance(padding, str) else padding
    oh, rows = _axis(size[0], reach[0], strides[0], sides[0])
    ow, columns = _axis(size[1], reach[1], strides[1], sides[1])
    if (oh is not None and oh < 1) or (ow is not None and ow < 1):
        padded = tuple("?" if s is None else s + sum(pads) for s, pads in zip(size, (rows, columns)))
        dilated = f" ({reach[0]}x{reach[1]} with its dilation)" if reach != tuple(window) else ""
        given = tuple("?" if s is None else s for s in size)
        raise ValueError(
            f"{where}: the window {window[0]}x{window[1]}{dilated} is larger than the padded input "
            f"{padded[0]}x{padded[1]} (input {given[0]}x{given[1]}); use a smaller window, a larger image or "
            f'padding="same"'
        )
    return (oh, ow), (rows, columns)


def transposed_output(
    size: tuple[int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    output_padding: tuple[int, int] | None = None,
    dilation: tuple[int, int] = (1, 1),
    where: str = "conv2d_transpose",
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Output rows and columns of a transposed convolution, and how many of the full result are cut off at the top left.

    In full, a window laid down at each input pixel covers ``(size - 1) * stride + window`` (dilated) outputs. "valid"
    keeps all of it, and where the stride is the larger, as many outputs as ``size`` strides. "same" keeps
    ``size * stride``. `output_padding` adds so many outputs below and to the right of those that the smallest input of
    the convolution would have: Keras' rules.

    Parameters
    ----------
    padding : {"valid", "same"}
    output_padding : (int, int), optional

    Raises
    ------
    ValueError
        `output_padding` is not smaller than the stride, or nothing is left.
    """
    outputs, starts = [], []
    for axis in range(2):
        stride, reach = strides[axis], (window[axis] - 1) * dilation[axis] + 1
        extra = None if output_padding is None else output_padding[axis]
        if extra is not None and extra >= stride:
            raise ValueError(
                f"{where}: output_padding must be smaller than the strides {strides}, received {output_padding}"
            )
        full = (size[axis] - 1) * stride + reach
        if padding == "valid":
            out, start = full + (max(0, stride - reach) if extra is None else extra), 0
        elif extra is None:
            out, start = size[axis] * stride, max(0, reach - stride) // 2
        else:
            out, start = (size[axis] - 1) * stride + reach % 2 + extra, (reach - reach % 2 - extra) // 2
        outputs.append(out)
        starts.append(max(0, start))
    if min(outputs) < 1:
        raise ValueError(f"{where}: of an input of {size[0]}x{size[1]} nothing is left; use larger strides")
    return (outputs[0], outputs[1]), (starts[0], starts[1])

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


def _axis(size: int, window: int, stride: int, pads: str | tuple[int, int]) -> tuple[int, tuple[int, int]]:
    if pads == "same":
        out = -(-size // stride)
        total = max(0, (out - 1) * stride + window - size)
        return out, (total // 2, total - total // 2)
    before, after = (0, 0) if isinstance(pads, str) else pads
    return (size + before + after - window) // stride + 1, (before, after)


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
    reach = ((window[0] - 1) * dilation[0] + 1, (window[1] - 1) * dilation[1] + 1)
    sides: tuple[Any, Any] = (padding, padding) if isinstance(padding, str) else padding
    oh, rows = _axis(size[0], reach[0], strides[0], sides[0])
    ow, columns = _axis(size[1], reach[1], strides[1], sides[1])
    if oh < 1 or ow < 1:
        padded = (size[0] + sum(rows), size[1] + sum(columns))
        dilated = f" ({reach[0]}x{reach[1]} with its dilation)" if reach != tuple(window) else ""
        raise ValueError(
            f"{where}: the window {window[0]}x{window[1]}{dilated} is larger than the padded input "
            f"{padded[0]}x{padded[1]} (input {size[0]}x{size[1]}); use a smaller window, a larger image or "
            f'padding="same"'
        )
    return (oh, ow), (rows, columns)

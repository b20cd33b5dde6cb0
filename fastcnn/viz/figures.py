"""What all pictures share: a figure without a display, its file, colours, and images made ready to be shown."""

from __future__ import annotations

import colorsys
import os
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown
from ..utils.files import atomic_write

#: Where a picture goes.
Target = str | os.PathLike[str] | IO[bytes]
BLUE, ORANGE, GREY = "#1f6feb", "#d9480f", "#8a8a8a"
_FORMATS = ("png", "svg", "pdf")
#: Can be told apart also by those who see few colours, the first eight of them after Okabe and Ito (2008).
_COLOURS = (
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (86, 180, 233), (240, 228, 66),
    (96, 96, 96), (127, 60, 141), (140, 190, 70), (165, 90, 40), (230, 60, 90),
)  # fmt: skip


def colour(number: int) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, for class `number`; the first dozen are far apart, any number has one."""
    if number < len(_COLOURS):
        return _COLOURS[number]
    # Hues a golden angle apart fill the circle evenly, however many there are.
    hue = (number * 0.618034) % 1
    r, g, b = colorsys.hsv_to_rgb(hue, 0.55 + 0.4 * (number % 2), 0.9 - 0.3 * (number % 3 == 1))
    return round(255 * r), round(255 * g), round(255 * b)


def check_target(path: Any) -> str:
    """The format that a path's ending asks for; that of an open file is PNG."""
    if hasattr(path, "write"):
        return "png"
    form = os.path.splitext(os.fspath(path))[1][1:].lower()
    if form not in _FORMATS:
        raise ValueError(f"path must end in .png, .svg or .pdf, received {shown(os.fspath(path))}")
    return form


def new_figure(what: str, width: float, height: float) -> Any:
    """An empty figure of this size in inches; `what` asks for it, if matplotlib is not there."""
    try:
        # The object interface, not pyplot: no global state and no window, whatever the backend.
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(f'{what} needs matplotlib: pip install "fastcnn[plot]"') from None
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def save(figure: Any, path: Target) -> None:
    """Write the figure: whole or not at all, if it goes to a path."""
    form = check_target(path)
    if not isinstance(path, (str, os.PathLike)):
        figure.savefig(path, format=form)
        return
    with atomic_write(path) as file:
        figure.savefig(file, format=form)


def tidy(axes: Any, grid: bool = True) -> None:
    """Axes as all pictures have them."""
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(alpha=0.3)


def plain_text(text: Any) -> str:
    """Text that matplotlib draws as it is: dollar signs would make formulas of it."""
    return str(text).replace("$", r"\$")


def class_labels(names: Any, count: int) -> list[str]:
    """The names of classes 0 to count - 1, numbers where none are given."""
    if names is None:
        return [str(number) for number in range(count)]
    if isinstance(names, str) or len(names) < count:
        raise ValueError(f"class_names must have a name for each of {count} classes, received {shown(names)}")
    return [plain_text(name) for name in names]


def as_pictures(x: ArrayLike, name: str = "x", limits: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Images as they are shown, uint8 (samples, height, width, 3).

    Parameters
    ----------
    x : array, shape (samples, height, width) or (samples, height, width, 1, 3 or 4)
        Bytes, floats from 0 to 1 or from 0 to 255; others (normalized ones, say) are stretched, all alike, so that the
        smallest number is black and the largest white. Of four channels the last, opacity, is left out.
    limits : (float, float), optional
        The smallest and the largest number, where `x` is a part of what is to look alike; see `value_limits`.
    """
    array = np.asarray(x)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3, 4) or array.dtype.kind not in "iufb":
        raise ValueError(
            f"{name} must hold images, shape (samples, height, width) or (samples, height, width, 1 or 3 channels), "
            f"received shape {np.shape(x)} of {array.dtype}"
        )
    array = array[..., :3]
    if array.dtype != np.uint8:
        values = np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)
        low, high = value_limits(array) if limits is None else limits
        if low < 0 or high > 255:
            values = (values - low) * (255 / max(high - low, 1e-12))
        elif high <= 1:
            values = values * 255
        array = np.rint(values).astype(np.uint8)
    return np.broadcast_to(array, (*array.shape[:3], 3))


def value_limits(x: ArrayLike) -> tuple[float, float]:
    """The smallest and the largest number in images, opacity left out; what isn't finite counts as 0."""
    array = np.asarray(x)
    values = array[..., :3] if array.ndim == 4 else array
    if not values.size:
        return 0.0, 1.0
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, 0)
    return float(values.min()), float(values.max())

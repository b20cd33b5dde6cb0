"""Pictures of what a training did."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import shown
from ..utils.files import atomic_write


def plot_history(history: Any, path: str | os.PathLike[str], title: str | None = None) -> None:
    """Draw the learning curves of a training: one panel for the loss and one for each metric.

    Parameters
    ----------
    history : History or dict of str to list of float
        What ``fit`` returned, or its ``history``: a value an epoch for each name. ``name`` and ``val_name`` share a
        panel, as training and validation.
    path : path-like
        Picture to write: ``.png``, ``.svg`` or ``.pdf``. It is there whole or not at all.
    title : str, optional
        Stands above the panels.

    Raises
    ------
    ImportError
        matplotlib is not installed (``pip install "fastcnn[plot]"``).
    ValueError
        `history` has no epoch to draw, or the ending of `path` is of no known picture format.
    """
    values = _checked(getattr(history, "history", history))
    first = getattr(history, "epoch", None)
    start = first[0] + 1 if first else 1
    form = os.path.splitext(os.fspath(path))[1][1:].lower()
    if form not in ("png", "svg", "pdf"):
        raise ValueError(f"path must end in .png, .svg or .pdf, received {shown(os.fspath(path))}")
    try:
        # The object interface, not pyplot: no global state and no window, whatever the backend.
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise ImportError('plot_history needs matplotlib: pip install "fastcnn[plot]"') from None
    panels = _panels(values)
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(5.6 * columns, 4.2 * rows), dpi=120, layout="constrained")
    if title:
        figure.suptitle(title)
    for place, name in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for key, label, colour in ((name, "training", "#1f6feb"), (f"val_{name}", "validation", "#d9480f")):
            if key in values:
                epochs = range(start, start + len(values[key]))
                axes.plot(epochs, values[key], label=label, color=colour, marker="o", markersize=3.5, linewidth=1.8)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    with atomic_write(path) as file:
        figure.savefig(file, format=form)


def _checked(history: Any) -> Mapping[str, Sequence[float]]:
    if not isinstance(history, Mapping):
        raise TypeError(f"history must be a History or a dict of lists, received {shown(history)}")
    values = {str(name): [float(v) for v in series] for name, series in history.items() if len(series)}
    if not values:
        raise ValueError("history has no epoch to draw")
    return values


def _panels(values: Mapping[str, Sequence[float]]) -> list[str]:
    """Names of the panels: the loss first, the rest as they came; the learning rate is none of them."""
    names = dict.fromkeys(name.removeprefix("val_") for name in values)
    names.pop("learning_rate", None)
    return sorted(names, key=lambda name: name != "loss") or ["learning_rate"]

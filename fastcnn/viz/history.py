"""Pictures of what a training did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import shown
from .figures import BLUE, ORANGE, Target, check_target, new_figure, plain_text, save, tidy


def plot_history(history: Any, path: Target, title: str | None = None) -> None:
    """Draw the learning curves of a training: one panel for the loss and one for each metric.

    Parameters
    ----------
    history : History or dict of str to list of float
        What ``fit`` returned, or its ``history``: a value an epoch for each name. ``name`` and ``val_name`` share a
        panel, as training and validation.
    path : path-like or binary file
        Picture to write: ``.png``, ``.svg`` or ``.pdf``. It is there whole or not at all. An open file gets a PNG.
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
    numbers = getattr(history, "epochs", {})
    check_target(path)
    panels = _panels(values)
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    figure = new_figure("plot_history", 5.6 * columns, 4.2 * rows)
    from matplotlib.ticker import MaxNLocator

    if title:
        figure.suptitle(plain_text(title))
    for place, name in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for key, label, colour in ((name, "training", BLUE), (f"val_{name}", "validation", ORANGE)):
            if key in values:
                known = numbers.get(key, [])
                # As its epochs were called, where there are fewer of them than of others.
                few = len(known) == len(values[key]) < max(map(len, values.values()))
                epochs = [n + 1 for n in known] if few else range(start, start + len(values[key]))
                axes.plot(epochs, values[key], label=label, color=colour, marker="o", markersize=3.5, linewidth=1.8)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(axes)
        axes.legend(frameon=False)
    save(figure, path)


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

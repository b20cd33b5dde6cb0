"""The ratios as a picture: a row of dots for each group, against the bars it is held to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...utils import atomic_write
from . import report

_COLOURS = ("#1f6feb", "#d9480f", "#2b8a3e", "#9c36b5", "#5c6370")


def draw(results: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw fastcnn's time over the best peer's, a dot a shape.

    Parameters
    ----------
    results
        As `fastcnn bench --layers` keeps them.
    path : path-like
        Picture to write: ``.png``, ``.svg`` or ``.pdf``.

    Raises
    ------
    ImportError
        matplotlib is not installed (``pip install "fastcnn[bench]"``).
    ValueError
        Nothing was measured beside a peer, or the ending of `path` is of no known picture format.
    """
    form = os.path.splitext(os.fspath(path))[1][1:].lower()
    if form not in ("png", "svg", "pdf"):
        raise ValueError(f"--chart must end in .png, .svg or .pdf, received {os.fspath(path)!r}")
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import FixedLocator, NullLocator
    except ImportError:
        raise ImportError('--chart needs matplotlib: pip install "fastcnn[bench]"') from None
    groups = report.groups(results)
    if not groups:
        raise ValueError("there is no shape that was measured beside a peer, so nothing to draw")
    figure = Figure(figsize=(10, 1.6 + 0.55 * len(groups)), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    batches = sorted({row["batch"] for group in groups for row in group.rows})
    for place, group in enumerate(groups):
        height = len(groups) - place
        for number, batch in enumerate(batches):
            ratios = [report.ratio(row) for row in group.rows if row["batch"] == batch]
            level = height + 0.16 * ((len(batches) - 1) / 2 - number)
            colour = _COLOURS[number % len(_COLOURS)]
            label = f"batch {batch}" if place == 0 else None
            axes.plot(ratios, [level] * len(ratios), "o", color=colour, markersize=4, alpha=0.55, label=label)
        for value, style in ((group.mean_at_most, "-"), (group.none_above, ":")):
            axes.plot([value, value], [height - 0.38, height + 0.38], style, color="#212529", linewidth=1.2)
        axes.plot(group.mean, height, "D", color="#212529", markersize=6, zorder=5)
    axes.plot([], [], "D", color="#212529", label="geometric mean")
    axes.plot([], [], "-", color="#212529", label="bar for the mean")
    axes.plot([], [], ":", color="#212529", label="bar for each")
    axes.axvline(1, color="#adb5bd", linewidth=1, zorder=0)
    axes.set_xscale("log")
    marks = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10]
    axes.xaxis.set_major_locator(FixedLocator(marks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(marks, [f"{m:g}" for m in marks])
    lowest = min(report.ratio(row) for group in groups for row in group.rows)
    highest = max(report.ratio(row) for group in groups for row in group.rows)
    axes.set_xlim(min(0.2, lowest) * 0.9, max(1.2, highest) * 1.1)
    axes.set_yticks([len(groups) - i for i in range(len(groups))], [f"{g.title} ({len(g.rows)})" for g in groups])
    axes.set_xlabel("time of fastcnn / time of the fastest peer (left of 1: fastcnn is faster)")
    machine = results["machine"]
    axes.set_title(
        f"fastcnn {machine['fastcnn']} against\n{', '.join(results['peers'])}\n"
        f"{machine['processor']}, {machine['instruction_set']}, {machine['num_threads']} threads",
        fontsize=10,
    )
    axes.grid(axis="x", color="#e9ecef", zorder=0)
    figure.legend(loc="outside lower center", ncols=len(batches) + 3, fontsize=8)
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format=form)

"""The report of precision, recall and F1 as a table in colour, where the package rich is installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TextIO

from numpy.typing import ArrayLike

from .report import classification_report, report_rows

_COLUMNS = ("precision", "recall", "f1-score", "support")


def report_table(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    target_names: Sequence[str] | None = None,
    *,
    digits: int = 2,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
) -> Any:
    """`classification_report` as a ``rich.table.Table``, for ``rich.print`` or a layout of one's own.

    The lowest number of each column of ratios stands out, and so does the class with the lowest F1.

    Parameters
    ----------
    y_true, y_pred, target_names, digits, sample_weight
        As of `classification_report`.
    title : str, optional
        Stands above the table.

    Raises
    ------
    ImportError
        rich is not installed (``pip install "fastcnn[rich]"``).
    """
    try:
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        raise ImportError('report_table needs rich: pip install "fastcnn[rich]"') from None
    rows, accuracy, averages, samples = report_rows(y_true, y_pred, target_names, sample_weight)
    # Text, not str: a class may be named "[red]", which must not count as markup.
    table = Table(title=None if title is None else Text(title), title_justify="left")
    table.add_column("class", justify="right")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    lowest = {c: min((row[c] for _, row in rows), default=0) for c in _COLUMNS[:3]}
    for name, row in rows:
        weak = len(rows) > 1
        cells = [Text(f"{row[c]:.{digits}f}", "bold red" if weak and row[c] == lowest[c] else "") for c in _COLUMNS[:3]]
        mark = "bold red" if weak and row["f1-score"] == lowest["f1-score"] else "bold"
        table.add_row(Text(name, mark), *cells, Text(_support(row["support"], digits), "dim"))
    table.add_section()
    total = _support(samples, digits)
    table.add_row("accuracy", "", "", Text(f"{accuracy:.{digits}f}", "bold"), Text(total, "dim"))
    for name, row in averages.items():
        cells = [Text(f"{row[c]:.{digits}f}") for c in _COLUMNS[:3]]
        table.add_row(name, *cells, Text(total, "dim"))
    return table


def print_classification_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    target_names: Sequence[str] | None = None,
    *,
    digits: int = 2,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
    file: TextIO | None = None,
) -> None:
    """Print `report_table` where rich is installed, and `classification_report` where it isn't.

    Parameters
    ----------
    y_true, y_pred, target_names, digits, sample_weight
        As of `classification_report`.
    title : str, optional
        Stands above the table.
    file : text file, optional
        By default standard output.
    """
    stream = sys.stdout if file is None else file
    try:
        from rich.console import Console
    except ImportError:
        text = classification_report(y_true, y_pred, target_names, digits=digits, sample_weight=sample_weight)
        print(*([] if title is None else [title, ""]), text, sep="\n", end="", file=stream)
        return
    table = report_table(y_true, y_pred, target_names, digits=digits, sample_weight=sample_weight, title=title)
    Console(file=stream).print(table)


def _support(weight: float, digits: int) -> str:
    return str(weight) if isinstance(weight, int) else f"{weight:.{digits}f}"

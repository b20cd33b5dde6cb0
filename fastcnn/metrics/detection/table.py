"""What is known of each class, as a table of text."""

from __future__ import annotations

from collections.abc import Mapping

_COUNTS = ("objects", "detections")


def class_table(rows: Mapping[str, Mapping[str, float]], overall: Mapping[str, float], digits: int = 3) -> str:
    """A line for each class, and one for all; what isn't known (-1) is a dash.

    Parameters
    ----------
    rows : mapping of str to mapping
        By each class's name its numbers by name; "objects" and "detections" are added up in the last line.
    overall : mapping of str to float
        The last line's other numbers.
    digits : int
        Decimals.
    """
    titles = list(next(iter(rows.values()), overall))
    total = {title: sum(row[title] for row in rows.values()) for title in _COUNTS}
    width = max(len("all"), *(len(name) for name in rows)) if rows else len("all")

    def line(name: str, row: Mapping[str, float]) -> str:
        cells = []
        for title in titles:
            value = row.get(title, -1)
            text = f"{value:.0f}" if title in _COUNTS else "-" if value < 0 else f"{value:.{digits}f}"
            cells.append(f"{text:>{max(len(title), digits + 2)}}")
        return f"{name:>{width}}  " + "  ".join(cells)

    head = " " * width + "  " + "  ".join(f"{title:>{max(len(title), digits + 2)}}" for title in titles)
    body = [line(name, row) for name, row in rows.items()]
    return "\n".join([head, *body, line("all", {**overall, **total})]) + "\n"

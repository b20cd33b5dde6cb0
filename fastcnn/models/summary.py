"""A model as a table."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from ..layers.input import InputLayer

if TYPE_CHECKING:
    from .model import Model


def _size(count: int) -> str:
    """Bytes of so many float32 numbers, in words."""
    size = 4.0 * count
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.2f} {unit}"
        size /= 1024
    raise AssertionError


def _rows(model: Model) -> list[tuple[str, str, str, str]]:
    from .sequential import Sequential

    joined = not isinstance(model, Sequential)
    makers = {id(v): call.layer.name for call in model.network for v in call.outputs}
    rows = [("Layer (type)", "Output Shape", "Param #", "Connected to")]
    seen: set[int] = set()
    for call in model.network:
        layer = call.layer
        if isinstance(layer, InputLayer) and not joined:
            continue
        shapes = ", ".join(str(tuple(v.shape)) for v in call.outputs)
        params = "(shared)" if id(layer) in seen else f"{layer.count_params():,}"
        seen.add(id(layer))
        sources = ", ".join(makers[id(v)] for v in call.inputs) or "-"
        rows.append((f"{layer.name} ({type(layer).__name__})", shapes, params, sources))
    return rows if joined else [(*r[:3], "") for r in rows]


def summary(model: Model, line_length: int | None = None) -> str:
    """The layers with shapes and weights, and the totals, as text.

    Parameters
    ----------
    line_length : int, optional
        Widest line; that of the terminal if not given.
    """
    rows = _rows(model)
    columns = 4 if rows[0][3] else 3
    widths = [max(len(r[i]) for r in rows) for i in range(columns)]
    limit = line_length or shutil.get_terminal_size((100, 24)).columns
    over = sum(widths) + 3 * columns + 1 - limit
    if over > 0:
        # The first column holds the longest names and can be cut with the least harm.
        widths[0] = max(16, widths[0] - over)
    fancy = "utf" in (getattr(sys.stdout, "encoding", "") or "").lower()
    bar, line, joints = ("│", "─", "┌┬┐├┼┤└┴┘") if fancy else ("|", "-", "+++++++++")

    def rule(kind: int) -> str:
        left, middle, right = (joints[3 * kind + i] for i in range(3))
        return left + middle.join(line * (w + 2) for w in widths) + right

    def text(row: tuple[str, ...]) -> str:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths)):
            cut = cell if len(cell) <= width else cell[: width - 1] + ("…" if fancy else "~")
            cells.append(cut.rjust(width) if i == 2 else cut.ljust(width))
        return f"{bar} " + f" {bar} ".join(cells) + f" {bar}"

    total = model.count_params()
    trainable = sum(v.size for v in model.trainable_weights)
    lines = [f'Model: "{model.name}"', rule(0), text(rows[0]), rule(1), *(text(r) for r in rows[1:]), rule(2)]
    lines.append(f" Total params: {total:,} ({_size(total)})")
    lines.append(f" Trainable params: {trainable:,} ({_size(trainable)})")
    lines.append(f" Non-trainable params: {total - trainable:,} ({_size(total - trainable)})")
    return "\n".join(lines)

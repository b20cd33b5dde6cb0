"""A model as a table."""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import unknown_name
from ..layers.base import Layer
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


@dataclasses.dataclass
class _Row:
    """One call of a layer."""

    name: str
    shapes: str
    params: str
    trainable: str
    sources: str


def _trainable(layer: Layer) -> str:
    return "-" if not layer.weights else "Y" if layer.trainable_weights else "N"


def _rows(model: Model, nested: bool, span: tuple[int, int], indent: str = "") -> list[_Row]:
    """The calls of the layers from the first to the last of `span`, by their numbers in `model.layers`."""
    from .model import Model
    from .sequential import Sequential

    numbers = {id(layer): i for i, layer in enumerate(model.layers)}
    makers: dict[int, str] = {}
    calls: Counter[int] = Counter()
    rows: list[_Row] = []
    for call in model.network:
        layer = call.layer
        number = calls[id(layer)]
        calls[id(layer)] += 1
        makers.update({id(v): f"{layer.name}[{number}][{i}]" for i, v in enumerate(call.outputs)})
        chain = isinstance(model, Sequential) and isinstance(layer, InputLayer)
        if chain or (id(layer) in numbers and not span[0] <= numbers[id(layer)] <= span[1]):
            continue
        shapes = ", ".join(str(tuple(v.shape)) for v in call.outputs)
        params = "(shared)" if number else f"{layer.count_params():,}"
        sources = ", ".join(makers[id(v)] for v in call.inputs) or "-"
        name = f"{indent}{layer.name} ({type(layer).__name__})"
        rows.append(_Row(name, shapes, params, _trainable(layer), sources))
        if nested and isinstance(layer, Model) and not number:
            rows += _rows(layer, nested, (0, len(layer.layers)), f"{indent}  ")
    return rows


def _span(model: Model, layer_range: Sequence[str] | None) -> tuple[int, int]:
    """Numbers of the first and last layer whose names match the two patterns."""
    if layer_range is None:
        return 0, len(model.layers)
    if isinstance(layer_range, str) or len(layer_range) != 2:
        raise ValueError(f"layer_range must be two names of layers, the first and the last, received {layer_range!r}")
    found = []
    for pattern, last in zip(layer_range, (False, True)):
        places = [i for i, layer in enumerate(model.layers) if re.fullmatch(pattern, layer.name)]
        if not places:
            raise unknown_name("layer", pattern, [layer.name for layer in model.layers])
        found.append(places[-1] if last else places[0])
    return min(found), max(found)


def summary(
    model: Model,
    line_length: int | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """The layers with shapes and weights, and the totals, as text; arguments as of `Model.summary`."""
    from .sequential import Sequential

    rows = _rows(model, expand_nested, _span(model, layer_range))
    cells = [["Layer (type)", "Output Shape", "Param #"], *([r.name, r.shapes, r.params] for r in rows)]
    if not isinstance(model, Sequential):
        cells = [[*cell, text] for cell, text in zip(cells, ["Connected to", *(r.sources for r in rows)])]
    if show_trainable:
        cells = [[*cell, text] for cell, text in zip(cells, ["Trainable", *(r.trainable for r in rows)])]
    total = model.count_params()
    trainable = sum(v.size for v in model.trainable_weights)
    lines = [f'Model: "{model.name}"', *_table(cells, line_length)]
    lines.append(f" Total params: {total:,} ({_size(total)})")
    lines.append(f" Trainable params: {trainable:,} ({_size(trainable)})")
    lines.append(f" Non-trainable params: {total - trainable:,} ({_size(total - trainable)})")
    return "\n".join(lines)


def _table(rows: Sequence[Sequence[str]], line_length: int | None) -> list[str]:
    """Lines of a table with a frame; the first row is its head, the third column stands to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    limit = line_length or shutil.get_terminal_size((100, 24)).columns
    # Columns of names can be cut with the least harm, the longer one first.
    names = [i for i in (0, 3) if i < len(widths)]
    while sum(widths) + 3 * len(widths) + 1 > limit:
        widest = max(names, key=lambda i: widths[i])
        if widths[widest] <= 16:
            break
        widths[widest] -= 1
    fancy = "utf" in (getattr(sys.stdout, "encoding", "") or "").lower()
    bar, line, joints = ("│", "─", "┌┬┐├┼┤└┴┘") if fancy else ("|", "-", "+++++++++")

    def rule(kind: int) -> str:
        left, middle, right = (joints[3 * kind + i] for i in range(3))
        return left + middle.join(line * (w + 2) for w in widths) + right

    def text(row: Sequence[str]) -> str:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths)):
            cut = cell if len(cell) <= width else cell[: width - 1] + ("…" if fancy else "~")
            cells.append(cut.rjust(width) if i == 2 else cut.ljust(width))
        return f"{bar} " + f" {bar} ".join(cells) + f" {bar}"

    return [rule(0), text(rows[0]), rule(1), *(text(row) for row in rows[1:]), rule(2)]

"""Pictures of models: boxes and arrows, drawn by graphviz."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from ..errors import shown
from ..utils.files import atomic_write

#: What graphviz is asked to draw, by the file's ending; "dot" is the description itself.
FORMATS = ("svg", "png", "pdf", "dot")
_DIRECTIONS = ("TB", "BT", "LR", "RL")
#: Fill colours of what stands out in a network, by the start or end of a class's name.
_COLOURS = (
    ("Conv", "#d0e3ff"),
    ("Dense", "#ffe3c2"),
    ("Normalization", "#eeeeee"),
    ("Pooling", "#d8f3dc"),
    ("Input", "#ffffff"),
)
#: Seconds after which graphviz is given up.
_PATIENCE = 120


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.svg",
    show_shapes: bool = True,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 96,
    show_trainable: bool = False,
) -> None:
    """Draw the layers of a model as boxes, joined by arrows.

    Parameters
    ----------
    model : Model
        Built.
    to_file : path-like
        Picture to write, replaced only once it is complete: ``.svg``, ``.png`` or ``.pdf``, drawn by graphviz's
        program ``dot``; or ``.dot``, the description that ``dot`` reads, which needs nothing installed.
    show_shapes : bool
        Whether boxes tell the shapes of results.
    show_layer_names : bool
    rankdir : "TB", "BT", "LR" or "RL"
        From top to bottom, bottom to top, left to right or right to left.
    expand_nested : bool
        Whether models within the model are drawn with their own layers, in a frame.
    dpi : int
        Dots an inch, of a ``.png``.
    show_trainable : bool
        Whether boxes of layers with weights tell if they are frozen.

    Raises
    ------
    ImportError
        ``dot`` is not installed.
    ValueError
        The model isn't built, or the ending of `to_file` is of no known format.
    """
    path = os.fspath(to_file)
    form = os.path.splitext(path)[1][1:].lower()
    if form not in FORMATS:
        raise ValueError(f"to_file must end in .svg, .png, .pdf or .dot, received {shown(path)}")
    if isinstance(dpi, bool) or not isinstance(dpi, int) or not 1 <= dpi <= 1200:
        raise ValueError(f"dpi must be a whole number from 1 to 1200, received {shown(dpi)}")
    text = model_to_dot(model, show_shapes, show_layer_names, rankdir, expand_nested, show_trainable)
    picture = text.encode() if form == "dot" else _draw(text, form, dpi)
    with atomic_write(path) as file:
        file.write(picture)


def model_to_dot(
    model: Any,
    show_shapes: bool = True,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    show_trainable: bool = False,
) -> str:
    """The description of a model's picture in graphviz's language; arguments as of `plot_model`."""
    if rankdir not in _DIRECTIONS:
        raise ValueError(f"rankdir must be one of {', '.join(_DIRECTIONS)}, received {shown(rankdir)}")
    if not hasattr(model, "network"):
        raise TypeError(f"model must be a Model, received {type(model).__name__}")
    if not model.built:
        raise ValueError(f"model {model.name!r} isn't built yet: give its first layer input_shape, or call fit")
    drawing = _Drawing(show_shapes, show_layer_names, expand_nested, show_trainable)
    drawing.lines += [
        f"digraph {_quoted(model.name)} {{",
        f'  rankdir={rankdir}; fontname="Helvetica";',
        '  node [shape=box, style="filled,rounded", fillcolor="#ffffff", color="#8a8a8a", fontname="Helvetica", '
        "fontsize=11];",
        '  edge [color="#555555", arrowsize=0.7];',
    ]
    drawing.network(model, [])
    # Last of all: an arrow within a frame would draw the boxes at both of its ends into it.
    drawing.lines += [*drawing.arrows, "}"]
    return "\n".join(drawing.lines) + "\n"


class _Drawing:
    """Collects the lines of a description."""

    def __init__(self, shapes: bool, names: bool, nested: bool, trainable: bool) -> None:
        self.shapes, self.names, self.nested, self.trainable = shapes, names, nested, trainable
        self.lines: list[str] = []
        self.arrows: list[str] = []
        self.count = 0

    def network(self, model: Any, sources: list[str]) -> list[str]:
        """Draw the calls of a model whose inputs come from the boxes `sources`; the boxes its outputs come from."""
        inputs = [id(v) for v in model.inputs]
        makers: dict[int, str] = {}
        for call in model.network:
            before = [makers[id(v)] for v in call.inputs]
            if id(call.outputs[0]) in inputs and sources:
                before = [sources[inputs.index(id(call.outputs[0]))]]
            if self.nested and hasattr(call.layer, "network"):
                made = self._frame(call.layer, before)
            else:
                made = [self._box(call, before)] * len(call.outputs)
            makers.update({id(v): box for v, box in zip(call.outputs, made)})
        return [makers[id(v)] for v in model.outputs]

    def _frame(self, model: Any, before: list[str]) -> list[str]:
        self.count += 1
        label = f"{model.name} ({type(model).__name__})" if self.names else type(model).__name__
        self.lines += [
            f"  subgraph cluster_{self.count} {{",
            f'  label={_quoted(label)}; style="rounded,dashed"; color="#8a8a8a";',
        ]
        made = self.network(model, before)
        self.lines.append("  }")
        return made

    def _box(self, call: Any, before: Iterable[str]) -> str:
        self.count += 1
        name, layer = f"n{self.count}", call.layer
        kind = type(layer).__name__
        lines = [f"{layer.name} ({kind})" if self.names else kind]
        if self.shapes:
            lines.append(", ".join(_shape(v.shape) for v in call.outputs))
        if self.trainable and layer.weights:
            lines.append("trainable" if layer.trainable_weights else "frozen")
        colour = next((c for part, c in _COLOURS if part in kind), "#ffffff")
        self.lines.append(f'  {name} [label={_quoted(chr(10).join(lines))}, fillcolor="{colour}"];')
        self.arrows += [f"  {source} -> {name};" for source in before]
        return name


def _shape(shape: Iterable[int | None]) -> str:
    return "(" + ", ".join("None" if s is None else str(s) for s in shape) + ")"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _draw(text: str, form: str, dpi: int) -> bytes:
    program = shutil.which("dot")
    if program is None:
        raise ImportError(
            "plot_model needs graphviz's program dot: install it with your system's packages (apt install graphviz, "
            "brew install graphviz), or write a .dot file, which needs nothing"
        )
    command = [program, f"-T{form}", *([f"-Gdpi={dpi}"] if form == "png" else [])]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(
            f"graphviz took longer than {_PATIENCE} s to draw the model: write a .dot file, or draw parts of it"
        ) from None
    if done.returncode:
        raise RuntimeError(f"graphviz could not draw the model: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout

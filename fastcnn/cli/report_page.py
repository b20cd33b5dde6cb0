"""``fastcnn train --report``: one HTML file that says what was trained, how it went, and how good the result is.

It opens offline and runs nothing: no scripts, nothing from elsewhere, styles and pictures are inside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import callbacks, metrics
from ..metrics.inputs import surest_mistakes
from ..metrics.report import Row, report_rows
from ..models.summary import summary
from ..utils.files import atomic_write
from . import info
from .report_html import Markup, bars, curves, element, join, picture, reliability, section, table

#: Beyond so many classes a confusion matrix with numbers can't be read: the most frequent confusions are listed only.
LARGEST_MATRIX = 40
#: Pictures of mistakes.
_MISTAKES = 24
_PAIRS = 10


class EpochTimes(callbacks.Callback):
    """How long each epoch takes, validation included.

    Attributes
    ----------
    seconds : list of float
        Of each epoch, also of those before a training was taken up from a backup.
    earlier : int
        How many these are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.earlier = 0
        self._start = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seconds = list(state["seconds"])
        self.earlier = len(self.seconds)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._start)


@dataclasses.dataclass
class Trained:
    """What a report is about.

    Attributes
    ----------
    title : str
        The network and the data, for people.
    settings : mapping
        What was chosen, by name.
    history : {name: one number an epoch}
    seconds : list of float
        Of each epoch.
    x, y : arrays
        Pictures that the model is judged on, uint8 (n, height, width, 1 or 3), and their classes.
    judged_on : str
        Which ones these are: "test pictures".
    """

    title: str
    settings: Mapping[str, object]
    model: Any
    history: Mapping[str, Sequence[float]]
    seconds: Sequence[float]
    x: np.ndarray
    y: np.ndarray
    class_names: Sequence[str]
    judged_on: str


class _Tried(Exception):  # noqa: N818 - it is no error
    """A file can be written."""


def prepare(path: str | os.PathLike[str]) -> None:
    """Find out before an hour of training whether a report can be written there."""
    target = Path(path)
    if target.is_dir():
        raise ValueError(f"--report must be a file to write, received the folder {os.fspath(path)!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.is_file():  # anything else is a device, which is written to at the end alone
        with contextlib.suppress(_Tried), atomic_write(path):
            raise _Tried  # leaves nothing behind, and what was there as it was


def write(path: str | os.PathLike[str], trained: Trained) -> None:
    """Judge the model and write the report."""
    start = time.perf_counter()
    probabilities = trained.model.predict(trained.x, batch_size=256, verbose=0)
    taken = time.perf_counter() - start
    data = page(trained, probabilities, taken).encode("utf-8")
    with atomic_write(path) as file:
        file.write(data)


def page(trained: Trained, probabilities: np.ndarray, taken: float) -> str:
    """The whole document; `probabilities` of the pictures took so many seconds."""
    y = np.asarray(trained.y)
    matrix = metrics.confusion_matrix(y, probabilities, num_classes=len(trained.class_names))
    classes, accuracy, averages, _ = report_rows(y, probabilities, trained.class_names, None)
    speed, now = len(y) / max(taken, 1e-9), datetime.datetime.now()
    body = [
        element("h1", trained.title),
        element("p", f"{now:%Y-%m-%d %H:%M} · judged on {len(y):,} {trained.judged_on}", class_="note"),
        _tiles(trained, y, probabilities, accuracy, averages),
        section("Learning curves", _learning(trained.history)),
        section("Classes", _classes(classes, averages)),
        section("Confusions", *_confusions(matrix, trained.class_names)),
        section("Mistakes", _mistakes(trained, y, probabilities), note=_MISTAKES_NOTE),
        section("Confidence", _confidence(y, probabilities), note=_CONFIDENCE_NOTE),
        section("Settings", table((), trained.settings.items(), "pairs")),
        section("Time", _timing(trained, speed)),
        section("Model", element("pre", summary(trained.model, 100))),
        section("Versions", table((), _versions(), "pairs")),
    ]  # fmt: skip
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", trained.title),
        Markup(f"<style>{_STYLE}</style>"),
    ]
    return f'<!DOCTYPE html>\n<html lang="en"><head>{join(head)}</head>\n<body>{"".join(body)}</body></html>\n'


_MISTAKES_NOTE = (
    "The pictures of which the model was most sure, and wrong: the class it named, how sure it was, and the right one. "
    "Often some of them are labelled wrongly."
)
_CONFIDENCE_NOTE = (
    "Of all predictions with a confidence of 0.8, 80 % should be right. Bars below the dotted line: the model is surer "
    "than it should be."
)


def _tiles(
    trained: Trained, y: np.ndarray, probabilities: np.ndarray, accuracy: float, averages: Mapping[str, Row]
) -> Markup:
    error = metrics.expected_calibration_error(y, probabilities)
    total = sum(trained.seconds)
    tiles = {
        "accuracy": f"{accuracy:.4f}",
        "macro F1": f"{averages['macro avg']['f1-score']:.4f}",
        "loss": f"{metrics.log_loss(y, probabilities):.4f}",
        "calibration error": f"{error:.4f}",
        "epochs": str(_epochs(trained.history)),
        "training time": f"{total:.1f} s" if total < 120 else f"{total / 60:.1f} min",
    }
    parts = [element("div", element("b", value), element("span", name)) for name, value in tiles.items()]
    return element("div", *parts, class_="tiles")


def _learning(history: Mapping[str, Sequence[float]]) -> Markup:
    """A chart of each thing that was followed, in training and validation."""
    charts = []
    for name in (n for n in history if not n.startswith("val_")):
        series = {"training": history[name]}
        if f"val_{name}" in history:
            series["validation"] = history[f"val_{name}"]
        label = name.replace("_", " ")
        charts.append(curves(series, label, share="accuracy" in name))
    return element("div", *charts, class_="charts")


def _classes(classes: Sequence[tuple[str, Row]], averages: Mapping[str, Row]) -> Markup:
    means = [("mean of the classes", averages["macro avg"]), ("mean of the pictures", averages["weighted avg"])]
    rows = [
        [name, *(_meter(row[key]) for key in ("precision", "recall", "f1-score")), f"{row['support']:,}"]
        for name, row in (*classes, *means)
    ]
    return table(("class", "precision", "recall", "F1", "pictures"), rows, "numbers")


def _meter(share: float) -> Markup:
    """A number from 0 to 1 with a bar behind it."""
    return element("span", f"{share:.3f}", class_="meter", style=f"--share:{100 * share:.1f}%")


def _confusions(matrix: np.ndarray, names: Sequence[str]) -> list[Markup]:
    parts = []
    if len(names) <= LARGEST_MATRIX:
        shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
        rows = []
        for i, name in enumerate(names):
            cells = [element("th", name, scope="row")]
            for j, count in enumerate(matrix[i]):
                kind, told = ("right" if i == j else "wrong"), f"{name} taken for {names[j]}: {count}"
                style = f"--share:{100 * shares[i, j] ** 0.5:.0f}%"
                cells.append(element("td", count or "", class_=kind, style=style, title=told))
            rows.append(element("tr", *cells))
        head = [element("th", "right \\ named", scope="col"), *(element("th", n, scope="col") for n in names)]
        whole = element("table", element("thead", element("tr", *head)), element("tbody", *rows), class_="matrix")
        parts.append(element("div", whole, class_="scroll"))
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    pairs = [np.unravel_index(k, wrong.shape) for k in order if wrong.flat[k]]
    listed = [(names[i], names[j], f"{wrong[i, j]:,}", f"{wrong[i, j] / matrix[i].sum():.1%}") for i, j in pairs]
    if listed:
        parts.append(table(("right", "named", "pictures", "of that class"), listed, "numbers"))
    return parts


def _mistakes(trained: Trained, y: np.ndarray, probabilities: np.ndarray) -> Markup:
    named = probabilities.argmax(axis=1)
    wrong = surest_mistakes(y, probabilities)
    if not len(wrong):
        return element("p", "None.")
    figures = []
    for i in wrong[:_MISTAKES]:
        said, right = trained.class_names[named[i]], trained.class_names[y[i]]
        sure = f" {probabilities[i, named[i]]:.2f}"
        caption = element("figcaption", element("b", said), sure, element("br"), f"is {right}")
        figures.append(element("figure", picture(trained.x[i], f"{right}, named {said}"), caption))
    return element("div", *figures, class_="mistakes")


def _confidence(y: np.ndarray, probabilities: np.ndarray) -> Markup:
    return element("div", reliability(*metrics.reliability_curve(y, probabilities)), class_="charts")


def _epochs(history: Mapping[str, Sequence[float]]) -> int:
    return max((len(values) for values in history.values()), default=0)


def _timing(trained: Trained, speed: float) -> Markup:
    """Of each epoch, and of predictions."""
    told = element("p", f"{speed:,.0f} pictures a second when judging.")
    if not trained.seconds:
        return told
    return join([element("div", bars(trained.seconds, "seconds"), class_="charts"), told])


def _versions() -> list[tuple[str, object]]:
    rows = []
    for name, value in info.collect().items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items()) or "none"
        elif isinstance(value, list):
            value = " ".join(map(str, value))
        rows.append((name.replace("_", " "), value))
    return rows


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2530; --soft: #5b6775; --line: #dfe4ea; --paper: #ffffff; --tint: #f4f6f9;
  --c0: #1f6feb; --c1: #d9730d; --c2: #2da44e; --c3: #8250df; --bad: #d1242f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa7b4; --line: #30363d; --paper: #0f141a;
  --tint: #171d25; --c0: #58a6ff; --c1: #f0883e; --c2: #3fb950; --c3: #bc8cff; --bad: #ff7b72; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1040px; padding: 28px 20px 60px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
h1 { font-size: 26px; margin: 0; overflow-wrap: anywhere } h2 { font-size: 18px; margin: 40px 0 12px }
.note { color: var(--soft); margin: 2px 0 14px }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 10px }
.tiles div { background: var(--tint); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px }
.tiles b { display: block; font-size: 22px; font-variant-numeric: tabular-nums } .tiles span { color: var(--soft) }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 20px }
figure { margin: 0 } svg { width: 100%; max-width: 560px; height: auto; display: block }
svg text { fill: var(--soft); font-size: 12px } svg .axis { fill: var(--ink) }
.grid { stroke: var(--line) } .line { fill: none; stroke-width: 2 } .dot { fill: currentColor }
.c0 { stroke: var(--c0) } .c1 { stroke: var(--c1) } .c2 { stroke: var(--c2) } .c3 { stroke: var(--c3) }
.bar { fill: var(--c0); opacity: .75 } .ideal { stroke: var(--soft); stroke-dasharray: 4 4 }
figcaption { color: var(--soft); font-size: 13px } figcaption span { margin-right: 16px; white-space: nowrap }
.key { display: inline-block; width: 18px; height: 0; border-top: 3px solid; vertical-align: middle; margin-right: 6px }
.key.c0 { border-color: var(--c0) } .key.c1 { border-color: var(--c1) }
.key.c2 { border-color: var(--c2) } .key.c3 { border-color: var(--c3) }
.scroll { overflow-x: auto; margin-bottom: 18px }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top }
th { font-weight: 600 } thead th { color: var(--soft); font-weight: 500; vertical-align: bottom }
th:first-child, .pairs td { text-align: left } td { overflow-wrap: anywhere } .pairs th { white-space: nowrap }
.meter { display: inline-block; min-width: 92px; padding: 0 6px; border-radius: 3px;
  background: linear-gradient(to right, color-mix(in srgb, var(--c0) 28%, transparent) var(--share), transparent 0) }
.matrix { font-size: 13px } .matrix td { text-align: center; min-width: 38px; padding: 4px 5px }
.matrix .right { background: color-mix(in srgb, var(--c0) calc(var(--share) * .6), transparent) }
.matrix .wrong { background: color-mix(in srgb, var(--bad) calc(var(--share) * .9), transparent) }
.matrix thead th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; max-height: 150px }
.matrix thead th:first-child { writing-mode: horizontal-tb; transform: none }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 14px }
.mistakes img { image-rendering: pixelated; border-radius: 4px; display: block; margin-bottom: 4px }
.mistakes figcaption { line-height: 1.3; overflow-wrap: anywhere } .mistakes b { color: var(--bad) }
pre { overflow-x: auto; background: var(--tint); border: 1px solid var(--line); border-radius: 8px; padding: 12px;
  font: 12px/1.35 ui-monospace, "DejaVu Sans Mono", monospace }
@media print { section { break-inside: avoid } }
"""

__all__ = ["EpochTimes", "Trained", "page", "write"]

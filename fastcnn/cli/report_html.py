"""HTML as text, and small charts in SVG: what the training report is written with. Whatever is text is escaped."""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


#: What no HTML document may hold, not even escaped: control characters, halves of pairs (names of files may have them).
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"br", "img", "meta"})


def text(value: object) -> Markup:
    """`value` as it is to be read: nothing in it is markup."""
    return value if isinstance(value, Markup) else Markup(html.escape(_FORBIDDEN.sub("\ufffd", str(value))))


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element; a trailing underscore of an attribute's name falls off (``class_``), others become dashes."""
    own = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{own}>")
    return Markup(f"<{name}{own}>{''.join(text(c) for c in children)}</{name}>")


def join(parts: Iterable[object]) -> Markup:
    return Markup("".join(text(p) for p in parts))


def section(title: str, *children: object, note: str = "") -> Markup:
    return element("section", element("h2", title), element("p", note, class_="note") if note else "", *children)


def table(head: Sequence[object], rows: Iterable[Sequence[object]], class_: str | None = None) -> Markup:
    """A table whose first column names the rows."""
    lines = [element("tr", *(element("th", cell, scope="col") for cell in head))] if head else []
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    parts = [element("thead", *lines)] if lines else []
    return element("div", element("table", *parts, element("tbody", *body), class_=class_), class_="scroll")


def picture(pixels: np.ndarray, alt: str, size: int = 96) -> Markup:
    """An image (height, width, 1 or 3) of bytes as a PNG within the page, at least `size` pixels wide."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    times = max(1, round(size / image.width))
    file = io.BytesIO()
    image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST).save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return element("img", src=f"data:image/png;base64,{data}", alt=alt, width=size)


# ---------------------------------------------------------------- charts

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 270, 52, 14, 14, 40


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about as many as wanted."""
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


class Plane:
    """A chart's area: axes, and from numbers to places."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], labels: tuple[str, str]) -> None:
        self.x, self.y, self.labels = x, y, labels
        self.parts: list[Markup] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            round(_LEFT + across * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM), 1),
        )

    def axes(self, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> None:
        left, bottom = self.at(self.x[0], self.y[0])
        right, top = self.at(self.x[1], self.y[1])
        for value in y_ticks:
            _, y = self.at(self.x[0], value)
            self.parts.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
            self.parts.append(element("text", f"{value:g}", x=left - 6, y=y + 4, text_anchor="end"))
        for value in x_ticks:
            x, _ = self.at(value, self.y[0])
            self.parts.append(element("text", f"{value:g}", x=x, y=bottom + 16, text_anchor="middle"))
        middle = (left + right) / 2
        self.parts.append(element("text", self.labels[0], x=middle, y=_HEIGHT - 6, text_anchor="middle"))
        self.parts.append(element("text", self.labels[1], x=left, y=top - 3, class_="axis"))

    def line(self, points: Iterable[tuple[float, float]], class_: str) -> None:
        """A line through the points, with gaps where a number isn't finite; a point of its own is a dot."""
        pieces: list[list[tuple[float, float]]] = [[]]
        for x, y in points:
            if math.isfinite(y):
                pieces[-1].append(self.at(x, y))
            elif pieces[-1]:
                pieces.append([])
        for piece in filter(None, pieces):
            if len(piece) == 1:
                self.parts.append(element("circle", cx=piece[0][0], cy=piece[0][1], r=3, class_=f"{class_} dot"))
            else:
                path = " ".join(f"{x},{y}" for x, y in piece)
                self.parts.append(element("polyline", points=path, class_=class_))

    def bar(self, x: tuple[float, float], height: float, class_: str, title: str) -> None:
        (left, top), (right, bottom) = self.at(x[0], height), self.at(x[1], self.y[0])
        size = {"width": max(0.0, round(right - left - 1, 1)), "height": max(0.0, round(bottom - top, 1))}
        self.parts.append(element("rect", element("title", title), x=left + 0.5, y=top, **size, class_=class_))

    def svg(self, label: str) -> Markup:
        return element("svg", *self.parts, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=label)


def _drawable(value: float) -> float:
    """`value` with room above it in float64, for the differences that a chart takes; NaN and infinities stay gaps."""
    return min(max(value, -1e300), 1e300) if math.isfinite(value) else value


def curves(series: dict[str, Sequence[float]], label: str, share: bool) -> Markup:
    """Lines over the epochs, one a name; `share`: numbers up to 1, of which the top is worth seeing."""
    series = {name: [_drawable(v) for v in values] for name, values in series.items()}
    epochs = max(len(values) for values in series.values())
    finite = [v for values in series.values() for v in values if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if not share and low >= 0:
        low = 0.0
    room = (high - low) * 0.06 or max(abs(high), 1.0) * 0.05
    low, high = (low if low == 0 else low - room), (min(1.0, high + room) if share and high <= 1 else high + room)
    plane = Plane((1, max(2, epochs)), (low, high), ("epoch", label))
    steps = [t for t in ticks(1, max(2, epochs), 8) if t == int(t)]
    plane.axes(sorted({1.0, *steps}), ticks(low, high))
    keys = []
    for number, (name, values) in enumerate(series.items()):
        plane.line(enumerate(values, 1), f"line c{number % 4}")
        keys.append(element("span", element("i", class_=f"key c{number % 4}"), f"{name}: {values[-1]:.4g} at the end"))
    return element("figure", plane.svg(f"{label} over the epochs"), element("figcaption", *keys))


def reliability(accuracy: np.ndarray, confidence: np.ndarray, weight: np.ndarray) -> Markup:
    """How often the model is right over how sure it is, and how many predictions there are of each."""
    plane = Plane((0, 1), (0, 1), ("confidence", "accuracy"))
    plane.axes([0, 0.2, 0.4, 0.6, 0.8, 1], [0, 0.2, 0.4, 0.6, 0.8, 1])
    bins = len(weight)
    for i in range(bins):
        if weight[i]:
            told = f"{weight[i]:g} predictions: sure {confidence[i]:.3f}, right {accuracy[i]:.3f}"
            plane.bar((i / bins, (i + 1) / bins), float(accuracy[i]), "bar", told)
    plane.line([(0, 0), (1, 1)], "line ideal")
    share = weight / max(1.0, weight.sum())
    plane.line([((i + 0.5) / bins, float(share[i])) for i in range(bins)], "line c1")
    keys = [
        element("span", element("i", class_="key c0"), "right, of the predictions that are so sure"),
        element("span", element("i", class_="key c1"), "share of the predictions"),
    ]
    return element("figure", plane.svg("accuracy over confidence"), element("figcaption", *keys))


def bars(values: Sequence[float], label: str) -> Markup:
    """One bar an epoch."""
    high, last = max(values) * 1.06 or 1.0, len(values)
    plane = Plane((0.5, last + 0.5), (0, high), ("epoch", label))
    plane.axes([t for t in ticks(1, max(2, last), 8) if t == int(t) and t <= last], ticks(0, high))
    for number, value in enumerate(values, 1):
        plane.bar((number - 0.5, number + 0.5), value, "bar", f"epoch {number}: {value:.2f} {label}")
    return element("figure", plane.svg(f"{label} of the epochs"))

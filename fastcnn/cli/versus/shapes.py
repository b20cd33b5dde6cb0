"""Shapes of layers, read from text files (benchmarks/shapes/*.txt, whose heads explain the columns)."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..._ops.geometry import ConvGeometry, PoolGeometry

CONVOLUTIONS = ("conv", "depthwise", "transposed")
POOLS = ("max_pool", "avg_pool")
KINDS = (*CONVOLUTIONS, *POOLS, "relu", "batch_norm", "softmax", "adam")
_COLUMNS = ("kind", "size", "in", "out", "kernel", "stride", "dilation", "padding", "groups", "times")

Pair = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Shape:
    """One layer without its batch.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    size : (int, int)
        Rows and columns of the input.
    channels, filters : int
        In and out; classes (softmax) or weights (adam).
    kernel, stride, dilation, padding : (int, int)
        For rows and columns; zeros on each side.
    times : int
        How often its network has it; no part of the shape itself.
    """

    kind: str
    size: Pair
    channels: int
    filters: int
    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: Pair
    groups: int
    times: int = dataclasses.field(default=1, compare=False)

    @property
    def name(self) -> str:
        """What people read: "conv 3x3/2 56x56 64->128"."""
        size = "x".join(map(str, self.size))
        if self.kind in ("softmax", "adam"):
            return f"{self.kind} {self.channels}"
        if self.kind in ("relu", "batch_norm"):
            return f"{self.kind} {size} {self.channels}"
        stride = "" if self.stride == (1, 1) else f"/{_short(self.stride)}"
        spread = "" if self.dilation == (1, 1) else f" dilation {_short(self.dilation)}"
        groups = f" groups {self.groups}" if self.kind == "conv" and self.groups > 1 else ""
        channels = f"{self.channels}" if self.kind in POOLS else f"{self.channels}->{self.filters}"
        kernel = "x".join(map(str, self.kernel))
        return f"{self.kind} {kernel}{stride} {size} {channels}{spread}{groups}"

    @property
    def pads(self) -> tuple[Pair, Pair]:
        """((above, below), (left, right))."""
        rows, columns = self.padding
        return (rows, rows), (columns, columns)

    def geometry(self, batch: int) -> ConvGeometry:
        """Of a convolution. For a transposed one, that of the convolution it is the adjoint of."""
        window = (self.stride, self.pads, self.dilation, self.groups, self.name)
        if self.kind != "transposed":
            weights = (*self.kernel, self.channels // self.groups, self.filters)
            return ConvGeometry.of((batch, *self.size, self.channels), weights, *window)
        out = [
            (n - 1) * s + (k - 1) * d + 1 - 2 * p
            for n, s, k, d, p in zip(self.size, self.stride, self.kernel, self.dilation, self.padding)
        ]
        return ConvGeometry.of(
            (batch, *out, self.filters), (*self.kernel, self.filters // self.groups, self.channels), *window
        )

    def pool_geometry(self, batch: int) -> PoolGeometry:
        return PoolGeometry.of((batch, *self.size, self.channels), self.kernel, self.stride, self.pads, self.name)

    def x_shape(self, batch: int) -> tuple[int, ...]:
        """Of the input: (n, h, w, c), or (n, classes), or (weights,)."""
        if self.kind == "adam":
            return (self.channels,)
        return (batch, self.channels) if self.kind == "softmax" else (batch, *self.size, self.channels)

    def y_shape(self, batch: int) -> tuple[int, ...]:
        """Of the result."""
        if self.kind in CONVOLUTIONS:
            g = self.geometry(batch)
            return g.x_shape if self.kind == "transposed" else g.y_shape
        return self.pool_geometry(batch).y_shape if self.kind in POOLS else self.x_shape(batch)

    @property
    def directions(self) -> tuple[str, ...]:
        return ("step",) if self.kind in ("softmax", "adam") else ("forward", "backward")

    def flops(self, batch: int, direction: str) -> float:
        """Of the sum as it is written, a multiplication and an addition being two; 0 for what is no convolution."""
        if self.kind not in CONVOLUTIONS:
            return 0.0
        return float(self.geometry(batch).flops) * (2 if direction == "backward" else 1)

    def bytes(self, batch: int, direction: str) -> float:
        """What must be read and written at least, each array once."""
        x, y = 4.0 * math.prod(self.x_shape(batch)), 4.0 * math.prod(self.y_shape(batch))
        if self.kind in CONVOLUTIONS:
            w = 4.0 * math.prod(self.geometry(batch).w_shape)
            return x + y + w if direction == "forward" else 2 * x + y + 2 * w
        if self.kind == "adam":
            return 7 * x
        if self.kind == "max_pool":
            return x + y if direction == "forward" else x + 1.25 * y
        if self.kind == "batch_norm":
            return 3 * x if direction == "forward" else 5 * x
        return x + y if direction != "backward" or self.kind == "avg_pool" else 2 * x + y

    def group(self) -> str:
        """The group of shapes that it is judged with."""
        if self.kind not in CONVOLUTIONS:
            return self.kind
        plain = (self.kind, self.kernel, self.stride, self.dilation, self.groups) == ("conv", (3, 3), (1, 1), (1, 1), 1)
        return "3x3" if plain and self.channels >= 32 else "other"


def _short(value: Pair) -> str:
    return str(value[0]) if value[0] == value[1] else f"{value[0]}x{value[1]}"


def read(path: str | Path) -> list[Shape]:
    """The shapes of one file.

    Raises
    ------
    ValueError
        A line that is none; it is named.
    OSError
        The file can't be read.
    """
    found = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        words = line.partition("#")[0].split()
        if words:
            try:
                found.append(_parse(words))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
    return found


def read_all(paths: Iterable[str | Path]) -> dict[Shape, dict[str, int]]:
    """The shapes of several files, each once, with how often each network (named as its file) has it."""
    found: dict[Shape, dict[str, int]] = {}
    for path in paths:
        for shape in read(path):
            found.setdefault(shape, {})[Path(path).stem] = shape.times
    return found


def _parse(words: list[str]) -> Shape:
    if len(words) != len(_COLUMNS):
        raise ValueError(f"a shape has {len(_COLUMNS)} columns ({' '.join(_COLUMNS)}), received {len(words)}")
    given = dict(zip(_COLUMNS, words))
    if given["kind"] not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, received {given['kind']!r}")
    numbers: dict[str, Any] = {}
    for name in ("in", "out", "groups", "times"):
        numbers[name] = _numbers(given[name], name, 1)[0]
    for name in ("size", "kernel", "stride", "dilation"):
        numbers[name] = _numbers(given[name], name, 1)
    channels = numbers["in"]
    shape = Shape(
        given["kind"], numbers["size"], channels, numbers["out"], numbers["kernel"], numbers["stride"],
        numbers["dilation"], _numbers(given["padding"], "padding", 0),
        channels if given["kind"] == "depthwise" else numbers["groups"], numbers["times"],
    )  # fmt: skip
    shape.y_shape(1)  # says what doesn't fit together
    return shape


def _numbers(text: str, name: str, least: int) -> Pair:
    match = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", text)
    if match is None or min(pair := (int(match[1]), int(match[2] or match[1]))) < least:
        raise ValueError(f"{name} must be a number or two like 3x1, each at least {least}, received {text!r}")
    return pair

"""Resampling: forward, and with the lists of taps that its gradient takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastcnn import reference as ref
from fastcnn._ops.resampling import Resampling, Taps, taps

from .case import Case, Problem, floats

#: shape of x, size of the result
SIZES = {
    "one": ((1, 1, 1, 1), (1, 1)),
    "one_to_many": ((2, 1, 1, 5), (4, 3)),
    "many_to_one": ((2, 5, 4, 5), (1, 1)),
    "doubled": ((2, 5, 4, 18), (10, 8)),
    "halved": ((1, 8, 6, 33), (4, 3)),
    "uneven": ((2, 7, 5, 3), (11, 4)),
    "gray": ((1, 9, 13, 1), (5, 22)),
    "wide": ((1, 4, 3, 130), (6, 7)),
    "as_it_is": ((2, 4, 5, 7), (4, 5)),
    "batch_0": ((0, 4, 5, 7), (8, 8)),
    "large": ((2, 60, 70, 20), (80, 100)),
}
HOW: dict[str, dict[str, Any]] = {
    "linear": {},
    "nearest": {"mode": "nearest", "rounding": "floor"},
    "cubic": {"mode": "cubic", "cubic_a": -0.5, "exclude_outside": True},
    "antialias": {"antialias": True},
}


def _problem(x: np.ndarray, y: np.ndarray, rows: Taps, columns: Taps) -> Problem:
    n, h, w, c = x.shape
    lists = {**rows.arrays("row"), **columns.arrays("col")}
    numbers = {"n": n, "h": h, "w": w, "c": c, "oh": y.shape[1], "ow": y.shape[2]}
    numbers |= {"row_taps": rows.index.size, "col_taps": columns.index.size}
    return Problem().add("resize", {"x": x, **lists}, {"y": y}, **numbers)


def _resize(rng: np.random.Generator, which: str, how: str, backward: bool) -> Problem:
    (n, h, w, c), (oh, ow) = SIZES[which]
    matrices = [ref.resize_matrix(a, b, **HOW[how]) for a, b in ((h, oh), (w, ow))]
    lists = [taps(a, b, Resampling(**HOW[how]), None, backward) for a, b in ((h, oh), (w, ow))]
    if backward:
        matrices = [m.T for m in matrices]
    x = floats(rng, n, *((oh, ow) if backward else (h, w)), c)
    return _problem(x, ref.resize(x, *matrices), *lists)


def cases() -> Iterator[Case]:
    for which in SIZES:
        for how in HOW:
            for backward in (False, True):
                name = f"resize/{which}/{how}{'/backward' * backward}"
                args = (which, how, backward)
                yield Case(name, ("resize",), lambda rng, a=args: _resize(rng, *a), which == "large")

"""Sums, means and maxima."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastcnn import reference as ref

from .case import Case, Problem, floats, integers

#: parts, count
FOLDS = {"one": (1, 1), "single": (1, 67), "tails": (3, 37), "many": (64, 9), "none": (2, 0), "large": (4, 20_000)}

#: rows, cols, parts
COLUMNS = {
    "one": (1, 1, 1),
    "classifier": (32, 10, 1),
    "tails": (50, 37, 3),
    "more_parts_than_rows": (3, 5, 7),
    "many_columns": (9, 133, 2),
    "no_rows": (0, 6, 2),
    "single_column": (1000, 1, 4),
    "large": (4000, 33, 16),
}

#: outer, count, inner
REDUCTIONS = {
    "one": (1, 1, 1),
    "last_axis": (7, 33, 1),
    "last_axis_long": (2, 1003, 1),
    "middle": (3, 7, 5),
    "spatial": (2, 49, 33),
    "spatial_wide": (2, 5, 130),
    "single_element": (4, 1, 6),
    "no_rows": (0, 3, 4),
    "large": (16, 64, 100),
    "large_last_axis": (9, 30_011, 1),
}
KINDS = ("sum", "mean", "max")


def _fold(rng: np.random.Generator, which: str) -> Problem:
    parts, count = FOLDS[which]
    x = floats(rng, parts, count)
    return Problem().add("fold", {"x": x}, {"y": ref.fold(x)}, parts=parts, count=count)


def _fold_order(rng: np.random.Generator) -> Problem:
    """Bit for bit the float32 sum taken in order."""
    x = floats(rng, 11, 43)
    y = x[0].copy()
    for part in x[1:]:
        y += part
    return Problem().add("fold", {"x": x}, {"y": y}, parts=11, count=43).exactly()


def _columns(rng: np.random.Generator, which: str, exact: bool) -> Problem:
    rows, cols, parts = COLUMNS[which]
    x = integers(rng, rows, cols) if exact else floats(rng, rows, cols, scale=max(rows, 1) ** -0.5)
    problem = Problem().add(
        "column_sums", {"x": x}, {"y": ref.column_sums(x, parts)}, rows=rows, cols=cols, parts=parts
    )
    return problem.exactly() if exact else problem


def _reduce(rng: np.random.Generator, which: str, kind: str) -> Problem:
    outer, count, inner = REDUCTIONS[which]
    x = floats(rng, outer, count, inner, scale=count**-0.5)
    y = 0.5 * ref.reduce(x, 1, kind)
    numbers = {"outer": outer, "count": count, "inner": inner, "kind": KINDS.index(kind), "scale": 0.5}
    return Problem().add("reduce", {"x": x}, {"y": y}, **numbers)


def _mean_of_many(rng: np.random.Generator) -> Problem:
    """A running sum in float32 would be off by 1e-3 here; pairwise or blocked sums are off by a few roundings."""
    x = (1000 + rng.random(1_500_007)).astype(np.float32)
    numbers = {"outer": 1, "count": x.size, "inner": 1, "kind": KINDS.index("mean"), "scale": 1.0}
    problem = Problem().add("reduce", {"x": x}, {"y": ref.reduce(x, 0, "mean").reshape(1)}, **numbers)
    problem.atol, problem.rtol = 0.0, 5e-7
    return problem


def _max_special(rng: np.random.Generator) -> Problem:
    """A NaN at every place of the reduced axis in turn, rows of -inf, and infinities."""
    rows = np.tile(floats(rng, 37), (40, 1))
    np.fill_diagonal(rows, np.nan)
    rows[37:] = -np.inf
    rows[38, 5], rows[39, 36] = 1.0, np.inf
    y = ref.reduce(rows, 1, "max")
    numbers = {"outer": 40, "count": 37, "kind": KINDS.index("max"), "scale": 1.0}
    problem = Problem().add("reduce", {"x": rows}, {"y": y}, **numbers, inner=1)
    columns = np.ascontiguousarray(rows.T)
    numbers |= {"outer": 1, "count": 37, "inner": 40}
    return problem.add("reduce", {"x": columns}, {"y": y}, "_columns", **numbers).exactly()


def cases() -> Iterator[Case]:
    for which in FOLDS:
        yield Case(f"fold/{which}", ("fold",), lambda rng, w=which: _fold(rng, w), which == "large")
    yield Case("fold/in_order", ("fold",), _fold_order)
    for which in COLUMNS:
        for exact in (False, True):
            name = f"column_sums/{which}{'/integers' * exact}"
            yield Case(name, ("column_sums",), lambda rng, w=which, e=exact: _columns(rng, w, e), which == "large")
    for which in REDUCTIONS:
        for kind in KINDS:
            name = f"reduce/{kind}/{which}"
            large = which.startswith("large")
            yield Case(name, ("reduce",), lambda rng, w=which, k=kind: _reduce(rng, w, k), large)
    yield Case("reduce/mean/of_many", ("reduce",), _mean_of_many)
    yield Case("reduce/max/special", ("reduce",), _max_special)

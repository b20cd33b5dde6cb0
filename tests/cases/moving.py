"""Margins, and matrices side by side: the cases of pad2d and copy_columns. Exact: nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastcnn import reference as ref

from .case import Case, Problem, floats

Sides = tuple[tuple[int, int], tuple[int, int]]

#: shape of x, and (top, bottom), (left, right); negative sides are cut off.
MARGINS: dict[str, tuple[tuple[int, int, int, int], Sides]] = {
    "one_pixel": ((1, 1, 1, 1), ((1, 1), (1, 1))),
    "none": ((2, 3, 4, 5), ((0, 0), (0, 0))),
    "stem": ((2, 9, 8, 3), ((3, 3), (3, 3))),
    "top": ((2, 3, 4, 5), ((2, 0), (0, 0))),
    "bottom": ((2, 3, 4, 5), ((0, 2), (0, 0))),
    "left": ((2, 3, 4, 17), ((0, 0), (3, 0))),
    "right": ((2, 3, 4, 17), ((0, 0), (0, 3))),
    "uneven": ((3, 2, 5, 7), ((1, 0), (2, 4))),
    "cut": ((2, 6, 7, 5), ((-1, -2), (-3, -1))),
    "cut_to_a_pixel": ((2, 6, 7, 3), ((-5, 0), (0, -6))),
    "cut_and_filled": ((2, 6, 7, 3), ((-2, 3), (4, -1))),
    "filled_and_cut": ((2, 6, 7, 3), ((1, -5), (-6, 2))),
    "batch_0": ((0, 4, 4, 3), ((1, 1), (1, 1))),
    "large": ((4, 60, 60, 16), ((1, 2), (2, 1))),
    "large_rows": ((2, 5, 30, 1100), ((1, 1), (-1, 1))),
}

#: rows, columns of x, first, how many; columns of y, from which on.
COLUMNS: dict[str, tuple[int, int, int, int, int, int]] = {
    "one": (1, 1, 0, 1, 1, 0),
    "all": (7, 5, 0, 5, 5, 0),
    "first": (6, 5, 0, 5, 12, 0),
    "middle": (6, 33, 4, 17, 40, 9),
    "last": (6, 20, 13, 7, 31, 24),
    "no_rows": (0, 4, 0, 4, 9, 5),
    "no_columns": (5, 4, 4, 0, 9, 9),
    "large": (3000, 48, 0, 48, 96, 48),
    "large_rows": (20, 20000, 3, 19990, 20001, 5),
}


def _pad(rng: np.random.Generator, which: str) -> Problem:
    shape, ((top, bottom), (left, right)) = MARGINS[which]
    x = floats(rng, *shape)
    cut = ref.crop2d(x, ((max(0, -top), max(0, -bottom)), (max(0, -left), max(0, -right))))
    y = ref.zero_pad2d(cut, ((max(0, top), max(0, bottom)), (max(0, left), max(0, right))))
    n, h, w, c = shape
    numbers = {"n": n, "h": h, "w": w, "c": c, "oh": h + top + bottom, "ow": w + left + right, "pt": top, "pl": left}
    return Problem().add("pad2d", {"x": x}, {"y": y}, **numbers).exactly()


def _columns(rng: np.random.Generator, which: str) -> Problem:
    rows, xcols, x0, cols, ycols, y0 = COLUMNS[which]
    x, y = floats(rng, rows, xcols), floats(rng, rows, ycols)
    after = y.copy()
    after[:, y0 : y0 + cols] = x[:, x0 : x0 + cols]
    numbers = {"rows": rows, "cols": cols, "xcols": xcols, "x0": x0, "ycols": ycols, "y0": y0}
    return Problem().add("copy_columns", {"x": x, "y": y}, {"y": after}, **numbers).exactly()


def cases() -> Iterator[Case]:
    for which in MARGINS:
        yield Case(f"pad2d/{which}", ("pad2d",), lambda rng, w=which: _pad(rng, w), which.startswith("large"))
    for which in COLUMNS:
        yield Case(
            f"copy_columns/{which}", ("copy_columns",), lambda rng, w=which: _columns(rng, w), which.startswith("large")
        )

"""Products of matrices that are both data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .case import Case, Problem, floats, integers

#: batch, m, n, k
SHAPES = {
    "one": (1, 1, 1, 1),
    "rows": (2, 7, 5, 3),
    "columns": (1, 3, 70, 9),
    "panels": (3, 13, 64, 32),
    "tails": (2, 25, 37, 19),
    "vector": (4, 1, 130, 33),
    "to_vector": (4, 130, 1, 33),
    "blocks": (2, 500, 40, 17),
    "deep": (1, 5, 18, 1000),
    "no_depth": (2, 3, 4, 0),
    "no_rows": (2, 0, 4, 3),
    "batch_0": (0, 3, 4, 5),
    "attention": (8, 49, 49, 32),
    "large": (6, 260, 100, 64),
}
#: a for all, b for all
SHARED = {"own": (False, False), "one_a": (True, False), "one_b": (False, True)}


def matmul_problem(
    rng: np.random.Generator, shape: tuple[int, ...], turned: tuple[bool, bool], shared: tuple[bool, bool], exact: bool
) -> Problem:
    batch, m, n, k = shape
    draw = integers if exact else (lambda rng, *s: floats(rng, *s, scale=max(k, 1) ** -0.25))
    a, b = draw(rng, 1 if shared[0] else batch, m, k), draw(rng, 1 if shared[1] else batch, k, n)
    y = np.broadcast_to(a.astype(float) @ b.astype(float), (batch, m, n))
    inputs = {
        name: np.ascontiguousarray(array.swapaxes(1, 2)) if turn else array
        for name, array, turn in (("a", a, turned[0]), ("b", b, turned[1]))
    }
    problem = Problem().add(
        "matmul", inputs, {"y": y}, batch=batch, m=m, n=n, k=k, a_step=0 if shared[0] else m * k,
        b_step=0 if shared[1] else k * n, a_transposed=int(turned[0]), b_transposed=int(turned[1]),
    )  # fmt: skip
    return problem.exactly() if exact else problem


def cases() -> Iterator[Case]:
    for which, shape in SHAPES.items():
        for turned in ((False, False), (True, False), (False, True), (True, True)):
            for kind, shared in SHARED.items():
                if kind != "own" and (shape[0] == 0 or which not in ("rows", "tails", "large")):
                    continue
                name = f"matmul/{which}{'/a_transposed' * turned[0]}{'/b_transposed' * turned[1]}/{kind}"
                args = (shape, turned, shared, which == "tails")
                yield Case(name, ("matmul",), lambda rng, a=args: matmul_problem(rng, *a), which == "large")

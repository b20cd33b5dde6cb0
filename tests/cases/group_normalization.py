"""Group, layer and instance normalization, forward and backward."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from fastcnn import reference as ref

from .case import Argument, Case, Problem, floats

#: n, pixels, groups, channels of a group, parts
SHAPES = {
    "one": (1, 1, 1, 1, 1),
    "layer": (7, 1, 1, 37, 2),
    "layer_narrow": (9, 1, 1, 3, 1),
    "layer_long": (3, 1, 1, 2100, 2),
    "layer_many": (300, 1, 1, 20, 3),
    "layer_groups": (5, 1, 4, 6, 2),
    "group": (3, 20, 4, 5, 3),
    "group_one": (2, 30, 1, 19, 2),
    "group_wide": (2, 9, 2, 70, 1),
    "group_of_a_tile": (2, 25, 8, 16, 2),
    "instance": (3, 35, 37, 1, 3),
    "instance_single": (2, 150, 1, 1, 2),
    "instance_blocks": (1, 300, 40, 1, 1),
    "more_parts_than_images": (2, 5, 3, 4, 5),
    "batch_0": (0, 5, 3, 4, 1),
    "batch_0_layer": (0, 1, 1, 4, 2),
    "large": (6, 900, 4, 16, 6),
    "large_layer": (1500, 1, 1, 96, 24),
}
EPSILON = 1e-3
KERNELS = ("group_norm_forward", "group_norm_backward")


def problem(rng: np.random.Generator, shape: tuple[int, ...], plain: bool = False, offset: float = 0.0) -> Problem:
    """Both kernels; `plain`: without gamma and beta."""
    n, pixels, groups, c, parts = shape
    width = groups * c
    x = (rng.standard_normal((n, pixels, width)) * rng.uniform(0.5, 2.0, width) + offset).astype(np.float32)
    dy, gamma, beta = floats(rng, *x.shape, scale=0.3), floats(rng, width) + np.float32(0.5), floats(rng, width)
    affine: dict[str, np.ndarray] = {} if plain else {"gamma": gamma, "beta": beta}
    numbers: dict[str, Argument] = {"n": n, "pixels": pixels, "groups": groups, "c": c}
    split = x.reshape(n, pixels, groups, c).astype(float)
    mean, rstd = split.mean(axis=(1, 3)), 1 / np.sqrt(split.var(axis=(1, 3)) + EPSILON)
    made = Problem().add(
        KERNELS[0], {"x": x, **affine},
        {"y": ref.group_norm(x, groups, **affine, epsilon=EPSILON), "mean": mean, "rstd": rstd}, **numbers,
        epsilon=EPSILON,
    )  # fmt: skip
    edges = [n * p // parts for p in range(parts + 1)]
    scale = {"gamma": gamma} if not plain else {}
    dx, _, _ = ref.group_norm_backward(dy, x, groups, **scale, epsilon=EPSILON)
    sums = [
        ref.group_norm_backward(dy[a:b], x[a:b], groups, **scale, epsilon=EPSILON) for a, b in itertools.pairwise(edges)
    ]
    expected: dict[str, np.ndarray] = {"dx": dx}
    if not plain:
        expected |= {"dgamma": np.stack([s[1] for s in sums]), "dbeta": np.stack([s[2] for s in sums])}
    given = {"mean": mean.astype(np.float32), "rstd": rstd.astype(np.float32)}
    return made.add(KERNELS[1], {"x": x, "dy": dy, **scale, **given}, expected, "_back", **numbers, parts=parts)


def _offset(rng: np.random.Generator, shape: tuple[int, ...]) -> Problem:
    """Means a hundred deviations from 0: a variance from sums of squares would be off by 1e-3."""
    made = problem(rng, shape, offset=100.0)
    made.expected = {name: made.expected[name] for name in ("mean", "rstd", "y")}
    made.atol = 5e-5  # the mean near 100 is rounded at 4e-6, and x is it less
    return made


def _in_place(rng: np.random.Generator, shape: tuple[int, ...]) -> Problem:
    made = problem(rng, shape)
    other = {"y": "x", "dx_back": "dy_back"}
    for step in made.steps:
        step.args.update({field: other.get(str(name), name) for field, name in step.args.items()})
    made.expected = {other.get(name, name): array for name, array in made.expected.items()}
    return made


def cases() -> Iterator[Case]:
    for which, shape in SHAPES.items():
        for plain in (False, True):
            name = f"group_norm/{which}{'/plain' * plain}"
            args = (shape, plain)
            yield Case(name, KERNELS, lambda rng, a=args: problem(rng, *a), which.startswith("large"))
    for which in ("layer", "group", "instance"):
        yield Case(f"group_norm/offset/{which}", KERNELS, lambda rng, s=SHAPES[which]: _offset(rng, s))
        yield Case(f"group_norm/in_place/{which}", KERNELS, lambda rng, s=SHAPES[which]: _in_place(rng, s))

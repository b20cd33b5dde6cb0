"""Elements in another order: the cases of strided_copy and strided_place. Exact: nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .case import Case, Problem, floats

#: shape of x, its axes in their new order
PERMUTATIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "one": ((1, 1, 1, 1, 1), (4, 3, 2, 1, 0)),
    "as_it_is": ((2, 3, 4, 5, 6), (0, 1, 2, 3, 4)),
    "matrix": ((37, 53), (1, 0)),
    "squares": ((32, 48), (1, 0)),
    "column": ((1, 40), (1, 0)),
    "to_channels_last": ((2, 33, 5, 7), (0, 2, 3, 1)),
    "to_channels_first": ((2, 5, 7, 33), (0, 3, 1, 2)),
    "rgb_to_last": ((2, 3, 20, 30), (0, 2, 3, 1)),
    "rgb_to_first": ((2, 20, 30, 3), (0, 3, 1, 2)),
    "rows_stay": ((3, 4, 5, 17), (1, 0, 2, 3)),
    "middle": ((3, 4, 5, 6, 7), (0, 3, 2, 1, 4)),
    "reversed": ((3, 4, 5, 6, 7), (4, 3, 2, 1, 0)),
    "rotated": ((3, 4, 5, 6, 7), (2, 3, 4, 0, 1)),
    "batch_0": ((0, 4, 5, 3), (0, 3, 1, 2)),
    "no_channels": ((2, 4, 5, 0), (0, 3, 1, 2)),
    "long_rows": ((3, 2, 20_000), (1, 0, 2)),
    "colliding": ((1, 100, 1024), (0, 2, 1)),
    "large": ((4, 96, 60, 60), (0, 2, 3, 1)),
    "large_back": ((4, 60, 60, 96), (0, 3, 1, 2)),
}

#: shape of x, parts of it
PARTS: dict[str, tuple[tuple[int, ...], tuple[slice, ...]]] = {
    "all": ((3, 4), (slice(None), slice(None))),
    "inside": ((5, 6, 7), (slice(1, 4), slice(2, 5), slice(3, 6))),
    "channels": ((2, 6, 5, 20), (slice(None), slice(None), slice(None), slice(3, 17))),
    "every_other": ((4, 9, 8, 5), (slice(None), slice(1, None, 2), slice(None, None, 3), slice(None))),
    "every_other_channel": ((2, 3, 4, 37), (slice(None), slice(None), slice(None), slice(1, None, 2))),
    "backward": ((3, 5, 7), (slice(None, None, -1), slice(4, 0, -2), slice(None, None, -1))),
    "flipped_rows": ((2, 8, 6, 5), (slice(None), slice(None, None, -1), slice(None), slice(None))),
    "five": ((4, 5, 6, 7, 8), (slice(1, 3), slice(0, 5, 2), slice(5, 1, -1), slice(2, 7, 3), slice(6, None, -2))),
    "nothing": ((4, 5), (slice(2, 2), slice(None))),
    "large": ((40, 100, 300), (slice(1, None), slice(None, None, -1), slice(10, 290))),
    "large_steps": ((40, 100, 300), (slice(None, None, -1), slice(None), slice(None, None, 2))),
}

#: shape of x, shape of y, where x begins, steps; what is left has the value -1.5
PLACES: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "one": ((1,), (1,), (0,), (1,)),
    "margins": ((2, 3, 4), (5, 4, 9), (1, 0, 3), (1, 1, 1)),
    "all_margin": ((2, 0), (3, 4), (1, 0), (1, 1)),
    "cut": ((6, 7), (3, 4), (-2, -1), (1, 1)),
    "beside": ((2, 3), (4, 4), (0, 9), (1, 1)),
    "before": ((2, 3), (4, 4), (0, -5), (1, 1)),
    "steps": ((3, 2, 5), (7, 9, 16), (1, 3, 2), (2, 4, 3)),
    "backward": ((3, 2, 5), (7, 9, 16), (5, 4, 15), (-2, -1, -3)),
    "five": ((2, 3, 2, 3, 4), (3, 4, 5, 6, 7), (1, 0, 4, 2, 3), (1, 1, -2, 1, 1)),
    "batch_0": ((0, 3), (0, 5), (0, 1), (1, 1)),
    "large": ((30, 50, 300), (32, 54, 310), (1, 2, 5), (1, 1, 1)),
}


def steps_of(shape: Sequence[int]) -> np.ndarray:
    """How far apart neighbours along each axis of a dense array are."""
    return np.array([int(np.prod(shape[k + 1 :])) for k in range(len(shape))], int)


def _copy(x: np.ndarray, y: np.ndarray, steps: Sequence[int], start: int) -> Problem:
    front = 5 - y.ndim
    numbers = {f"d{i}": size for i, size in enumerate((1,) * front + y.shape)}
    numbers |= {f"s{i}": int(step) for i, step in enumerate([0] * front + list(steps))}
    return Problem().add("strided_copy", {"x": x}, {"y": y}, **numbers, x0=start).exactly()


def permutation(x: np.ndarray, axes: Sequence[int]) -> Problem:
    return _copy(x, np.ascontiguousarray(x.transpose(axes)), steps_of(x.shape)[list(axes)], 0)


def _permutation(rng: np.random.Generator, which: str) -> Problem:
    shape, axes = PERMUTATIONS[which]
    return permutation(floats(rng, *shape), axes)


def _part(rng: np.random.Generator, which: str) -> Problem:
    shape, parts = PARTS[which]
    x = floats(rng, *shape)
    ranges = [range(size)[part] for size, part in zip(shape, parts)]
    steps = steps_of(shape)
    start = sum(int(s) * r.start for s, r in zip(steps, ranges))
    return _copy(x, np.ascontiguousarray(x[parts]), [s * r.step for s, r in zip(steps, ranges)], start)


def _repeated(rng: np.random.Generator, shape: tuple[int, ...], out: tuple[int, ...]) -> Problem:
    x = floats(rng, *shape)
    steps = [0 if size == 1 else step for size, step in zip(shape, steps_of(shape))]
    return _copy(x, np.broadcast_to(x, out).copy(), steps, 0)


def _place(rng: np.random.Generator, which: str) -> Problem:
    shape, out, first, steps = PLACES[which]
    x, y = floats(rng, *shape), np.full(out, np.float32(-1.5))
    for index in np.ndindex(*shape):
        place = tuple(b + j * t for b, j, t in zip(first, index, steps))
        if all(0 <= i < size for i, size in zip(place, out)):
            y[place] = x[index]
    front = 5 - len(out)
    numbers = {}
    for letter, values, missing in (("d", out, 1), ("e", shape, 1), ("b", first, 0), ("t", steps, 1)):
        numbers |= {f"{letter}{i}": value for i, value in enumerate((missing,) * front + values)}
    return Problem().add("strided_place", {"x": x}, {"y": y}, **numbers, value=-1.5).exactly()


def cases() -> Iterator[Case]:
    kernel = ("strided_copy",)
    for which in PERMUTATIONS:
        large = which.startswith("large")
        yield Case(f"strided_copy/permutation/{which}", kernel, lambda rng, w=which: _permutation(rng, w), large)
    for which in PARTS:
        large = which.startswith("large")
        yield Case(f"strided_copy/part/{which}", kernel, lambda rng, w=which: _part(rng, w), large)
    for shape, out in (((1, 1), (5, 20)), ((4, 1, 3), (4, 6, 3)), ((1, 5, 1), (3, 5, 40)), ((2, 1), (2, 0))):
        name = f"strided_copy/repeated/{'x'.join(map(str, out))}"
        yield Case(name, kernel, lambda rng, a=(shape, out): _repeated(rng, *a))
    for which in PLACES:
        large = which.startswith("large")
        yield Case(f"strided_place/{which}", ("strided_place",), lambda rng, w=which: _place(rng, w), large)

"""Augmentation: draws, matrices, images seen through them, colours, surroundings, parts.

Images of bytes are compared bit for bit, so their numbers are such that no rounding is near a tie, or exactly on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastcnn.data.augment.steps import BORDERS, KINDS, Step, table
from fastcnn.reference import augment as ref

from .case import Case, Problem, floats

SEED, SITE = 2**40 + 12345, 7
RNG = np.array([SEED, 2**33 + 3], np.uint64)
ENDS = {"low": 0.0, "high": 255.0}

#: images, rows, columns, channels; rows and columns of the result
VIEWS: dict[str, tuple[tuple[int, int, int, int], tuple[int, int]]] = {
    "pixel": ((1, 1, 1, 1), (1, 1)),
    "pixel_to_many": ((2, 1, 1, 3), (5, 4)),
    "row": ((1, 1, 9, 3), (1, 9)),
    "column": ((1, 9, 1, 2), (9, 1)),
    "odd": ((3, 7, 5, 3), (7, 5)),
    "smaller": ((2, 9, 11, 3), (4, 5)),
    "larger": ((2, 5, 4, 1), (11, 37)),
    "channels": ((2, 6, 5, 21), (6, 5)),
    "batch_0": ((0, 4, 5, 3), (4, 5)),
    "large": ((4, 90, 80, 3), (90, 80)),
}
#: (x, y of the image) for a pixel of the result: whole, moved by parts, scaled, any, and with perspective
MATRICES: dict[str, list[list[float]]] = {
    "flip": [[-1, 0, 4], [0, 1, 0]],
    "crop": [[1, 0, -2], [0, 1, 1]],
    "turned": [[1, 0, 3], [0, -1, 4]],
    "moved": [[1, 0, 0.25], [0, 1, -1.5]],
    "scaled": [[0.5, 0, 0.25], [0, 1.75, -2]],
    "far": [[1, 0, 1e7], [0, -1, 0.5]],
    "rotated": [[0, -1, 4.25], [1, 0, -0.75]],
    "sheared": [[1, 0.5, -1.25], [-0.25, 0.75, 2]],
    "perspective": [[1.1037, 0.2113, -0.3071], [0.1019, 0.9007, 0.4131], [0.01, 0.02, 1]],
    "horizon": [[0.3037, 0.1013, 0.3071], [0.2119, 0.9307, 0.1131], [0.125, 0, 0]],  # at the first pixel of each row
    "along_rows": [[1, 0.3125, -0.875], [0, 1, 0.25]],
    "along_columns": [[1, 0, 0.125], [-0.3125, 1, 0.25]],
    "nowhere": [[np.nan] * 3] * 3,
}
#: rows, columns, channels of a batch of three
IMAGES = {
    "pixel": (1, 1, 3),
    "gray": (5, 7, 1),
    "two": (4, 3, 2),
    "odd": (7, 9, 3),
    "wide": (2, 37, 5),
    "large": (100, 114, 3),
}


def images(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Bytes that are multiples of 4, or normally distributed floats about the middle of the range."""
    if dtype == "u8":
        return (rng.integers(0, 64, shape) * 4).astype(np.uint8)
    return np.clip(floats(rng, *shape, scale=60.0) + 127, 0, 255).astype(np.float32)


def result(y: np.ndarray, dtype: str) -> np.ndarray:
    return np.clip(np.rint(y), 0, 255).astype(np.uint8) if dtype == "u8" else y


def _any_steps(rng: np.random.Generator) -> list[Step]:
    """One of each kind with every way to draw, some of them choices."""
    ways = (
        "constant",
        "uniform",
        "log_uniform",
        "whole",
        "signed",
        "levels",
        "signed_levels",
        "about_one",
        "odds",
        "same",
    )
    steps = []
    for i, kind in enumerate(KINDS):
        draws = tuple((ways[(i + v) % len(ways)], 0.1 + 0.05 * v, 0.4 + 0.06 * v) for v in range(8))
        group = (i % 3, i // 3, 9) if i % 2 else None
        steps.append(Step(kind, draws, float(rng.choice([0.3, 0.7, 1.0])), group=group, size=(6, 5)))
    return steps


def _draw(rng: np.random.Generator, n: int) -> Problem:
    rows = table(_any_steps(rng), range(len(KINDS)), 8, 9)
    drawn = ref.draw(rows, n, int(RNG[0]), int(RNG[1]), SITE)
    return Problem().add("augment_draw", {"steps": rows, "rng": RNG}, {"drawn": drawn}, n=n, k=len(rows), site=SITE)


def _geometry(rng: np.random.Generator, n: int) -> Problem:
    steps = [Step(k, size=(6, 5) if "crop" in k else None) for k in KINDS]
    rows = table(steps, range(len(steps)), 8, 9)
    drawn = np.zeros((n, len(steps), ref.DRAWN), np.float32)
    drawn[..., 0] = rng.random((n, len(steps))) < 0.6
    drawn[..., 1:] = rng.uniform(0.05, 0.45, (n, len(steps), 8))
    matrix = ref.geometry(rows, drawn)
    return Problem().add("augment_geometry", {"steps": rows, "drawn": drawn}, {"matrix": matrix}, n=n, k=len(rows))


def _warp(rng: np.random.Generator, which: str, through: str, border: str, bilinear: bool, dtype: str) -> Problem:
    (n, h, w, c), size = VIEWS[which]
    matrix = np.tile(np.eye(3), (n, 1, 1))
    rows = MATRICES[through]
    matrix[:, : len(rows)] = rows
    if dtype == "f32":
        matrix[:, :2, 2] += np.arange(n)[:, None]  # each image its own way
    x = images(rng, dtype, n, h, w, c)
    y = ref.warp(x, matrix, size, bilinear, border, 16.0)
    numbers = {"n": n, "h": h, "w": w, "c": c, "oh": size[0], "ow": size[1], "bilinear": int(bilinear)}
    ends = {"border": BORDERS.index(border), "fill": 16.0}
    made = Problem().add(
        f"augment_warp_{dtype}", {"x": x, "matrix": matrix}, {"y": result(y, dtype)}, **numbers, **ends
    )
    # The reference finds places anew where a pixel lies on another: within a millionth of a pixel, of values up to 255.
    made.atol = 1e-3
    return made


def _statistics(rng: np.random.Generator, which: str, dtype: str) -> Problem:
    h, w, c = IMAGES[which]
    x = images(rng, dtype, 3, h * w, c)
    numbers = {"n": 3, "pixels": h * w, "c": c}
    return Problem().add(f"augment_statistics_{dtype}", {"x": x}, {"statistics": ref.statistics(x)}, **numbers)


#: Steps that are done in one pass: kind, v0, v1, f0
LISTS: dict[str, list[tuple[str, float, float, float]]] = {
    "none": [],
    "shift": [("shift", 16 / 255, 0, 0)],
    "linear": [("shift", 0.1, 0, 0), ("contrast", 0.77, 0, 0), ("scale", 1.2, 0, 0), ("color", 0.4, 0, 0)],
    "contrasts": [("invert", 0, 0, 0), ("contrast", 1.5, 0, 1), ("contrast", 0.5, 0, 0)],
    "stretch": [("stretch", 0, 0, 0)],
    "hsv": [("hsv", 0.3, 1.4, 0), ("hsv", -0.85, 0.2, 0)],
    "bits": [("posterize", 3, 0, 0), ("solarize", 0.5, 0.125, 0)],
    "noise": [("noise", 0.1, 0, 0), ("salt", 0.4, 0, 0.3)],
    "all": [
        ("shift", 0.1, 0, 0),
        ("hsv", 0.1, 1.1, 0),
        ("scale", 0.9, 0, 0),
        ("solarize", 0.8, 0, 0),
        ("noise", 0.02, 0, 0),
    ],
}


def _rows(which: str, n: int, done: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    steps = [Step(kind, constants=(f0,)) for kind, _, _, f0 in LISTS[which]]
    rows = table(steps, [3 * i for i in range(len(steps))], 4, 4)
    drawn = np.zeros((n, len(steps), ref.DRAWN), np.float32)
    drawn[..., 0] = 1 if done is None else done
    drawn[..., 1:3] = [v for _, *v, _ in LISTS[which]] or 0.0
    return rows, drawn


def _entries(found: list[list[tuple[Any, ...]]], k: int, c: int) -> np.ndarray:
    """The reference's lists as augment_points reads them."""
    lists = np.zeros((len(found), k + 1, 2 + 4 * c))
    for i, entries in enumerate(found):
        for e, (kind, *numbers) in enumerate(entries):
            row = lists[i, e]
            if kind == "map":
                row[0] = KINDS.index("shift")
                matrix, summand = numbers
                if c == 3:
                    row[2:].reshape(3, 4)[:] = np.concatenate([matrix, summand[:, None]], axis=1)
                else:
                    row[2 : 2 + 2 * c] = np.concatenate([np.diag(matrix), summand])
            else:
                row[0], row[1:5] = KINDS.index(kind), numbers
        if len(entries) <= k:
            lists[i, len(entries), 0] = -1
    return lists


def _colors(rng: np.random.Generator, which: str, c: int, n: int = 5) -> Problem:
    rows, drawn = _rows(which, n, rng.random((n, len(LISTS[which]))) < 0.7)
    statistics = np.sort(rng.uniform(20, 230, (n, c, 3)))[..., [1, 0, 2]].astype(np.float32)
    lists = _entries(ref.colors(rows, drawn, statistics, (0.0, 255.0)), len(rows), c)
    given = {"steps": rows, "drawn": drawn, "statistics": statistics}
    return Problem().add("augment_colors", given, {"lists": lists}, n=n, c=c, k=len(rows), **ENDS)


def _points(rng: np.random.Generator, which: str, shape: str, dtype: str) -> Problem:
    h, w, c = IMAGES[shape]
    n, ends = 3, (0.0, 255.0)
    x = images(rng, dtype, n, h * w, c)
    done = np.arange(n)[:, None] < 2  # the last image stays as it is
    rows, drawn = _rows(which, n, done)
    found = ref.colors(rows, drawn, ref.statistics(x), ends)
    y = ref.points(x, found, ends, int(RNG[0]), int(RNG[1]), SITE)
    lists = _entries(found, len(rows), c).astype(np.float32)
    numbers = {"n": n, "pixels": h * w, "c": c, "k": len(rows), "site": SITE, **ENDS}
    given = {"x": x, "lists": lists, "rng": RNG}
    made = Problem().add(f"augment_points_{dtype}", given, {"y": result(y, dtype)}, **numbers)
    made.atol = 1e-3  # of values up to 255, through a division for the hue
    return made


def _filter(rng: np.random.Generator, kind: str, shape: str, dtype: str, in_place: bool) -> Problem:
    h, w, c = IMAGES[shape]
    n, window = 3, (5, 3) if kind == "blur" else (3, 3)
    x = images(rng, dtype, n, h, w, c)
    rows = table([Step("shift"), Step(kind)], (0, 1), h, w)
    drawn = np.zeros((n, 2, ref.DRAWN), np.float32)
    drawn[:2, 1, 0], drawn[:, 1, 1] = 1, (0.8, 1.6, 0)
    if dtype == "u8" and kind == "sharpen":
        x, drawn[:, 1, 1] = x // 16 * 13, (0, 2, 0)  # sums of thirteenths are whole
    of = (lambda image, v: ref.blur(image, float(v), window)) if kind == "blur" else ref.sharpen
    changed = [of(x[i], np.float64(drawn[i, 1, 1])) if i < 2 else x[i].astype(float) for i in range(n)]
    y = np.clip(np.array(changed), 0, 255)
    numbers = {"n": n, "h": h, "w": w, "c": c, "k": 2, "step": 1, "rows": window[0], "cols": window[1], **ENDS}
    given = {"x": x, "steps": rows, "drawn": drawn}
    made = Problem().add(f"augment_filter_{dtype}", given, {"y": result(y, dtype)}, **numbers)
    if in_place:
        made.steps[0].args["y"] = "x"
        made.expected = {"x": made.expected["y"]}
    made.atol = 1e-3
    return made


def _equalize(rng: np.random.Generator, shape: str, dtype: str) -> Problem:
    h, w, c = IMAGES[shape]
    x = images(rng, dtype, 3, h * w, c) // 2 + 16
    x = np.round(x).astype(x.dtype)  # floats on the bins' middles: which bin is theirs is not a matter of rounding
    drawn = np.ones((3, 1, ref.DRAWN), np.float32)
    drawn[2] = 0
    y = np.stack([*(ref.equalize(x[i], (0.0, 255.0)) for i in range(2)), x[2].astype(float)])
    numbers = {"n": 3, "pixels": h * w, "c": c, "k": 1, "step": 0, **ENDS}
    return Problem().add(f"augment_equalize_{dtype}", {"y": x, "drawn": drawn}, {"y": result(y, dtype)}, **numbers)


def _erase(rng: np.random.Generator, kind: str, random: bool, shape: str, dtype: str) -> Problem:
    h, w, c = IMAGES[shape]
    n = 3
    x = images(rng, dtype, n, h, w, c)
    rows = table([Step(kind, constants=(float(random), 32.0, 3, 4))], (5,), h, w)
    drawn = np.zeros((n, 1, ref.DRAWN), np.float32)
    drawn[:2, 0, 0], drawn[:, 0, 1:] = 1, rng.random((n, 8)) * 0.8
    y = x.astype(np.float64)
    for i in range(2):
        top, left, bottom, right = ref.erased(rows[0], np.float64(drawn[i, 0, 1:]), h, w)
        noise = ref.noise(h * w * c, i, int(RNG[0]), 5, int(RNG[1]), SITE).reshape(h, w, c)
        filled = np.clip(127.5 + 63.75 * noise, 0, 255) if random else np.full((h, w, c), 32.0)
        y[i, top:bottom, left:right] = filled[top:bottom, left:right]
    numbers = {"n": n, "h": h, "w": w, "c": c, "k": 1, "step": 0, "site": SITE, **ENDS}
    given = {"y": x, "steps": rows, "drawn": drawn, "rng": RNG}
    made = Problem().add(f"augment_erase_{dtype}", given, {"y": result(y, dtype)}, **numbers)
    made.atol = 1e-3
    return made


def _mix(rng: np.random.Generator, p: int, shape: str, dtype: str) -> Problem:
    h, w, c = IMAGES[shape]
    n = 3
    x = images(rng, dtype, n, h, w, c)
    ends = np.sort(rng.integers(0, [h + 1, w + 1], (n, p, 2, 2)), axis=2)
    boxes = ends.reshape(n, p, 4).astype(np.int32)
    shifts = (
        np.floor(rng.random((n, p, 2)) * (np.array([h, w]) - (boxes[..., 2:] - boxes[..., :2]) + 1)) - boxes[..., :2]
    )
    shifts = shifts.astype(np.int32)
    sources = rng.integers(0, n, (n, p)).astype(np.int32)
    shares = rng.choice([0.0, 0.25, 0.5], (n, p)).astype(np.float32)
    y = ref.mix(x, sources, shares, boxes, shifts)
    given = {"x": x, "from": sources, "share": shares, "box": boxes, "shift": shifts}
    return Problem().add(f"augment_mix_{dtype}", given, {"y": result(y, dtype)}, n=n, h=h, w=w, c=c, p=p)


def _case(kernel: str, name: str, make: Any, *args: Any) -> Case:
    return Case(f"{kernel}/{name}", (kernel,), lambda rng: make(rng, *args), "large" in name)


def cases() -> Iterator[Case]:
    for n in (0, 1, 67):
        yield _case("augment_draw", f"{n}{'/large' * (n == 67)}", _draw, n)
        yield _case("augment_geometry", f"{n}{'/large' * (n == 67)}", _geometry, n)
    for c in (1, 2, 3):
        for which in LISTS:
            yield _case("augment_colors", f"{which}/{c}", _colors, which, c)
    yield _case("augment_colors", "large", _colors, "all", 3, 200)
    for dtype in ("u8", "f32"):
        for which in VIEWS:
            for i, through in enumerate(MATRICES):
                # Every border with every way to look, if not at every size.
                border = BORDERS[(i + len(which)) % 4] if dtype == "f32" else BORDERS[i % 4]
                if through in ("horizon", "nowhere"):
                    border = "constant"
                for bilinear in (False, True) if dtype == "u8" else (i % 3 != 1,):
                    if dtype == "u8" and bilinear and through in ("perspective", "horizon"):
                        continue  # means between pixels, and so ties, lie anywhere
                    name = f"{which}/{through}/{border}/{'bilinear' if bilinear else 'nearest'}"
                    yield _case(f"augment_warp_{dtype}", name, _warp, which, through, border, bilinear, dtype)
        for shape in IMAGES:
            yield _case(f"augment_statistics_{dtype}", shape, _statistics, shape, dtype)
            yield _case(f"augment_equalize_{dtype}", shape, _equalize, shape, dtype)
            for which in LISTS:
                if shape != "large" or which in ("bits", "none", "shift"):
                    yield _case(f"augment_points_{dtype}", f"{which}/{shape}", _points, which, shape, dtype)
            for kind in ("blur", "sharpen"):
                # Large blurred bytes have some near ties.
                if dtype == "f32" or shape != "large" or kind == "sharpen":
                    for in_place in (False, True):
                        name = f"{kind}/{shape}{'/in_place' * in_place}"
                        yield _case(f"augment_filter_{dtype}", name, _filter, kind, shape, dtype, in_place)
            for kind in ("erase", "cutout"):
                for random in (False, True):
                    if shape != "large" or not random:
                        name = f"{kind}/{'noise' if random else 'fill'}/{shape}"
                        yield _case(f"augment_erase_{dtype}", name, _erase, kind, random, shape, dtype)
            for p in (0, 1, 4):
                yield _case(f"augment_mix_{dtype}", f"{p}/{shape}", _mix, p, shape, dtype)

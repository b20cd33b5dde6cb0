"""Detection: losses of boxes, assignment, the loss of a detector's output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastcnn import reference as ref

from .case import Case, Problem, floats

#: images, size of the images, strides, classes, objects an image
DETECTORS: dict[str, tuple[int, int, tuple[int, ...], int, int]] = {
    "one_place": (1, 32, (32,), 1, 1),
    "one_class": (3, 48, (16,), 1, 3),
    "three_classes": (2, 64, (8, 16, 32), 3, 9),
    **{f"classes_{c}": (2, 40, (8,), c, 7) for c in (4, 7, 8, 9, 16, 17, 33)},
    "many_classes": (2, 32, (8, 16), 80, 5),
    "many_objects": (1, 64, (8, 16, 32), 5, 60),
    "no_images": (0, 32, (16,), 3, 2),
    "no_places": (2, 0, (16,), 3, 2),
    "large": (9, 224, (8, 16, 32), 20, 12),
}

#: method: top, alpha, beta
METHODS = {"task_aligned": (10, 0.5, 6.0), "simota": (10, 3.0, 2.5)}

Arrays = dict[str, np.ndarray]


def places_of(size: int, strides: tuple[int, ...]) -> np.ndarray:
    """x, y and stride of all places of a square picture."""
    levels = []
    for stride in strides:
        middle = (np.arange(size // stride) + 0.5) * stride
        y, x = (a.reshape(-1) for a in np.meshgrid(middle, middle, indexing="ij"))
        levels.append(np.stack([x, y, np.full(len(x), float(stride))]))
    return np.concatenate(levels, axis=1).astype(np.float32)


def _boxes(rng: np.random.Generator, size: int, *shape: int, least: float = 1.0) -> np.ndarray:
    corner = rng.uniform(0, 0.8 * size, (*shape, 2))
    far = corner + rng.uniform(least, 0.6 * size + least, (*shape, 2))
    return np.concatenate([corner, far], axis=-1).astype(np.float32)


def _objects(rng: np.random.Generator, n: int, m: int, classes: int, size: int) -> np.ndarray:
    """Objects large and small, some with no place in them, and rows that are none: padding, unknown, empty, NaN."""
    boxes = _boxes(rng, size, n, m)
    small = rng.random((n, m)) < 0.2
    boxes[small, 2:] = boxes[small, :2] + 3.0
    targets = np.concatenate([rng.integers(0, classes, (n, m, 1)), boxes], axis=2).astype(np.float32)
    if m > 4:
        targets[:, 1, 0], targets[:, 3, 0], targets[:, 4, 3] = -1, classes, targets[:, 4, 1]
        targets[::2, 2, 2] = np.nan
    return targets


def _detector(rng: np.random.Generator, which: str) -> Arrays:
    n, size, strides, classes, m = DETECTORS[which]
    places = places_of(size, strides)
    raw = floats(rng, n, places.shape[1], 4 + classes, scale=2.0)
    raw[:, :, :4] = np.abs(raw[:, :, :4]) + np.float32(0.125)
    return {"raw": raw, "places": places, "targets": _objects(rng, n, m, classes, size)}


def _sizes(given: Arrays) -> dict[str, int]:
    n, p, width = given["raw"].shape
    return {"n": n, "p": p, "c": width - 4, "m": given["targets"].shape[1]}


def _add_assign(problem: Problem, given: Arrays, method: str, top: int | None = None, tag: str = "") -> Problem:
    usual, alpha, beta = METHODS[method]
    numbers = {"top": usual if top is None else top, "alpha": alpha, "beta": beta}
    assigned, scores = ref.detection_assign(given["raw"], given["places"], given["targets"], method, **numbers)
    expected = {"assigned": assigned, "scores": scores, "totals": scores.sum(axis=1)}
    kind = ref.ASSIGNMENTS.index(method)
    return problem.add("detection_assign", given, expected, tag, method=kind, **numbers, **_sizes(given))


def _assign(rng: np.random.Generator, which: str, method: str) -> Problem:
    return _add_assign(Problem(), _detector(rng, which), method)


def _assign_special(rng: np.random.Generator, method: str) -> Problem:
    """Places that are all alike, so that the first win; NaN and huge numbers; two objects in one place."""
    problem = Problem()
    alike = _detector(rng, "three_classes")
    alike["raw"][...] = 1.0
    alike["targets"][:, :, 1:] = np.array([8.0, 8.0, 56.0, 56.0])
    _add_assign(problem, alike, method, tag="_alike")
    _add_assign(problem, alike, method, top=1, tag="_one")
    broken = _detector(rng, "three_classes")
    broken["raw"][:, ::3, 0] = np.nan
    broken["raw"][:, 1::5, 5] = np.nan
    broken["raw"][:, ::7] = 3e38
    broken["raw"][:, 3::7, 4:] = -200.0
    _add_assign(problem, broken, method, tag="_broken")
    crowded = _detector(rng, "three_classes")
    crowded["targets"][:, :, 1:] = np.array([33.0, 33.0, 34.0, 35.0])
    return _add_assign(problem, crowded, method, top=4000, tag="_crowded")


def _loss(
    rng: np.random.Generator, which: str, kinds: tuple[str, str], weighted: bool = False, gradient: bool = True,
    normalize: bool = True,
) -> Problem:  # fmt: skip
    given = _detector(rng, which)
    n, p, classes = given["raw"].shape[0], given["raw"].shape[1], given["raw"].shape[2] - 4
    m = given["targets"].shape[1]
    real = ref.is_object(given["targets"].astype(np.float64), classes)
    assigned = np.where(rng.random((n, p)) < 0.4, rng.integers(0, m, (n, p)), -1)
    found = (assigned >= 0) & np.take_along_axis(real, np.maximum(assigned, 0), axis=1)
    given["assigned"] = np.where(found, assigned, -1).astype(np.int32)
    given["scores"] = np.where(found, rng.uniform(0, 1, (n, p)), 0).astype(np.float32)
    given["totals"] = given["scores"].sum(axis=1)
    if weighted:
        given["weight"] = rng.uniform(0, 2, n).astype(np.float32)
    return _add_loss(Problem(), given, kinds, gradient, normalize)


def _add_loss(
    problem: Problem, given: Arrays, kinds: tuple[str, str], gradient: bool = True, normalize: bool = True,
    tag: str = "",
) -> Problem:  # fmt: skip
    numbers = {"class_weight": 0.5, "box_weight": 2.5, "gamma": 2.0, "alpha": 0.25, "scale": 0.75}
    values = [given[k] for k in ("raw", "places", "targets", "assigned", "scores")]
    parts, draw = ref.detection_loss(
        *values, kinds, (0.5, 2.5), (2.0, 0.25), given.get("weight"), normalize, scale=0.75
    )  # fmt: skip
    expected: dict[str, Any] = {"parts": parts, "losses": parts.sum(axis=1)}
    if gradient:
        expected["draw"] = draw
    numbers |= {"class_loss": ref.CLASS_LOSSES.index(kinds[0]), "box_loss": ref.OVERLAPS.index(kinds[1])}
    return problem.add("detection_loss", given, expected, tag, normalize=int(normalize), **numbers, **_sizes(given))


def _loss_special(rng: np.random.Generator, kind: str) -> Problem:
    """Logits where nothing is left of 1 - p, scores of 0 and 1, and NaN, which reaches its own row and the sums."""
    problem = Problem()
    for tag, z in {"": [-90.0, -20.0, 0.0, 20.0, 90.0], "_nan": [0.5, np.nan, 1.0, 2.0, -1.0]}.items():
        given = _detector(rng, "classes_4")
        n, p = given["raw"].shape[:2]
        given["raw"][:, :, 4:] = np.resize(np.array(z, np.float32), (n, p, 4))
        given["targets"][:, 0] = np.array([1, 4, 4, 30, 30])
        given["assigned"] = np.resize(np.array([-1, 0, -1, 0, 0, -1, 0], np.int32), (n, p))
        given["scores"] = np.where(given["assigned"] == 0, np.resize([1.0, 0.0, 0.5], (n, p)), 0).astype(np.float32)
        given["totals"] = given["scores"].sum(axis=1)
        if tag:
            given["raw"][:, 1, 2] = np.nan
        _add_loss(problem, given, (kind, "ciou"), tag=tag)
    return problem


def _box_loss(rng: np.random.Generator, rows: int, kind: str, weighted: bool, gradient: bool) -> Problem:
    p, t = _boxes(rng, 16, rows), _boxes(rng, 16, rows)
    return _add_box_loss(Problem(), rng, p, t, kind, weighted, gradient)


def _add_box_loss(
    problem: Problem, rng: np.random.Generator, p: np.ndarray, t: np.ndarray, kind: str, weighted: bool,
    gradient: bool,
) -> Problem:  # fmt: skip
    inputs = {"p": p, "t": t}
    if weighted:
        inputs["weight"] = rng.uniform(0, 2, len(p)).astype(np.float32)
    weight = inputs.get("weight")
    expected = {"losses": ref.box_loss(p, t, kind, weight)}
    if gradient:
        expected["dp"] = ref.box_loss_backward(p, t, kind, weight, 0.5)
    return problem.add("box_loss", inputs, expected, rows=len(p), kind=ref.OVERLAPS.index(kind), scale=0.5)


def _box_loss_special(rng: np.random.Generator, kind: str) -> Problem:
    """The same box, one within the other, side by side, apart, empty ones, one turned over, NaN."""
    t = np.tile(np.array([[2.0, 3.0, 6.0, 9.0]], np.float32), (10, 1))
    p = t.copy()
    p[1], p[2], p[3], p[4] = [3, 4, 5, 8], [6, 3, 9, 9], [20, 30, 21, 31], [0, 0, 50, 50]
    p[5], p[6], p[7] = [4, 4, 4, 4], [5, 8, 3, 4], [np.nan, 3, 6, 9]
    t[8], t[9], p[9] = [2, 2, 2, 2], [7, 7, 7, 7], [7, 7, 7, 7]
    return _add_box_loss(Problem(), rng, p, t, kind, False, True)


def cases() -> Iterator[Case]:
    def case(name: str, make: Any, *args: object) -> Case:
        return Case(name, (name.split("/")[0],), lambda rng: make(rng, *args), "/large" in name)

    for kind in ref.OVERLAPS:
        for rows in (0, 1, 9, 300):
            yield case(f"box_loss/{kind}/rows_{rows}", _box_loss, rows, kind, True, True)
        yield case(f"box_loss/{kind}/losses_only", _box_loss, 5, kind, False, False)
        yield case(f"box_loss/{kind}/special", _box_loss_special, kind)
    yield case("box_loss/large", _box_loss, 4000, "ciou", True, True)
    for method in METHODS:
        for which in DETECTORS:
            yield case(f"detection_assign/{which}/{method}", _assign, which, method)
        yield case(f"detection_assign/special/{method}", _assign_special, method)
    for which in DETECTORS:
        yield case(f"detection_loss/{which}", _loss, which, ("bce", "ciou"))
    for kind in ref.CLASS_LOSSES:
        for which in ("three_classes", "many_classes"):
            yield case(f"detection_loss/{kind}/{which}", _loss, which, (kind, "giou"), True)
        yield case(f"detection_loss/{kind}/special", _loss_special, kind)
    for kind in ref.OVERLAPS:
        yield case(f"detection_loss/{kind}", _loss, "three_classes", ("bce", kind), True, True, False)
    yield case("detection_loss/losses_only", _loss, "three_classes", ("bce", "diou"), False, False)

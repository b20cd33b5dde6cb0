"""Softmax and the losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastcnn import reference as ref

from .case import Case, Problem, floats

#: rows, cols
MATRICES = {
    "one": (1, 1),
    "one_column": (5, 1),
    **{f"columns_{cols}": (3, cols) for cols in (2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 33, 64, 67, 130)},
    "imagenet": (4, 1000),
    "no_rows": (0, 10),
    "large": (3000, 10),
    "large_wide": (64, 1001),
}

#: targets, weight, probs asked for, dlogits asked for, scale, smoothing
CROSS_ENTROPIES: dict[str, tuple[str, bool, bool, bool, float, float]] = {
    "training": ("labels", False, False, True, 1 / 32, 0.0),
    "evaluation": ("labels", False, True, False, 1.0, 0.0),
    "losses_only": ("labels", False, False, False, 1.0, 0.0),
    "weighted": ("labels", True, True, True, 0.25, 0.0),
    "smoothed": ("labels", False, True, True, 1.0, 0.1),
    "dense": ("targets", False, False, True, 1.0, 0.0),
    "dense_everything": ("targets", True, True, True, 0.5, 0.2),
}


#: Forward and backward of the two kernels, and the latter's `y`.
SOFTMAXES = {"softmax": (ref.softmax, ref.softmax_backward), "log_softmax": (ref.log_softmax, ref.log_softmax_backward)}


def _softmax_forward(rng: np.random.Generator, name: str, which: str) -> Problem:
    rows, cols = MATRICES[which]
    x = floats(rng, rows, cols, scale=4.0)
    return Problem().add(f"{name}_forward", {"x": x}, {"y": SOFTMAXES[name][0](x)}, rows=rows, cols=cols)


def _softmax_special(rng: np.random.Generator, name: str) -> Problem:
    """Huge, equal and forbidden (-inf) logits, in widths with and without a tail; a NaN poisons only its row."""
    problem = Problem()
    for cols in (3, 16, 37):
        x = floats(rng, 6 + cols, cols)
        x[0], x[1], x[2], x[3] = 1e4, -3e38, x[2] + 1e4, x[3] * 1e4
        x[4, 1:], x[5, :-1] = -np.inf, -np.inf
        x[6:][np.eye(cols, dtype=bool)] = np.nan
        expected = {"y": SOFTMAXES[name][0](x)}
        problem.add(f"{name}_forward", {"x": x}, expected, f"_{cols}", rows=len(x), cols=cols)
    return problem


def _softmax_backward(rng: np.random.Generator, name: str, which: str, in_place: bool) -> Problem:
    rows, cols = MATRICES[which]
    x, dy = floats(rng, rows, cols), floats(rng, rows, cols)
    forward, backward = SOFTMAXES[name]
    inputs, dx = {"dy": dy, "y": forward(x).astype(np.float32)}, backward(dy, x)
    if in_place:
        return Problem().add(f"{name}_backward", inputs, {"dy": dx}, dx="dy", rows=rows, cols=cols)
    return Problem().add(f"{name}_backward", inputs, {"dx": dx}, rows=rows, cols=cols)


def _softmax_in_place(rng: np.random.Generator, name: str, which: str) -> Problem:
    rows, cols = MATRICES[which]
    x = floats(rng, rows, cols)
    return Problem().add(f"{name}_forward", {"x": x}, {"x": SOFTMAXES[name][0](x)}, y="x", rows=rows, cols=cols)


def _crossentropy(rng: np.random.Generator, which: str, how: str, over_logits: str = "") -> Problem:
    rows, cols = MATRICES[which]
    kind, weighted, probs, dlogits, scale, smoothing = CROSS_ENTROPIES[how]
    logits = floats(rng, rows, cols, scale=2.0)
    inputs: dict[str, np.ndarray] = {"logits": logits}
    if kind == "labels":
        inputs["labels"] = rng.integers(0, cols, rows).astype(np.int32)
    else:
        inputs["targets"] = rng.dirichlet(np.ones(cols), rows).reshape(rows, cols).astype(np.float32) * np.float32(1.25)
    if weighted:
        inputs["weight"] = rng.uniform(0, 2, rows).astype(np.float32)
    weight, targets = inputs.get("weight"), inputs[kind]
    expected: dict[str, Any] = {"losses": ref.softmax_crossentropy(logits, targets, weight, smoothing)}
    if probs:
        expected["probs"] = ref.softmax(logits)
    if dlogits:
        expected["dlogits"] = ref.softmax_crossentropy_backward(logits, targets, weight, smoothing, scale)
    numbers = {"rows": rows, "cols": cols, "scale": scale, "smoothing": smoothing}
    shared = {}
    if over_logits:
        expected["logits"] = expected.pop(over_logits)
        shared = {over_logits: "logits"}
    return Problem().add("softmax_crossentropy", inputs, expected, **numbers, **shared)


def _crossentropy_special(rng: np.random.Generator) -> Problem:
    """Confident logits, and labels that don't exist: NaN in their rows and nowhere else."""
    problem = Problem()
    for cols in (4, 21):
        logits = floats(rng, 8, cols, scale=50.0)
        logits[3] *= 100
        labels = np.array([0, cols, cols - 1, 1, -1, 2, 2**31 - 1, -(2**31)], np.int32)
        expected = {
            "losses": ref.softmax_crossentropy(logits, labels),
            "dlogits": ref.softmax_crossentropy_backward(logits, labels),
        }
        inputs = {"logits": logits, "labels": labels}
        problem.add("softmax_crossentropy", inputs, expected, f"_{cols}", rows=8, cols=cols, scale=1.0, smoothing=0.0)
    return problem


def _pointwise(rng: np.random.Generator, which: str, kind: str, weighted: bool, gradient: bool) -> Problem:
    rows, cols = MATRICES[which]
    p, t = floats(rng, rows, cols), floats(rng, rows, cols)
    if kind.endswith("crossentropy"):
        p = rng.uniform(0.01, 0.99, (rows, cols)).astype(np.float32)
    if "crossentropy" in kind:
        t = rng.uniform(0, 1, (rows, cols)).astype(np.float32)
    inputs = {"p": p, "t": t}
    if weighted:
        inputs["weight"] = rng.uniform(0, 2, rows).astype(np.float32)
    weight, row_scale = inputs.get("weight"), 1 / cols
    expected = {"losses": ref.pointwise_loss(p, t, kind, weight, row_scale)}
    if gradient:
        expected["dp"] = ref.pointwise_loss_backward(p, t, kind, weight, row_scale, scale=0.5)
    numbers = {"rows": rows, "cols": cols, "kind": list(ref.POINTWISE).index(kind), "scale": 0.5}
    return Problem().add("pointwise_loss", inputs, expected, **numbers, row_scale=row_scale)


def _pointwise_special(rng: np.random.Generator, kind: str) -> Problem:
    """Right at a corner or where the logarithm is clipped, and a NaN at each place in turn."""
    p = np.array([[0.0, 1.0, 0.0, 1.0, 0.5, 0.25, 40.0, -40.0, 1e-9, 0.75]], np.float32)
    t = np.array([[0.0, 1.0, 1.0, 0.0, 0.5, 1.00, 1.0, 1.0, 1.0, 0.0]], np.float32)
    if kind.endswith("crossentropy"):
        p, t = p[:, [0, 1, 2, 4, 5, 8, 9]], t[:, [0, 1, 2, 4, 5, 8, 9]]
    poisoned = np.tile(floats(rng, 19), (19, 1))
    np.fill_diagonal(poisoned, np.nan)
    problem = Problem()
    for tag, (a, b) in {"": (p, t), "_nan": (poisoned, np.zeros_like(poisoned))}.items():
        expected = {
            "losses": ref.pointwise_loss(a, b, kind),
            "dp": ref.pointwise_loss_backward(a, b, kind),
        }
        numbers = {"rows": len(a), "cols": a.shape[1], "kind": list(ref.POINTWISE).index(kind)}
        problem.add("pointwise_loss", {"p": a, "t": b}, expected, tag, **numbers, scale=1.0, row_scale=1.0)
    return problem


#: weight, gamma, smoothing
FOCAL: dict[str, tuple[bool, float, float]] = {
    "plain": (False, 2.0, 0.0), "smoothed": (True, 2.0, 0.1), "steep": (True, 5.0, 0.0), "root": (False, 0.5, 0.0),
    "flat": (True, 0.0, 0.0),
}  # fmt: skip


def _binary_focal(rng: np.random.Generator, which: str, how: str, logits: bool, gradient: bool = True) -> Problem:
    rows, cols = MATRICES[which]
    weighted, gamma, smoothing = FOCAL[how]
    p = floats(rng, rows, cols, scale=4.0) if logits else rng.uniform(0.01, 0.99, (rows, cols)).astype(np.float32)
    inputs = {"p": p, "t": rng.choice([0.0, 1.0, 0.25], (rows, cols)).astype(np.float32)}
    if weighted:
        inputs["weight"] = rng.uniform(0, 2, rows).astype(np.float32)
    return _add_binary_focal(Problem(), inputs, gamma, (0.25, 0.75), smoothing, logits, gradient=gradient)


def _add_binary_focal(
    problem: Problem, inputs: dict[str, np.ndarray], gamma: float, balance: tuple[float, float], smoothing: float,
    logits: bool, tag: str = "", gradient: bool = True,
) -> Problem:  # fmt: skip
    p, t, weight = inputs["p"], inputs["t"], inputs.get("weight")
    (rows, cols), row_scale = p.shape, 1 / p.shape[1]
    expected = {"losses": ref.binary_focal_loss(p, t, gamma, balance, smoothing, logits, weight, row_scale)}
    if gradient:
        more = (gamma, balance, smoothing, logits, weight, row_scale, 0.5)
        expected["dp"] = ref.binary_focal_loss_backward(p, t, *more)
    return problem.add("binary_focal_loss", inputs, expected, tag, rows=rows, cols=cols, from_logits=int(logits),
                       scale=0.5, row_scale=row_scale, gamma=gamma, positive=balance[0], negative=balance[1],
                       smoothing=smoothing)  # fmt: skip


def _binary_focal_special(rng: np.random.Generator, logits: bool) -> Problem:
    """Hopelessly wrong and perfectly right, where 1 - p has no digits left; and a NaN at each place in turn."""
    extreme = (
        [0.0, 1e-9, 1e-5, 0.5, 1 - 1e-6, 1.0] if not logits else [-2e4, -110.0, -30.0, -9.0, 9.0, 30.0, 110.0, 2e4]
    )
    p = np.tile(np.array(extreme, np.float32), (3, 1))
    t = np.broadcast_to(np.array([[0.0], [1.0], [0.5]], np.float32), p.shape).copy()
    poisoned = np.full((19, 19), 0.75, np.float32)
    np.fill_diagonal(poisoned, np.nan)
    problem = Problem()
    for gamma in (0.0, 0.5, 2.0):
        _add_binary_focal(problem, {"p": p, "t": t}, gamma, (1.0, 1.0), 0.0, logits, f"_{gamma}")
    return _add_binary_focal(
        problem, {"p": poisoned, "t": np.ones_like(poisoned)}, 2.0, (1.0, 1.0), 0.0, logits, "_nan"
    )


def _softmax_focal(rng: np.random.Generator, which: str, how: str, kind: str, everything: bool) -> Problem:
    rows, cols = MATRICES[which]
    weighted, gamma, smoothing = FOCAL[how]
    inputs: dict[str, np.ndarray] = {"logits": floats(rng, rows, cols, scale=3.0)}
    if kind == "labels":
        inputs["labels"] = rng.integers(0, cols, rows).astype(np.int32)
    else:
        inputs["targets"] = rng.dirichlet(np.ones(cols), rows).reshape(rows, cols).astype(np.float32)
    inputs["alpha"] = rng.uniform(0.1, 2, cols).astype(np.float32)
    if weighted:
        inputs["weight"] = rng.uniform(0, 2, rows).astype(np.float32)
    return _add_softmax_focal(Problem(), inputs, gamma, smoothing, everything)


def _add_softmax_focal(
    problem: Problem, inputs: dict[str, np.ndarray], gamma: float, smoothing: float, everything: bool, tag: str = ""
) -> Problem:
    logits, targets = inputs["logits"], inputs["labels" if "labels" in inputs else "targets"]
    more = (gamma, inputs["alpha"], inputs.get("weight"), smoothing)
    expected: dict[str, Any] = {"losses": ref.softmax_focal(logits, targets, *more)}
    if everything:
        expected["dlogits"] = ref.softmax_focal_backward(logits, targets, *more, 0.25)
        expected["probs"] = ref.softmax(logits)
    (rows, cols), numbers = logits.shape, {"scale": 0.25, "smoothing": smoothing, "gamma": gamma}
    return problem.add("softmax_focal", inputs, expected, tag, rows=rows, cols=cols, **numbers)


def _softmax_focal_special(rng: np.random.Generator) -> Problem:
    """Confident and forbidden (-inf) logits, labels that don't exist, and NaN in some rows and nowhere else."""
    problem = Problem()
    for cols in (4, 21):
        logits = floats(rng, 9, cols, scale=20.0)
        logits[3] *= 100
        logits[6, 1:] = -np.inf
        logits[8, 2] = np.nan
        labels = np.array([0, cols, cols - 1, 1, -1, 2, 0, -(2**31), 1], np.int32)
        for gamma in (0.0, 0.5, 2.0):
            inputs = {"logits": logits, "labels": labels, "alpha": np.ones(cols, np.float32)}
            _add_softmax_focal(problem, inputs, gamma, 0.0, True, f"_{cols}_{gamma}")
    return problem


def cases() -> Iterator[Case]:
    def case(name: str, make: Any, *args: object) -> Case:
        return Case(name, (name.split("/")[0],), lambda rng: make(rng, *args), "/large" in name)

    for which in MATRICES:
        for name in SOFTMAXES:
            yield case(f"{name}_forward/{which}", _softmax_forward, name, which)
            yield case(f"{name}_backward/{which}", _softmax_backward, name, which, False)
        for how in CROSS_ENTROPIES if which in ("columns_10", "columns_17") else ("training", "dense_everything"):
            yield case(f"softmax_crossentropy/{which}/{how}", _crossentropy, which, how)
    for name in SOFTMAXES:
        yield case(f"{name}_forward/special", _softmax_special, name)
        yield case(f"{name}_forward/in_place", _softmax_in_place, name, "columns_17")
        yield case(f"{name}_backward/in_place", _softmax_backward, name, "columns_17", True)
    for over in ("probs", "dlogits"):
        for how in ("weighted", "dense_everything"):
            yield case(f"softmax_crossentropy/{how}/{over}_in_place", _crossentropy, "columns_33", how, over)
    yield case("softmax_crossentropy/special", _crossentropy_special)
    for kind in ref.POINTWISE:
        for which in ("one", "one_column", "columns_10", "columns_17", "columns_67", "no_rows", "large_wide"):
            yield case(f"pointwise_loss/{kind}/{which}", _pointwise, which, kind, True, True)
        yield case(f"pointwise_loss/{kind}/plain", _pointwise, "columns_33", kind, False, False)
        yield case(f"pointwise_loss/{kind}/special", _pointwise_special, kind)
    for logits in (True, False):
        name = f"binary_focal_loss/{'logits' if logits else 'probabilities'}"
        for which in ("one", "one_column", "columns_10", "columns_17", "columns_67", "no_rows", "large_wide"):
            yield case(f"{name}/{which}", _binary_focal, which, "smoothed", logits)
        for how in FOCAL:
            yield case(f"{name}/{how}", _binary_focal, "columns_33", how, logits)
        yield case(f"{name}/losses_only", _binary_focal, "columns_33", "plain", logits, False)
        yield case(f"{name}/special", _binary_focal_special, logits)
    for which in MATRICES:
        yield case(f"softmax_focal/{which}", _softmax_focal, which, "smoothed", "labels", True)
    for how in FOCAL:
        yield case(f"softmax_focal/{how}", _softmax_focal, "columns_33", how, "targets", True)
        yield case(f"softmax_focal/{how}_losses_only", _softmax_focal, "columns_10", how, "labels", False)
    yield case("softmax_focal/special", _softmax_focal_special)

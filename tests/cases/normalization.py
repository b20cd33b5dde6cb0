"""Batch normalization: the chains of kernels that a training step and a prediction run, against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastcnn import reference as ref

from .case import Argument, Case, Problem, Step, floats

#: rows, c, parts
NORMS = {
    "one": (1, 1, 1),
    "single_channel": (37, 1, 2),
    "single_channel_long": (1000, 1, 3),
    "rgb": (50, 3, 3),
    "tails": (45, 37, 4),
    "strips_and_a_tail": (130, 85, 3),
    "lanes": (70, 16, 2),
    "half_lanes": (41, 24, 2),
    "below_width": (20, 127, 2),
    "width": (9, 128, 2),
    "odd_width": (21, 133, 2),
    "more_parts_than_rows": (3, 5, 7),
    "beyond_a_column_tile": (6, 1029, 2),
    "blocks": (700, 48, 2),
    "no_rows": (0, 6, 2),
    "large": (4000, 33, 8),
    "large_channels": (5, 20_011, 2),
}
ACTIVATIONS = ("linear", "relu", "leaky_relu", "relu6")
ALPHA, EPSILON, MOMENTUM = 0.25, 1e-3, 0.9

TRAINING = (
    "batch_norm_statistics", "batch_norm_join", "batch_norm_apply", "batch_norm_sums", "batch_norm_slopes",
    "batch_norm_backward",
)  # fmt: skip
AT_ONCE = (*TRAINING[:3], "batch_norm_gradients")
PREDICTION = ("batch_norm_scales", "batch_norm_apply")


def away_from_corners(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """x, changed a little where rounding could decide on which side of a corner of an activation it lies."""
    for _ in range(100):
        z = ref.batch_norm(x, gamma, beta, residual=residual)
        near = (np.abs(z) < 2e-3) | (np.abs(z - 6) < 2e-3)
        if not near.any():
            return x
        x = np.where(near, x + np.float32(0.02), x)
    raise AssertionError("no such x was found")


def data(rng: np.random.Generator, rows: int, c: int, offset: float = 0.0) -> dict[str, np.ndarray]:
    """Inputs of the training chain; gammas of both signs and far from 0."""
    scale = rng.uniform(1.0, 3.0, c)
    gamma = (rng.uniform(1.0, 3.0, c) * np.where(rng.random(c) < 0.3, -1, 1)).astype(np.float32)
    beta, residual = floats(rng, c) + np.float32(1), floats(rng, rows, c)
    x = (rng.standard_normal((rows, c)) * scale + offset + rng.standard_normal(c)).astype(np.float32)
    return {
        "gamma": gamma, "beta": beta, "residual": residual, "dy": floats(rng, rows, c, scale=0.3),
        "moving_mean": floats(rng, c), "moving_variance": rng.uniform(0.5, 2.0, c).astype(np.float32),
        "x": x,
    }  # fmt: skip


def training_problem(
    given: dict[str, np.ndarray], parts: int, act: str, residual: bool, plain: bool = False, from_y: bool = False,
    at_once: bool = False,
) -> Problem:  # fmt: skip
    """A whole training step; `plain`: without gamma and beta; `from_y`: derivatives from y, and dz written; `at_once`:
    the backward pass by its one kernel.
    """
    rows, c = given["x"].shape
    shape: dict[str, Argument] = {"rows": rows, "c": c}
    activation: dict[str, Argument] = {"act": ACTIVATIONS.index(act), "alpha": ALPHA}
    named = {name: name for name in (*given, "y", "dz", "dx", "sums", "dsums")}
    gamma, beta = (np.ones(c), np.zeros(c)) if plain else (given["gamma"], given["beta"])
    r = given["residual"] if residual else np.zeros_like(given["x"])
    mean, variance = ref.moments(given["x"])
    how = {"epsilon": EPSILON, "residual": r, "activation": act, "alpha": ALPHA}
    dx, dgamma, dbeta, dz = ref.batch_norm_backward(given["dy"], given["x"], gamma, beta, **how)
    scale = gamma / np.sqrt(variance + EPSILON)
    expected = {
        "mean": mean, "variance": variance, "scale": scale, "shift": beta - mean * scale,
        "new_mean": MOMENTUM * given["moving_mean"] + (1 - MOMENTUM) * mean,
        "new_variance": MOMENTUM * given["moving_variance"] + (1 - MOMENTUM) * variance,
        "y": ref.batch_norm(given["x"], gamma, beta, **how), "dx": dx,
    }  # fmt: skip

    def of(*names: str, **numbers: Argument) -> dict[str, Argument]:
        return {**{name: named.get(name, name) for name in names}, **numbers}

    affine = () if plain else ("gamma", "beta")
    gradients = () if plain else ("dgamma", "dbeta")
    saved = ("y",) if from_y else ()
    steps = [
        of("x", "sums", parts=parts, **shape),
        of("sums", *affine, "moving_mean", "moving_variance", "mean", "variance", "scale", "shift", "new_mean",
           "new_variance", parts=parts, epsilon=EPSILON, momentum=MOMENTUM, **shape),
        of("x", "scale", "shift", *(("residual",) if residual else ()), "y", **shape, **activation),
        of("x", "dy", *saved, "mean", "scale", "shift", *(("dz",) if from_y else ()), sums="dsums", parts=parts,
           **shape, **activation),
        of("mean", "variance", "scale", *gradients, "slope", "offset", sums="dsums", parts=parts, epsilon=EPSILON,
           **shape),
        of("x", "dy", *saved, "scale", "shift", "slope", "offset", "dx", **shape, **activation),
    ]  # fmt: skip
    if at_once:
        steps[3:] = [
            of("x", "dy", *saved, "mean", "variance", "scale", "shift", *gradients, *(("dz",) if from_y else ()), "dx",
               epsilon=EPSILON, **shape, **activation),
        ]  # fmt: skip
    if not plain:
        expected |= {"dgamma": dgamma, "dbeta": dbeta}
    if from_y:
        expected["dz"] = dz
    if at_once:  # what comes before is checked in the other chain
        expected = {name: array for name, array in expected.items() if name.startswith("d")}
    used = {str(name) for step in steps for name in step.values()}
    return Problem(
        [Step(kernel, args) for kernel, args in zip(AT_ONCE if at_once else TRAINING, steps)],
        {name: array for name, array in given.items() if name in used},
        expected,
    )


def _training(rng: np.random.Generator, which: str, act: str, residual: bool, at_once: bool = False) -> Problem:
    rows, c, parts = NORMS[which]
    given = data(rng, rows, c)
    if act != "linear":
        zero = np.zeros_like(given["x"])
        rest = given["residual"] if residual else zero
        given["x"] = away_from_corners(given["x"], given["gamma"], given["beta"], rest)
    return training_problem(given, parts, act, residual, from_y=residual, at_once=at_once)


def _plain(rng: np.random.Generator, at_once: bool = False) -> Problem:
    return training_problem(data(rng, 45, 37), 4, "linear", False, plain=True, at_once=at_once)


def _streamed(rng: np.random.Generator) -> Problem:
    """Too large for the cache: y and dx are written past it. One row is left over when they are taken in threes."""
    given = data(rng, 60_001, 48)
    given["x"] = away_from_corners(given["x"], given["gamma"], given["beta"], given["residual"])
    return training_problem(given, 8, "relu", True, from_y=True)


def _offset(rng: np.random.Generator) -> Problem:
    """Means a hundred deviations from 0: a variance from sums of squares would be off by 1e-3."""
    problem = training_problem(data(rng, 3000, 19, offset=100.0), 5, "linear", False)
    problem.atol = 5e-5  # x scale and shift are near 100, and round at 4e-6 each
    problem.expected = {name: problem.expected[name] for name in ("mean", "variance", "new_variance", "y", "dx")}
    return problem


def _in_place(rng: np.random.Generator) -> Problem:
    """y over the residual, the moving statistics over the old ones, dz over dy, dx over dz."""
    given = data(rng, 45, 37)
    given["x"] = away_from_corners(given["x"], given["gamma"], given["beta"], given["residual"])
    problem = training_problem(given, 3, "relu", True, from_y=True)
    other = {"new_mean": "moving_mean", "new_variance": "moving_variance", "y": "residual", "dz": "dy", "dx": "dy"}
    # What is in dy is dz by now, whose derivative is taken already.
    problem.steps[-1].args.update(act=0, y=None)
    for step in problem.steps:
        step.args.update({field: other.get(str(name), name) for field, name in step.args.items()})
    del problem.expected["dz"]
    problem.expected = {other.get(name, name): array for name, array in problem.expected.items()}
    return problem


def _at_once_over_dy(rng: np.random.Generator, result: str) -> Problem:
    """dx or dz over dy."""
    given = data(rng, 45, 69)
    given["x"] = away_from_corners(given["x"], given["gamma"], given["beta"], given["residual"])
    problem = training_problem(given, 3, "relu", True, from_y=True, at_once=True)
    problem.steps[-1].args[result] = "dy"
    problem.expected["dy"] = problem.expected.pop(result)
    return problem


def _prediction(rng: np.random.Generator, which: str, act: str, residual: bool) -> Problem:
    rows, c, _ = NORMS[which]
    given = data(rng, rows, c)
    mean, variance = given["moving_mean"], given["moving_variance"]
    r = given["residual"] if residual else np.zeros_like(given["x"])
    y = ref.batch_norm(given["x"], given["gamma"], given["beta"], (mean, variance), EPSILON, r, act, ALPHA)
    scale = given["gamma"] / np.sqrt(variance.astype(float) + EPSILON)
    numbers: dict[str, Argument] = {"rows": rows, "c": c, "act": ACTIVATIONS.index(act), "alpha": ALPHA}
    if residual:
        numbers["residual"] = "residual"
    scales: dict[str, Argument] = {
        "gamma": "gamma", "beta": "beta", "mean": "moving_mean", "variance": "moving_variance", "scale": "scale",
        "shift": "shift", "c": c, "epsilon": EPSILON,
    }  # fmt: skip
    steps = [Step("batch_norm_scales", scales),
             Step("batch_norm_apply", {"x": "x", "scale": "scale", "shift": "shift", "y": "x", **numbers})]  # fmt: skip
    del given["dy"]
    if not residual:
        del given["residual"]
    return Problem(steps, given, {"scale": scale, "shift": given["beta"] - mean * scale, "x": y})


def cases() -> Iterator[Case]:
    for which in NORMS:
        large = which.startswith("large")
        for act in ACTIVATIONS:
            for residual in (False, True):
                name = f"{which}/{act}{'/residual' * residual}"
                args = (which, act, residual)
                yield Case(f"batch_norm/{name}", TRAINING, lambda rng, a=args: _training(rng, *a), large)
                yield Case(f"batch_norm_at_once/{name}", AT_ONCE, lambda rng, a=args: _training(rng, *a, True), large)
                yield Case(f"batch_norm_prediction/{name}", PREDICTION, lambda rng, a=args: _prediction(rng, *a), large)
    yield Case("batch_norm/plain", TRAINING, _plain)
    yield Case("batch_norm_at_once/plain", AT_ONCE, lambda rng: _plain(rng, True))
    yield Case("batch_norm_at_once/dx_over_dy", AT_ONCE, lambda rng: _at_once_over_dy(rng, "dx"))
    yield Case("batch_norm_at_once/dz_over_dy", AT_ONCE, lambda rng: _at_once_over_dy(rng, "dz"))
    yield Case("batch_norm/streamed", TRAINING, _streamed, large=True)
    yield Case("batch_norm/offset", TRAINING, _offset)
    yield Case("batch_norm/in_place", TRAINING, _in_place)

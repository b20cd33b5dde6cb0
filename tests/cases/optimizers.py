"""One step of each optimizer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastcnn import reference as ref

from .case import Case, Problem, Step, floats
from .elementwise import LARGE, TAILS

LR, DECAY, MOMENTUM, EPSILON = 0.05, 0.01, 0.9, 1e-4
ITERATION = 7

# Places in the kernels' `hyper` (FC_HYPER_* in csrc/fastcnn.h).
HYPER = ("lr", "decay", "momentum", "beta1", "beta2", "epsilon")


def hyper(**values: float) -> np.ndarray:
    """The kernels' hyperparameters. What is left out is NaN, so that a kernel that reads it is found out."""
    return np.array([values.get(name, np.nan) for name in HYPER])


def _adam(w: Any, g: Any, m: Any, v: Any) -> dict[str, Any]:
    names = ("w", "m", "v")
    return dict(zip(names, ref.adam(w, g, m, v, ITERATION, LR, 0.9, 0.999, EPSILON, weight_decay=DECAY)))


def _rmsprop(w: Any, g: Any, v: Any, m: Any = None, d: Any = None) -> dict[str, Any]:
    return dict(zip(("w", "v", "m", "d"), ref.rmsprop(w, g, v, m, d, LR, 0.9, MOMENTUM, EPSILON, DECAY)))


_SGD = hyper(lr=LR, decay=LR * DECAY)
_MOMENTUM = hyper(lr=LR, decay=LR * DECAY, momentum=MOMENTUM)
_RMSPROP = hyper(lr=LR, decay=LR * DECAY, momentum=MOMENTUM, beta1=0.9, epsilon=EPSILON)
_CORRECTED = LR * (1 - 0.999**ITERATION) ** 0.5 / (1 - 0.9**ITERATION)
_ADAM = hyper(lr=_CORRECTED, decay=LR * DECAY, beta1=0.9, beta2=0.999, epsilon=EPSILON)
_ADAGRAD = hyper(lr=LR, decay=LR * DECAY, epsilon=EPSILON)
_ADADELTA = hyper(lr=LR, decay=LR * DECAY, beta1=0.95, epsilon=EPSILON)
_LION = hyper(lr=LR, decay=LR * DECAY, beta1=0.9, beta2=0.99)

#: name: kernel, state (m, d may be negative, v, u not), hyper, other numbers, the reference's step
STEPS: dict[str, tuple[str, str, np.ndarray, dict[str, int], Callable[..., dict[str, Any]]]] = {
    "sgd": ("sgd", "", _SGD, {}, lambda w, g: {"w": ref.sgd(w, g, lr=LR, weight_decay=DECAY)[0]}),
    "momentum": (
        "sgd_momentum",
        "m",
        _MOMENTUM,
        {"nesterov": 0},
        lambda w, g, m: dict(zip("wm", ref.sgd(w, g, m, LR, MOMENTUM, weight_decay=DECAY))),
    ),
    "nesterov": (
        "sgd_momentum",
        "m",
        _MOMENTUM,
        {"nesterov": 1},
        lambda w, g, m: dict(zip("wm", ref.sgd(w, g, m, LR, MOMENTUM, nesterov=True, weight_decay=DECAY))),
    ),
    "plain": ("rmsprop", "v", _RMSPROP, {}, _rmsprop),
    "with_momentum": ("rmsprop", "vm", _RMSPROP, {}, _rmsprop),
    "centered": ("rmsprop", "vd", _RMSPROP, {}, lambda w, g, v, d: _rmsprop(w, g, v, None, d)),
    "centered_with_momentum": ("rmsprop", "vmd", _RMSPROP, {}, _rmsprop),
    "adam": ("adam", "mv", _ADAM, {}, _adam),
    "adagrad": (
        "adagrad",
        "v",
        _ADAGRAD,
        {},
        lambda w, g, v: dict(zip("wv", ref.adagrad(w, g, v, LR, EPSILON, DECAY))),
    ),
    "adadelta": (
        "adadelta",
        "vu",
        _ADADELTA,
        {},
        lambda w, g, v, u: dict(zip("wvu", ref.adadelta(w, g, v, u, LR, 0.95, EPSILON, DECAY))),
    ),
    "lion": (
        "lion",
        "m",
        _LION,
        {},
        lambda w, g, m: dict(zip("wm", ref.lion(w, g, m, LR, 0.9, 0.99, DECAY))),
    ),
}


def _step(rng: np.random.Generator, which: str, counts: tuple[int, ...]) -> Problem:
    kernel, states, numbers, switches, step = STEPS[which]
    problem = Problem()
    for count in counts:
        arrays = {"w": floats(rng, count), "g": floats(rng, count)}
        for name in states:
            arrays[name] = floats(rng, count, scale=0.1)
            if name in "vu":  # running means of squares; v is above the square of the mean d, as it always is
                arrays[name] = np.square(arrays[name]) + np.float32(1.0)
        after = {name: value for name, value in step(*arrays.values()).items() if value is not None}
        problem.add(kernel, {**arrays, "hyper": numbers}, after, f"_{count}", count=count, **switches)
    return problem


def _begin(rng: np.random.Generator, which: str) -> Problem:
    """The first step from zero state, with some gradients exactly zero."""
    kernel, states, numbers, switches, step = STEPS[which]
    arrays = {"w": floats(rng, 37), "g": floats(rng, 37)}
    arrays["g"][::3] = 0.0
    arrays |= {name: np.zeros(37, np.float32) for name in states}
    after = {name: value for name, value in step(*arrays.values()).items() if value is not None}
    return Problem().add(kernel, {**arrays, "hyper": numbers}, after, count=37, **switches)


#: Sizes of weights that lie one behind the other; parts have at most 16384 floats.
_WEIGHTS = {"tails": (1, 37, 16384, 5), "large": (40000, 3, 100000, 16385)}


def _clip(rng: np.random.Generator, sizes: tuple[int, ...], together: bool) -> Problem:
    """The norms of all weights' gradients, half of which are above the limit, and what clipping makes of them."""
    bounds, groups, starts = [0], [], np.cumsum((0, *sizes))
    for start, end in itertools.pairwise(starts):
        first = len(bounds) - 1
        bounds += [*range(start + 16384, end, 16384), end]
        groups += [(first, len(bounds) - 1)] * (len(bounds) - 1 - first)
    if together:
        groups = [(0, len(groups))] * len(groups)
    g = floats(rng, starts[-1])
    for i, (start, end) in enumerate(itertools.pairwise(starts)):
        g[start:end] *= (0.5 if i % 2 else 2.0) / np.linalg.norm(g[start:end])
    sums = np.array([np.sum(np.square(g[a:b], dtype=np.float64)) for a, b in itertools.pairwise(bounds)])
    whole = [(0, starts[-1])] if together else list(itertools.pairwise(starts))
    clipped = np.concatenate([ref.clip_norm(g[a:b], 1.0) for a, b in whole])
    places = np.array(bounds, np.int64)
    problem = Problem(atol=1e-6)  # the numbers of long vectors of norm 1 are small
    problem.add("square_sums", {"x": g, "bounds": places}, {"sums": sums}, count=len(g), parts=len(groups))
    inputs = {"g": g, "groups": np.array(groups, np.int64).reshape(-1)}
    problem.inputs.update(inputs)
    problem.expected["g"] = clipped
    step = {"g": "g", "bounds": "bounds", "groups": "groups", "sums": "sums"}
    problem.steps.append(Step("clip_norms", {**step, "count": len(g), "parts": len(groups), "limit": 1.0}))
    return problem


def _average(rng: np.random.Generator, counts: tuple[int, ...]) -> Problem:
    problem = Problem()
    for count in counts:
        arrays = {"y": floats(rng, count), "x": floats(rng, count)}
        after = {"y": ref.moving_average(arrays["y"], arrays["x"], 0.9)}
        numbers = hyper(momentum=0.9)
        problem.add("moving_average", {**arrays, "hyper": numbers}, after, f"_{count}", count=count)
    return problem


def cases() -> Iterator[Case]:
    for size, sizes in _WEIGHTS.items():
        for which, together in (("each", False), ("together", True)):
            make = lambda rng, s=sizes, t=together: _clip(rng, s, t)  # noqa: E731
            yield Case(f"clip_norms/{which}/{size}", ("square_sums", "clip_norms"), make, size == "large")
    for name, counts in (("tails", TAILS), ("large", LARGE)):
        yield Case(
            f"moving_average/{name}", ("moving_average",), lambda rng, c=counts: _average(rng, c), name == "large"
        )
    for which, (kernel, *_) in STEPS.items():
        for name, counts in (("tails", TAILS), ("large", LARGE)):
            yield Case(
                f"{kernel}/{which}/{name}",
                (kernel,),
                lambda rng, w=which, c=counts: _step(rng, w, c),
                name == "large",
            )
        yield Case(f"{kernel}/{which}/first_step", (kernel,), lambda rng, w=which: _begin(rng, w))

"""One shape: all contenders take turns, and what comes of it is put down."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import machine, ours
from .contender import Contender, Task
from .shapes import Shape

#: Largest difference between two contenders' results, of the largest result: Winograd's errors, and sums over
#: millions of pixels that each adds up in its own order.
_TOLERANCE = 1e-3
#: Who had the turn before may leave threads spinning for some milliseconds: a turn begins with calls that don't count.
_WARM = 0.006
_TURN = 0.015
#: A sample is at least so long, so that the clock doesn't matter.
_SAMPLE = 50e-6
_ROUNDS = (3, 12)


def too_much(shape: Shape, batch: int, direction: str, limits: Mapping[str, float], gflops: float) -> str:
    """Why a task is left out, or ""."""
    size = shape.bytes(batch, direction)
    if size > limits["bytes"]:
        return f"{size / 1e9:.1f} GB"
    seconds = shape.flops(batch, direction) / gflops / 1e9
    return f"some {seconds:.1f} s a call" if seconds > limits["seconds"] else ""


def run(task: Task, peers: Sequence[Callable[[Task], list[Contender]]], seconds: float) -> dict[str, Any]:
    """Let all contenders compute the task in turns for about so many seconds; the figures as plain data.

    Raises
    ------
    ValueError
        A contender computes something else than fastcnn.
    """
    contenders = ours.contenders(task)
    for peer in peers:
        contenders += peer(task)
    if task.shape.kind != "adam":  # whose contenders have taken different numbers of steps
        _check(task, contenders)
    calm, _ = machine.product(1536, 128, 128)
    ways = {**{c.name: c.run for c in contenders}, "": calm}
    samples = take_turns(ways, {c.name: c.rest for c in contenders}, seconds)
    reference = [min(turn) for turn in samples.pop("")]
    return {
        "name": task.shape.name,
        "group": task.shape.group(),
        "batch": task.batch,
        "direction": task.direction,
        "flops": task.shape.flops(task.batch, task.direction),
        "bytes": task.shape.bytes(task.batch, task.direction),
        "kernels": ours.methods(task),
        "reference": {"best": min(reference), "median": statistics.median(reference)},
        "seconds": {name: _figures([s for turn in turns for s in turn]) for name, turns in samples.items()},
    }


def _figures(samples: list[float]) -> dict[str, float]:
    return {"best": min(samples), "median": statistics.median(samples), "samples": len(samples)}


def take_turns(
    ways: Mapping[str, Callable[[], object]], rests: Mapping[str, float], seconds: float
) -> dict[str, list[list[float]]]:
    """Seconds a call, of each way a list of turns of several samples; the order is reversed in every second round.

    `rests`: after a way's turn, wait for so long.
    """
    calls = {}
    for name, way in ways.items():
        time.sleep(max(rests.values(), default=0.0))
        way()
        start = time.perf_counter()
        way()
        calls[name] = max(1, math.ceil(_SAMPLE / max(time.perf_counter() - start, 1e-7)))
    taken: dict[str, list[list[float]]] = {name: [] for name in ways}
    least, most = _ROUNDS
    end = time.perf_counter() + seconds
    for round_ in range(most):
        names = list(ways)
        for name in names if round_ % 2 == 0 else reversed(names):
            _repeat(ways[name], 1, _WARM)
            taken[name].append(_repeat(ways[name], calls[name], _TURN))
            time.sleep(rests.get(name, 0.0))
        if round_ + 1 >= least and time.perf_counter() > end:
            break
    return taken


def _repeat(way: Callable[[], object], calls: int, seconds: float) -> list[float]:
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            way()
        now = time.perf_counter()
        samples.append((now - start) / calls)
        if now >= end:
            return samples


def _check(task: Task, contenders: Sequence[Contender]) -> None:
    """That all compute the same."""
    expected = [np.array(a) for a in contenders[0].results(contenders[0].run())]
    for contender in contenders[1:]:
        for ours_, theirs in zip(expected, contender.results(contender.run())):
            scale = float(np.abs(ours_).max(initial=0)) or 1.0
            error = float(np.abs(ours_.reshape(theirs.shape) - theirs).max(initial=0)) / scale
            if not error <= _TOLERANCE:
                raise ValueError(
                    f"{contender.name} computes something else than fastcnn: {task.shape.name}, batch {task.batch}, "
                    f"{task.direction}, differs by {error:.1e} of the largest result"
                )

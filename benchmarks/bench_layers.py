"""Convolutions of known networks (shapes/*.txt) against the NumPy reference: right, and how many times faster.

pytest benchmarks/bench_layers.py --benchmark-enable -k "resnet-18 and forward"

Columns with --benchmark-json, or in the table with --benchmark-columns=min,median: GFLOP/s of the best round (a
multiplication and an addition being two) and, as "times NumPy", how many times as long the best of three calls of
`fastcnn.reference` takes. Of layers with more than a few GFLOP one picture is computed, of the others 16.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn import ops, reference
from fastcnn.cli.timing import take_turns
from fastcnn.cli.versus.contender import Task
from fastcnn.cli.versus.shapes import CONVOLUTIONS, Shape, read_all

FILES = sorted((Path(__file__).parent / "shapes").glob("*.txt"))
LAYERS = {shape: networks for shape, networks in read_all(FILES).items() if shape.kind in CONVOLUTIONS}
#: Beyond so many FLOPs the reference takes seconds.
MOST_FLOPS = 4e9
#: Winograd's errors reach 2e-5 of the largest result; sums over millions of pixels end with those of float32.
TOLERANCE = 1e-4


def _call(task: Task) -> Callable[..., Any]:
    """The layer, given the module that computes it, `ops` or `reference`, and what else its forward pass takes."""
    shape, w = task.shape, task.weights
    more: dict[str, Any] = {"strides": shape.stride, "padding": shape.pads, "dilation": shape.dilation}
    more["groups"] = shape.groups
    assert w is not None
    if shape.kind == "transposed":  # the adjoint of a convolution, and the other way round
        if task.direction == "forward":
            zeros = np.zeros_like(task.dy)
            return lambda module: module.conv2d_backward(task.x, zeros, w, **more)[0]
        return lambda module: (
            module.conv2d(task.dy, w, **more),
            module.conv2d_backward(task.x, task.dy, w, **more)[1],
        )
    if task.direction == "forward":
        return lambda module, **out: module.conv2d(task.x, w, task.bias, **more, **out)
    return lambda module: module.conv2d_backward(task.dy, task.x, w, **more)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("shape", LAYERS, ids=lambda shape: f"{'+'.join(LAYERS[shape])}: {shape.name}")
def bench_convolution(benchmark, shape: Shape, direction: str) -> None:  # type: ignore[no-untyped-def]
    batch = 16 if shape.flops(16, direction) < MOST_FLOPS else 1
    task = Task.make(shape, batch, direction)
    call = _call(task)
    for got, expected in zip(_tuple(call(ops)), _tuple(call(reference))):
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())
    benchmark.group = shape.name
    # Without `out`, most of the time would go into new pages of memory. NumPy's own threads go on spinning for a while.
    out = {"out": np.empty_like(task.dy)} if direction == "forward" and shape.kind != "transposed" else {}
    time.sleep(0.1)
    benchmark(call, ops, **out)
    if benchmark.stats is not None:
        best = benchmark.stats.stats.min
        slow = min(take_turns({"reference": lambda: call(reference)}, 3, warm=False)["reference"])
        benchmark.extra_info["batch"] = batch
        benchmark.extra_info["GFLOP/s"] = round(shape.flops(batch, direction) / best / 1e9, 1)
        benchmark.extra_info["times NumPy"] = round(slow / best, 1)


def _tuple(results: Any) -> tuple[np.ndarray, ...]:
    return results if isinstance(results, tuple) else (results,)

"""Convolutions as known networks have them (layers.txt): forward, and backward with all three gradients.

pytest benchmarks/bench_layers.py --benchmark-enable -k "resnet and forward"

The column GFLOP/s (in --benchmark-json) counts a multiplication and an addition as two, and the best round.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastcnn import ops

LINES = (Path(__file__).parent / "layers.txt").read_text().splitlines()
LAYERS = [line.split() for line in LINES if line and not line.startswith("#")]


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer[0])
def bench_convolution(benchmark, layer: list[str], direction: str) -> None:  # type: ignore[no-untyped-def]
    batch, size, channels, filters, kernel, stride = map(int, layer[1:7])
    padding, groups = layer[7], int(layer[8])
    generator = np.random.default_rng(0)
    x = generator.standard_normal((batch, size, size, channels), dtype=np.float32)
    w = generator.standard_normal((kernel, kernel, channels // groups, filters), dtype=np.float32)
    y = ops.conv2d(x, w, strides=stride, padding=padding, groups=groups)
    flops = 2 * y.size * kernel * kernel * channels // groups
    benchmark.group = layer[0]
    if direction == "forward":
        benchmark(ops.conv2d, x, w, strides=stride, padding=padding, groups=groups, out=y)
    else:
        benchmark(ops.conv2d_backward, y, x, w, strides=stride, padding=padding, groups=groups)
        flops *= 2
    if benchmark.stats is not None:
        benchmark.extra_info["GFLOP/s"] = round(flops / benchmark.stats.stats.min / 1e9, 1)

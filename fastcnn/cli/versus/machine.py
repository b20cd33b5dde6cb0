"""What this machine can do, measured in the same run: multiplications a second, bytes a second, and how quiet it is."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from ..._ops import core
from ..._ops.geometry import ConvGeometry

#: (pixels, channels in, out) of matrix products whose operands stay in the cache; the best one counts.
_PRODUCTS = ((3072, 256, 64), (6144, 128, 128), (3072, 256, 256), (1536, 512, 512))
#: Floats of each array for the bandwidth: far more than any cache holds.
_STREAM = 3 * 2**24


@dataclasses.dataclass(frozen=True)
class Machine:
    """Measured limits.

    Attributes
    ----------
    gflops : float
        Of float32 matrix products in the cache, the best of several shapes, in the instruction set in use.
    bandwidth : float
        GB/s of reading two arrays and writing one, all far larger than the caches.
    """

    gflops: float
    bandwidth: float


def measure(seconds: float = 1.0) -> Machine:
    """Measure for about so many seconds."""
    ways = [product(*sizes) for sizes in _PRODUCTS]
    gflops = max(flops / _best(run, seconds / (2 * len(ways))) for run, flops in ways) / 1e9
    x, y = np.ones((2, _STREAM), np.float32)
    seconds_taken = _best(lambda: core.call("accumulate", x=x, y=y, count=_STREAM, scale=1e-9), seconds / 2)
    return Machine(gflops, 12 * _STREAM / seconds_taken / 1e9)


def product(pixels: int, c: int, k: int) -> tuple[Callable[[], object], float]:
    """A matrix product on packed weights, and its FLOPs."""
    g = ConvGeometry.dense(pixels, c, k)
    x, w = np.ones((pixels, c), np.float32), np.ones((c, k), np.float32)
    packed = core.aligned_empty(4 * g.packed_size).view(np.float32)
    core.call("conv2d_pack", weights=w, packed=packed, **g.fields())
    slots = [core.Slot(0, "float32", pixels * c, "x"), core.Slot(1, "float32", pixels * k, "y")]
    numbers = {"bias": None, "y_step": k, "act": 0, "pool": 0, "alpha": 0.0, "beta": 0.0, **g.fields()}
    program = core.Program([("conv2d_forward", {"x": slots[0], "packed": packed, "y": slots[1], **numbers})], 0, slots)
    arrays = [x, np.empty((pixels, k), np.float32)]
    return lambda: program.run(arrays), float(g.flops)


def _best(run: Callable[[], object], seconds: float) -> float:
    run()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)

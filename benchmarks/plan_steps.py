"""Where a plan's time goes: its kernels timed one by one, in their order and on memory laid out as in the plan."""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from typing import Any

import numpy as np

from fastcnn._ops import core
from fastcnn.models import Model
from fastcnn.plan import fuse_for_prediction
from fastcnn.plan.lowering import Lowering
from fastcnn.plan.memory import Buffer
from fastcnn.plan.plan import Plan


@dataclasses.dataclass
class StepTime:
    """A kernel's best time in seconds, and what it had to do."""

    layer: str
    kernel: str
    shape: tuple[int, ...]
    seconds: float
    flops: float
    bytes: float
    why: str

    @property
    def geometry(self) -> str:
        return "x".join(str(size) for size in self.shape)


def step_times(model: Model, x: np.ndarray, rounds: int) -> list[StepTime]:
    """Of a prediction for `x`; what is computed once for given weights is left out.

    Each kernel runs as a program of its own, so its time has the few microseconds in which threads start.
    """
    image = model.inputs[0]
    lowering = Lowering({image: x.shape}, fuse_for_prediction(model.outputs), training=False)
    lowering.lower()
    plan = Plan(lowering)  # lays out the memory
    arena = core.aligned_empty(plan.arena_bytes)
    slots = [x, *plan.new_outputs()]

    def place(arg: Any) -> Any:
        if not isinstance(arg, Buffer):
            return arg
        if arg.slot is not None:
            return slots[arg.slot]
        return arg.array if arg.array is not None else arena[arg.place() : arg.place() + arg.nbytes].view(arg.dtype)

    steps = [s for s in lowering.steps if s.steady] + [s for s in lowering.steps if not s.steady]
    programs = [core.Program([(s.kernel, {k: place(v) for k, v in s.args.items()})], 0, []) for s in steps]
    best = [float("inf")] * len(steps)
    for _ in range(rounds + 1):
        for number, program in enumerate(programs):
            if not steps[number].steady or best[number] == float("inf"):
                start = time.perf_counter()
                program.run([])
                best[number] = min(best[number], time.perf_counter() - start)
    return [
        StepTime(s.layer, s.kernel, s.shape, seconds, s.flops, s.bytes, s.why)
        for s, seconds in zip(plan.steps, best)
        if not s.once
    ]


def print_steps(times: list[StepTime]) -> None:
    """A table of the steps, and one of the kernels."""
    total = sum(t.seconds for t in times)
    print(f"{'layer':<26} {'kernel':<18} {'result':<18} {'us':>9} {'%':>6} {'GFLOP/s':>8} {'GB/s':>6}  why")
    for t in times:
        share, rate, memory = 100 * t.seconds / total, t.flops / t.seconds / 1e9, t.bytes / t.seconds / 1e9
        print(f"{t.layer:<26} {t.kernel:<18} {t.geometry:<18} {1e6 * t.seconds:>9.1f} {share:>6.1f} {rate:>8.1f} "
              f"{memory:>6.1f}  {t.why}")  # fmt: skip
    kernels: dict[str, list[StepTime]] = defaultdict(list)
    for t in times:
        kernels[t.kernel].append(t)
    print(f"\n{'kernel':<26} {'calls':>6} {'us':>10} {'%':>6} {'GFLOP/s':>8} {'GB/s':>6}")
    for kernel, group in sorted(kernels.items(), key=lambda item: -sum(t.seconds for t in item[1])):
        seconds = sum(t.seconds for t in group)
        print(f"{kernel:<26} {len(group):>6} {1e6 * seconds:>10.1f} {100 * seconds / total:>6.1f} "
              f"{sum(t.flops for t in group) / seconds / 1e9:>8.1f} "
              f"{sum(t.bytes for t in group) / seconds / 1e9:>6.1f}")  # fmt: skip
    print(f"{'all':<26} {len(times):>6} {1e6 * total:>10.1f}")

"""Where a plan's time goes: its kernels timed one by one, in their order and on memory laid out as in the plan."""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn._ops import core
from fastcnn.models import Model


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


class _Recorded(core.Program):
    """A program that remembers what it was made of and what it ran on."""

    last: _Recorded

    def __init__(self, steps: list[Any], arena_bytes: int, slots: list[Any], prologue: int = 0) -> None:
        super().__init__(steps, arena_bytes, slots, prologue)
        self.made_of, self.size, self.first = steps, arena_bytes, prologue

    def run(self, arrays: list[np.ndarray], version: int = 0) -> None:
        super().run(arrays, version)
        self.ran_on, _Recorded.last = arrays, self


def step_times(model: Model, way: Callable[[], Any], rounds: int) -> list[StepTime]:
    """Of the plan that `way`, a call of the model, runs; what is computed once for given weights is left out.

    Each kernel runs as a program of its own, so its time has the few microseconds in which threads start.
    """
    model._forget_plans()
    program, core.Program = core.Program, _Recorded
    try:
        way()
    finally:
        core.Program = program
    recorded = _Recorded.last
    plan = next(p for p in model._plans.values() if p._program is recorded)
    arena = core.aligned_empty(recorded.size)

    def place(arg: Any) -> Any:
        if isinstance(arg, core.Arena):
            return arena[arg.offset : arg.offset + arg.nbytes]
        return recorded.ran_on[arg.index] if isinstance(arg, core.Slot) else arg

    def alone(kernel: str, args: dict[str, Any]) -> Any:
        fields = core.KERNELS[kernel].by_name
        placed = {k: place(v) for k, v in args.items()}
        return program([(kernel, {k: v.view(fields[k].dtype) if isinstance(args[k], core.Arena) else v
                                  for k, v in placed.items()})], 0, [])  # fmt: skip

    programs = [alone(kernel, args) for kernel, args in recorded.made_of]
    best = [float("inf")] * len(programs)
    for turn in range(rounds + 1):
        for number, one in enumerate(programs):
            if turn == 0 or number >= recorded.first:
                start = time.perf_counter()
                one.run([])
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

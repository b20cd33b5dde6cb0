"""Every kernel on the larger of the tests' cases, in each instruction set.

pytest benchmarks/bench_kernels.py --benchmark-enable -k "max_pool and avx2"
"""

from __future__ import annotations

import pytest
from cases import CASES, Case
from cases.running import allocate, numbers_of

from fastcnn._ops import core


@pytest.mark.parametrize("isa", core.usable_isas())
@pytest.mark.parametrize("case", [c for c in CASES if c.large], ids=lambda case: case.name)
def bench_kernel(benchmark, case: Case, isa: str) -> None:  # type: ignore[no-untyped-def]
    before = core.isa()
    core.set_isa(isa)
    try:
        buffers = allocate(case.problem)
        calls, flops = [], 0.0
        for step in case.problem.steps:
            fields = core.KERNELS[step.kernel].pointers
            pointers = {f.name: buffers[n] for f in fields if isinstance(n := step.args.get(f.name), str)}
            calls.append((step.kernel, {**pointers, **numbers_of(step)}))
            flops += core.Call(step.kernel, numbers_of(step)).flops

        def run() -> None:
            for kernel, arguments in calls:
                core.call(kernel, **arguments)

        benchmark.group = case.name
        benchmark(run)
        if benchmark.stats is not None:
            benchmark.extra_info["GFLOP/s"] = round(flops / benchmark.stats.stats.min / 1e9, 1)
    finally:
        core.set_isa(before)

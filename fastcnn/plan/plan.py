"""A plan: the kernels that will run, in order, and where in memory they work."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._ops import core, verbose
from .._ops.arrays import check_memory
from ..graph import Value, clock
from . import (  # noqa: F401  (they register how operations are lowered)
    rules_augment,
    rules_conv,
    rules_detection,
    rules_group_norm,
    rules_loss,
    rules_matmul,
    rules_moving,
    rules_norm,
    rules_other,
    rules_random,
    rules_resize,
    rules_roi_align,
    rules_softmax,
    rules_strided,
    rules_transpose,
)
from .joining import join_in_place
from .lowering import Lowering, Step
from .memory import Buffer, lay_out

#: A buffer that holds something from one run to the next lives from before the first step to after the last.
_ALWAYS = 2**31


@dataclasses.dataclass(frozen=True)
class PlanStep:
    """One line of a plan: the kernel, the layer it is for, its result's shape, FLOPs and bytes touched.

    `once` marks what is computed once for given weights, `why` is the reason for the kernel where there was a choice.
    """

    kernel: str
    layer: str
    shape: tuple[int, ...]
    flops: float
    bytes: float
    once: bool
    why: str = ""


class Plan:
    """Kernels chosen and memory laid out for one size of batch. Print it to see what will run.

    Attributes
    ----------
    steps : list of PlanStep
    arena_bytes : int
        Memory for everything between inputs and outputs.
    flops : float
        Of one run.
    isa : str
        The instruction set it was built for.
    """

    def __init__(self, lowering: Lowering, extra: Sequence[Step] = ()) -> None:
        first = [s for s in lowering.steps if s.steady]
        steps = [*first, *(s for s in lowering.steps if not s.steady), *extra]
        self.arena_bytes = place_buffers(steps, len(first))
        check_memory((self.arena_bytes // 4,), "what lies between input and output of such a batch")
        self.isa = core.isa()
        self._storage = lowering.storage
        slots = [core.Slot(i, b.dtype, b.size, b.name) for i, b in enumerate(lowering.slots)]
        self._program = core.Program(
            [(s.kernel, {k: _place(v, slots) for k, v in s.args.items()}) for s in steps],
            self.arena_bytes,
            slots,
            len(first),
        )
        self.steps = [_describe(s) for s in steps]
        for step in steps:
            verbose.say(step.kernel, step.args, step.why, step.name)
        self.flops = sum(s.flops for s in self.steps if not s.once)
        self.outputs = [(lowering.shape(v), v.dtype) for v in lowering.outputs]

    @property
    def current(self) -> bool:
        """Whether weights still lie where the plan points."""
        return self._storage == clock.storage

    def run(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Run on arrays in the slots' dtype: the inputs' and, to be written, the outputs'."""
        self._program.run([*inputs, *outputs], clock.values)

    def new_outputs(self) -> list[np.ndarray]:
        return [np.empty(shape, dtype) for shape, dtype in self.outputs]

    def compute(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The results, in arrays of their own."""
        outputs = self.new_outputs()
        self.run(inputs, outputs)
        return outputs

    def __str__(self) -> str:
        return printed(
            self.steps,
            f"{len(self.steps)} kernels, {self.flops / 1e6:.1f} MFLOP a run, {self.arena_bytes / 2**20:.2f} MiB arena, "
            f"instruction set {self.isa}, {core.threads()} threads",
        )

    __repr__ = __str__


def printed(steps: Sequence[PlanStep], total: str) -> str:
    """A plan's steps as a table, and a last line."""
    rows = [("layer", "kernel", "result", "MFLOP", "MB", "why")]
    for s in steps:
        shape = "x".join("?" if d < 0 else str(d) for d in s.shape) or "1"
        kernel = f"{s.kernel} (once)" if s.once else s.kernel
        rows.append((s.layer, kernel, shape, f"{s.flops / 1e6:.2f}", f"{s.bytes / 1e6:.2f}", s.why))
    widths = [max(len(r[i]) for r in rows) for i in range(6)]
    lines = ["  ".join(c.rjust(w) if i in (3, 4) else c.ljust(w) for i, (c, w) in enumerate(zip(r, widths)))
             for r in rows]  # fmt: skip
    lines.insert(1, "-" * len(lines[0]))
    lines.append(total)
    return "\n".join(line.rstrip() for line in lines)


def place_buffers(steps: Sequence[Step], prologue: int = 0) -> int:
    """Give the buffers of all steps their places in the arena; returns its bytes.

    What the first steps, the prologue, make for the others is there in every run, and keeps its place.
    """
    found: dict[int, Buffer] = {}
    for i, step in enumerate(steps):
        for arg in step.args.values():
            if isinstance(arg, Buffer) and arg.in_arena:
                root = arg.parent or arg
                found[id(root)] = root
                arg.used_at(i)
    for buffer in found.values():
        if buffer.first < prologue <= buffer.last:
            buffer.first, buffer.last = 0, _ALWAYS
    return lay_out(found.values())


def _place(arg: Any, slots: Sequence[Any]) -> Any:
    if not isinstance(arg, Buffer):
        return arg
    if arg.slot is not None:
        return slots[arg.slot]
    if arg.array is not None:
        return arg.array
    return core.Arena(arg.place(), arg.nbytes)


def _describe(step: Step) -> PlanStep:
    fields = core.KERNELS[step.kernel].by_name
    call = core.Call(step.kernel, {k: v for k, v in step.args.items() if fields[k].dtype is None})
    given = {k for k, v in step.args.items() if v is not None}
    size = sum(n for k, n in call.needed().items() if k in given)
    for arg in step.args.values():
        if isinstance(arg, Buffer) and arg.step:  # what lies between its pixels isn't touched
            size -= arg.nbytes - 4 * math.prod(step.shape)
    return PlanStep(step.kernel, step.name, step.shape, call.flops, size, step.steady, step.why)


def inference_plan(shapes: Mapping[Value, Sequence[int]], outputs: Sequence[Value]) -> Plan:
    """The plan of a prediction: `outputs` from inputs of the given shapes."""
    lowering = Lowering(shapes, outputs, training=False)
    lowering.lower(prepare=join_in_place)
    return Plan(lowering)

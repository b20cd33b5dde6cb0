"""Plans with host nodes: programs of kernels, and functions on arrays between them.

A graph is cut into stages. Each has a program for what kernels compute from the inputs and from earlier stages, and
then the host nodes that need no later kernels. The program of a stage is made along with the plan where the sizes of
all that enters it are known by then, else when it runs, and kept by these sizes.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from .._ops import core
from ..graph import Node, Value, rebuild, topological
from ..graph.values import Shape
from .passes import fuse_for_prediction
from .plan import Plan, PlanStep, inference_plan, printed
from .specialize import specialize, with_sizes

#: Programs kept for sizes seen lately, for each stage.
_KEPT = 8


def prediction_plan(inputs: Mapping[Value, Sequence[int]], outputs: Sequence[Value]) -> Plan | StagedPlan:
    """The plan of a prediction: `outputs` of a graph as layers describe it, from inputs of the given shapes."""
    plain = all(node.op.name != "host" for node in topological(outputs))
    if plain and all(None not in value.shape[1:] for value in inputs):
        return inference_plan(inputs, fuse_for_prediction(outputs))
    sized, results = with_sizes(inputs, outputs)
    results = specialize(results)
    # Kernels copy float32 alone: a result of another type that is known by now is none of theirs either.
    known = any(v.constant is not None and v.dtype != "float32" for v in results)
    if known or any(node.op.name == "host" for node in topological(results)):
        return StagedPlan(sized, results)
    return inference_plan({v: _known(v.shape) for v in sized}, fuse_for_prediction(results))


def cut_at_hosts(outputs: Sequence[Value]) -> tuple[list[Value], dict[Value, Value]]:
    """A graph's part behind its host nodes, for a plan that can have none.

    Returns
    -------
    outputs : list of Value
        From stand-ins for the results of host nodes.
    stand_ins : {result of a host node: Value}
    """
    made = {id(v): v for node in topological(outputs) if node.op.name == "host" for v in node.outputs}
    behind = topological(outputs, made.values())
    read = [*outputs, *(v for node in behind for v in node.inputs if v is not None)]
    stand_ins = {v: Value(v.shape, v.dtype, name=v.name) for v in read if id(v) in made}
    return rebuild(outputs, stand_ins), stand_ins


def _known(shape: Shape) -> tuple[int, ...]:
    return tuple(s for s in shape if s is not None)


class Stage:
    """A program of kernels, and the host nodes that run after it.

    Attributes
    ----------
    inputs : list of Value
        What the program reads that is there before it: the model's inputs, and results of earlier stages.
    outputs : list of Value
        What it leaves for host nodes, later stages and the caller.
    hosts : list of Node
    """

    def __init__(self, inputs: list[Value], outputs: list[Value], hosts: list[Node]) -> None:
        self.inputs, self.outputs, self.hosts = inputs, outputs, hosts
        #: Values that nobody reads after this stage.
        self.last: list[Value] = []
        self._plans: OrderedDict[tuple[tuple[int, ...], ...], Plan] = OrderedDict()
        #: Its own: who looks for a plan holds `core.lock`.
        self._lock = threading.Lock()

    def plan(self, shapes: tuple[tuple[int, ...], ...]) -> Plan:
        """The program for inputs of these shapes."""
        with self._lock:
            plan = self._plans.get(shapes)
            if plan is not None and plan.current:
                self._plans.move_to_end(shapes)
                return plan
        sized, results = with_sizes(dict(zip(self.inputs, shapes)), self.outputs)
        plan = inference_plan(dict(zip(sized, shapes)), fuse_for_prediction(results))
        with self._lock:
            self._plans[shapes] = plan
            self._plans.move_to_end(shapes)
            while len(self._plans) > _KEPT:
                self._plans.popitem(last=False)
        return plan

    @property
    def plans(self) -> list[Plan]:
        with self._lock:
            return list(self._plans.values())


class StagedPlan:
    """A plan of several stages; it is used and printed like a `Plan`.

    Parameters
    ----------
    inputs : list of Value
        With every size known.
    outputs : list of Value

    Attributes
    ----------
    steps, arena_bytes, flops, isa
        As those of a `Plan`, over all stages whose sizes are known so far. A host node is a step of the kernel
        "host: kind".
    """

    def __init__(self, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        self._inputs, self._outputs = list(inputs), list(outputs)
        self.isa = core.isa()
        self._stages = _cut(self._inputs, self._outputs)
        for stage in self._stages:
            if stage.outputs and all(None not in v.shape for v in stage.inputs):
                stage.plan(tuple(_known(v.shape) for v in stage.inputs))

    def _plans(self) -> list[Plan]:
        return [plan for stage in self._stages for plan in stage.plans]

    @property
    def current(self) -> bool:
        """Whether weights still lie where the plan points."""
        return all(plan.current for plan in self._plans())

    @property
    def arena_bytes(self) -> int:
        return max((plan.arena_bytes for plan in self._plans()), default=0)

    @property
    def flops(self) -> float:
        return sum((stage.plans[-1].flops for stage in self._stages if stage.plans), 0.0)

    @property
    def steps(self) -> list[PlanStep]:
        steps: list[PlanStep] = []
        for stage in self._stages:
            plans = stage.plans
            steps += plans[-1].steps if plans else []
            for node in stage.hosts:
                shape = tuple(-1 if s is None else s for s in node.outputs[0].shape)
                size = sum(_nbytes(v) for v in (*node.inputs, *node.outputs) if v is not None)
                steps.append(PlanStep(f"host: {node.attrs['kind']}", node.name, shape, 0.0, size, False))
        return steps

    def run(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Run on arrays in the inputs' dtype, into arrays of the results' shapes and dtypes."""
        found = self._compute(inputs, {id(v): out for v, out in zip(self._outputs, outputs)})
        for value, given, out in zip(self._outputs, found, outputs):
            if given is out:
                continue
            if given.shape != out.shape or given.dtype != out.dtype:
                raise ValueError(
                    f"{value.name!r}: the result has shape {given.shape} and dtype {given.dtype}, the array for it "
                    f"has {out.shape} and {out.dtype}"
                )
            np.copyto(out, given)

    def compute(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The results, in arrays of their own."""
        return self._compute(inputs, {})

    def _compute(self, inputs: Sequence[np.ndarray], targets: dict[int, np.ndarray]) -> list[np.ndarray]:
        arrays = {id(v): array for v, array in zip(self._inputs, inputs)}
        for stage in self._stages:
            if stage.outputs:
                entering = [np.asarray(arrays[id(v)], order="C") for v in stage.inputs]
                plan = stage.plan(tuple(a.shape for a in entering))
                leaving = [
                    out if out is not None and out.shape == shape else np.empty(shape, dtype)
                    for out, (shape, dtype) in zip((targets.get(id(v)) for v in stage.outputs), plan.outputs)
                ]
                plan.run(entering, leaving)
                arrays.update({id(v): array for v, array in zip(stage.outputs, leaving)})
            for node in stage.hosts:
                arrays.update(_call(node, arrays))
            for value in stage.last:
                arrays.pop(id(value), None)
        return [_array(v, arrays) for v in self._outputs]

    def __str__(self) -> str:
        waiting = sum(1 for stage in self._stages if stage.outputs and not stage.plans)
        later = f", {waiting} more stages when their sizes are known" if waiting else ""
        hosts = sum(len(stage.hosts) for stage in self._stages)
        return printed(
            self.steps,
            f"{sum(len(p.steps) for p in self._plans())} kernels and {hosts} host nodes in {len(self._stages)} "
            f"stages{later}, {self.flops / 1e6:.1f} MFLOP a run, {self.arena_bytes / 2**20:.2f} MiB arena, instruction "
            f"set {self.isa}, {core.threads()} threads",
        )

    __repr__ = __str__


def _nbytes(value: Value) -> float:
    return float(math.prod(s for s in value.shape if s is not None) * np.dtype(value.dtype).itemsize)


def _array(value: Value, arrays: Mapping[int, np.ndarray]) -> np.ndarray:
    """What a value is in this run."""
    if value.constant is not None:
        return value.constant
    if value.variable is not None:
        return value.variable.storage
    return arrays[id(value)]


def _call(node: Node, arrays: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """A host node's results, held against what was promised of them."""
    kind = node.attrs["kind"]
    results = node.attrs["function"]([None if v is None else _array(v, arrays) for v in node.inputs])
    found: dict[int, np.ndarray] = {}
    for value, result in zip(node.outputs, results):
        fits = result.ndim == value.ndim and all(s in (None, r) for s, r in zip(value.shape, result.shape))
        if not fits or result.dtype != np.dtype(value.dtype):
            raise ValueError(
                f"{kind} {node.name!r}: expected a result of shape {value.shape} and dtype {value.dtype}, received "
                f"{result.shape} and {result.dtype}"
            )
        found[id(value)] = result
    return found


def _cut(inputs: Sequence[Value], outputs: Sequence[Value]) -> list[Stage]:
    """The stages of a graph."""
    order = topological(outputs)
    #: The stage after whose host nodes a value is there; one of weights and constants alone has none, and is made by
    #: each program that needs it.
    level: dict[int, int] = {id(v): 0 for v in inputs}
    made: dict[int, bool] = {}
    for node in order:
        is_host = node.op.name == "host"
        start = -1
        for value in node.inputs:
            if value is not None and id(value) in level:
                after_host = made.get(id(value), False) and not is_host
                start = max(start, level[id(value)] + int(after_host))
        if start < 0 and not is_host:
            continue
        for value in node.outputs:
            level[id(value)] = max(start, 0)
            made[id(value)] = is_host
    return _stages(order, outputs, level)


def _stages(order: Sequence[Node], outputs: Sequence[Value], level: Mapping[int, int]) -> list[Stage]:
    count = 1 + max(level.values(), default=0)
    reads: list[OrderedDict[int, Value]] = [OrderedDict() for _ in range(count)]
    leaves: list[OrderedDict[int, Value]] = [OrderedDict() for _ in range(count)]
    hosts: list[list[Node]] = [[] for _ in range(count)]
    last: dict[int, tuple[int, Value]] = {}
    for node in order:
        is_host = node.op.name == "host"
        places = [level[id(v)] for v in node.outputs if id(v) in level]
        if not places:
            continue
        stage = places[0]
        if is_host:
            hosts[stage].append(node)
        for value in node.inputs:
            if value is None:
                continue
            before = value.node
            if id(value) not in level:
                if is_host and before is not None:
                    # Of weights alone, and read outside of programs: the host node's own stage makes it.
                    leaves[stage][id(value)] = value
                continue
            last[id(value)] = (max(stage, last.get(id(value), (0, value))[0]), value)
            elsewhere = before is None or before.op.name == "host" or level[id(value)] < stage
            if not is_host and elsewhere:
                reads[stage][id(value)] = value
            if before is not None and before.op.name != "host" and (is_host or elsewhere):
                leaves[level[id(value)]][id(value)] = value
    for value in outputs:
        last.pop(id(value), None)
        if value.node is not None and value.node.op.name != "host":
            leaves[level.get(id(value), 0)][id(value)] = value
    stages = [Stage(list(r.values()), list(w.values()), h) for r, w, h in zip(reads, leaves, hosts)]
    for number, value in last.values():
        stages[number].last.append(value)
    return stages

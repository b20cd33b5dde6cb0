"""From nodes to kernels: the walk over the graph. What each operation becomes is in the rules_*.py beside this."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._ops import core
from .._ops.kinds import UNARY
from ..graph import Node, Spec, Value, clock, topological
from .memory import Buffer

Rule = Callable[["Lowering", Node], None]
RULES: dict[str, Rule] = {}
#: Of operations whose rules heed the `step` of the buffer that their first result is written to: for which nodes.
WRITES_APART: dict[str, Callable[[Node], bool]] = {}


def lowers(op: str, writes_apart: Callable[[Node], bool] | None = None) -> Callable[[Rule], Rule]:
    """Decorator: the function lowers nodes of the operation `op`.

    With `writes_apart`, the pixels of the first result of nodes of which that is true may lie apart (`Buffer.step`).
    """

    def keep(rule: Rule) -> Rule:
        RULES[op] = rule
        if writes_apart is not None:
            WRITES_APART[op] = writes_apart
        return rule

    return keep


@dataclasses.dataclass
class Step:
    """One kernel call: its arguments (numbers and buffers), what it is there for, and why by this kernel."""

    kernel: str
    args: dict[str, Any]
    name: str
    shape: tuple[int, ...]
    steady: bool = False
    why: str = ""


def _read_by(node: Node) -> list[Value]:
    """The values whose shapes a node's results depend on."""
    return [v for v in (*node.inputs, *node.attrs.values()) if isinstance(v, Value)]


def one(node: Node) -> Value:
    """The input of a node that has one."""
    (value,) = node.inputs[:1]
    assert value is not None
    return value


def two(node: Node) -> tuple[Value, Value]:
    """The first two inputs of a node."""
    a, b = node.inputs[:2]
    assert a is not None and b is not None
    return a, b


def activation(node: Node) -> dict[str, Any]:
    """The kernels' numbers for the activation that a node applies."""
    return {"act": UNARY[node.attrs["activation"]], "alpha": node.attrs["alpha"]}


class Lowering:
    """Collects the steps of a plan.

    Parameters
    ----------
    shapes : {input value: concrete shape}
        What the batch axes are.
    outputs : list of Value
        What must be computed, in this order bound to the slots after the inputs'.
    training : bool
        Whether dropout drops. Outside training, what depends on weights alone is computed once a version.
    pinned : {value: Buffer}
        Values whose memory is given.
    rng : np.ndarray, optional
        uint64 (seed, step), read by dropout at each run.
    """

    def __init__(
        self,
        shapes: Mapping[Value, Sequence[int]],
        outputs: Sequence[Value],
        training: bool,
        pinned: Mapping[Value, Buffer] | None = None,
        rng: np.ndarray | None = None,
    ) -> None:
        self.training = training
        self.rng = rng
        #: Taken before any weight's memory is: if one moves from now on, the plan is out of date.
        self.storage = clock.storage
        self.inputs = list(shapes)
        self.outputs = list(outputs)
        self.steps: list[Step] = []
        self.slots: list[Buffer] = []
        self._shapes: dict[int, tuple[int, ...]] = {id(v): tuple(s) for v, s in shapes.items()}
        self._buffers: dict[int, Buffer] = {}
        self._targets: dict[int, Buffer] = {id(v): b for v, b in (pinned or {}).items()}
        self._keep: list[Value] = [*shapes, *outputs, *(pinned or {})]
        self._uses: dict[int, int] = {}
        self._dropouts: dict[int, int] = {}
        for value in self.inputs:
            self._buffers[id(value)] = self._slot(value)
        self._output_slots = [self._slot(v) for v in self.outputs]
        for value, slot in zip(self.outputs, self._output_slots):
            if id(value) not in self._targets and value.node is not None:
                self._targets[id(value)] = slot

    def _slot(self, value: Value) -> Buffer:
        buffer = Buffer(math.prod(self.shape(value)), value.dtype, name=value.name, slot=len(self.slots))
        self.slots.append(buffer)
        return buffer

    # ---- what rules ask for

    def shape(self, value: Value) -> tuple[int, ...]:
        """The concrete shape of a value."""
        # A stack of its own: networks may be deeper than Python's.
        stack = [value]
        while stack:
            node = stack[-1].node
            if id(stack[-1]) in self._shapes:
                stack.pop()
            elif node is None:
                self._take_shape(stack.pop())
            elif missing := [v for v in _read_by(node) if id(v) not in self._shapes]:
                stack.extend(missing)
            else:
                inputs = [None if v is None else Spec(self._shapes[id(v)], v.dtype) for v in node.inputs]
                for output, spec in zip(node.outputs, node.op.infer(inputs, self.attrs(node))):
                    self._shapes[id(output)] = tuple(int(s) for s in spec.shape if s is not None)
        return self._shapes[id(value)]

    def _take_shape(self, value: Value) -> None:
        """The shape of what no node makes."""
        if any(size is None for size in value.shape):
            raise ValueError(f"{value.name!r} is not among the model's inputs")
        self._shapes[id(value)] = tuple(int(s) for s in value.shape if s is not None)
        self._keep.append(value)

    def attrs(self, node: Node) -> dict[str, Any]:
        """A node's attributes, values among them as concrete specs."""
        return {k: Spec(self.shape(v), v.dtype) if isinstance(v, Value) else v for k, v in node.attrs.items()}

    def size(self, value: Value) -> int:
        return math.prod(self.shape(value))

    def read(self, value: Value) -> Buffer:
        """The memory that holds a value."""
        buffer = self._buffers.get(id(value))
        if buffer is None:
            if value.variable is not None:
                buffer = Buffer(value.variable.size, name=value.name, array=value.variable.storage)
            elif value.constant is not None:
                buffer = Buffer(value.constant.size, name=value.name, array=value.constant)
            else:
                raise ValueError(f"{value.name!r} is not among the model's inputs")
            self._buffers[id(value)] = buffer
            self._keep.append(value)
        return buffer

    def write(self, value: Value, *over: Value | None) -> Buffer:
        """Memory for a value about to be computed; that of the first of `over` that nobody needs after this node."""
        target = self._targets.get(id(value))
        if target is None:
            size = self.size(value)
            free = [v for v in over if v is not None and self._free_after(v, size, value.dtype)]
            target = self.read(free[0]) if free else Buffer(size, value.dtype, name=value.name)
        self._bind(value, target)
        return target

    def target(self, value: Value) -> Buffer | None:
        """The memory that a value was asked to be written to, if any."""
        return self._targets.get(id(value))

    def aim(self, value: Value, target: Buffer) -> None:
        """Ask for a value to be written to this memory. Rules that find it elsewhere already leave it there."""
        self._targets[id(value)] = target

    def reads(self, value: Value) -> int:
        """How many times a value is read, by the caller as well."""
        return self._uses.get(id(value), 0)

    def alias(self, value: Value, source: Value) -> None:
        """`value` is the same memory as `source`."""
        self._bind(value, self.read(source))

    def fixed(self, number: float) -> Buffer:
        """A float32 number as memory."""
        return Buffer(1, name="constant", array=np.full(1, number, np.float32))

    def temporary(self, size: int, dtype: str = "float32", name: str = "temporary") -> Buffer:
        return Buffer(size, dtype, name=name)

    def wanted(self, value: Value) -> bool:
        """Whether anything reads this result."""
        return self._uses.get(id(value), 0) > 0

    def step(self, kernel: str, node: Node, shape: Any = None, **args: Any) -> Step:
        """Add a kernel call; buffers, numbers and arrays by the kernel's argument names."""
        return self.add(kernel, node.name, self.shape(node.outputs[0]) if shape is None else tuple(shape), **args)

    def add(self, kernel: str, name: str, shape: tuple[int, ...], **args: Any) -> Step:
        fields = core.KERNELS[kernel].by_name
        buffers = [(fields[k].kind, b) for k, b in args.items() if isinstance(b, Buffer)]
        steady = not self.training and all(b.steady for kind, b in buffers if kind != "out")
        steady = steady and all(b.in_arena for kind, b in buffers if kind != "in")
        if steady:
            for kind, buffer in buffers:
                buffer.steady = buffer.steady or kind != "in"
        self.steps.append(Step(kernel, args, name, shape, steady))
        return self.steps[-1]

    def dropout_site(self, node: Node) -> int:
        """A number for each dropout layer, the same for its two directions."""
        return self._dropouts.setdefault(id(node), len(self._dropouts))

    # ---- the walk

    def lower(
        self,
        late: Sequence[Node] = (),
        prepare: Callable[[Lowering, Sequence[Node]], None] | None = None,
    ) -> None:
        """Lower every node that the outputs and pinned values need, `late` ones right before they are needed.

        `prepare` is called with the nodes in order before the first is lowered; it may ask for values to be written to
        certain places (`aim`).
        """
        wanted = [*self.outputs, *(v for v in self._keep if id(v) in self._targets and v not in self.outputs)]
        order = _put_off(topological(wanted, self.inputs), late)
        for node in order:
            for value in node.inputs:
                if value is not None:
                    self._uses[id(value)] = self._uses.get(id(value), 0) + 1
        for value in wanted:
            self._uses[id(value)] = self._uses.get(id(value), 0) + 1
        if prepare is not None:
            prepare(self, order)
        for node in order:
            RULES[node.op.name](self, node)
            for value in node.inputs:
                if value is not None:
                    self.read(value).pending -= 1
        for value, slot in zip(self.outputs, self._output_slots):
            self._copy(value, slot)
        for value in wanted:
            target = self._targets.get(id(value))
            if target is not None and target.slot is None:
                self._copy(value, target)

    def _copy(self, value: Value, target: Buffer) -> None:
        """Bring a value that is not there yet to where it was asked for."""
        source = self.read(value)
        if source is target:
            return
        self.add(
            "unary_forward", value.name, self.shape(value),
            x=source, y=target, count=source.size, kind=0, alpha=0.0, beta=0.0,
        )  # fmt: skip

    def _bind(self, value: Value, buffer: Buffer) -> None:
        self._buffers[id(value)] = buffer
        buffer.pending += self._uses.get(id(value), 0)

    def _free_after(self, value: Value, size: int, dtype: str) -> bool:
        buffer = self.read(value)
        return (
            buffer.in_arena
            and buffer.parent is None
            and not buffer.steady
            and buffer.pending == 1
            and buffer.size == size
            and buffer.dtype == dtype
        )


def _put_off(order: Sequence[Node], late: Sequence[Node]) -> list[Node]:
    """An order of computation in which nodes that are `late` have moved back as far as they can."""
    places = {id(node): i for i, node in enumerate(order)}
    waiting = {id(node) for node in late}
    moved: list[Node] = []
    for node in order:
        if id(node) in waiting:
            continue
        due: dict[int, Node] = {}
        stack = [node]
        while stack:
            for value in stack.pop().inputs:
                before = None if value is None else value.node
                if before is not None and id(before) in waiting:
                    waiting.remove(id(before))
                    due[id(before)] = before
                    stack.append(before)
        moved += sorted(due.values(), key=lambda n: places[id(n)])
        moved.append(node)
    return moved

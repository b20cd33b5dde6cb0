"""The graph: what is to be computed, as values and the nodes that make them. Immutable once built.

A `Value` is a tensor that doesn't exist yet. It comes from a `Node` (an operation applied to other values), from
a `Variable` (weights), from a constant array, or from outside (an input). Axis 0 of an input and of what follows
from it is ``None``: the batch, whose size a plan fills in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from .variable import Variable

Shape = tuple[int | None, ...]


class Spec:
    """Shape and dtype of a value."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Iterable[int | None], dtype: str = "float32") -> None:
        self.shape: Shape = tuple(shape)
        self.dtype = dtype


class Value:
    """One tensor of the graph.

    Attributes
    ----------
    shape : tuple of (int or None)
        None is the batch axis.
    dtype : str
        "float32", "int32" (labels) or "uint8" (positions of maxima).
    node : Node or None
        What makes it; None for inputs, variables and constants.
    variable, constant
        Its source, if it is a weight or a fixed array.
    origin
        The layer call that returned it, if one did (set by the layers).
    """

    #: NumPy's operators leave `array + value` to the value.
    __array_ufunc__ = None

    __slots__ = ("constant", "dtype", "index", "name", "node", "origin", "shape", "variable")

    def __init__(
        self,
        shape: Iterable[int | None],
        dtype: str = "float32",
        *,
        name: str = "",
        node: Node | None = None,
        index: int = 0,
        variable: Variable | None = None,
        constant: np.ndarray | None = None,
    ) -> None:
        self.shape: Shape = tuple(shape)
        self.dtype = dtype
        self.name = name
        self.node = node
        self.index = index
        self.variable = variable
        self.constant = constant
        self.origin: Any = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<Value {self.name or 'unnamed'} shape={self.shape} dtype={self.dtype}>"

    def __bool__(self) -> bool:
        raise TypeError("a graph value has no truth value: it is computed later, when a model runs")

    def _binary(self, other: Any, kind: str, swapped: bool = False) -> Value:
        from .functional import binary

        return binary(other, self, kind) if swapped else binary(self, other, kind)

    def __add__(self, other: Any) -> Value:
        return self._binary(other, "add")

    def __radd__(self, other: Any) -> Value:
        return self._binary(other, "add", True)

    def __sub__(self, other: Any) -> Value:
        return self._binary(other, "subtract")

    def __rsub__(self, other: Any) -> Value:
        return self._binary(other, "subtract", True)

    def __mul__(self, other: Any) -> Value:
        return self._binary(other, "multiply")

    def __rmul__(self, other: Any) -> Value:
        return self._binary(other, "multiply", True)

    def __truediv__(self, other: Any) -> Value:
        return self._binary(other, "divide")

    def __rtruediv__(self, other: Any) -> Value:
        return self._binary(other, "divide", True)

    def __neg__(self) -> Value:
        from .functional import unary

        return unary(self, "negative")

    def __pow__(self, power: Any) -> Value:
        if isinstance(power, Value):
            raise NotImplementedError("graph values can be raised to powers that are numbers only, received a value")
        from . import functional

        return functional.power(self, power)


class Node:
    """An operation applied to values."""

    __slots__ = ("attrs", "inputs", "name", "op", "outputs")

    def __init__(self, op: Op, inputs: Sequence[Value | None], attrs: Mapping[str, Any], name: str = "") -> None:
        self.op = op
        self.inputs: tuple[Value | None, ...] = tuple(inputs)
        self.attrs = dict(attrs)
        self.name = name or op.name
        specs = op.infer([None if v is None else Spec(v.shape, v.dtype) for v in self.inputs], self.attrs)
        self.outputs = tuple(Value(s.shape, s.dtype, name=self.name, node=self, index=i) for i, s in enumerate(specs))

    def __repr__(self) -> str:
        return f"<Node {self.op.name} {self.name!r}>"


class Op:
    """A kind of operation: its result's shapes and its gradient. How it is run is the plan's business.

    Subclasses set ``name``, and are registered with `register`.
    """

    name: ClassVar[str]

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        """Shapes and dtypes of the outputs; raises ValueError where inputs don't fit."""
        raise NotImplementedError

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        """Gradients with respect to the inputs, given those of the outputs; None where there is none."""
        raise NotImplementedError(f"{self.name} has no gradient")


OPS: dict[str, Op] = {}


def register(cls: type[Op]) -> type[Op]:
    """Class decorator: makes the operation known by its name."""
    OPS[cls.name] = cls()
    return cls


def apply(op: str, inputs: Sequence[Value | None], attrs: Mapping[str, Any] | None = None, name: str = "") -> Node:
    """A new node; its results are ``.outputs``."""
    return Node(OPS[op], inputs, attrs or {}, name)


def emit(op: str, inputs: Sequence[Value | None], attrs: Mapping[str, Any] | None = None, name: str = "") -> Value:
    """A new node's first result."""
    return apply(op, inputs, attrs, name).outputs[0]


def constant(array: Any, name: str = "constant") -> Value:
    """A fixed float32 array as a value."""
    data = np.ascontiguousarray(array, dtype=np.float32)
    return Value(data.shape, "float32", name=name, constant=data)


def topological(outputs: Iterable[Value], until: Iterable[Value] = ()) -> list[Node]:
    """The nodes that `outputs` need, each after those it needs itself; nothing before the values `until`."""
    stop = {id(v) for v in until}
    done: set[int] = set()
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = [(v.node, False) for v in outputs if v.node is not None and id(v) not in stop]
    stack.reverse()
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            order.append(node)
            continue
        stack.append((node, True))
        for v in reversed(node.inputs):
            if v is not None and v.node is not None and id(v) not in stop and id(v.node) not in done:
                stack.append((v.node, False))
    return order


def rebuild(outputs: Sequence[Value], replace: Mapping[Value, Value]) -> list[Value]:
    """The same graph with some values replaced: what depends on them is made anew, the rest is shared."""
    new: dict[int, Value] = {id(k): v for k, v in replace.items()}
    for node in topological(outputs, replace):
        if any(v is not None and id(v) in new for v in node.inputs):
            inputs = [None if v is None else new.get(id(v), v) for v in node.inputs]
            again = Node(node.op, inputs, node.attrs, node.name)
            new.update({id(old): fresh for old, fresh in zip(node.outputs, again.outputs) if id(old) not in new})
    return [new.get(id(v), v) for v in outputs]

"""Before a plan is made: a graph with the sizes it is made for, and what that decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..graph import Node, Value, rebuild
from .rewrite import Rewrite


def with_sizes(inputs: Mapping[Value, Sequence[int]], outputs: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """The same graph from inputs of these shapes: every size is known that doesn't depend on numbers computed by it."""
    sized = {old: Value(tuple(shape), old.dtype, name=old.name) for old, shape in inputs.items()}
    return list(sized.values()), rebuild(outputs, sized)


def known(array: np.ndarray, name: str) -> Value:
    """An array of any dtype as a value of the graph."""
    return Value(array.shape, str(array.dtype), name=name, constant=array)


def specialize(outputs: Sequence[Value]) -> list[Value]:
    """Host nodes of constants alone are computed; one that can say with other operations what it is for inputs of these
    sizes, or with these contents, becomes those.
    """
    return Rewrite(outputs, _specialize).outputs


def _specialize(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    if node.op.name != "host":
        return None
    if all(v is None or v.constant is not None for v in inputs):
        results = node.attrs["function"]([None if v is None else v.constant for v in inputs])
        return [known(np.asarray(result), node.name) for result in results]
    change = node.attrs.get("specialize")
    return None if change is None else change(inputs)

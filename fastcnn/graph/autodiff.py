"""Reverse-mode differentiation: extends a graph by the nodes that compute gradients.

Baydin et al., "Automatic differentiation in machine learning: a survey", JMLR 18 (2018), section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .values import Node, Value, emit, topological


def gradients(seeds: Mapping[Value, Value], wrt: Sequence[Value]) -> list[Value | None]:
    """Gradients of a scalar with respect to the values `wrt`.

    Parameters
    ----------
    seeds : {value: its gradient}
        Where differentiation starts: values, and the scalar's gradient with respect to each.
    wrt : list of Value
        What is differentiated for, usually variables' values.

    Returns
    -------
    list of Value or None
        None for values that the seeds don't depend on.
    """
    order = topological(list(seeds))
    targets = {id(v) for v in wrt}
    depends = _depends_on(order, targets)
    grads: dict[int, list[Value]] = {}
    for value, grad in seeds.items():
        grads.setdefault(id(value), []).append(grad)
    for node in reversed(order):
        if not any(id(o) in depends for o in node.outputs):
            continue
        received = [_total(grads, o) for o in node.outputs]
        if all(g is None for g in received):
            continue
        needed = [v is not None and id(v) in depends for v in node.inputs]
        for source, part in zip(node.inputs, node.op.gradient(node, received, needed)):
            if source is not None and part is not None and id(source) in depends:
                grads.setdefault(id(source), []).append(part)
    return [_total(grads, v) for v in wrt]


def _depends_on(order: Sequence[Node], targets: set[int]) -> set[int]:
    """The values that the targets have an influence on, the targets included."""
    depends = set(targets)
    for node in order:
        if any(v is not None and id(v) in depends for v in node.inputs):
            depends.update(id(o) for o in node.outputs)
    return depends


def _total(grads: dict[int, list[Value]], value: Value) -> Value | None:
    parts = grads.get(id(value))
    if not parts:
        return None
    total = parts[0]
    for part in parts[1:]:
        total = emit("binary", [total, part], {"kind": "add"}, name=f"{value.name}/gradient")
    grads[id(value)] = [total]
    return total

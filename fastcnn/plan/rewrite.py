"""The walk over a graph in which passes replace nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph import Node, Value, topological

#: What becomes of a node, given its new inputs: new results, or None to keep it.
Rule = Callable[["Rewrite", Node, "list[Value | None]"], "Sequence[Value] | None"]


class Rewrite:
    """One walk over a graph in which a rule replaces nodes; what depends on them is made anew."""

    def __init__(self, outputs: Sequence[Value], rule: Rule) -> None:
        order = topological(outputs)
        self._uses: dict[int, int] = {}
        self._new: dict[int, Value] = {}
        nodes: dict[int, Node] = {}
        for value in [*outputs, *(v for node in order for v in node.inputs if v is not None)]:
            self._uses[id(value)] = self._uses.get(id(value), 0) + 1
        for node in order:
            inputs = [None if v is None else self.now(v) for v in node.inputs]
            results = rule(self, node, inputs)
            # A node among the attributes is the one whose random numbers are drawn again.
            attrs = {k: nodes.get(id(v), v) if isinstance(v, Node) else v for k, v in node.attrs.items()}
            if results is None:
                if all(a is b for a, b in zip(inputs, node.inputs)) and all(
                    v is node.attrs[k] for k, v in attrs.items()
                ):
                    continue
                nodes[id(node)] = again = Node(node.op, inputs, attrs, node.name)
                results = again.outputs
            self._new.update({id(old): fresh for old, fresh in zip(node.outputs, results)})
        self.outputs = [self.now(v) for v in outputs]

    def now(self, value: Value) -> Value:
        """What has become of a value of the old graph."""
        return self._new.get(id(value), value)

    def once(self, value: Value) -> bool:
        """Whether only one node of the old graph reads it."""
        return self._uses.get(id(value), 0) == 1

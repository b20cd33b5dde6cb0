"""What no kernel computes: functions on NumPy arrays, between the kernels.

host  (any values, of any dtype)
    attrs:
    function    list of arrays -> list of arrays, one for each result
    infer       list of Spec or None -> list of Spec; sizes that are known only when it runs are None
    kind        what it is called where a plan is printed: "TopK"
    specialize  optional: the inputs, as values with every size that the plan is made for -> values that stand for the
                results, or None where it must run as it is. Asked when a plan is made.

It has no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, register


@register
class Host(Op):
    name = "host"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return list(attrs["infer"](inputs))

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        raise NotImplementedError(
            f"{node.attrs['kind']} {node.name!r} has no gradient: weights before it can't be trained; cut the model "
            f"before it, or freeze what lies before it"
        )

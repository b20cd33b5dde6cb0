"""Operations that compute nothing: margins of zeros, parts cut off or put together, pixels repeated.

pad2d           (x)                attrs: pads ((top, bottom), (left, right)), negative where x is cut
concatenate     (a, b, …)          attrs: axis
split           (y)                attrs: axis, start, like: a value, whose gradient from `concatenate` it is
upsample2d      (x)                attrs: size
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, emit, register


@register
class Pad2D(Op):
    name = "pad2d"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        n, h, w, c = inputs[0].shape
        rows, columns = attrs["pads"]
        size = tuple(None if s is None else s + sum(pads) for s, pads in ((h, rows), (w, columns)))
        if any(s is not None and s < 1 for s in size):
            raise ValueError(f"cropping takes more than there is of an image of {h}x{w}")
        return [Spec((n, *size, c))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        (top, bottom), (left, right) = node.attrs["pads"]
        back = {"pads": ((-top, -bottom), (-left, -right))}
        return [emit("pad2d", [grads[0]], back, name=node.name)]


@register
class Concatenate(Op):
    name = "concatenate"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        axis, first = attrs["axis"], inputs[0].shape
        for other in inputs[1:]:
            if len(other.shape) != len(first) or any(
                p != q and None not in (p, q) for i, (p, q) in enumerate(zip(first, other.shape)) if i != axis
            ):
                shapes = ", ".join(str(v.shape) for v in inputs)
                raise ValueError(f"inputs must have the same shape except along axis {axis}, received {shapes}")
        joined = [v.shape[axis] for v in inputs]
        shape = [next((s for s in sizes if s is not None), None) for sizes in zip(*(v.shape for v in inputs))]
        shape[axis] = None if None in joined else sum(joined)
        return [Spec(shape)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        start, parts = 0, []
        for value, wanted in zip(node.inputs, needed):
            assert value is not None
            attrs = {"axis": node.attrs["axis"], "start": start, "like": value}
            parts.append(emit("split", [grads[0]], attrs, name=node.name) if wanted else None)
            size = value.shape[node.attrs["axis"]]
            assert size is not None
            start += size
        return parts


@register
class Split(Op):
    """The adjoint of one input of `concatenate`: the part of y from `start` on that is as long as `like`."""

    name = "split"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(attrs["like"].shape)]


@register
class Upsample2D(Op):
    name = "upsample2d"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        n, h, w, c = inputs[0].shape
        rows, columns = attrs["size"]
        return [Spec((n, None if h is None else h * rows, None if w is None else w * columns, c))]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        """Each pixel gets the sum over its copies: their mean, times their number."""
        size = node.attrs["size"]
        attrs = {"pool_size": size, "strides": size, "padding": "valid", "count_include_pad": True}
        mean = emit("avg_pool2d", [grads[0]], attrs, name=node.name)
        return [emit("affine", [mean], {"scale": float(size[0] * size[1]), "shift": 0.0}, name=node.name)]

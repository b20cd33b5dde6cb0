"""Elements in another order: axes exchanged, parts with steps, margins, repetitions. Nothing is computed.

permute         (x)  attrs: axes, all of x's in their new order, the batch (0) among them: NumPy's transpose
slice           (x)  attrs: slices, for each axis (start, count, step) or None for all of it; a step may be negative,
                     never 0, and start is where the first element lies, from 0
slice_backward  (dy) attrs: slices, like: the adjoint, zeros with dy laid into them; of axes that aren't sliced, open
                     sizes are those of dy
pad             (x)  attrs: pads ((before, after), ...) for each axis, none negative; value
pad_backward    (dy) attrs: pads, like: dy without its margins
expand          (x)  attrs: shape: NumPy's broadcast_to; a size of None (the batch) or -1 stays what it is in x
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..values import Node, Op, Spec, Value, emit, register
from .elementwise import sum_to

#: Of one axis: where a slice starts, how many elements it has, and the step between them; None: the whole axis.
Slice = tuple[int, int, int] | None


def check_axes(axes: Sequence[int], rank: int) -> None:
    """An error unless `axes` are those of a value of this rank in some order."""
    if sorted(axes) != list(range(rank)):
        raise ValueError(f"permute: axes must be 0 to {rank - 1} in some order, received {tuple(axes)}")


@register
class Permute(Op):
    name = "permute"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        shape, axes = inputs[0].shape, attrs["axes"]
        check_axes(axes, len(shape))
        return [Spec([shape[a] for a in axes])]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        axes = node.attrs["axes"]
        back = sorted(range(len(axes)), key=lambda i: axes[i])
        return [emit("permute", [grads[0]], {"axes": tuple(back)}, name=node.name)]


@register
class SliceOp(Op):
    name = "slice"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        shape, slices = inputs[0].shape, attrs["slices"]
        if len(slices) != len(shape):
            raise ValueError(f"slice: one slice for each axis of {shape} is needed, received {len(slices)}")
        return [Spec([_sliced(size, part, shape) for size, part in zip(shape, slices)])]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        attrs = {"slices": node.attrs["slices"], "like": node.inputs[0]}
        return [emit("slice_backward", [grads[0]], attrs, name=node.name)]


def _sliced(size: int | None, part: Slice, shape: Sequence[int | None]) -> int | None:
    """The length of one axis behind a slice of it."""
    if part is None:
        return size
    start, count, step = part
    last = start + (count - 1) * step
    if step == 0 or count < 0 or (count > 0 and (start < 0 or last < 0)):
        raise ValueError(f"slice: start, count and step {part} are no part of an axis")
    if count > 0 and size is not None and max(start, last) >= size:
        raise ValueError(f"slice: start, count and step {part} reach beyond an axis of {size}, shape {tuple(shape)}")
    return count


@register
class SliceBackward(Op):
    name = "slice_backward"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        sizes = zip(attrs["like"].shape, inputs[0].shape, attrs["slices"])
        return [Spec([mine if size is None and part is None else size for size, mine, part in sizes])]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [emit("slice", [grads[0]], {"slices": node.attrs["slices"]}, name=node.name)]


@register
class Pad(Op):
    name = "pad"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        shape, pads = inputs[0].shape, attrs["pads"]
        if len(pads) != len(shape) or any(min(sides) < 0 for sides in pads):
            raise ValueError(f"pad: (before, after) of at least 0 for each axis of {shape} are needed, received {pads}")
        return [Spec([size if size is None else size + sum(sides) for size, sides in zip(shape, pads)])]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        attrs = {"pads": node.attrs["pads"], "like": node.inputs[0]}
        return [emit("pad_backward", [grads[0]], attrs, name=node.name)]


@register
class PadBackward(Op):
    name = "pad_backward"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        return [Spec(attrs["like"].shape)]


@register
class Expand(Op):
    name = "expand"

    def infer(self, inputs: list[Any], attrs: Mapping[str, Any]) -> list[Spec]:
        shape, target = inputs[0].shape, tuple(attrs["shape"])
        padded = (1,) * (len(target) - len(shape)) + tuple(shape)
        fits = len(padded) == len(target)
        out = [size if wanted in (None, -1) else wanted for size, wanted in zip(padded, target)]
        if not fits or any(size not in (1, None, result) for size, result in zip(padded, out)):
            raise ValueError(f"expand: shape {shape} can't be stretched to {target}")
        return [Spec(out)]

    def gradient(self, node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        x, dy = node.inputs[0], grads[0]
        assert x is not None and dy is not None
        return [sum_to(dy, x)]

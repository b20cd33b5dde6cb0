"""Kernels of what reads elements in another order: permutations, parts, margins, repetitions."""

from __future__ import annotations

from collections.abc import Sequence

from .._ops.strides import AXES, copy_fields, dense_steps
from ..graph import Node, Value
from .lowering import Lowering, lowers, one
from .memory import Buffer


def copy(low: Lowering, node: Node, x: Value, y: Buffer, sizes: Sequence[int], steps: Sequence[int],
         start: int = 0) -> None:  # fmt: skip
    """One `strided_copy` from x."""
    low.step("strided_copy", node, sizes, x=low.read(x), y=y, x0=start, **copy_fields(sizes, steps))


def _is_whole(sizes: Sequence[int], steps: Sequence[int]) -> bool:
    """Whether these steps walk over a dense array from its beginning to its end."""
    return all(size == 1 or step == dense for size, step, dense in zip(sizes, steps, dense_steps(sizes)))


@lowers("permute")
def permute(low: Lowering, node: Node) -> None:
    x, y = one(node), node.outputs[0]
    steps = dense_steps(low.shape(x))
    steps = [steps[axis] for axis in node.attrs["axes"]]
    if _is_whole(low.shape(y), steps):
        low.alias(y, x)
    else:
        copy(low, node, x, low.write(y), low.shape(y), steps)


@lowers("slice")
def slice_(low: Lowering, node: Node) -> None:
    x, y = one(node), node.outputs[0]
    start, steps = 0, []
    for step, part in zip(dense_steps(low.shape(x)), node.attrs["slices"]):
        start += 0 if part is None else part[0] * step
        steps.append(step if part is None else part[2] * step)
    if low.shape(y) == low.shape(x) and start == 0:
        low.alias(y, x)
    else:
        copy(low, node, x, low.write(y), low.shape(y), steps, start)


@lowers("pad_backward")
def pad_backward(low: Lowering, node: Node) -> None:
    dy, y = one(node), node.outputs[0]
    steps = dense_steps(low.shape(dy))
    start = sum(before * step for (before, _), step in zip(node.attrs["pads"], steps))
    copy(low, node, dy, low.write(y), low.shape(y), steps, start)


@lowers("expand")
def expand(low: Lowering, node: Node) -> None:
    x, y = one(node), node.outputs[0]
    shape = low.shape(y)
    if low.size(x) == low.size(y):
        low.alias(y, x)
    else:
        copy(low, node, x, low.write(y), shape, stretched_steps(low.shape(x), shape))


def stretched_steps(shape: Sequence[int], out: Sequence[int]) -> list[int]:
    """Steps with which an array of `shape` is read as one of shape `out`: 0 where it is stretched."""
    padded = [1] * (len(out) - len(shape)) + list(shape)
    return [0 if size != wanted else step for size, wanted, step in zip(padded, out, dense_steps(padded))]


def _place(low: Lowering, node: Node, first: Sequence[int], steps: Sequence[int], value: float) -> None:
    """The input laid into the output; axes that it fills are merged with the one before."""
    x, y = one(node), node.outputs[0]
    axes: list[list[int]] = []  # size in y, size in x, first, step
    for d, e, b, t in zip(low.shape(y), low.shape(x), first, steps):
        whole = (d, b, t) == (e, 0, 1)
        if whole and axes and axes[-1][3] == 1:
            axes[-1] = [axes[-1][0] * d, axes[-1][1] * d, axes[-1][2] * d, 1]
        elif not whole or d != 1:
            axes.append([d, e, b, t])
    if len(axes) > AXES:
        raise ValueError(f"more than {AXES} axes of {low.shape(y)} are padded at once")
    axes = [[1, 1, 0, 1]] * (AXES - len(axes)) + axes
    fields = {f"{name}{i}": axis[k] for i, axis in enumerate(axes) for k, name in enumerate("debt")}
    low.step("strided_place", node, x=low.read(x), y=low.write(y), value=value, **fields)


@lowers("pad")
def pad(low: Lowering, node: Node) -> None:
    pads = node.attrs["pads"]
    if not any(any(sides) for sides in pads):
        low.alias(node.outputs[0], one(node))
        return
    _place(low, node, [before for before, _ in pads], [1] * len(pads), node.attrs["value"])


@lowers("slice_backward")
def slice_backward(low: Lowering, node: Node) -> None:
    parts = [(0, 0, 1) if part is None else part for part in node.attrs["slices"]]
    _place(low, node, [part[0] for part in parts], [part[2] for part in parts], 0.0)

"""Kernels of everything but convolution and dense layers."""

from __future__ import annotations

import math
from typing import Any

from .._ops.geometry import PoolGeometry
from .._ops.kinds import BINARY, REDUCE, UNARY
from ..graph import Node
from .lowering import Lowering, lowers, one

# ---------------------------------------------------------------- pooling


def _pool_geometry(x: tuple[int, ...], attrs: dict[str, Any], where: str) -> PoolGeometry:
    window = attrs["pool_size"] or (x[1], x[2])
    return PoolGeometry.of(x, window, attrs["strides"], attrs["padding"], where)


@lowers("max_pool2d", writes_apart=lambda node: True)
def max_pool2d(low: Lowering, node: Node) -> None:
    x = one(node)
    geometry = _pool_geometry(low.shape(x), node.attrs, "max_pool2d")
    index = {geometry.index_name: low.write(node.outputs[1])} if low.wanted(node.outputs[1]) else {}
    y = low.write(node.outputs[0])
    low.step("max_pool_forward", node, x=low.read(x), y=y, y_step=y.step or geometry.c, **index, **geometry.fields())


@lowers("max_pool2d_backward")
def max_pool2d_backward(low: Lowering, node: Node) -> None:
    dy, index = node.inputs
    assert dy is not None and index is not None
    geometry = _pool_geometry(low.shape(node.attrs["like"]), node.attrs, "max_pool2d")
    places = {geometry.index_name: low.read(index)}
    low.step("max_pool_backward", node, dy=low.read(dy), dx=low.write(node.outputs[0]), **places, **geometry.fields())


@lowers("avg_pool2d", writes_apart=lambda node: True)
def avg_pool2d(low: Lowering, node: Node) -> None:
    x = one(node)
    geometry = _pool_geometry(low.shape(x), node.attrs, "avg_pool2d")
    y = low.write(node.outputs[0])
    low.step("avg_pool_forward", node, x=low.read(x), y=y, y_step=y.step or geometry.c,
             include_pad=int(node.attrs["count_include_pad"]), **geometry.fields())  # fmt: skip


@lowers("avg_pool2d_backward")
def avg_pool2d_backward(low: Lowering, node: Node) -> None:
    geometry = _pool_geometry(low.shape(node.attrs["like"]), node.attrs, "avg_pool2d")
    low.step("avg_pool_backward", node, dy=low.read(one(node)), dx=low.write(node.outputs[0]),
             include_pad=int(node.attrs["count_include_pad"]), **geometry.fields())  # fmt: skip


# ---------------------------------------------------------------- element-wise


def _function(node: Node) -> dict[str, Any]:
    """The kernels' numbers for the function that a node applies."""
    return {"kind": UNARY[node.attrs["kind"]], "alpha": node.attrs["alpha"], "beta": node.attrs.get("beta", 0.0)}


@lowers("unary")
def unary(low: Lowering, node: Node) -> None:
    x = one(node)
    low.step("unary_forward", node, x=low.read(x), y=low.write(node.outputs[0], x), count=low.size(x),
             **_function(node))  # fmt: skip


@lowers("unary_backward")
def unary_backward(low: Lowering, node: Node) -> None:
    dy, saved = node.inputs
    assert dy is not None and saved is not None
    low.step("unary_backward", node, dy=low.read(dy), saved=low.read(saved), dx=low.write(node.outputs[0], dy),
             count=low.size(dy), **_function(node))  # fmt: skip


@lowers("affine")
def affine(low: Lowering, node: Node) -> None:
    x = one(node)
    low.step("affine", node, x=low.read(x), y=low.write(node.outputs[0], x), count=low.size(x),
             scale=node.attrs["scale"], shift=node.attrs["shift"])  # fmt: skip


def broadcast_strides(shape: tuple[int, ...], out: tuple[int, ...]) -> tuple[int, ...]:
    """Strides in elements with which an array of `shape` is read as one of shape `out`; 0 where it is stretched."""
    strides = []
    step = 1
    for axis in range(1, len(out) + 1):
        size = shape[-axis] if axis <= len(shape) else 1
        strides.append(step if size != 1 else 0)
        step *= size
    return tuple(reversed(strides))


def binary_fields(p: tuple[int, ...], q: tuple[int, ...], out: tuple[int, ...]) -> dict[str, int]:
    """Sizes and strides of the `binary` kernel: axes that all three walk alike are merged, then padded to five.

    Raises
    ------
    ValueError
        More than five axes are left.
    """
    axes: list[tuple[int, int, int]] = []
    for size, ps, qs in zip(out, broadcast_strides(p, out), broadcast_strides(q, out)):
        if size == 1 and out != (1,):
            continue
        if axes and axes[-1][1] == ps * size and axes[-1][2] == qs * size:
            axes[-1] = (axes[-1][0] * size, ps, qs)
        else:
            axes.append((size, ps, qs))
    if len(axes) > 5:
        raise ValueError(f"shapes {p} and {q} broadcast over more than five axes")
    axes = [(1, 0, 0)] * (5 - len(axes)) + axes
    fields = {}
    for i, (size, ps, qs) in enumerate(axes):
        fields.update({f"d{i}": size, f"p{i}": ps, f"q{i}": qs})
    return fields


@lowers("binary")
def binary(low: Lowering, node: Node) -> None:
    p, q = node.inputs
    assert p is not None and q is not None
    y = node.outputs[0]
    shape = low.shape(y)
    over = p if low.shape(p) == shape and p is not q else q if low.shape(q) == shape and p is not q else None
    low.step("binary", node, p=low.read(p), q=low.read(q), y=low.write(y, over),
             kind=BINARY[node.attrs["kind"]], **binary_fields(low.shape(p), low.shape(q), shape))  # fmt: skip


@lowers("reduce")
def reduce(low: Lowering, node: Node) -> None:
    """Axes that lie side by side are reduced at once; others one run after the other, the last first."""
    x = one(node)
    shape = list(low.shape(x))
    axes = sorted(node.attrs["axes"])
    kind = node.attrs["kind"]
    runs: list[list[int]] = []
    for axis in axes:
        if runs and runs[-1][-1] == axis - 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    if not runs:
        low.alias(node.outputs[0], x)
        return
    source = low.read(x)
    for i, run in enumerate(reversed(runs)):
        outer, inner = math.prod(shape[: run[0]]), math.prod(shape[run[-1] + 1 :])
        count = math.prod(shape[run[0] : run[-1] + 1])
        last = i == len(runs) - 1
        target = low.write(node.outputs[0]) if last else low.temporary(outer * inner)
        low.step("reduce", node, (outer, inner), x=source, y=target, outer=outer, count=count, inner=inner,
                 kind=REDUCE[kind], scale=1.0)  # fmt: skip
        shape[run[0] : run[-1] + 1] = [1] * len(run)
        source = target


@lowers("broadcast")
def broadcast(low: Lowering, node: Node) -> None:
    """dy spread over the reduced axes: added to a stretched zero, then divided for a mean."""
    dy = one(node)
    like = low.shape(node.attrs["like"])
    kept = tuple(1 if i in node.attrs["axes"] else size for i, size in enumerate(like))
    count = math.prod(like[i] for i in node.attrs["axes"])
    scale = low.fixed(1.0 / count if node.attrs["mean"] and count else 1.0)
    low.step("binary", node, p=low.read(dy), q=scale, y=low.write(node.outputs[0]), kind=BINARY["multiply"],
             **binary_fields(kept, (1,), like))  # fmt: skip


@lowers("host")
def host(low: Lowering, node: Node) -> None:
    """Plans are cut into programs before and after it (stages.py)."""
    raise NotImplementedError(f"{node.attrs['kind']} {node.name!r} runs on arrays, and can't be part of one program")


@lowers("reshape")
def reshape(low: Lowering, node: Node) -> None:
    low.alias(node.outputs[0], one(node))


@lowers("identity")
def identity(low: Lowering, node: Node) -> None:
    low.alias(node.outputs[0], one(node))


@lowers("dropout")
def dropout(low: Lowering, node: Node) -> None:
    x = one(node)
    if not low.training or node.attrs["rate"] == 0:
        low.alias(node.outputs[0], x)
        return
    site = low.dropout_site(node.attrs.get("of") or node)
    low.step("dropout", node, x=low.read(x), rng=low.rng, y=low.write(node.outputs[0], x), count=low.size(x),
             site=site, rate=node.attrs["rate"])  # fmt: skip

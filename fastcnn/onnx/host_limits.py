"""Sizes of results, from the inputs' values, before a result is allocated: a file must not ask for all memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._ops.arrays import memory_limit
from ..errors import shown
from .host_node import HostNode

Arrays = Sequence[Any]
#: Pixels along an axis of an image that is resized here.
_LONGEST = 2**18


def check_result(node: HostNode, inputs: Arrays, limit: int | None = None) -> None:
    """A ValueError for a node whose result can't fit into memory, or whose sizes are negative.

    Only operators whose results can be larger than their inputs are looked at. `limit` is in bytes; None is the memory.
    """
    estimate = _SIZES.get(node.op_type)
    if estimate is not None:
        shape = estimate(node, inputs)
    else:
        shape = _broadcast(inputs) if _spreads(inputs) else None
    if shape is None:
        return
    sizes = [int(s) for s in shape]
    if any(s < 0 for s in sizes):
        raise ValueError(f"{node.label}: its result would have the shape {tuple(sizes)}")
    if limit is not None and node.op_type == "MaxPool" and node.outputs > 1:
        sizes += node["kernel_shape"]  # places of maxima are looked for in each place of the window: time, not memory
    nbytes = math.prod(sizes) * max((x.dtype.itemsize for x in inputs if x is not None), default=8)
    if limit is not None and nbytes > limit:
        raise ValueError(
            f"{node.label}: its result, shape {shown(tuple(sizes))}, would take {nbytes / 2**20:.0f} MiB; what a file "
            f"has computed of constants alone may take {limit / 2**20:.0f} MiB more"
        )
    if nbytes > memory_limit():
        raise ValueError(
            f"{node.label}: its result, shape {shown(tuple(sizes))}, would take {nbytes / 2**30:.1f} GiB; "
            f"this process can have {memory_limit() / 2**30:.1f} GiB"
        )


def _spreads(inputs: Arrays) -> bool:
    """Whether several inputs of different shapes may be broadcast against each other."""
    return len({x.shape for x in inputs if x is not None and x.ndim}) > 1


def _broadcast(inputs: Arrays) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(*(x.shape for x in inputs if x is not None))
    except ValueError:
        return None  # not an operator that broadcasts; or it will say so itself


def _whole(x: Any) -> list[int]:
    return [int(v) for v in np.asarray(x).reshape(-1)]


def _from_input(place: int) -> Callable[[HostNode, Arrays], Sequence[int] | None]:
    return lambda node, inputs: _whole(inputs[place])


def _expand(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    target = _whole(inputs[1])
    if any(s < 0 for s in target):
        return target
    return np.broadcast_shapes(inputs[0].shape, tuple(target))


def _tile(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    return [s * r for s, r in zip(inputs[0].shape, _whole(inputs[1]))]


def _pad(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    x = inputs[0]
    pads = node["pads"] if node["pads"] is not None else _whole(inputs[1])
    chosen = inputs[3] if len(inputs) > 3 else None
    axes = range(x.ndim) if chosen is None else [a % max(x.ndim, 1) for a in _whole(chosen)]
    sizes = list(x.shape)
    if len(pads) != 2 * len(axes):
        raise ValueError(f"{node.label}: pads must have {2 * len(axes)} numbers, received {len(pads)}")
    for i, axis in enumerate(axes):
        sizes[axis] += pads[i] + pads[i + len(axes)]
    return sizes


def _one_hot(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    return [*inputs[0].shape, *_whole(inputs[1])]


def _range(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    start, limit, delta = (x.reshape(-1)[0].item() for x in inputs)
    if delta == 0:
        raise ValueError(f"{node.label}: delta must not be 0")
    count = (limit - start) / delta
    return [max(math.ceil(count), 0)] if math.isfinite(count) else [2**62]


def _check_longest(node: HostNode, size: float) -> None:
    """The reference implementation takes one Python step for each row and each column."""
    if size > _LONGEST:
        raise ValueError(f"{node.label}: its result would take {size:.0f} pixels along an axis, more than {_LONGEST}")


def _resize(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    x, sizes = inputs[0], inputs[3] if len(inputs) > 3 else None
    if sizes is not None:
        wanted = _whole(sizes)
        _check_longest(node, max(wanted, default=0))
        return wanted if len(wanted) == x.ndim else [*x.shape[: x.ndim - len(wanted)], *wanted]
    if node["scales"] is not None:
        scales = node["scales"]
    else:
        scales = inputs[2 if len(inputs) > 2 else 1]
    factors = np.asarray(scales, np.float64).reshape(-1) if scales is not None else np.ones(0)
    if not (np.isfinite(factors).all() and (factors > 0).all()):
        raise ValueError(f"{node.label}: scales must be finite and above 0, received {factors.tolist()}")
    _check_longest(node, max([s * f for s, f in zip(x.shape[::-1], factors[::-1])], default=0))
    # With `axes`, the factors are of fewer axes: the product is what counts.
    return [x.size, *(math.ceil(f) for f in factors)]


def _roi_align(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    """The regions together, or the sampling points of the largest one if these are more."""
    x, rois = inputs[:2]
    bins, ratio = (node["output_height"], node["output_width"]), max(node["sampling_ratio"], 0)
    if rois.ndim != 2 or rois.shape[1] != 4 or min(bins) < 1 or not np.isfinite(rois).all():
        raise ValueError(
            f"{node.label}: regions must be rows of 4 finite numbers, cut into 1 bin or more along each axis"
        )
    extents = (rois[:, 2:] - rois[:, :2]).astype(np.float64).max(axis=0, initial=1.0) * abs(node["spatial_scale"])
    points = [b * (ratio or math.ceil(e / b)) for b, e in zip(bins, extents[::-1].tolist())]
    return [x.shape[1], max(math.prod(points), len(rois) * math.prod(bins))]


def _concat(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    return [sum(x.size for x in inputs)]


def _unpool(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    if len(inputs) > 2 and inputs[2] is not None:
        return _whole(inputs[2])
    strides = node["strides"] or [1] * len(node["kernel_shape"])
    spatial = [(s - 1) * t + k for s, t, k in zip(inputs[0].shape[2:], strides, node["kernel_shape"])]
    return [*inputs[0].shape[:2], *spatial]


def _windows(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    """Pooling: what is padded must fit."""
    _check_windows(node, inputs[0].ndim - 2)
    return [*inputs[0].shape[:2], *_padded(node, inputs[0].shape[2:], node["kernel_shape"])]


def _convolution(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    """What is padded, the results, and the products that are added to them."""
    x, w = (inputs[0], inputs[3]) if node.op_type == "QLinearConv" else (inputs[0], inputs[1])
    rank = x.ndim - 2
    _check_windows(node, rank)
    if w.ndim != x.ndim:
        raise ValueError(f"{node.label}: weights of shape {w.shape} don't fit an input of shape {x.shape}")
    steps, gaps = node["strides"] or [1] * rank, node["dilations"] or [1] * rank
    if node.op_type == "ConvTranspose":
        spatial = [(s - 1) * t + (k - 1) * d + 1 for s, t, d, k in zip(x.shape[2:], steps, gaps, w.shape[2:])]
        extra = [max(a, b) for a, b in zip(spatial, node["output_shape"] or [0] * rank)]
        # With what each place of the window adds, an image for each of its pixels.
        return [x.shape[0], w.shape[1] * node["group"], 2 * math.prod(extra)]
    padded = _padded(node, x.shape[2:], w.shape[2:])
    reach = [(k - 1) * d for k, d in zip(w.shape[2:], gaps)]
    outputs = [max(size - r - 1, 0) // step + 1 for size, r, step in zip(padded, reach, steps)]
    places = x.shape[1] * (math.prod(padded) + math.prod(outputs)) + 2 * w.shape[0] * math.prod(outputs)
    # Whole numbers are computed in eight bytes each, half precision in four.
    size = max(a.dtype.itemsize for a in inputs if a is not None)
    wide = 8 if node.op_type != "Conv" else max(size, 4)
    return [x.shape[0], -(-places * wide // size)]


def _padded(node: HostNode, spatial: Sequence[int], window: Sequence[int]) -> list[int]:
    rank = len(spatial)
    pads = node["pads"] or [0] * (2 * rank)
    if (node["auto_pad"] or "NOTSET").startswith("SAME"):
        gaps = node["dilations"] or [1] * rank
        return [s + (k - 1) * d for s, k, d in zip(spatial, window, gaps)]
    return [s + pads[i] + pads[i + rank] for i, s in enumerate(spatial)]


def _check_windows(node: HostNode, rank: int) -> None:
    for key in ("strides", "dilations", "kernel_shape"):
        if node[key] is not None and (len(node[key]) != rank or min(node[key], default=1) < 1):
            raise ValueError(f"{node.label}: {key} must be {rank} numbers of at least 1, received {node[key]}")
    pads = node["pads"]
    if pads is not None and (len(pads) != 2 * rank or min(pads, default=0) < 0):
        raise ValueError(f"{node.label}: pads must be {2 * rank} numbers of at least 0, received {pads}")


def _matmul(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    a, b = (inputs[0], inputs[3]) if node.op_type == "QLinearMatMul" else (inputs[0], inputs[1])
    if a.ndim < 2 or b.ndim < 2:
        return None
    return [*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]]


def _einsum(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    """At most the outer product of all."""
    terms, _, result = node["equation"].replace(" ", "").partition("->")
    if "." in terms:
        return _broadcast_product(inputs)
    sizes: dict[str, int] = {}
    for term, x in zip(terms.split(","), inputs):
        sizes.update(dict(zip(term, x.shape)))
    return [sizes.get(letter, 1) for letter in (result or sizes)]


def _broadcast_product(inputs: Arrays) -> Sequence[int]:
    return [max(x.size, 1) for x in inputs]


def _gather(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    x, places = inputs[:2]
    axis = node["axis"]
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{node.label}: axis {axis} is out of range for rank {x.ndim}")
    return [*x.shape[:axis], *places.shape, *x.shape[axis % x.ndim + 1 :]]


def _gather_nd(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    x, places = inputs[:2]
    return [*places.shape[:-1], *x.shape[node["batch_dims"] + places.shape[-1] :]] if places.ndim else None


def _grid_sample(node: HostNode, inputs: Arrays) -> Sequence[int] | None:
    return [*inputs[0].shape[:2], *inputs[1].shape[1:-1]]


_SIZES: dict[str, Callable[[HostNode, Arrays], Sequence[int] | None]] = {
    "ConstantOfShape": _from_input(0),
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "OneHot": _one_hot,
    "Range": _range,
    "Resize": _resize,
    "Upsample": _resize,
    "RoiAlign": _roi_align,
    "Concat": _concat,
    "MaxUnpool": _unpool,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _matmul,
    "Einsum": _einsum,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "GridSample": _grid_sample,
    **dict.fromkeys(("Conv", "ConvInteger", "QLinearConv", "ConvTranspose"), _convolution),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _windows),
    # Of several inputs, but none larger than their sum.
    **dict.fromkeys(("Gemm", "GatherElements", "ScatterND", "ScatterElements", "Scatter"), lambda n, x: None),
}

"""Operators of ONNX said with the graph's own operations: parts, sizes and products of tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._ops.resampling import Resampling
from ..graph import Value, apply, constant, emit
from .forms import Inputs, form, reshaped
from .forms_windows import on_images
from .host_node import HostNode


def _fixed(x: Any) -> list[int] | None:
    """The whole numbers of a fixed input."""
    return [int(v) for v in x.reshape(-1)] if isinstance(x, np.ndarray) else None


@form("MatMul")
def matmul(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """Fixed weights serve all rows; two values are multiplied matrix by matrix."""
    x, w = inputs
    if isinstance(x, Value) and x.ndim >= 2 and isinstance(w, np.ndarray) and w.ndim == 2 and w.dtype == np.float32:
        return [emit("dense", [x, constant(w)], {"activation": "linear", "alpha": 0.0}, node.name)]
    a, b = (v if isinstance(v, Value) else constant(v) if v.dtype == np.float32 else None for v in (x, w))
    if a is None or b is None or min(a.ndim, b.ndim) < 2 or a.shape[-1] is None or a.shape[-1] != b.shape[-2]:
        return None
    return [emit("matmul", [a, b], {"a_transposed": False, "b_transposed": False}, node.name)]


@form("LayerNormalization")
def layer_normalization(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, gamma, beta = [*inputs, None, None][:3]
    axis = int(node.attributes.get("axis", -1))
    if not isinstance(x, Value) or node.outputs > 1 or node.attributes.get("stash_type", 1) != 1:
        return None
    axis = axis + x.ndim if axis < 0 else axis
    numbers = [None if g is None else constant(g) if isinstance(g, np.ndarray) else g for g in (gamma, beta)]
    if not 0 < axis < x.ndim or any(g is not None and g.shape != x.shape[axis:] for g in numbers):
        return None
    attrs = {"axis": axis, "epsilon": float(node.attributes.get("epsilon", 1e-5))}
    return [apply("layer_norm", [x, *numbers], attrs, node.name).outputs[0]]


# ---------------------------------------------------------------- parts


def _slice_of(size: int, start: int, end: int, step: int) -> tuple[int, int, int]:
    """Where a slice begins, how many elements it has, and its step; ONNX's rules for bounds outside are Python's."""
    # Python takes an end below -size for "up to the first one" only where it is None.
    stop: int | None = end
    if step < 0 and end < -size:
        stop = None
    places = range(size)[slice(start, stop, step)]
    return (places[0] if len(places) else 0), len(places), step


def sliced(x: Value, parts: dict[int, tuple[int, int, int]], name: str) -> Value:
    slices = tuple(parts.get(axis) for axis in range(x.ndim))
    return emit("slice", [x], {"slices": slices}, name)


@form("Slice")
def slice_(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x = inputs[0]
    if not isinstance(x, Value):
        return None
    if node.opset < 10:
        starts, ends, axes = (node.attributes.get(k) for k in ("starts", "ends", "axes"))
        steps = None
    else:
        if any(isinstance(v, Value) for v in inputs[1:]):
            return None
        starts, ends, axes, steps = (_fixed(v) for v in [*inputs[1:], None, None][:4])
    if starts is None or ends is None:
        return None
    axes = axes or list(range(len(starts)))
    parts = {}
    for start, end, given, step in zip(starts, ends, axes, steps or [1] * len(starts)):
        axis = given + x.ndim if given < 0 else given
        size = x.shape[axis] if 0 <= axis < x.ndim else None
        if size is None or step == 0:
            return None
        parts[axis] = _slice_of(size, start, end, step)
    return [sliced(x, parts, node.name)] if x.ndim <= 5 else None


@form("Split")
def split(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x = inputs[0]
    if not isinstance(x, Value) or any(isinstance(v, Value) for v in inputs[1:]) or not 0 < x.ndim <= 5:
        return None
    axis = int(node.attributes.get("axis", 0))
    axis = axis + x.ndim if axis < 0 else axis
    size = x.shape[axis]
    sizes = _fixed(inputs[1]) if len(inputs) > 1 and inputs[1] is not None else node.attributes.get("split")
    if size is None:
        return None
    if sizes is None:
        count = int(node.attributes.get("num_outputs") or node.outputs)
        most = -(-size // count)
        sizes = [min(most, size - most * i) for i in range(count)]
    if sum(sizes) != size or min(sizes) < 0:
        return None
    starts = np.cumsum([0, *sizes])
    return [sliced(x, {axis: (int(a), n, 1)}, node.name) for a, n in zip(starts, sizes)][: node.outputs]


@form("Gather")
def gather(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """One index: a part of an axis."""
    x, index = inputs
    if not isinstance(x, Value) or not isinstance(index, np.ndarray) or index.size != 1 or not 0 < x.ndim <= 5:
        return None
    axis = int(node.attributes.get("axis", 0))
    axis = axis + x.ndim if axis < 0 else axis
    size, place = x.shape[axis], int(index.reshape(-1)[0])
    if size is None or not -size <= place < size:
        return None
    part = sliced(x, {axis: (place % size, 1, 1)}, node.name)
    return reshaped(part, (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]), node.name)


@form("DepthToSpace", "SpaceToDepth")
def blocks(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """Channels as the pixels of squares, or the other way round."""
    x, size = inputs[0], int(node["blocksize"])
    if not isinstance(x, Value) or x.ndim != 4 or None in x.shape[1:] or size < 1:
        return None
    channels, height, width = (s or 0 for s in x.shape[1:])
    name, by_channels = node.name, node["mode"] == "CRD"  # squares of one channel after those of the other

    def moved(image: Value, shape: tuple[int, ...], axes: tuple[int, ...], result: tuple[int, ...]) -> Value:
        y = emit("permute", [emit("reshape", [image], {"shape": shape}, name)], {"axes": axes}, name)
        return emit("reshape", [y], {"shape": result}, name)

    if node.op_type == "SpaceToDepth":
        if height % size or width % size:
            return None
        rows, columns = height // size, width // size
        full = (rows, columns, size * size * channels)

        def gathered(image: Value) -> Value:
            y = moved(image, (rows, size, columns, size * channels), (0, 1, 3, 2, 4), full)
            return moved(y, (rows, columns, size * size, channels), (0, 1, 2, 4, 3), full) if by_channels else y

        return on_images(x, name, gathered)
    if channels % (size * size):
        return None
    left = channels // (size * size)

    def spread(image: Value) -> Value:
        if by_channels:
            image = moved(image, (height, width, left, size * size), (0, 1, 2, 4, 3), (height, width, channels))
        shape, result = (height, width, size, size * left), (height * size, width * size, left)
        return moved(image, shape, (0, 1, 3, 2, 4), result)

    return on_images(x, name, spread)


# ---------------------------------------------------------------- other sizes


@form("Expand")
def expand(node: HostNode, inputs: Inputs) -> list[Value] | None:
    x, target = inputs[0], _fixed(inputs[1])
    if not isinstance(x, Value) or target is None or None in x.shape or min(target, default=0) < 1:
        return None
    shape = np.broadcast_shapes(tuple(s for s in x.shape if s is not None), tuple(target))
    return [emit("expand", [x], {"shape": shape}, node.name)] if 0 < len(shape) <= 5 else None


@form("Pad")
def pad(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """Margins of one number, none of them negative."""
    x = inputs[0]
    if node.attributes.get("mode", "constant") != "constant" or not isinstance(x, Value) or not 0 < x.ndim <= 5:
        return None
    if node.opset < 11:
        pads, fill = node.attributes.get("pads"), float(node.attributes.get("value", 0.0))
    else:
        if any(isinstance(v, Value) for v in inputs[1:]) or (len(inputs) > 3 and inputs[3] is not None):
            return None
        pads = _fixed(inputs[1])
        fill = float(inputs[2].reshape(-1)[0]) if len(inputs) > 2 and inputs[2] is not None else 0.0
    if pads is None or len(pads) != 2 * x.ndim or min(pads, default=0) < 0:
        return None
    sides = tuple((pads[i], pads[i + x.ndim]) for i in range(x.ndim))
    return [emit("pad", [x], {"pads": sides, "value": fill}, node.name)]


@form("Resize", "Upsample")
def resize(node: HostNode, inputs: Inputs) -> list[Value] | None:
    """Images with their channels last: of axes 0 and 3 the sizes stay."""
    x = inputs[0]
    if not isinstance(x, Value) or x.ndim != 4 or any(isinstance(v, Value) for v in inputs[1:]):
        return None
    h, w = x.shape[1:3]
    if not h or not w:
        return None
    scales, size = _resized(node, inputs, (h, w), x.shape)
    how = _resampling(node)
    if size is None or how is None or min(size) < 1:
        return None
    return [emit("resize", [x], {"size": size, "how": how, "scales": scales}, node.name)]


def _resized(
    node: HostNode, inputs: Inputs, image: tuple[int, int], shape: tuple[int | None, ...]
) -> tuple[tuple[float, float] | None, tuple[int, int] | None]:
    """(scales, size) of rows and columns."""
    old = node.op_type == "Upsample" or node.opset < 11
    given = [*inputs, None, None, None][:4]
    scales = given[1] if old else given[2]
    sizes = None if old else _fixed(given[3])
    if node.attributes.get("axes") is not None or (
        sizes is None and scales is None and "scales" not in node.attributes
    ):
        return None, None
    if sizes:
        if len(sizes) != 4 or shape[3] != sizes[3] or shape[0] not in (None, sizes[0]):
            return None, None
        return None, (sizes[1], sizes[2])
    factors = [float(v) for v in (node.attributes["scales"] if scales is None else scales.reshape(-1))]
    if len(factors) != 4 or factors[0] != 1 or factors[3] != 1 or min(factors) <= 0:
        return None, None
    rows, columns = (math.floor(s * f) for s, f in zip(image, factors[1:3]))
    return (factors[1], factors[2]), (rows, columns)


def _resampling(node: HostNode) -> Resampling | None:
    attributes = node.attributes
    mode = attributes.get("mode", "nearest")
    mode = "linear" if mode == "bilinear" else mode
    if node.op_type == "Upsample" or node.opset < 11:
        return Resampling(mode, "asymmetric", "floor") if mode in ("nearest", "linear") else None
    where = attributes.get("coordinate_transformation_mode", "half_pixel")
    if mode not in ("nearest", "linear", "cubic"):
        return None
    if where == "tf_crop_and_resize" or attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    try:
        return Resampling(
            mode, where, attributes.get("nearest_mode", "round_prefer_floor"),
            float(attributes.get("cubic_coeff_a", -0.75)), bool(attributes.get("exclude_outside", 0)),
            bool(attributes.get("antialias", 0)),
        )  # fmt: skip
    except ValueError:
        return None

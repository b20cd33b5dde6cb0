"""Other shapes and orders for the same numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ... import layers as L  # noqa: N812
from ..operator import Operator
from ..tensors import SAMPLES, Size, Tensor, as_in_file, channels_last
from .reductions import axis_of
from .table import converts

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode


@converts("Transpose")
def transpose(r: Reader, node: SourceNode) -> bool:
    """Nothing moves: the axes have other numbers now."""
    x = r.first(node)
    if x.is_fixed:
        return False
    perm = [axis_of(a, x.rank) for a in node.attributes.get("perm") or reversed(range(x.rank))]
    if sorted(perm) != list(range(x.rank)):
        raise ValueError(f"perm must have each of {x.rank} axes once, received {perm}")
    return r.give(node, x.value, tuple(perm.index(axis) for axis in x.order))


@converts("Flatten")
def flatten(r: Reader, node: SourceNode) -> bool:
    x = r.first(node)
    axis = int(node.attributes.get("axis", 1))
    # It may be the rank itself, behind all axes; negative ones count from the last axis all the same.
    axis = axis + x.rank if axis < 0 else axis
    if x.is_fixed or x.rank < 2 or x.dtype != "float32" or axis != 1 or None in x.shape[1:]:
        return False
    return _flattened(r, node, x)


def _flattened(r: Reader, node: SourceNode, x: Tensor) -> bool:
    """(samples, …) -> (samples, all else). Dense layers take pixels in our order, so axes move for others only."""
    name = node.outputs[0]
    if _is_vector(x):
        return r.give(node, L.Flatten(name=r.name(node))(x.value))
    if x.order[0] != 0:
        return False

    def make() -> Tensor:
        return Tensor(name, value=L.Flatten(name=r.free_name(name))(r.at(x, as_in_file(x.rank))))

    r.tensors[name] = Tensor(name, make=make, flat=x if x.order == channels_last(x.rank) and x.rank > 2 else None)
    return True


def _is_vector(x: Tensor) -> bool:
    """Whether at most one axis but the samples' is larger than 1, so that their order doesn't matter."""
    return x.order[0] == 0 and sum(s != 1 for s in x.shape[1:]) <= 1


@converts("Reshape")
def reshape(r: Reader, node: SourceNode) -> bool:
    """Layers keep a row for each sample; what else moves is left to the operator."""
    x, target = r.first(node), r.tensor(node, 1)
    if x.is_fixed or target is None or x.dtype != "float32" or not x.rank or node.attributes.get("allowzero"):
        return False
    sizes: list[int | Size]
    if target.array is not None:
        sizes = [int(s) for s in target.array.ravel()]
    elif target.sizes is not None:
        sizes = list(target.sizes)
    else:
        return False
    mine = r.sizes_of(x)
    sizes = [mine[i] if s == 0 and i < len(mine) else s for i, s in enumerate(sizes)]
    rest = _kept_samples(r, mine, sizes)
    if rest is None:
        known = [s if isinstance(s, int) and s >= 0 else None for s in sizes]
        r.operator(node, known_shape=known if target.sizes is not None else None)
        return True
    if len(rest) == 1:
        return _flattened(r, node, x)
    value = x.value if _is_vector(x) else r.at(x, as_in_file(x.rank))
    return r.give(node, L.Reshape(rest, name=r.name(node))(value))


def _kept_samples(r: Reader, mine: list[int | Size], sizes: list[int | Size]) -> list[int] | None:
    """The new shape without its axis 0, if that is the samples' as before and all else is known."""
    known = [s for s in mine[1:] if isinstance(s, int)]
    if len(sizes) < 2 or len(known) < len(mine) - 1:
        return None
    first, total = sizes[0], math.prod(known)
    rest = [s for s in sizes[1:] if isinstance(s, int)]
    if len(rest) < len(sizes) - 1:
        # One open size besides the samples' is what is left for it.
        if len(rest) < len(sizes) - 2 or -1 in rest:
            return None
        rest = [s if isinstance(s, int) else -1 for s in sizes[1:]]
    if rest.count(-1) > 1 or 0 in rest:
        return None
    product = math.prod(s for s in rest if s != -1)
    fits = product == total or (-1 in rest and product and total % product == 0)
    if not fits:
        return None
    if -1 in rest:
        rest[rest.index(-1)] = total // product
    if first == mine[0] or first == -1 or (mine[0] == SAMPLES and r.any_batch and first == 1):
        return rest
    return None


@converts("Squeeze")
def squeeze(r: Reader, node: SourceNode) -> bool:
    x, given = r.first(node), r.tensor(node, 1)
    if x.is_fixed or (given is not None and given.array is None) or x.order == as_in_file(x.rank):
        return False
    axes = node.attributes.get("axes") if given is None or given.array is None else [int(a) for a in given.array]
    if axes is None:
        if None in x.shape:
            return False
        axes = [i for i, s in enumerate(x.shape) if s == 1]
    axes = [axis_of(a, x.rank) for a in axes]
    here = sorted(x.order.index(a) for a in axes)
    left = [a for a in x.order if a not in axes]
    places = sorted(left)
    if given is None:
        node.attributes["axes"] = here
        r.operator(node, [x.value], tuple(places.index(a) for a in left))
    else:
        r.operator(node, [x.value, np.array(here, np.int64)], tuple(places.index(a) for a in left))
    return True


@converts("Pad")
def pad(r: Reader, node: SourceNode) -> bool:
    """Zeros around an image, or a part of it."""
    x = r.first(node)
    pads, value = node.attributes.get("pads"), node.attributes.get("value", 0.0)
    if r.opset >= 11:
        given, fill = r.array(node, 1), r.array(node, 2)
        if given is None or (fill is None and r.tensor(node, 2) is not None) or r.tensor(node, 3) is not None:
            return False
        pads, value = [int(p) for p in given], 0.0 if fill is None else float(fill.reshape(-1)[0])
    if x.is_fixed or x.rank != 4 or x.dtype != "float32" or pads is None or len(pads) != 8:
        return False
    if node.attributes.get("mode", "constant") != "constant" or value != 0 or any(pads[i] for i in (0, 1, 4, 5)):
        return False
    sides = ((pads[2], pads[6]), (pads[3], pads[7]))
    flat = [p for side in sides for p in side]
    if all(p >= 0 for p in flat):
        layer: L.Layer = L.ZeroPadding2D(sides, name=r.name(node))
    elif all(p <= 0 for p in flat):
        layer = L.Cropping2D(tuple((-a, -b) for a, b in sides), name=r.name(node))
    else:
        return False
    return r.give(node, layer(r.last(x)), channels_last(4))


@converts("Resize", "Upsample")
def resize(r: Reader, node: SourceNode) -> bool:
    """Each pixel repeated, where that is what the scales mean."""
    x, attributes = r.first(node), node.attributes
    place = 1 if node.op_type == "Upsample" or r.opset < 11 else 2
    scales = attributes.get("scales") if "scales" in attributes else r.array(node, place)
    if x.is_fixed or x.rank != 4 or x.dtype != "float32":
        return False
    if scales is None or len(scales) != 4:
        return _resized_here(r, node)
    mode = attributes.get("mode", "nearest")
    rows, columns = (float(s) for s in scales[2:])
    whole = scales[0] == scales[1] == 1 and min(rows, columns) >= 1 and rows == int(rows) and columns == int(columns)
    if mode != "nearest" or not whole or not _repeats(r, attributes, (rows, columns)):
        return _resized_here(r, node)
    layer = L.UpSampling2D((int(rows), int(columns)), name=r.name(node))
    return r.give(node, layer(r.last(x)), channels_last(4))


def _resized_here(r: Reader, node: SourceNode) -> bool:
    """The operator on images with their channels last, which it doesn't mind."""
    x = r.first(node)
    boxes = r.tensor(node, 1) if node.op_type == "Resize" and r.opset >= 11 else None
    if node.attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize" or "axes" in node.attributes:
        return False
    if "scales" in node.attributes:
        node.attributes["scales"] = [node.attributes["scales"][a] for a in (0, 2, 3, 1)]
    inputs: list[object] = [r.last(x)]
    for place in range(1, len(node.inputs)):
        tensor = r.tensor(node, place)
        if tensor is None:
            inputs.append(None)
        elif tensor is boxes:
            inputs.append(tensor.array if tensor.array is not None else tensor.value)
        elif tensor.array is not None:
            inputs.append(tensor.array[[0, 2, 3, 1]] if len(tensor.array) == 4 else tensor.array)
        else:
            gather = Operator("Gather", "", r.opset, constants={1: np.array([0, 2, 3, 1])}, places=2,
                              name=r.name(node, "_sizes"))  # fmt: skip
            inputs.append(gather(tensor.value))
    r.operator(node, inputs, channels_last(4))
    return True


def _repeats(r: Reader, attributes: dict[str, object], scales: tuple[float, float]) -> bool:
    """Whether nearest neighbours by whole scales are repetitions: the rule of rounding decides."""
    if r.opset < 11:
        return True
    where = attributes.get("coordinate_transformation_mode", "half_pixel")
    rounding = str(attributes.get("nearest_mode", "round_prefer_floor"))
    if where in ("half_pixel", "pytorch_half_pixel"):
        # Results lie within half a pixel of the one they come from. A scale of 1 leaves pytorch's rule alone too.
        return rounding.startswith("round")
    if where == "asymmetric":
        return rounding == "floor" or (rounding == "round_prefer_floor" and max(scales) <= 2)
    return False

"""Operations that move elements, or read images at other places, as operators of ONNX."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..graph import Node
from .writer import Writer, channels_first, non_unit
from .writer_tools import alike, flattened, operand


def reshape(w: Writer, node: Node) -> None:
    x, y = operand(node), node.outputs[0]
    flat = flattened(w, y)
    if flat is not None:
        w.define(y, flat[1])
        return
    mine = [a for a, s in enumerate(x.shape) if s != 1]
    new = [a for a, s in enumerate(y.shape) if s != 1]
    if [x.shape[a] for a in mine] == [y.shape[a] for a in new]:
        # Only axes of size 1 come and go: the others stay as the file has them.
        there = [new[mine.index(a)] for a in non_unit(x.shape, w.order(x))]
        straight = tuple(range(y.ndim))
        for order in (channels_first(y.ndim), straight, (*there, *(a for a in straight if a not in there))):
            if non_unit(y.shape, order) == there:
                w.define(y, w.reshape(w.get(x), [y.shape[a] for a in order], node.name), order)
                return
    name = w.get(x, tuple(range(x.ndim)))
    w.define(y, w.reshape(name, y.shape, node.name))


def permute(w: Writer, node: Node) -> None:
    """Nothing is written: only what is known about the order of the axes changes."""
    x, axes = operand(node), node.attrs["axes"]
    w.define(node.outputs[0], w.get(x), tuple(axes.index(a) for a in w.order(x)))


def concatenate(w: Writer, node: Node) -> None:
    y = node.outputs[0]
    names, order = alike(w, [operand(node, i) for i in range(len(node.inputs))], y)
    axis = order.index(node.attrs["axis"] % y.ndim)
    w.define(y, w.emit("Concat", names, node.name, axis=axis), order)


def pad2d(w: Writer, node: Node) -> None:
    x, y = operand(node), w.get(operand(node))
    order = w.order(x)
    begins, ends = [0] * x.ndim, [0] * x.ndim
    for axis, (before, after) in zip((1, 2), node.attrs["pads"]):
        begins[order.index(axis)], ends[order.index(axis)] = before, after
    if min(*begins, *ends) < 0:
        cut = [axis for axis in range(x.ndim) if begins[axis] < 0 or ends[axis] < 0]
        starts = [max(-begins[a], 0) for a in cut]
        stops = [min(ends[a], 0) or np.iinfo(np.int64).max for a in cut]
        y = w.emit("Slice", [y, *(w.constant(n, node.name, np.int64) for n in (starts, stops, cut))], node.name)
    if max(*begins, *ends) > 0:
        pads = [max(n, 0) for n in (*begins, *ends)]
        y = w.emit("Pad", [y, w.constant(pads, node.name, np.int64)], node.name)
    w.define(node.outputs[0], y, order)


def pad(w: Writer, node: Node) -> None:
    x = operand(node)
    order = w.order(x)
    pads = [node.attrs["pads"][a][side] for side in (0, 1) for a in order]
    inputs = [w.get(x), w.constant(pads, node.name, np.int64), w.constant(node.attrs["value"], node.name)]
    w.define(node.outputs[0], w.emit("Pad", inputs, node.name), order)


def slice_node(w: Writer, node: Node) -> None:
    x = operand(node)
    order = w.order(x)
    cut = [i for i, a in enumerate(order) if node.attrs["slices"][a] is not None]
    if not cut:
        w.define(node.outputs[0], w.get(x), order)
        return
    parts = [node.attrs["slices"][order[i]] for i in cut]
    starts = [start for start, _, _ in parts]
    # What a step backwards from the first element would reach is written as the least number there is.
    ends = [start + count * step for start, count, step in parts]
    ends = [np.iinfo(np.int64).min if end < 0 else end for end in ends]
    numbers = (starts, ends, cut, [step for _, _, step in parts])
    y = w.emit("Slice", [w.get(x), *(w.constant(n, node.name, np.int64) for n in numbers)], node.name)
    w.define(node.outputs[0], y, order)


def expand(w: Writer, node: Node) -> None:
    x, y = operand(node), node.outputs[0]
    order = w.order(x) if x.ndim == y.ndim else tuple(range(y.ndim))
    name = w.get(x, order if x.ndim == y.ndim else tuple(range(x.ndim)))
    # 1 leaves a size as it is.
    shape = [1 if node.attrs["shape"][a] in (None, -1) else node.attrs["shape"][a] for a in order]
    w.define(y, w.emit("Expand", [name, w.constant(shape, node.name, np.int64)], node.name), order)


def resize(w: Writer, node: Node) -> None:
    x, y, how = operand(node), node.outputs[0], node.attrs["how"]
    name, size = w.get(x, channels_first(4)), node.attrs["size"]
    if how.mode == "area":
        raise ValueError(f'layer {node.name!r}: ONNX has no interpolation "area"; take "bilinear" with antialias=True')
    for needed, wanted in ((18, how.antialias), (19, how.coordinates == "half_pixel_symmetric")):
        if wanted and w.opset < needed:
            raise ValueError(f"layer {node.name!r}: this way of resizing needs opset {needed}, not {w.opset}")
    scales = node.attrs["scales"]
    if scales is not None and all(
        old is None or int(old * f) == new for old, f, new in zip(x.shape[1:3], scales, size)
    ):
        inputs = [name, "", w.constant([1, 1, *scales], node.name)]
    else:
        # Sizes are given for all axes, and the batch's is known when the file is run.
        start = w.emit("Slice", [w.emit("Shape", [name], node.name), *_first_two(w, node)], node.name)
        wanted = w.emit("Concat", [start, w.constant(size, node.name, np.int64)], node.name, axis=0)
        inputs = [name, "", "", wanted]
    result = w.emit(
        "Resize",
        inputs,
        node.name,
        mode=how.mode,
        coordinate_transformation_mode=how.coordinates,
        nearest_mode=how.rounding if how.mode == "nearest" else None,
        cubic_coeff_a=how.cubic_a if how.mode == "cubic" else None,
        exclude_outside=1 if how.exclude_outside else None,
        antialias=1 if how.antialias else None,
    )
    w.define(y, result, channels_first(4))


def _first_two(w: Writer, node: Node) -> list[str]:
    """Where a Slice of the first two sizes of a shape starts and ends."""
    return [w.constant([place], node.name, np.int64) for place in (0, 2)]


def roi_align(w: Writer, node: Node) -> None:
    """ONNX takes the boxes of all images in one list, and beside it the image of each."""
    x, boxes, y, attrs = operand(node), operand(node, 1), node.outputs[0], node.attrs
    if attrs["aligned"] and w.opset < 16:
        raise ValueError(f"layer {node.name!r}: aligned regions need opset 16, not {w.opset}")
    given = w.get(boxes, (0, 1, 2))
    sizes = w.emit("Shape", [given], node.name)
    start, one, two = (w.constant([k], node.name, np.int64) for k in range(3))
    count = w.emit("Gather", [sizes, w.constant(0, node.name, np.int64)], node.name)
    numbers = [w.constant(k, node.name, np.int64) for k in (0, 1)]
    images = w.emit("Unsqueeze", [w.emit("Range", [numbers[0], count, numbers[1]], node.name), one], node.name)
    spread = w.emit("Expand", [images, w.emit("Slice", [sizes, start, two], node.name)], node.name)
    of = w.emit("Reshape", [spread, w.constant([-1], node.name, np.int64)], node.name)
    rows = w.emit("Reshape", [given, w.constant([-1, 4], node.name, np.int64)], node.name)
    regions = w.emit(
        "RoiAlign",
        [w.get(x, channels_first(4)), rows, of],
        node.name,
        output_height=attrs["size"][0],
        output_width=attrs["size"][1],
        sampling_ratio=attrs["samples"],
        spatial_scale=float(attrs["scale"]),
        # Before opset 16 there was only the latter.
        coordinate_transformation_mode="half_pixel"
        if attrs["aligned"]
        else "output_half_pixel"
        if w.opset >= 16
        else None,
    )
    last = w.emit("Transpose", [regions], node.name, perm=[0, 2, 3, 1])
    tail = w.constant([*attrs["size"], x.shape[3]], node.name, np.int64)
    wanted = w.emit("Concat", [w.emit("Slice", [sizes, start, two], node.name), tail], node.name, axis=0)
    w.define(y, w.emit("Reshape", [last, wanted], node.name))


def upsample2d(w: Writer, node: Node) -> None:
    x = operand(node)
    order = w.order(x)
    factors = {1: node.attrs["size"][0], 2: node.attrs["size"][1]}
    scales = w.constant([factors.get(a, 1) for a in order], node.name)
    y = w.emit(
        "Resize",
        [w.get(x), "", scales],
        node.name,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    w.define(node.outputs[0], y, order)


def slice_backward(w: Writer, node: Node) -> None:
    """Pixels with zeros between them: transposed convolution by windows of one pixel, each channel by itself."""
    x, y = operand(node), node.outputs[0]
    slices, channels = node.attrs["slices"], x.shape[-1]
    inner = [part for part in slices[1:3] if part is not None and part[0] == 0 and part[2] > 0]
    whole = [part is None for part in slices] == [True, False, False, True] and len(inner) == 2
    if not whole or channels is None or any(y.shape[i + 1] != (p[1] - 1) * p[2] + 1 for i, p in enumerate(inner)):
        raise ValueError(f"layer {node.name!r}: the gradient of a part can't be written as ONNX")
    ones = w.constant(np.ones((channels, 1, 1, 1)), node.name)
    order = channels_first(4)
    name = w.emit("ConvTranspose", [w.get(x, order), ones], node.name, group=channels, strides=[p[2] for p in inner])
    w.define(y, name, order)


SHAPES: dict[str, Callable[[Writer, Node], None]] = {
    "concatenate": concatenate,
    "expand": expand,
    "pad": pad,
    "pad2d": pad2d,
    "permute": permute,
    "reshape": reshape,
    "resize": resize,
    "roi_align": roi_align,
    "slice": slice_node,
    "slice_backward": slice_backward,
    "upsample2d": upsample2d,
}

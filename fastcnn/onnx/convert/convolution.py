"""Convolutions and matrix products with fixed weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import layers as L  # noqa: N812
from ...graph import Value
from ..tensors import Tensor, as_in_file, channels_last
from ..windows import window_sides
from .table import converts

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode


def _fixed(r: Reader, node: SourceNode) -> tuple[Tensor, np.ndarray, np.ndarray | None] | None:
    """Input, weights and bias of a convolution, if it is one of float32 with fixed weights."""
    x, w, b = r.first(node), r.array(node, 1), r.array(node, 2)
    if w is None or (b is None and r.tensor(node, 2) is not None) or x.is_fixed:
        return None
    if x.dtype != "float32" or w.dtype != np.float32 or x.rank != w.ndim:
        return None
    return x, w, b


@converts("Conv")
def conv(r: Reader, node: SourceNode) -> bool:
    found = _fixed(r, node)
    if found is None or found[0].rank not in (3, 4):
        return False
    x, w, b = found
    axes, group = x.rank - 2, int(node.attributes.get("group", 1))
    channels = x.shape[1]
    if channels is None or (axes == 1 and x.shape[2] is None):
        return False
    if channels != w.shape[1] * group:
        raise ValueError(f"its weights {w.shape} in {group} groups take {w.shape[1] * group} channels, not {channels}")
    strides = node.attributes.get("strides") or [1] * axes
    dilations = node.attributes.get("dilations") or [1] * axes
    sides = window_sides(node.attributes, list(w.shape[2:]), x.shape, dilations, strides)
    if sides is None:
        return False
    image, last = r.last(x), channels_last(x.rank)
    kernel = w.transpose(*range(2, w.ndim), 1, 0)
    shared: dict[str, Any] = {"strides": tuple(strides), "dilation_rate": tuple(dilations), "use_bias": b is not None}
    weights = {"kernel": kernel, "bias": b}
    if axes == 1:
        if isinstance(sides, tuple) and sides != ((0, 0),):
            pad = L.ZeroPadding1D(sides[0], name=r.name(node, "_pad"))
            image, sides = pad(image), ((0, 0),)
        line = L.Conv1D(
            w.shape[0], w.shape[2], strides=strides[0], padding="same" if sides == "same" else "valid",
            dilation_rate=dilations[0], groups=group, use_bias=b is not None, name=r.name(node),
        )  # fmt: skip
        return r.give(node, r.put(node, line, image, weights), last)
    if group > 1 and w.shape[1] == 1:
        layer: L.Layer = L.DepthwiseConv2D(
            w.shape[2:], padding=sides, depth_multiplier=w.shape[0] // group, name=r.name(node), **shared
        )
        per_channel = w.reshape(group, w.shape[0] // group, *w.shape[2:]).transpose(2, 3, 0, 1)
        weights["kernel"] = per_channel
    else:
        layer = L.Conv2D(w.shape[0], w.shape[2:], padding=sides, groups=group, name=r.name(node), **shared)
    return r.give(node, r.put(node, layer, image, weights), last)


@converts("ConvTranspose")
def conv_transpose(r: Reader, node: SourceNode) -> bool:
    """In full, and then cut by what ONNX calls pads."""
    found = _fixed(r, node)
    attributes = node.attributes
    if found is None or found[0].rank != 4 or attributes.get("group", 1) != 1 or attributes.get("output_shape"):
        return False
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return False
    x, w, b = found
    strides = attributes.get("strides") or [1, 1]
    dilations = attributes.get("dilations") or [1, 1]
    pads = attributes.get("pads") or [0] * 4
    more = attributes.get("output_padding") or [0, 0]
    cuts = []
    for i in range(2):
        # Where strides are larger than the window, "valid" keeps the empty places after the last one.
        extra = max(0, strides[i] - ((w.shape[2 + i] - 1) * dilations[i] + 1))
        cuts.append((pads[i], pads[i + 2] - more[i] + extra))
    if any(c < 0 for side in cuts for c in side):
        return False
    is_cut = any(c for side in cuts for c in side)
    layer = L.Conv2DTranspose(
        w.shape[1], w.shape[2:], strides=tuple(strides), padding="valid", dilation_rate=tuple(dilations),
        use_bias=b is not None, name=r.name(node, "_full" if is_cut else ""),
    )  # fmt: skip
    value = r.put(node, layer, r.last(x), {"kernel": w.transpose(2, 3, 1, 0), "bias": b})
    if is_cut:
        value = L.Cropping2D(tuple(cuts), name=r.name(node))(value)
    return r.give(node, value, channels_last(4))


@converts("Gemm")
def gemm(r: Reader, node: SourceNode) -> bool:
    a, w, c = r.first(node), r.array(node, 1), r.array(node, 2)
    attributes = node.attributes
    if (
        a.is_fixed
        or w is None
        or w.ndim != 2
        or a.dtype != "float32"
        or w.dtype != np.float32
        or attributes.get("transA")
    ):
        return False
    if c is None and r.tensor(node, 2) is not None:
        return False
    kernel = w.T if attributes.get("transB") else w
    kernel = kernel * np.float32(attributes.get("alpha", 1.0))
    if c is not None:
        if c.ndim > 2 or (c.ndim == 2 and c.shape[0] != 1) or c.shape[-1:] not in ((), (1,), kernel.shape[1:]):
            return False
        c = np.broadcast_to(c.reshape(-1), kernel.shape[1:]) * np.float32(attributes.get("beta", 1.0))
    return _dense(r, node, a, kernel, c)


@converts("MatMul")
def matmul(r: Reader, node: SourceNode) -> bool:
    a, w = r.first(node), r.array(node, 1)
    if a.is_fixed or a.dtype != "float32" or w is None or w.ndim != 2 or w.dtype != np.float32 or a.rank < 2:
        return False
    return _dense(r, node, a, w, None)


def _dense(r: Reader, node: SourceNode, x: Tensor, kernel: np.ndarray, bias: np.ndarray | None) -> bool:
    """Of the rows of an image that was flattened, those of the kernel are brought to our order of pixels instead."""
    if x.flat is not None:
        image = x.flat
        shape = image.shape[1:]
        rows = np.arange(kernel.shape[0]).reshape([s or 0 for s in shape])
        kernel = kernel[rows.transpose(*range(1, len(shape)), 0).ravel()]
        flatten = L.Flatten(name=r.free_name(x.name))
        value: Value = flatten(r.last(image))
    elif x.order[-1] == x.rank - 1:
        value = x.value
    else:
        value = r.at(x, as_in_file(x.rank))
    if value.shape[-1] is None:
        return False
    if value.shape[-1] != kernel.shape[0]:
        raise ValueError(f"its weights take {kernel.shape[0]} numbers a row, the input has {value.shape[-1]}")
    order = None if x.flat is not None else next(o for o, v in x.values.items() if v is value)
    layer = L.Dense(kernel.shape[1], use_bias=bias is not None, name=r.name(node))
    return r.give(node, r.put(node, layer, value, {"kernel": kernel, "bias": bias}), order)

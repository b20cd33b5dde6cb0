"""Convolutions and pooling as operators of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph import Node
from ..shapes import transposed_output, window_output
from .writer import Writer, channels_first
from .writer_activations import activate
from .writer_tools import operand, optional

#: Any size will do where only the difference of two sizes counts.
_SOME = 1024


def _window_padding(node: Node, window: Sequence[int]) -> dict[str, Any]:
    """ONNX's pads for a padding of ours; "same" is left to the runtime where it depends on sizes unknown here."""
    attrs, shape = node.attrs, operand(node).shape
    strides, dilation = attrs["strides"] or window, attrs.get("dilation", (1, 1))
    padding = attrs["padding"]
    if padding == "same" and any(s is None and stride > 1 for s, stride in zip(shape[1:3], strides)):
        return {"auto_pad": "SAME_UPPER"}
    size = tuple(_SOME * stride if s is None else s for s, stride in zip(shape[1:3], strides))
    _, ((top, bottom), (left, right)) = window_output(size, tuple(window), strides, padding, dilation)  # type: ignore[arg-type]
    return {"pads": [top, left, bottom, right]}


def conv2d(w: Writer, node: Node) -> None:
    kernel, attrs = operand(node, 1), node.attrs
    window = [int(s or 1) for s in kernel.shape[:2]]
    inputs = [w.get(operand(node), channels_first(4)), w.get(kernel, (3, 2, 0, 1))]
    bias = optional(node, 2)
    y = w.emit(
        "Conv",
        [*inputs, *([] if bias is None else [w.get(bias)])],
        node.name,
        kernel_shape=window,
        strides=list(attrs["strides"]),
        dilations=list(attrs["dilation"]),
        group=attrs["groups"],
        **_window_padding(node, window),
    )
    w.define(node.outputs[0], activate(w, y, node), channels_first(4))


def conv2d_transpose(w: Writer, node: Node) -> None:
    x, kernel, attrs = operand(node), operand(node, 1), node.attrs
    window = [int(s or 1) for s in kernel.shape[:2]]
    size = (_SOME, _SOME)
    out, starts = transposed_output(
        size, (window[0], window[1]), attrs["strides"], attrs["padding"], attrs["output_padding"], attrs["dilation"]
    )
    ends, extra = [], []
    for axis in range(2):
        full = (size[axis] - 1) * attrs["strides"][axis] + (window[axis] - 1) * attrs["dilation"][axis] + 1
        cut = full - starts[axis] - out[axis]
        ends.append(max(cut, 0))
        extra.append(max(-cut, 0))
    bias = optional(node, 2)
    # Ours are (kh, kw, channels out, channels in), ONNX has (in, out, kh, kw).
    inputs = [w.get(x, channels_first(4)), w.get(kernel, (3, 2, 0, 1)), *([] if bias is None else [w.get(bias)])]
    y = w.emit(
        "ConvTranspose",
        inputs,
        node.name,
        kernel_shape=window,
        strides=list(attrs["strides"]),
        dilations=list(attrs["dilation"]),
        pads=[*starts, *ends],
        output_padding=extra if any(extra) else None,
    )
    w.define(node.outputs[0], y, channels_first(4))


def _pool(kind: str) -> Callable[[Writer, Node], None]:
    def pool(w: Writer, node: Node) -> None:
        x, window = w.get(operand(node), channels_first(4)), node.attrs["pool_size"]
        if window is None:
            y = w.emit(f"Global{kind}Pool", [x], node.name)
        else:
            counted = kind == "Average" and node.attrs.get("count_include_pad")
            y = w.emit(
                f"{kind}Pool",
                [x],
                node.name,
                kernel_shape=list(window),
                strides=list(node.attrs["strides"] or window),
                count_include_pad=1 if counted else None,
                **_window_padding(node, window),
            )
        w.define(node.outputs[0], y, channels_first(4))

    return pool


WINDOWS: dict[str, Callable[[Writer, Node], None]] = {
    "avg_pool2d": _pool("Average"),
    "conv2d": conv2d,
    "conv2d_transpose": conv2d_transpose,
    "max_pool2d": _pool("Max"),
}

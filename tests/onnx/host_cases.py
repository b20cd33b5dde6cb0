"""Single operators with attributes and inputs: what NumPy computes here is held against ONNX Runtime."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

RNG = np.random.default_rng(3)


class Case(NamedTuple):
    """An operator at an opset, its attributes, its inputs (None: left out), and how many results are looked at."""

    op_type: str
    opset: int
    attributes: dict[str, Any]
    inputs: list[np.ndarray | None]
    outputs: int = 1


def f32(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def ints(low: int, high: int, *shape: int, dtype: Any = np.int64) -> np.ndarray:
    return RNG.integers(low, high, shape).astype(dtype)


def numbers(*values: float, dtype: Any = np.int64) -> np.ndarray:
    return np.array(values, dtype)


def boxes(count: int) -> np.ndarray:
    corner = RNG.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + RNG.uniform(5, 30, (count, 2))], axis=1).astype(np.float32)


IMAGE = f32(2, 6, 9, 7)

CASES = {
    "AveragePool": Case("AveragePool", 13, {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, [IMAGE]),
    "AveragePool-ceil": Case("AveragePool", 19, {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, [IMAGE]),
    "AveragePool-counted": Case(
        "AveragePool", 13, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, [IMAGE]
    ),
    "AveragePool-dilated": Case("AveragePool", 19, {"kernel_shape": [3, 2], "dilations": [2, 3]}, [IMAGE]),
    "AveragePool-same": Case(
        "AveragePool", 13, {"kernel_shape": [4, 2], "strides": [3, 2], "auto_pad": "SAME_LOWER"}, [IMAGE]
    ),
    "AveragePool-3d": Case("AveragePool", 13, {"kernel_shape": [2, 3, 2]}, [f32(1, 2, 5, 6, 4)]),
    "Conv": Case("Conv", 13, {"strides": [2, 1], "pads": [1, 0, 2, 1]}, [IMAGE, f32(4, 6, 3, 2), f32(4)]),
    "Conv-groups": Case("Conv", 13, {"group": 3, "dilations": [2, 3]}, [IMAGE, f32(6, 2, 3, 2)]),
    "Conv-same": Case("Conv", 13, {"strides": [2, 2], "auto_pad": "SAME_LOWER"}, [IMAGE, f32(4, 6, 4, 4), f32(4)]),
    "Conv-3d": Case("Conv", 13, {"strides": [1, 2, 1]}, [f32(2, 2, 3, 4, 5), f32(3, 2, 2, 2, 2)]),
    "ConvInteger": Case("ConvInteger", 10, {"pads": [1, 1, 0, 0]}, [
        ints(0, 255, 2, 3, 7, 6, dtype=np.uint8), ints(0, 255, 4, 3, 3, 2, dtype=np.uint8),
        np.array(120, np.uint8), np.array(130, np.uint8)]),
    "QLinearConv": Case("QLinearConv", 10, {"strides": [2, 1], "group": 3}, [
        ints(0, 255, 2, 3, 7, 6, dtype=np.uint8), np.array(0.1, np.float32), np.array(120, np.uint8),
        ints(-100, 100, 6, 1, 3, 2, dtype=np.int8), RNG.uniform(0.01, 0.05, 6).astype(np.float32), np.zeros(6, np.int8),
        np.array(0.3, np.float32), np.array(100, np.uint8), ints(-500, 500, 6, dtype=np.int32)]),
    "ConvTranspose": Case("ConvTranspose", 13, {"strides": [2, 3]}, [IMAGE, f32(6, 4, 3, 2), f32(4)]),
    "ConvTranspose-groups": Case(
        "ConvTranspose", 13, {"strides": [2, 2], "group": 3, "pads": [1, 0, 0, 1]}, [IMAGE, f32(6, 4, 3, 3), f32(12)]
    ),
    "ConvTranspose-dilated": Case(
        "ConvTranspose", 13, {"dilations": [2, 1], "output_padding": [0, 1], "strides": [1, 2]},
        [IMAGE, f32(6, 2, 2, 3)],
    ),
    "ConvTranspose-output_shape": Case(
        "ConvTranspose", 13, {"strides": [2, 2], "output_shape": [19, 16]}, [IMAGE, f32(6, 2, 3, 3)]
    ),
    "ConvTranspose-same": Case(
        "ConvTranspose", 13, {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, [IMAGE, f32(6, 2, 3, 3)]
    ),
    "ConvTranspose-3d": Case("ConvTranspose", 13, {"strides": [1, 2, 1]}, [f32(1, 2, 3, 4, 3), f32(2, 3, 2, 2, 2)]),
    "GatherElements": Case("GatherElements", 13, {"axis": 1}, [f32(3, 5), ints(-5, 5, 2, 4)]),
    "GatherElements-rows": Case("GatherElements", 13, {"axis": 0}, [f32(6, 3, 2), ints(0, 6, 4, 3, 2)]),
    "GlobalLpPool": Case("GlobalLpPool", 13, {"p": 3}, [IMAGE]),
    "Hardmax-old": Case("Hardmax", 11, {"axis": 2}, [IMAGE]),
    "LRN": Case("LRN", 13, {"size": 3, "alpha": 0.1, "beta": 0.6, "bias": 1.5}, [IMAGE]),
    "LogSoftmax-old": Case("LogSoftmax", 11, {"axis": 1}, [IMAGE]),
    "LpPool": Case("LpPool", 11, {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 0], "p": 3}, [IMAGE]),
    "MaxPool": Case("MaxPool", 12, {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, [IMAGE], 2),
    "MaxPool-ceil": Case("MaxPool", 12, {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1}, [IMAGE], 2),
    "MaxPool-dilated": Case("MaxPool", 12, {"kernel_shape": [2, 3], "dilations": [3, 2]}, [IMAGE], 2),
    "MaxPool-columns": Case("MaxPool", 12, {"kernel_shape": [2, 2], "storage_order": 1}, [IMAGE], 2),
    "MaxPool-uint8": Case("MaxPool", 12, {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}, [
        ints(0, 200, 1, 2, 5, 6, dtype=np.uint8)]),
    "MaxPool-3d": Case("MaxPool", 12, {"kernel_shape": [2, 2, 2], "strides": [2, 1, 2]}, [f32(1, 2, 5, 4, 6)], 2),
    "MaxPool-1d": Case("MaxPool", 12, {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}, [f32(2, 3, 9)], 2),
    "NonMaxSuppression": Case("NonMaxSuppression", 11, {}, [
        boxes(40)[None], RNG.uniform(size=(1, 3, 40)).astype(np.float32), numbers(7),
        numbers(0.4, dtype=np.float32), numbers(0.2, dtype=np.float32)]),
    "NonMaxSuppression-centres": Case("NonMaxSuppression", 11, {"center_point_box": 1}, [
        boxes(80).reshape(2, 40, 4), RNG.uniform(-1, 1, size=(2, 3, 40)).astype(np.float32), numbers(30),
        numbers(0.3, dtype=np.float32)]),
    "NonMaxSuppression-turned": Case("NonMaxSuppression", 11, {}, [
        boxes(60).reshape(2, 30, 4)[..., [2, 1, 0, 3]], RNG.uniform(size=(2, 1, 30)).astype(np.float32), numbers(30)]),
    "NonMaxSuppression-none": Case("NonMaxSuppression", 11, {}, [
        boxes(5)[None], RNG.uniform(size=(1, 1, 5)).astype(np.float32)]),
    "RoiAlign-max": Case("RoiAlign", 16, {"output_height": 3, "output_width": 2, "mode": "max"}, [
        IMAGE, boxes(5) / 10, ints(0, 2, 5)]),
    "Resize-10": Case("Resize", 10, {"mode": "linear"}, [IMAGE, numbers(1, 1, 2, 1.5, dtype=np.float32)]),
    "Resize-10-nearest": Case("Resize", 10, {}, [IMAGE, numbers(1, 1, 2, 0.5, dtype=np.float32)]),
    "RoiAlign": Case(
        "RoiAlign", 10, {"output_height": 3, "output_width": 4, "sampling_ratio": 2, "spatial_scale": 0.1},
        [IMAGE, boxes(5), ints(0, 2, 5)],
    ),
    "RoiAlign-half": Case("RoiAlign", 16, {"output_height": 3, "output_width": 2, "spatial_scale": 0.125}, [
        IMAGE, boxes(5), ints(0, 2, 5)]),
    "Scatter": Case("Scatter", 9, {"axis": 1}, [f32(3, 6), numbers(1, 3, -1).reshape(3, 1), f32(3, 1)]),
    "Softmax-old": Case("Softmax", 11, {"axis": 1}, [IMAGE]),
    "TopK": Case("TopK", 11, {"axis": 1, "largest": 0}, [f32(3, 9), numbers(4)], 2),
    "Upsample-7": Case("Upsample", 7, {"mode": "linear", "scales": [1.0, 1.0, 2.0, 3.0]}, [IMAGE]),
    "Upsample-9": Case("Upsample", 9, {"mode": "nearest"}, [IMAGE, numbers(1, 1, 2, 3, dtype=np.float32)]),
}  # fmt: skip

for _mode in ("bilinear", "nearest", "bicubic"):
    for _padding in ("zeros", "border", "reflection"):
        for _corners in (0, 1):
            _attributes = {"mode": _mode, "padding_mode": _padding, "align_corners": _corners}
            _grid = RNG.uniform(-1.6, 1.6, (2, 5, 4, 2)).astype(np.float32)
            CASES[f"GridSample-{_mode}-{_padding}-{_corners}"] = Case("GridSample", 16, _attributes, [IMAGE, _grid])

#: Nodes that ask for more than the machine has, or for sizes below 0; and what the error says.
_HUGE = np.array([2**20, 2**20, 2**10], np.int64)
_LONG = np.zeros(2**21, np.float32)
_SMALL = f32(1, 1, 2, 2)
HOSTILE = {
    "ConstantOfShape": (Case("ConstantOfShape", 13, {}, [_HUGE]), "would take"),
    "ConstantOfShape-negative": (Case("ConstantOfShape", 13, {}, [numbers(3, -1)]), r"shape \(3, -1\)"),
    "Expand": (Case("Expand", 13, {}, [f32(1), _HUGE]), "would take"),
    "Expand-negative": (Case("Expand", 13, {}, [f32(1), numbers(-4)]), r"shape \(-4,\)"),
    "Tile": (Case("Tile", 13, {}, [f32(1, 1, 1), _HUGE]), "would take"),
    "Tile-negative": (Case("Tile", 13, {}, [f32(2, 2), numbers(1, -1)]), r"shape \(2, -2\)"),
    "Pad": (Case("Pad", 13, {}, [f32(2, 2), numbers(0, 0, 2**40, 2**40)]), "would take"),
    "Pad-negative": (Case("Pad", 13, {}, [f32(2, 2), numbers(0, 0, -3, 0)]), r"shape \(-1, 2\)"),
    "Pad-length": (Case("Pad", 13, {}, [f32(2, 2), numbers(0, 0, 1)]), "pads must have 4 numbers"),
    "Range": (Case("Range", 13, {}, [numbers(0)[0], numbers(2**62)[0], numbers(1)[0]]), "would take"),
    "Range-zero": (Case("Range", 13, {}, [numbers(0)[0], numbers(9)[0], numbers(0)[0]]), "delta must not be 0"),
    "OneHot": (Case("OneHot", 13, {}, [numbers(1, 2), numbers(2**45)[0], f32(2)]), "would take"),
    "Resize": (Case("Resize", 13, {}, [_SMALL, None, numbers(1, 1, 2**24, 2**24, dtype=np.float32)]), "would take"),
    "Resize-sizes": (Case("Resize", 13, {}, [_SMALL, None, None, numbers(1, 1, 2**24, 2**24)]), "would take"),
    "Resize-negative": (
        Case("Resize", 13, {}, [_SMALL, None, numbers(1, 1, -2, 1, dtype=np.float32)]),
        "scales must be finite and above 0",
    ),
    "Upsample": (Case("Upsample", 9, {}, [_SMALL, numbers(1, 1, 2**24, 2**24, dtype=np.float32)]), "would take"),
    "Upsample-7": (Case("Upsample", 7, {"scales": [1.0, 1.0, 1e9, 1e9]}, [_SMALL]), "would take"),
    "RoiAlign": (
        Case("RoiAlign", 13, {"output_height": 2**24, "output_width": 2**24}, [_SMALL, boxes(1), numbers(0)]),
        "would take",
    ),
    "ConvTranspose": (Case("ConvTranspose", 13, {"strides": [2**24, 2**24]}, [_SMALL, f32(1, 1, 1, 1)]), "would take"),
    "ConvTranspose-shape": (
        Case("ConvTranspose", 13, {"output_shape": [2**24, 2**24]}, [_SMALL, f32(1, 1, 1, 1)]), "would take"
    ),
    "MaxPool": (Case("MaxPool", 13, {"kernel_shape": [1, 1], "pads": [2**24] * 4}, [_SMALL]), "would take"),
    "MaxPool-strides": (
        Case("MaxPool", 13, {"kernel_shape": [1, 1], "strides": [0, 1]}, [_SMALL]),
        "strides must be 2 numbers of at least 1",
    ),
    "MaxUnpool": (
        Case("MaxUnpool", 11, {"kernel_shape": [1, 1]}, [_SMALL, ints(0, 4, 1, 1, 2, 2), numbers(1, 1, 2**24, 2**24)]),
        "would take",
    ),
    "Add": (Case("Add", 13, {}, [_LONG[:, None], _LONG]), "would take"),
    "MatMul": (Case("MatMul", 13, {}, [_LONG[:, None], _LONG[None]]), "would take"),
    "Einsum": (Case("Einsum", 13, {"equation": "i,j->ij"}, [_LONG, _LONG]), "would take"),
    "Gather": (Case("Gather", 13, {}, [_LONG[None], _LONG.astype(np.int64)]), "would take"),
}  # fmt: skip

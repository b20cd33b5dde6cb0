"""Results too large for the cache are written past it: by the bits the same as those of one image at a time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.convolution_shapes import Conv
from cases.pooling import Pool

from fastcnn._ops import core

KERNEL_H = Path(__file__).parents[2] / "csrc" / "kernels" / "kernel.h"
IMAGES = 6
COUNT = 700_001  # floats of an "image" of kernels that know no shape
SIDE = 149  # pixels of an image with 32 channels
RELU = {"act": 1, "alpha": 0.0, "beta": 0.0}

Call = tuple[str, dict[str, np.ndarray], dict[str, Any], str]  # kernel, tensors, numbers, the result's name


def random(*shape: int) -> np.ndarray:
    """Aligned, as a plan's memory is."""
    size = int(np.prod(shape))
    values = core.aligned_empty(4 * size).view(np.float32)[:size]
    values[:] = np.random.default_rng(size).standard_normal(size, np.float32)
    return values.reshape(shape)


def unary(name: str, tensors: str, result: str) -> Call:
    numbers = {"scale": 3.0, "shift": 1.5} if name == "affine" else {"kind": 1, "alpha": 0.0, "beta": 0.0}
    return name, {t: random(IMAGES, COUNT) for t in tensors.split()}, numbers, result


def binary(rows: int) -> Call:
    """Sums of 48 columns: of as many rows as the first operand has, or of one row with all of them."""
    tensors = {"p": random(IMAGES, 14_600, 48), "q": random(*(IMAGES, 14_600, 48)[3 - rows :])}
    numbers = {f"d{axis}": 1 for axis in range(5)} | {f"{o}{axis}": 0 for o in "pq" for axis in range(5)}
    numbers |= {"d4": 48, "p3": 48, "p4": 1, "q3": 48 * (rows == 3), "q4": 1, "kind": 0}
    return "binary", {**tensors, "y": random(IMAGES, 14_600, 48)}, numbers, "y"


def convolution(kernel: int, channels: int) -> Call:
    conv = Conv("", (IMAGES, SIDE, SIDE, channels), 32, (kernel, kernel), (1, 1), "same")
    call = core.Call("conv2d_pack", conv.numbers)
    packed = random(call.needed()["packed"] // 4)
    core.call("conv2d_pack", weights=random(kernel, kernel, channels, 32), packed=packed, **conv.numbers)
    tensors = {"x": random(*conv.shape), "packed": packed, "bias": random(32), "y": random(*conv.out)}
    return "conv2d_forward", tensors, {**conv.numbers, "y_step": 32, "pool": 0, **RELU}, "y"


def depthwise(direction: str, kernel: int, stride: int) -> Call:
    side = 2 * SIDE if direction == "forward" and stride == 2 else SIDE
    conv = Conv("", (IMAGES, side, side, 32), 32, (kernel, kernel), (stride, stride), "same", groups=32)
    weights, inner, outer = random(kernel, kernel, 32), random(*conv.shape), random(*conv.out)
    if direction == "forward":
        tensors = {"x": inner, "y": outer, "weights": weights, "bias": random(32)}
        return "depthwise_forward", tensors, {**conv.numbers, "y_step": 32, **RELU}, "y"
    return "depthwise_backward_data", {"dy": outer, "dx": inner, "weights": weights}, conv.numbers, "dx"


def max_pool_forward(size: int, index: bool) -> Call:
    pool = Pool("", (IMAGES, 2 * SIDE, 2 * SIDE, 32), (size, size), (2, 2), "same")
    tensors = {"x": random(*pool.shape), "y": random(*pool.out)}
    if index:
        tensors["index8"] = np.zeros(pool.out, np.uint8)
    return "max_pool_forward", tensors, {**pool.numbers, "y_step": 32}, "y"


def pool_backward(kind: str, size: int, stride: int) -> Call:
    pool = Pool("", (IMAGES, SIDE, SIDE, 32), (size, size), (stride, stride), "same")
    tensors = {"dy": random(*pool.out), "dx": random(*pool.shape)}
    if kind == "avg":
        return "avg_pool_backward", tensors, {**pool.numbers, "include_pad": 0}, "dx"
    index = np.random.default_rng(0).integers(0, size * size, pool.out).astype(np.uint8)
    return "max_pool_backward", {**tensors, "index8": index}, pool.numbers, "dx"


CALLS = {
    "relu": lambda: unary("unary_forward", "x y", "y"),
    "relu_gradient": lambda: unary("unary_backward", "dy saved dx", "dx"),
    "affine": lambda: unary("affine", "x y", "y"),
    "sum": lambda: binary(3),
    "sum_with_a_row": lambda: binary(1),
    "conv_1x1": lambda: convolution(1, 24),
    "conv_3x3": lambda: convolution(3, 3),
    **{
        f"depthwise_{direction}_{kernel}_{stride}": lambda d=direction, k=kernel, s=stride: depthwise(d, k, s)
        for direction in ("forward", "backward")
        for kernel in (3, 5)
        for stride in (1, 2)
    },
    "max_pool_forward": lambda: max_pool_forward(2, index=False),
    "max_pool_forward_overlapping": lambda: max_pool_forward(3, index=True),
    "max_pool": lambda: pool_backward("max", 2, 2),
    "max_pool_overlapping": lambda: pool_backward("max", 3, 2),
    "avg_pool": lambda: pool_backward("avg", 2, 2),
    "avg_pool_overlapping": lambda: pool_backward("avg", 3, 2),
}


@pytest.mark.parametrize("which", CALLS)
def test_same_bits_beyond_the_cache(which: str, isa: str) -> None:
    name, tensors, numbers, result = CALLS[which]()
    shift = re.search(r"#define FC_STREAM_FLOATS \((\d+) << (\d+)\)", KERNEL_H.read_text())
    assert shift is not None
    limit = int(shift[1]) << int(shift[2])
    y = tensors[result]
    assert y[0].size < limit <= y.size

    def run(first: int, last: int) -> None:
        images = {t: a[first:last] if a.shape[0] == IMAGES else a for t, a in tensors.items()}
        own = {"n": last - first} if "n" in numbers else {"count": (last - first) * COUNT}
        if name == "binary":
            own = {"d3": (last - first) * 14_600}
        core.call(name, **images, **{**numbers, **own})

    for image in range(IMAGES):
        run(image, image + 1)
    expected = y.copy()
    y[:] = 0
    run(0, IMAGES)
    np.testing.assert_array_equal(y.view(np.uint32), expected.view(np.uint32))

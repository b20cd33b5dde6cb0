"""Operators as the reader takes them, each in a small graph between convolutions' order of axes and the file's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402
from reader_networks import Builder  # noqa: E402

import fastcnn.onnx  # noqa: E402
from fastcnn.graph import topological  # noqa: E402
from fastcnn.models import load_model  # noqa: E402

RNG = np.random.default_rng(4)
Case = Callable[[Builder, str], str]


def ints(b: Builder, *values: int) -> str:
    return b.array(np.array(values, np.int64))


def node(op: str, **attributes: Any) -> Case:
    return lambda b, x: b.node(op, [x], **attributes)


def with_ints(op: str, *values: int, **attributes: Any) -> Case:
    return lambda b, x: b.node(op, [x, ints(b, *values)], **attributes)


def with_floats(op: str, *shape: int, **attributes: Any) -> Case:
    return lambda b, x: b.node(op, [x, b.array(b.rng.uniform(0.5, 2, shape).astype(np.float32))], **attributes)


def sliced(b: Builder, x: str, *bounds: tuple[int, ...]) -> str:
    return b.node("Slice", [x, *(ints(b, *values) for values in bounds)])


def resized(b: Builder, x: str, scales: list[float] | None = None, sizes: list[int] | None = None, **how: Any) -> str:
    given = b.array(np.array(scales or [], np.float32))
    more = [ints(b, *sizes)] if sizes else []
    return b.node("Resize", [x, "", given if scales else "", *more], **how)


def like_itself(b: Builder, x: str) -> str:
    """Sizes from a shape, as exporters write them: (n, 4, 6, 5) to (n, 4, 30) and back."""
    shape = b.node("Shape", [x])
    n = b.node("Gather", [shape, ints(b, 0)], axis=0)
    h = b.node("Unsqueeze", [b.node("Gather", [shape, b.array(np.int64(2))]), ints(b, 0)])
    rows = b.node("Reshape", [x, b.node("Concat", [n, ints(b, 4, -1)], axis=0)])
    return b.node("Reshape", [rows, b.node("Concat", [n, ints(b, 4), h, ints(b, -1)], axis=0)])


def other_rows(b: Builder, x: str) -> str:
    """Axis 0 of what was moved counts rows of pixels, not samples."""
    moved = b.node("Transpose", [x], perm=[2, 0, 1, 3])
    count = b.node("Gather", [b.node("Shape", [moved]), ints(b, 0)], axis=0)
    rows = b.node("Flatten", [b.node("GlobalMaxPool", [x])])
    return b.node("Reshape", [rows, b.node("Concat", [count, ints(b, -1)], axis=0)])


def hard_swish(b: Builder, x: str) -> str:
    gate = b.node("Clip", [b.node("Add", [x, b.array(np.float32(3))]), b.array(np.float32(0)), b.array(np.float32(6))])
    return b.node("Div", [b.node("Mul", [x, gate]), b.array(np.float32(6))])


def squeezed(b: Builder, x: str) -> str:
    """Squeeze and excitation."""
    y = b.relu(b.conv(b.node("GlobalAveragePool", [x]), 4, 2, 1, bias=True))
    return b.node("Mul", [x, b.node("HardSigmoid", [b.conv(y, 2, 4, 1, bias=True)], alpha=0.2, beta=0.5)])


def attention(b: Builder, x: str) -> str:
    """Tokens from an image: a product of matrices, softmax over its rows, and back."""
    t = b.node("Transpose", [b.node("Reshape", [x, ints(b, 0, 4, -1)])], perm=[0, 2, 1])
    weights = b.node("Softmax", [b.node("MatMul", [t, b.node("Transpose", [t], perm=[0, 2, 1])])], axis=-1)
    y = b.node("Transpose", [b.node("MatMul", [weights, b.node("MatMul", [t, b.floats(4, 4)])])], perm=[0, 2, 1])
    return b.node("Reshape", [y, ints(b, 0, 4, 6, 5)])


def split_and_joined(b: Builder, x: str) -> str:
    p, q = b.node("Split", [x], 2, axis=1)
    return b.node("Concat", [q, p, b.node("Mul", [p, q])], axis=1)


def one_by_rank(b: Builder, x: str) -> str:
    """Ranks that differ: broadcast by the file's order of axes."""
    mean = b.node("ReduceMean", [x], axes=[0, 1], keepdims=0)
    return b.node("Sub", [b.node("Add", [x, mean]), b.floats(6, 1)])


_PLAIN = (
    "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Exp", "Softplus", "Softsign", "Abs", "Neg", "Elu", "Selu", "Celu", "Erf",
    "HardSigmoid", "HardSwish", "Mish", "Floor", "Ceil", "Round", "Sin", "Sign", "ThresholdedRelu", "Shrink",
    "Identity", "Dropout",
)  # fmt: skip

#: Given (n, 4, 6, 5) behind a convolution, and going on to whoever takes it.
CASES: dict[str, Case] = {
    **{op: node(op) for op in _PLAIN},
    "shapes": like_itself,
    "other rows": other_rows,
    "hard swish written out": hard_swish,
    "squeeze and excitation": squeezed,
    "attention": attention,
    "split and concat": split_and_joined,
    "ranks": one_by_rank,
    "negative slope": node("LeakyRelu", alpha=-0.5),
    "add a number a channel": with_floats("Add", 4, 1, 1),
    "multiply by all": with_floats("Mul", 4, 6, 5),
    "divide by a scalar": with_floats("Div"),
    "subtract a row": with_floats("Sub", 5),
    "to a power of its own": lambda b, x: b.node("Pow", [b.node("Abs", [x]), b.array(np.float32(1.7))]),
    "from another": lambda b, x: b.node("Sub", [b.floats(1, 4, 1, 1), x]),
    "square": lambda b, x: b.node("Pow", [x, b.array(np.float32(2))]),
    "prelu": with_floats("PRelu", 4, 1, 1),
    "prelu everywhere": with_floats("PRelu", 4, 6, 5),
    "minimum": lambda b, x: b.node("Min", [x, b.floats(4, 1, 1), b.node("Neg", [x])]),
    "mean": lambda b, x: b.node("Mean", [x, b.relu(x), b.node("Neg", [x])]),
    "where": lambda b, x: b.node("Where", [b.node("Greater", [x, b.floats(1)]), x, b.floats(4, 1, 1)]),
    "casts": lambda b, x: b.node("Cast", [b.node("Cast", [x], to=TensorProto.INT32)], to=TensorProto.FLOAT),
    "softmax of channels": node("Softmax", axis=1),
    "softmax of a row": node("Softmax", axis=-1),
    "log softmax": node("LogSoftmax", axis=1),
    "mean of channels": node("ReduceMean", axes=[1], keepdims=1),
    "mean of a column": node("ReduceMean", axes=[2], keepdims=0),
    "mean of images": node("ReduceMean", axes=[2, 3], keepdims=1),
    "maximum of images": node("ReduceMax", axes=[-1, -2], keepdims=0),
    "sum of channels": with_ints("ReduceSum", 1, keepdims=0),
    "logarithm of sums": node("ReduceLogSumExp", axes=[1], keepdims=1),
    "argmax": lambda b, x: b.node("Cast", [b.node("ArgMax", [x], axis=1)], to=TensorProto.FLOAT),
    "concat of rows": lambda b, x: b.node("Concat", [x, b.relu(x)], axis=2),
    "concat with numbers": lambda b, x: b.node("Concat", [x, b.floats(3, 2, 6, 5)], axis=1),
    "split unevenly": lambda b, x: b.node("Split", [x, ints(b, 1, 3)], 2, axis=1)[1],
    "slice of channels": lambda b, x: sliced(b, x, (1,), (3,), (1,)),
    "slice backwards": lambda b, x: sliced(b, x, (-1, 0), (-100, 100), (2, 3), (-2, 2)),
    "gather of a channel": lambda b, x: b.node("Gather", [x, b.array(np.int64(2))], axis=1),
    "gather of rows": lambda b, x: b.node("Gather", [x, ints(b, 3, 0, 3)], axis=2),
    "transpose": node("Transpose", perm=[0, 2, 3, 1]),
    "transpose all": node("Transpose"),
    "flatten": node("Flatten", axis=1),
    "flatten further": node("Flatten", axis=2),
    "reshape": with_ints("Reshape", 0, -1, 10),
    "reshape over samples": with_ints("Reshape", -1, 5),
    "squeeze": lambda b, x: b.node("Squeeze", [b.node("GlobalMaxPool", [x]), ints(b, 2, 3)]),
    "squeeze of a row": lambda b, x: b.node("Squeeze", [b.node("ReduceMax", [x], axes=[2]), ints(b, 2)]),
    "unsqueeze": with_ints("Unsqueeze", 1),
    "expand": lambda b, x: b.node("Expand", [b.node("ReduceMean", [x], axes=[1]), ints(b, 1, 3, 1, 1)]),
    "tile": with_ints("Tile", 1, 2, 1, 3),
    "zeros around": with_ints("Pad", 0, 0, 1, 2, 0, 0, 0, 1),
    "numbers around": lambda b, x: b.node("Pad", [x, ints(b, 0, 1, 1, 2, 0, 0, 0, 1), b.array(np.float32(2))]),
    "edges around": with_ints("Pad", 0, 0, 1, 2, 0, 0, 0, 1, mode="edge"),
    "parts cut off": with_ints("Pad", 0, 0, -1, -2, 0, 0, 0, -1),
    "max pool": node("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]),
    "max pool rounded up": node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "max pool same": node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    "max pool same lower": node("MaxPool", kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_LOWER"),
    "max pool dilated": node("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]),
    "max pool dilated with pads": node("MaxPool", kernel_shape=[3, 2], dilations=[2, 3], pads=[2, 1, 1, 0],
                                       strides=[1, 2], ceil_mode=1),
    "mean pool": node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "mean pool with pads": node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    "mean pool rounded up": node("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "global pool": node("GlobalAveragePool"),
    "local response": node("LRN", size=3),
    "local response of more than there are": node("LRN", size=11, alpha=0.3),
    "nearest": lambda b, x: resized(b, x, [1, 1, 2, 3], mode="nearest", coordinate_transformation_mode="half_pixel"),
    "nearest floor": lambda b, x: resized(b, x, [1, 1, 3, 3], mode="nearest", nearest_mode="floor",
                                          coordinate_transformation_mode="asymmetric"),
    "linear": lambda b, x: resized(b, x, None, [3, 4, 9, 7], mode="linear"),
    "linear by scales": lambda b, x: resized(b, x, [1, 1, 1.5, 0.8], mode="linear",
                                             coordinate_transformation_mode="align_corners"),
    "cubic": lambda b, x: resized(b, x, [1, 1, 2, 2], mode="cubic"),
    "depth to space": node("DepthToSpace", blocksize=2),
    "depth to space by channels": node("DepthToSpace", blocksize=2, mode="CRD"),
    "space to depth": lambda b, x: b.node("SpaceToDepth", [b.node("MaxPool", [x], kernel_shape=[1, 2])], blocksize=2),
    "group norm": lambda b, x: b.node("GroupNormalization", [x, b.floats(4), b.floats(4)], num_groups=2),
    "instance norm": lambda b, x: b.node("InstanceNormalization", [x, b.floats(4), b.floats(4)]),
    "layer norm": lambda b, x: b.node("LayerNormalization", [x, b.floats(5), b.floats(5)], axis=-1),
    "batch norm": lambda b, x: b.norm(x, 4),
    "transposed": lambda b, x: b.node("ConvTranspose", [x, b.floats(4, 3, 4, 4), b.floats(3)], strides=[2, 2],
                                      pads=[1, 1, 1, 1]),
    "transposed unevenly": lambda b, x: b.node("ConvTranspose", [x, b.floats(4, 3, 3, 3)], strides=[2, 2],
                                               pads=[1, 1, 1, 1], output_padding=[1, 1]),
    "transposed in groups": lambda b, x: b.node("ConvTranspose", [x, b.floats(4, 2, 3, 3)], group=2),
    "transposed in groups with strides": lambda b, x: b.node(
        "ConvTranspose", [x, b.floats(4, 3, 3, 2), b.floats(6)], group=2, strides=[2, 3], pads=[1, 0, 2, 1],
        output_padding=[1, 0], dilations=[1, 2]),
    "transposed channel by channel": lambda b, x: b.node(
        "ConvTranspose", [x, b.floats(4, 1, 4, 4)], group=4, strides=[2, 2], pads=[1, 1, 1, 1]),
    "transposed to a shape": lambda b, x: b.node(
        "ConvTranspose", [x, b.floats(4, 3, 3, 3)], strides=[2, 2], output_shape=[12, 11]),
    "transposed same": lambda b, x: b.node(
        "ConvTranspose", [x, b.floats(4, 3, 3, 3)], strides=[2, 2], auto_pad="SAME_UPPER"),
    "groups": lambda b, x: b.conv(x, 4, 6, 3, groups=2),
    "depthwise": lambda b, x: b.conv(x, 4, 8, 3, p=1, groups=4, bias=True),
    "dilated": lambda b, x: b.node("Conv", [x, b.floats(5, 4, 2, 2)], dilations=[2, 3], pads=[0, 1, 2, 3]),
    "same": lambda b, x: b.node("Conv", [x, b.floats(5, 4, 3, 2)], strides=[2, 2], auto_pad="SAME_UPPER"),
    "same lower": lambda b, x: b.node("Conv", [x, b.floats(5, 4, 2, 2)], strides=[1, 1], auto_pad="SAME_LOWER"),
    "weights that are computed": lambda b, x: b.node("Conv", [x, b.node("Mul", [b.floats(2, 4, 1, 1), b.floats(1)])]),
    "dense": lambda b, x: b.dense(b.node("Flatten", [x]), 120, 7),
    "dense with numbers": lambda b, x: b.node("Gemm", [b.node("Flatten", [x]), b.floats(120, 3), b.floats(1, 3)],
                                              alpha=0.5, beta=2.0),
    "flat for others too": lambda b, x: b.node("Add", [
        (flat := b.node("Flatten", [x])), b.node("MatMul", [flat, b.floats(120, 120)])]),
}  # fmt: skip


#: Cases of operators that opset 17 hasn't.
NEWER = ("HardSwish", "Mish", "group norm")


def model(case: Case, opset: int = 17, sizes: tuple[Any, ...] = ("n", 4, 6, 5)) -> Any:
    """The case behind a convolution, whose axes are ours."""
    b = Builder(opset)
    return b.model(sizes, [case(b, b.conv("x", 4, 4, 1, bias=True))])


def expected(proto: Any, data: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, data)


def compare(proto: Any, data: np.ndarray, **how: Any) -> Any:
    wanted = expected(proto, {"x": data})[0]
    net = fastcnn.onnx.load(proto, **how)
    found = net.predict_on_batch(data)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)
    return net, found


@pytest.mark.parametrize("name", CASES)
def test_operators(name: str, tmp_path: Path) -> None:
    opset = 22 if name in NEWER else 17
    data = RNG.standard_normal((3, 4, 6, 5), np.float32)
    net, found = compare(model(CASES[name], opset), data)
    net.save(tmp_path / "net.safetensors")
    assert np.array_equal(load_model(tmp_path / "net.safetensors").predict_on_batch(data), found)
    # Written again, with its axes as they were: ONNX Runtime computes it.
    again = fastcnn.onnx.to_proto(net, opset)
    np.testing.assert_allclose(expected(again, {"x": data})[0], found, rtol=2e-4, atol=2e-5)
    compare(model(CASES[name], opset, ("n", 4, "h", "w")), data)


#: What runs on NumPy; anything else is kernels alone, and sizes that are open in the file are known by then.
ON_HOST = {"Sin", "casts", "where", "argmax", "logarithm of sums", "gather of rows", "tile", "edges around"}


@pytest.mark.parametrize("name", CASES)
def test_kernels_compute_them(name: str) -> None:
    for sizes in (("n", 4, 6, 5), ("n", 4, "h", "w")):
        net = fastcnn.onnx.load(model(CASES[name], 22 if name in NEWER else 17, sizes))
        steps = net.plan(input_shapes=[(3, 4, 6, 5)]).steps
        assert any(s.kernel.startswith("host") for s in steps) == (name in ON_HOST)


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 12, 13])
def test_older_opsets(opset: int) -> None:
    """Bounds, axes and scales were attributes once."""

    def case(b: Builder, x: str) -> str:
        if opset < 11:
            x = b.node("Clip", [x], min=-0.5, max=6.0)
            x = b.node("Pad", [x], pads=[0, 0, 1, 0, 0, 0, 0, 2])
        else:
            x = b.node("Clip", [x, b.array(np.float32(-0.5)), b.array(np.float32(6))])
            x = b.node("Pad", [x, ints(b, 0, 0, 1, 0, 0, 0, 0, 2)])
        if opset < 10:
            x = b.node("Slice", [x], starts=[1], ends=[-1], axes=[2])
        else:
            x = sliced(b, x, (1,), (-1,), (2,))
        if opset < 13:
            x = b.node("Squeeze", [b.node("Unsqueeze", [x], axes=[2])], axes=[2])
            x = b.node("Softmax", [b.node("Flatten", [b.node("ReduceSum", [x], axes=[3])])])
        else:
            x = b.node("Squeeze", [b.node("Unsqueeze", [x, ints(b, 2)]), ints(b, 2)])
            x = b.node("Softmax", [b.node("Flatten", [b.node("ReduceSum", [x, ints(b, 3)])])])
        return x

    compare(model(case, opset), RNG.standard_normal((3, 4, 6, 5), np.float32))


@pytest.mark.parametrize(("opset", "op"), [(7, "Upsample"), (9, "Upsample"), (10, "Resize"), (11, "Resize")])
def test_older_resizing(opset: int, op: str) -> None:
    def case(b: Builder, x: str) -> str:
        scales = [1.0, 1.0, 2.0, 3.0]
        if opset == 7:
            return b.node(op, [x], scales=scales, mode="nearest")
        given = b.array(np.array(scales, np.float32))
        if opset < 11:
            return b.node(op, [x, given], mode="nearest")
        return b.node(op, [x, b.array(np.zeros(0, np.float32)), given], mode="nearest", nearest_mode="floor",
                      coordinate_transformation_mode="asymmetric")  # fmt: skip

    data = RNG.standard_normal((3, 4, 6, 5), np.float32)
    net = fastcnn.onnx.load(model(case, opset))
    inner = fastcnn.onnx.load(model(lambda b, x: b.node("Identity", [x]), opset)).predict_on_batch(data)
    assert np.array_equal(net.predict_on_batch(data), inner.repeat(2, 2).repeat(3, 3))


def test_networks_with_channels_last() -> None:
    """What other exporters write: images with channels last, and a transposition on both sides of a convolution."""
    b = Builder(13)
    x = b.relu(b.conv(b.node("Transpose", ["x"], perm=[0, 3, 1, 2]), 3, 4, 3))
    x = b.node("Transpose", [x], perm=[0, 2, 3, 1])
    x = b.node("Add", [x, b.floats(4)])
    x = b.node("Transpose", [b.conv(b.node("Transpose", [x], perm=[0, 3, 1, 2]), 4, 2, 1)], perm=[0, 2, 3, 1])
    proto = b.model(["n", 7, 8, 3], [x])
    net, _ = compare(proto, RNG.standard_normal((2, 7, 8, 3), np.float32))
    assert not [s for s in net.plan(2).steps if s.kernel in ("strided_copy", "permute")]


def test_convolution_over_one_axis() -> None:
    b = Builder()
    x = b.node("Conv", ["x", b.floats(5, 3, 3), b.floats(5)], pads=[1, 1])
    x = b.node("Conv", [b.norm(b.relu(x), 5), b.floats(4, 5, 2)], strides=[2], dilations=[2])
    x = b.node("AveragePool", [b.node("MaxPool", [x], kernel_shape=[2])], kernel_shape=[2], strides=[2])
    for length in (12, "length"):
        proto = b.model(["n", 3, length], [x])
        net, _ = compare(proto, RNG.standard_normal((2, 3, 12), np.float32))
        steps = net.plan(input_shapes=[(2, 3, 12)]).steps
        assert not [s for s in steps if s.kernel.startswith("host")]


def test_pooling_over_one_axis() -> None:
    """With pads, dilation, and lengths that end within a window."""
    b = Builder(22)
    x = b.node("MaxPool", ["x"], kernel_shape=[3], strides=[2], pads=[1, 1])
    x = b.node("AveragePool", [x], kernel_shape=[3], pads=[1, 1], count_include_pad=1)
    x = b.node("MaxPool", [x], kernel_shape=[2], dilations=[3], pads=[0, 1])
    x = b.node("AveragePool", [x], kernel_shape=[2], strides=[2], ceil_mode=1)
    for sizes in (("n", 4, 23), ("n", 4, "length")):
        net, _ = compare(b.model(sizes, [x]), RNG.standard_normal((2, 4, 23), np.float32))
        steps = net.plan(input_shapes=[(2, 4, 23)]).steps
        assert not [s for s in steps if s.kernel.startswith("host")]


@pytest.mark.parametrize("shape", [(5, 4, 3, 2), (5, 2, 3, 2), (4, 1, 1, 2)], ids=["whole", "in groups", "depthwise"])
def test_weights_that_are_inputs(shape: tuple[int, ...]) -> None:
    """On kernels, as fixed ones are."""
    rows = shape if 4 % shape[0] == 0 or shape[1] == 4 else (6, *shape[1:])
    conv = helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 0, 1, 2], strides=[2, 1], group=4 // shape[1])
    nodes = [conv, helper.make_node("Relu", ["c"], ["r"]), helper.make_node("Flatten", ["r"], ["f"]),
             helper.make_node("Gemm", ["f", "m", "d"], ["y"], alpha=0.5, beta=2.0, transB=1)]  # fmt: skip
    data = {"x": (3, 4, 6, 5), "w": rows, "b": rows[:1]}
    out = [3, rows[0], (8 - shape[2]) // 2 + 1, 8 - shape[3]]
    data |= {"m": (7, int(np.prod(out[1:]))), "d": (7,)}
    arrays = {name: RNG.standard_normal(size, np.float32) for name, size in data.items()}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in data.items()]
    results = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 7])]
    graph = helper.make_graph(nodes, "g", inputs, results)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    net = fastcnn.onnx.load(proto)
    np.testing.assert_allclose(net.predict_on_batch(arrays), expected(proto, arrays)[0], rtol=1e-4, atol=1e-4)
    assert not [s for s in net.plan().steps if s.kernel.startswith("host")]


def test_convolution_over_three_axes() -> None:
    b = Builder()
    compare(b.model(["n", 2, 4, 5, 6], [b.relu(b.node("Conv", ["x", b.floats(3, 2, 3, 3, 3)], pads=[1] * 6))]),
            RNG.standard_normal((2, 2, 4, 5, 6), np.float32))  # fmt: skip


def test_several_inputs_and_outputs() -> None:
    names = ["image", "scale"]
    b = Builder()
    x = b.conv("image", 3, 4, 3)
    nodes = [
        *b.nodes,
        helper.make_node("Mul", [x, "scale"], ["scaled"]),
        helper.make_node("Relu", ["scaled"], ["/out/first"]),
        helper.make_node("Identity", ["/out/first"], ["second"]),
        helper.make_node("Identity", ["image"], ["third"]),
        helper.make_node("Constant", [], ["fourth"], value_floats=[1.0, 2.0]),
    ]
    shapes = (["n", 3, 6, 6], ["n", 1, 1, 1])
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(names, shapes)]
    outputs = [helper.make_empty_tensor_value_info(n) for n in ("/out/first", "second", "third", "fourth", x)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, b.stored)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    net = fastcnn.onnx.load(proto)
    assert net.input_names == names
    assert net.output_names == ["_out_first", "second", "third", "fourth", x]
    data = {"image": RNG.standard_normal((2, 3, 6, 6), np.float32), "scale": np.full((2, 1, 1, 1), 2, np.float32)}
    wanted = expected(proto, data)
    for form in (data, list(data.values())):
        for found, right in zip(net.predict_on_batch(form), wanted):
            np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5)
    last = fastcnn.onnx.load(proto, layout="NHWC")
    found = last.predict_on_batch({k: v.transpose(0, 2, 3, 1) for k, v in data.items()})
    np.testing.assert_allclose(found[0], wanted[0].transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[2], data["image"].transpose(0, 2, 3, 1))


def test_other_types() -> None:
    """Integers enter as they are; the embedding's rows go on as numbers."""
    b = Builder()
    table = b.floats(10, 4)
    rows = b.node("MatMul", [b.node("Gather", [table, "x"]), b.floats(4, 3)])
    proto = b.model(["n", 5], [b.relu(rows)], TensorProto.INT64)
    compare(proto, RNG.integers(0, 10, (3, 5)))


def test_operators_that_say_how_many_when_they_run() -> None:
    """The rows that are not 0: sizes that no file can know."""
    b = Builder()
    x = b.relu(b.conv("x", 4, 4, 1, bias=True))
    places = b.node("Transpose", [b.node("NonZero", [x])], perm=[1, 0])
    proto = b.model([2, 4, 3, 3], [b.node("Mul", [b.node("Cast", [places], to=TensorProto.FLOAT), b.floats(4)])])
    for _ in range(3):
        compare(proto, RNG.standard_normal((2, 4, 3, 3), np.float32))


def test_shapes_of_inputs() -> None:
    proto = model(node("Relu"), sizes=(7, 4, 6, 5))
    assert fastcnn.onnx.load(proto).input_shape == (7, 4, 6, 5)
    for given in ([(None, 4, None, 9)], (None, 4, None, 9), {"x": (None, 4, None, 9)}):
        net = fastcnn.onnx.load(proto, input_shapes=given)
        assert net.input_shape == (None, 4, None, 9)
        assert net.predict(np.zeros((3, 4, 2, 9)), verbose=0).shape == (3, 4, 2, 9)
    with pytest.raises(ValueError, match=r"must have shape \(7, 4, 6, 5\) for layer 'x', received \(3, 4, 6, 5\)"):
        fastcnn.onnx.load(proto).predict(np.zeros((3, 4, 6, 5)))
    with pytest.raises(ValueError, match="input_shapes must have a shape for each"):
        fastcnn.onnx.load(proto, input_shapes=[(1,), (2,)])


def test_nothing_is_on_the_host_where_the_graph_can_say_it() -> None:
    """Described when the file is read, not only when a plan is made: such layers train."""
    for name in (
        set(CASES) - ON_HOST - {"reshape over samples", "flatten further", "transpose all", "expand", "other rows"}
    ):
        net = fastcnn.onnx.load(model(CASES[name], 22 if name in NEWER else 17))
        assert not [n for n in topological(net.outputs) if n.op.name == "host"], name

"""Networks as ONNX files, written node by node as PyTorch's exporter does: what the reader's tests read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """Writes a graph; methods give the name of what they made."""

    def __init__(self, opset: int = 17, seed: int = 0) -> None:
        self.opset, self.rng = opset, np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.stored: list[Any] = []

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
        names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"/{op}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def array(self, array: Any, name: str = "") -> str:
        name = name or f"array_{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def floats(self, *shape: int, scale: float = 1.0, shift: float = 0.0) -> str:
        return self.array((self.rng.standard_normal(shape) * scale + shift).astype(np.float32))

    def conv(self, x: str, i: int, o: int, k: int, s: int = 1, p: int = 0, groups: int = 1, bias: bool = False) -> str:
        w = self.floats(o, i // groups, k, k, scale=(2 / (i // groups * k * k)) ** 0.5)
        more = [self.floats(o, scale=0.1)] if bias else []
        return self.node("Conv", [x, w, *more], kernel_shape=[k, k], strides=[s, s], pads=[p] * 4, group=groups)

    def norm(self, x: str, c: int) -> str:
        gamma, beta, mean = self.floats(c, scale=0.1, shift=1), self.floats(c, scale=0.1), self.floats(c, scale=0.1)
        variance = self.array(self.rng.uniform(0.5, 1.5, c).astype(np.float32))
        return self.node("BatchNormalization", [x, gamma, beta, mean, variance], epsilon=1e-5)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def conv_norm(self, x: str, i: int, o: int, k: int, s: int = 1, p: int = 0, groups: int = 1) -> str:
        return self.norm(self.conv(x, i, o, k, s, p, groups), o)

    def relu6(self, x: str) -> str:
        return self.node("Clip", [x, self.array(np.float32(0)), self.array(np.float32(6))])

    def dense(self, x: str, i: int, o: int) -> str:
        return self.node("Gemm", [x, self.floats(o, i, scale=i**-0.5), self.floats(o, scale=0.1)], transB=1)

    def model(self, x: Sequence[Any], outputs: Sequence[str], dtype: int = TensorProto.FLOAT) -> onnx.ModelProto:
        """The model of one input "x" of this shape, and these results."""
        values = [helper.make_tensor_value_info("x", dtype, list(x))]
        results = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", values, results, self.stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model)


def resnet(counts: Sequence[int], bottleneck: bool, batch: Any = "n", size: int = 224) -> onnx.ModelProto:
    """ResNet-18 is [2, 2, 2, 2], ResNet-50 [3, 4, 6, 3] with bottlenecks (He et al. 2015)."""
    b = Builder()
    x = b.node("MaxPool", [b.relu(b.conv_norm("x", 3, 64, 7, 2, 3))], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    i = 64
    for stage, count in enumerate(counts):
        width = 64 << stage
        o = width * 4 if bottleneck else width
        for block in range(count):
            s = 2 if stage and not block else 1
            if bottleneck:
                y = b.relu(b.conv_norm(x, i, width, 1))
                y = b.conv_norm(b.relu(b.conv_norm(y, width, width, 3, s, 1)), width, o, 1)
            else:
                y = b.conv_norm(b.relu(b.conv_norm(x, i, width, 3, s, 1)), width, o, 3, 1, 1)
            x = b.relu(b.node("Add", [y, x if s == 1 and i == o else b.conv_norm(x, i, o, 1, s)]))
            i = o
    x = b.node("Flatten", [b.node("GlobalAveragePool", [x])], axis=1)
    return b.model([batch, 3, size, size], [b.dense(x, i, 1000)])


def mobilenet_v2(batch: Any = "n", size: int = 224) -> onnx.ModelProto:
    """MobileNetV2 (Sandler et al. 2018), its head as older exporters write it."""
    b = Builder(12)
    x, i = b.relu6(b.conv_norm("x", 3, 32, 3, 2, 1)), 32
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for t, c, n, s in stages:
        for k in range(n):
            y = b.relu6(b.conv_norm(x, i, i * t, 1)) if t > 1 else x
            y = b.relu6(b.conv_norm(y, i * t, i * t, 3, s if k == 0 else 1, 1, groups=i * t))
            y = b.conv_norm(y, i * t, c, 1)
            x = b.node("Add", [x, y]) if k else y
            i = c
    x = b.relu6(b.conv_norm(x, i, 1280, 1))
    x = b.node("ReduceMean", [x], axes=[2, 3], keepdims=0)
    return b.model([batch, 3, size, size], [b.dense(x, 1280, 1000)])


def vgg16(batch: Any = "n", size: int = 224, hidden: int = 4096) -> onnx.ModelProto:
    """VGG-16 (Simonyan and Zisserman 2014); the flattened image by a reshape that keeps the number of samples open."""
    b = Builder(13)
    x, i = "x", 3
    for c, n in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(n):
            x, i = b.relu(b.conv(x, i, c, 3, 1, 1, bias=True)), c
        x = b.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    samples = b.node("Gather", [b.node("Shape", [x]), b.array(np.int64(0))], axis=0)
    samples = b.node("Unsqueeze", [samples, b.array(np.int64([0]))])
    x = b.node("Reshape", [x, b.node("Concat", [samples, b.array(np.int64([-1]))], axis=0)])
    x = b.relu(b.dense(x, 512 * (size // 32) ** 2, hidden))
    x = b.node("Dropout", [b.relu(b.dense(x, hidden, hidden))])
    return b.model([batch, 3, size, size], [b.node("Softmax", [b.dense(x, hidden, 1000)], axis=-1)])

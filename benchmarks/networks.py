"""Known networks, each described once and built in fastcnn, in PyTorch and as ONNX, with the same weights.

A `Network` is a list of steps with their weights as NumPy arrays: kernels (height, width, channels in / groups,
channels out), as fastcnn has them. `folded` puts batch normalization into the convolutions before it, as whoever
deploys a network does.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn import layers
from fastcnn.models import Model

#: Of every batch normalization, on all sides.
EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation: "conv", "norm", "relu", "relu6", "add", "max_pool", "mean", "flatten" or "dense".

    `inputs` are the numbers of the steps before (-1: the image), `weights` those of a convolution (kernel[, bias]), a
    normalization (gamma, beta, mean, variance) or a dense layer (kernel, bias).
    """

    op: str
    inputs: tuple[int, ...]
    weights: tuple[np.ndarray, ...] = ()
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1


class Network:
    """A network for images of `size` x `size` pixels, put together step by step; each method gives its step's number.

    Parameters
    ----------
    classes : int
        Width of the last dense layer.
    """

    def __init__(self, name: str, size: int, channels: int = 3) -> None:
        self.name, self.size, self.channels = name, size, channels
        self.steps: list[Step] = []
        self._widths: dict[int, int] = {-1: channels}
        self._rng = np.random.default_rng(0)

    def add(self, step: Step, width: int) -> int:
        self.steps.append(step)
        self._widths[len(self.steps) - 1] = width
        return len(self.steps) - 1

    def conv(
        self, x: int, filters: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False, pad: bool = True
    ) -> int:
        """A convolution with padding of half the kernel; normally distributed weights (He et al. 2015)."""
        terms = kernel * kernel * self._widths[x] // groups
        shape = (kernel, kernel, self._widths[x] // groups, filters)
        weights = [self._rng.standard_normal(shape, np.float32) * np.float32((2 / terms) ** 0.5)]
        if bias:
            weights.append(self._rng.standard_normal(filters, np.float32) * np.float32(0.1))
        padding = kernel // 2 if pad else 0
        return self.add(Step("conv", (x,), tuple(weights), kernel, stride, padding, groups), filters)

    def norm(self, x: int, scale: float = 1.0) -> int:
        width = self._widths[x]
        gamma, variance = (self._rng.uniform(0.8, 1.2, width).astype(np.float32) for _ in range(2))
        beta, mean = (self._rng.standard_normal(width, np.float32) * np.float32(0.1) for _ in range(2))
        return self.add(Step("norm", (x,), (gamma * np.float32(scale), beta, mean, variance)), width)

    def act(self, x: int, kind: str = "relu") -> int:
        return self.add(Step(kind, (x,)), self._widths[x])

    def sum(self, x: int, y: int) -> int:
        return self.add(Step("add", (x, y)), self._widths[x])

    def max_pool(self, x: int, window: int, stride: int, padding: int = 0) -> int:
        return self.add(Step("max_pool", (x,), kernel=window, stride=stride, padding=padding), self._widths[x])

    def mean(self, x: int) -> int:
        return self.add(Step("mean", (x,)), self._widths[x])

    def flatten(self, x: int, pixels: int) -> int:
        return self.add(Step("flatten", (x,)), self._widths[x] * pixels)

    def dense(self, x: int, units: int) -> int:
        terms = self._widths[x]
        kernel = self._rng.standard_normal((terms, units), np.float32) * np.float32(terms**-0.5)
        return self.add(Step("dense", (x,), (kernel, self._rng.standard_normal(units, np.float32))), units)

    def normed(self, x: int, filters: int, kernel: int, stride: int = 1, groups: int = 1, act: str = "relu") -> int:
        """Convolution, normalization, activation."""
        return self.act(self.norm(self.conv(x, filters, kernel, stride, groups)), act)

    def folded(self) -> Network:
        """The same function with every normalization put into the convolution before it."""
        made = Network(self.name, self.size, self.channels)
        places = {-1: -1}
        for number, step in enumerate(self.steps):
            inputs = tuple(places[i] for i in step.inputs)
            before = made.steps[inputs[0]] if inputs[0] >= 0 else None
            if step.op == "norm" and before is not None and before.op == "conv":
                gamma, beta, mean, variance = step.weights
                scale = gamma / np.sqrt(variance + np.float32(EPSILON))
                bias = before.weights[1] if len(before.weights) > 1 else np.float32(0)
                weights = (before.weights[0] * scale, (bias - mean) * scale + beta)
                made.steps[inputs[0]] = dataclasses.replace(before, weights=weights)
                places[number] = inputs[0]
            else:
                places[number] = made.add(dataclasses.replace(step, inputs=inputs), self._widths[number])
        return made


# ---------------------------------------------------------------- the networks


def classic_cnn(size: int = 28) -> Network:
    """That of the textbooks, for Fashion-MNIST."""
    net = Network("classic-cnn", size, channels=1)
    x = -1
    for filters in (32, 64):
        x = net.max_pool(net.act(net.conv(x, filters, 3, bias=True, pad=False)), 2, 2)
    x = net.act(net.conv(x, 64, 3, bias=True, pad=False))
    x = net.flatten(x, (((size - 2) // 2 - 2) // 2 - 2) ** 2)
    net.dense(net.act(net.dense(x, 64)), 10)
    return net


def vgg16(size: int = 224, head: bool = True) -> Network:
    """Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014: D."""
    net = Network("vgg16" if head else "vgg16-no-head", size)
    x = -1
    for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = net.act(net.conv(x, filters, 3, bias=True))
        x = net.max_pool(x, 2, 2)
    if head:
        x = net.flatten(x, (size // 32) ** 2)
        for units in (4096, 4096):
            x = net.act(net.dense(x, units))
        net.dense(x, 1000)
    return net


def _stem(net: Network) -> int:
    return net.max_pool(net.normed(-1, 64, 7, 2), 3, 2, 1)


def _basic(net: Network, x: int, filters: int, stride: int, project: bool) -> int:
    short = net.norm(net.conv(x, filters, 1, stride)) if project else x
    y = net.norm(net.conv(net.normed(x, filters, 3, stride), filters, 3), 0.3)
    return net.act(net.sum(y, short))


def resnet18(size: int = 224) -> Network:
    """He et al., "Deep residual learning for image recognition", 2015."""
    net = Network("resnet18", size)
    x = _stem(net)
    for stage, filters in enumerate((64, 128, 256, 512)):
        for block in range(2):
            first = block == 0 and stage > 0
            x = _basic(net, x, filters, 2 if first else 1, first)
    net.dense(net.mean(x), 1000)
    return net


def resnet50(size: int = 224) -> Network:
    """The same paper's bottlenecks, with the stride in the 3x3 convolution, as everyone has them now."""
    net = Network("resnet50", size)
    x = _stem(net)
    for stage, (filters, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(count):
            stride = 2 if block == 0 and stage > 0 else 1
            short = net.norm(net.conv(x, 4 * filters, 1, stride)) if block == 0 else x
            y = net.normed(net.normed(x, filters, 1), filters, 3, stride)
            x = net.act(net.sum(net.norm(net.conv(y, 4 * filters, 1), 0.3), short))
    net.dense(net.mean(x), 1000)
    return net


def mobilenet_v2(size: int = 224) -> Network:
    """Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018."""
    net = Network("mobilenet_v2", size)
    x, width = net.normed(-1, 32, 3, 2, act="relu6"), 32
    for expand, filters, count, first in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for block in range(count):
            stride, inner = first if block == 0 else 1, width * expand
            y = net.normed(x, inner, 1, act="relu6") if expand > 1 else x
            y = net.normed(y, inner, 3, stride, inner, "relu6")
            y = net.norm(net.conv(y, filters, 1), 0.5)
            x = net.sum(y, x) if stride == 1 and width == filters else y
            width = filters
    net.dense(net.mean(net.normed(x, 1280, 1, act="relu6")), 1000)
    return net


def resnet20(size: int = 32) -> Network:
    """ResNet-20 for CIFAR-10, section 4.2 of the paper, with projections where sizes change."""
    net = Network("resnet20-cifar", size)
    x = net.normed(-1, 16, 3)
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            first = block == 0 and stage > 0
            x = _basic(net, x, filters, 2 if first else 1, first)
    net.dense(net.mean(x), 10)
    return net


#: Each takes the size of the images, and without one makes the network as it is known.
NETWORKS: dict[str, Callable[..., Network]] = {
    "vgg16": vgg16,
    "vgg16-no-head": functools.partial(vgg16, head=False),
    "resnet18": resnet18,
    "resnet50": resnet50,
    "mobilenet_v2": mobilenet_v2,
    "resnet20-cifar": resnet20,
    "classic-cnn": classic_cnn,
}
#: The others are for small pictures.
LARGE = [name for name in NETWORKS if name not in ("resnet20-cifar", "classic-cnn")]


# ---------------------------------------------------------------- in fastcnn


def to_fastcnn(net: Network) -> Model:
    """The network from fastcnn's layers, as one writes it."""
    image = layers.Input((net.size, net.size, net.channels))
    values: dict[int, Any] = {-1: image}
    for number, step in enumerate(net.steps):
        inputs = [values[i] for i in step.inputs]
        layer = _layer(step)
        values[number] = layer(inputs if len(inputs) > 1 else inputs[0])
        if step.weights:
            layer.set_weights(
                [_as_depthwise(step)]
                if _is_depthwise(step) and len(step.weights) == 1
                else [_as_depthwise(step), step.weights[1]]
                if _is_depthwise(step)
                else list(step.weights)
            )
    return Model(image, values[len(net.steps) - 1], name=net.name)


def _is_depthwise(step: Step) -> bool:
    return step.op == "conv" and step.groups > 1 and step.weights[0].shape[2] == 1


def _as_depthwise(step: Step) -> np.ndarray:
    return step.weights[0].transpose(0, 1, 3, 2)


def _layer(step: Step) -> layers.Layer:
    how: dict[str, Any] = {"strides": step.stride, "padding": step.padding}
    if step.op == "conv":
        how["use_bias"] = len(step.weights) > 1
        if _is_depthwise(step):
            return layers.DepthwiseConv2D(step.kernel, depthwise_initializer="zeros", **how)
        filters = step.weights[0].shape[3]
        return layers.Conv2D(filters, step.kernel, groups=step.groups, kernel_initializer="zeros", **how)
    if step.op == "norm":
        return layers.BatchNormalization(epsilon=EPSILON, momentum=0.9)
    if step.op == "dense":
        return layers.Dense(step.weights[0].shape[1], kernel_initializer="zeros")
    if step.op == "max_pool":
        return layers.MaxPooling2D(step.kernel, **how)
    simple: dict[str, Callable[[], layers.Layer]] = {
        "relu": layers.ReLU, "relu6": lambda: layers.ReLU(6), "add": layers.Add,
        "mean": layers.GlobalAveragePooling2D, "flatten": layers.Flatten,
    }  # fmt: skip
    return simple[step.op]()


# ---------------------------------------------------------------- in NCHW, for the others


def _nchw(net: Network) -> list[tuple[np.ndarray, ...]]:
    """Weights of each step for NCHW: kernels OIHW, dense kernels (out, in), in the order of what was flattened."""
    found = []
    for step in net.steps:
        weights = step.weights
        if step.op == "conv":
            weights = (np.ascontiguousarray(weights[0].transpose(3, 2, 0, 1)), *weights[1:])
        elif step.op == "dense":
            kernel, source = weights[0], net.steps[step.inputs[0]]
            if source.op == "flatten":
                channels = _channels(net, source.inputs[0])
                side = round((len(kernel) // channels) ** 0.5)
                kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
            weights = (np.ascontiguousarray(kernel.T), weights[1])
        found.append(weights)
    return found


def _channels(net: Network, number: int) -> int:
    while net.steps[number].op != "conv":
        number = net.steps[number].inputs[0]
    return net.steps[number].weights[0].shape[3]


def to_torch(net: Network) -> Any:
    """The network as a module of PyTorch, in PyTorch's default layout, in training mode."""
    import torch
    from torch import nn

    def module(step: Step, weights: tuple[np.ndarray, ...]) -> Any:
        if step.op == "conv":
            out, per_group = weights[0].shape[:2]
            made = nn.Conv2d(per_group * step.groups, out, step.kernel, step.stride, step.padding, groups=step.groups,
                             bias=len(weights) > 1)  # fmt: skip
        elif step.op == "norm":
            made = nn.BatchNorm2d(len(weights[0]), EPSILON, 0.1)
            made.running_mean.copy_(torch.from_numpy(weights[2]))
            made.running_var.copy_(torch.from_numpy(weights[3]))
        elif step.op == "dense":
            made = nn.Linear(weights[0].shape[1], weights[0].shape[0])
        elif step.op == "max_pool":
            return nn.MaxPool2d(step.kernel, step.stride, step.padding)
        elif step.op == "mean":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        else:
            return {"relu": nn.ReLU(inplace=True), "relu6": nn.ReLU6(inplace=True), "flatten": nn.Flatten()}[step.op]
        with torch.no_grad():
            for parameter, value in zip(made.parameters(), weights):
                parameter.copy_(torch.from_numpy(value))
        return made

    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            made = {str(i): module(s, w) for i, (s, w) in enumerate(zip(net.steps, _nchw(net))) if s.op != "add"}
            self.parts = nn.ModuleDict(made)
            self.inputs = [s.inputs for s in net.steps]
            last = {i: number for number, inputs in enumerate(self.inputs) for i in inputs}
            self.done = [[i for i in inputs if last[i] == number] for number, inputs in enumerate(self.inputs)]
            self.order = [self.parts[str(i)] if s.op != "add" else None for i, s in enumerate(net.steps)]

        def forward(self, image: Any) -> Any:
            values = {-1: image}
            for number, (part, inputs) in enumerate(zip(self.order, self.inputs)):
                values[number] = values[inputs[0]] + values[inputs[1]] if part is None else part(values[inputs[0]])
                for i in self.done[number]:
                    values.pop(i, None)
            return values[len(self.order) - 1]

    return Steps()


def to_onnx(net: Network) -> bytes:
    """The network as an ONNX model (opset 17): input "x" (n, channels, height, width), output "y"."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, tensors = [], []
    for number, (step, weights) in enumerate(zip(net.steps, _nchw(net))):
        names = [f"w{number}_{i}" for i in range(len(weights))]
        tensors += [numpy_helper.from_array(value, name) for value, name in zip(weights, names)]
        inputs = [_onnx_name(i, net) for i in step.inputs] + names
        windows = {"kernel_shape": [step.kernel] * 2, "strides": [step.stride] * 2, "pads": [step.padding] * 4}
        out = _onnx_name(number, net)
        kinds: dict[str, tuple[str, dict[str, Any]]] = {
            "conv": ("Conv", {**windows, "group": step.groups}),
            "norm": ("BatchNormalization", {"epsilon": EPSILON}),
            "relu": ("Relu", {}),
            "add": ("Add", {}),
            "max_pool": ("MaxPool", windows),
            "flatten": ("Flatten", {}),
            "dense": ("Gemm", {"transB": 1}),
        }
        if step.op == "mean":
            nodes.append(helper.make_node("GlobalAveragePool", inputs, [f"{out}_image"]))
            nodes.append(helper.make_node("Flatten", [f"{out}_image"], [out]))
        elif step.op == "relu6":
            tensors += [numpy_helper.from_array(np.float32(v), f"{out}_{v}") for v in (0, 6)]
            nodes.append(helper.make_node("Clip", [*inputs, f"{out}_0", f"{out}_6"], [out]))
        else:
            kind, attributes = kinds[step.op]
            nodes.append(helper.make_node(kind, inputs, [out], **attributes))
    shape = ["n", net.channels, net.size, net.size]
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, net.name, [source], [result], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def _onnx_name(number: int, net: Network) -> str:
    return "x" if number < 0 else "y" if number == len(net.steps) - 1 else f"v{number}"

"""Known networks, those of `fastcnn.applications`, built in fastcnn, in PyTorch and as ONNX, with the same weights.

A `Network` is a list of a model's steps with their weights as NumPy arrays: kernels (height, width, channels in /
groups, channels out), as fastcnn has them. `folded` puts batch normalization into the convolutions before it, as
whoever deploys a network does.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastcnn import activations, applications, layers
from fastcnn.layers.base import weight_budget
from fastcnn.models import Model, Sequential


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation: "conv", "norm", "relu", "relu6", "add", "concat", "max_pool", "mean", "flatten" or "dense".

    `inputs` are the numbers of the steps before (-1: the image), `weights` those of a convolution (kernel[, bias]), a
    normalization (gamma, beta, mean, variance) or a dense layer (kernel, bias). `padding` is that before and behind
    rows and columns alike.
    """

    op: str
    inputs: tuple[int, ...] = ()
    weights: tuple[np.ndarray, ...] = ()
    kernel: int = 1
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    epsilon: float = 0.0


class Network:
    """A network for images of `size` x `size` pixels, as steps; `add` gives a step's number."""

    def __init__(self, name: str, size: int, channels: int = 3) -> None:
        self.name, self.size, self.channels = name, size, channels
        self.steps: list[Step] = []

    def add(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def folded(self) -> Network:
        """The same function with every normalization put into the convolution before it."""
        made = Network(self.name, self.size, self.channels)
        places = {-1: -1}
        for number, step in enumerate(self.steps):
            inputs = tuple(places[i] for i in step.inputs)
            before = made.steps[inputs[0]] if inputs[0] >= 0 else None
            if step.op == "norm" and before is not None and before.op == "conv":
                gamma, beta, mean, variance = step.weights
                scale = gamma / np.sqrt(variance + np.float32(step.epsilon))
                bias = before.weights[1] if len(before.weights) > 1 else np.float32(0)
                weights = (before.weights[0] * scale, (bias - mean) * scale + beta)
                made.steps[inputs[0]] = dataclasses.replace(before, weights=weights)
                places[number] = inputs[0]
            else:
                places[number] = made.add(dataclasses.replace(step, inputs=inputs))
        return made


# ---------------------------------------------------------------- the networks


def from_model(name: str, model: Model) -> Network:
    """The steps of a model's prediction, with weights drawn at random such that activations keep their size."""
    _, height, width, channels = model.input_shape
    assert height == width
    net, rng = Network(name, height, channels), np.random.default_rng(0)
    # The last normalizations of residual branches are small, or sums would grow from block to block.
    small = {id(call.inputs[0]) for call in model.network if isinstance(call.layer, layers.Add)}
    places: dict[int, int] = {}
    for call in model.network:
        if isinstance(call.layer, layers.InputLayer):
            places[id(call.outputs[0])] = -1
            continue
        inputs = tuple(places[id(value)] for value in call.inputs)
        number = inputs[0]
        for step in _steps(call.layer, rng, 0.3 if id(call.outputs[0]) in small else 1.0):
            number = net.add(dataclasses.replace(step, inputs=inputs))
            inputs = (number,)  # of the activation behind
        places[id(call.outputs[0])] = number
    return net


def _steps(layer: Any, rng: np.random.Generator, scale: float) -> Iterator[Step]:
    """What a layer does, its activation in a step of its own; dropout does nothing in predictions."""
    weights = tuple(_drawn(layer, variable, rng, scale) for variable in layer.weights)
    if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
        if isinstance(layer, layers.DepthwiseConv2D):
            groups = weights[0].shape[2]
            weights = (weights[0].transpose(0, 1, 3, 2), *weights[1:])
        else:
            groups = layer.groups
        yield Step("conv", (), weights, layer.kernel_size[0], layer.strides[0],
                   _sides(layer, layer.kernel_size[0]), groups)  # fmt: skip
    elif isinstance(layer, layers.BatchNormalization):
        yield Step("norm", (), weights, epsilon=layer.epsilon)
    elif isinstance(layer, layers.MaxPooling2D):
        yield Step("max_pool", (), (), layer.pool_size[0], layer.strides[0], _sides(layer, layer.pool_size[0]))
    elif isinstance(layer, layers.ReLU):
        yield Step("relu" if layer.max_value is None else "relu6")
    elif not isinstance(layer, (layers.Dropout, layers.Activation)):
        kinds = {layers.Add: "add", layers.Concatenate: "concat", layers.GlobalAveragePooling2D: "mean",
                 layers.Flatten: "flatten", layers.Dense: "dense"}  # fmt: skip
        yield Step(kinds[type(layer)], (), weights)
    if getattr(layer, "activation", None) not in (None, activations.linear):
        assert layer.activation is activations.relu
        yield Step("relu")


def _sides(layer: Any, window: int) -> tuple[int, int]:
    """What is padded before and behind, of rows and columns alike."""
    if layer.padding == "valid":
        return 0, 0
    if layer.padding == "same":
        size, stride = layer.calls[0].inputs[0].shape[1], layer.strides[0]
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        return total // 2, total - total // 2
    rows, columns = (tuple(side) for side in layer.padding)
    assert rows == columns
    return rows


def _drawn(layer: Any, variable: Any, rng: np.random.Generator, scale: float) -> np.ndarray:
    """Kernels by He et al. (2015), statistics and all else around what they start with."""
    shape, name = variable.shape, variable.name
    if name == "kernel":
        terms = math.prod(shape[:2]) if isinstance(layer, layers.DepthwiseConv2D) else math.prod(shape[:-1])
        gain = 1 if isinstance(layer, layers.Dense) else 2
        return rng.standard_normal(shape, np.float32) * np.float32((gain / terms) ** 0.5)
    if name in ("gamma", "moving_variance"):
        drawn = rng.uniform(0.8, 1.2, shape).astype(np.float32)
        return drawn * np.float32(scale) if name == "gamma" else drawn
    return rng.standard_normal(shape, np.float32) * np.float32(0.1)


def _application(name: str, make: Callable[..., Model], size: int, **how: Any) -> Callable[..., Network]:
    def network(size: int = size) -> Network:
        with weight_budget(1 << 62):  # zeros: the weights are drawn here
            return from_model(name, make(input_shape=(size, size, 3), **how))

    return network


def classic_cnn(size: int = 28) -> Network:
    """That of the textbooks, for Fashion-MNIST."""
    model = Sequential([layers.Input((size, size, 1))])
    for filters in (32, 64):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(64, 3, activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(10))
    return from_model("classic-cnn", model)


_LOGITS = {"classifier_activation": None}
#: Each takes the size of the images, and without one makes the network as it is known.
NETWORKS: dict[str, Callable[..., Network]] = {
    "vgg16": _application("vgg16", applications.VGG16, 224, **_LOGITS),
    "vgg16-no-head": _application("vgg16-no-head", applications.VGG16, 224, include_top=False),
    "resnet18": _application("resnet18", applications.ResNet18, 224, **_LOGITS),
    "resnet50": _application("resnet50", applications.ResNet50, 224, **_LOGITS),
    "mobilenet_v2": _application("mobilenet_v2", applications.MobileNetV2, 224, **_LOGITS),
    "squeezenet": _application("squeezenet", applications.SqueezeNet, 224, **_LOGITS),
    "efficientnet_lite0": _application("efficientnet_lite0", applications.EfficientNetLite0, 224, **_LOGITS),
    "resnet20-cifar": _application("resnet20-cifar", applications.ResNet20, 32, **_LOGITS),
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
    how: dict[str, Any] = {"strides": step.stride, "padding": (step.padding, step.padding)}
    if step.op == "conv":
        how["use_bias"] = len(step.weights) > 1
        if _is_depthwise(step):
            return layers.DepthwiseConv2D(step.kernel, depthwise_initializer="zeros", **how)
        filters = step.weights[0].shape[3]
        return layers.Conv2D(filters, step.kernel, groups=step.groups, kernel_initializer="zeros", **how)
    if step.op == "norm":
        return layers.BatchNormalization(epsilon=step.epsilon, momentum=0.9)
    if step.op == "dense":
        return layers.Dense(step.weights[0].shape[1], kernel_initializer="zeros")
    if step.op == "max_pool":
        return layers.MaxPooling2D(step.kernel, **how)
    simple: dict[str, Callable[[], layers.Layer]] = {
        "relu": layers.ReLU, "relu6": lambda: layers.ReLU(6), "add": layers.Add, "concat": layers.Concatenate,
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
            before, after = step.padding
            made = nn.Conv2d(per_group * step.groups, out, step.kernel, step.stride, before if before == after else 0,
                             groups=step.groups, bias=len(weights) > 1)  # fmt: skip
            if before != after:
                made = nn.Sequential(nn.ZeroPad2d((before, after) * 2), made)
        elif step.op == "norm":
            made = nn.BatchNorm2d(len(weights[0]), step.epsilon, 0.1)
            made.running_mean.copy_(torch.from_numpy(weights[2]))
            made.running_var.copy_(torch.from_numpy(weights[3]))
        elif step.op == "dense":
            made = nn.Linear(weights[0].shape[1], weights[0].shape[0])
        elif step.op == "max_pool":
            return nn.MaxPool2d(step.kernel, step.stride, step.padding[0], ceil_mode=step.padding[0] < step.padding[1])
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
            joining = {"add": torch.add, "concat": lambda *parts: torch.cat(parts, 1)}
            weights = enumerate(zip(net.steps, _nchw(net)))
            made = {str(i): module(s, w) for i, (s, w) in weights if s.op not in joining}
            self.parts = nn.ModuleDict(made)
            self.inputs = [s.inputs for s in net.steps]
            last = {i: number for number, inputs in enumerate(self.inputs) for i in inputs}
            self.done = [[i for i in inputs if last[i] == number] for number, inputs in enumerate(self.inputs)]
            self.order = [joining.get(s.op) or self.parts[str(i)] for i, s in enumerate(net.steps)]

        def forward(self, image: Any) -> Any:
            values = {-1: image}
            for number, (part, inputs) in enumerate(zip(self.order, self.inputs)):
                values[number] = part(*(values[i] for i in inputs))
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
        before, after = step.padding
        pads = [before, before, after, after]
        windows = {"kernel_shape": [step.kernel] * 2, "strides": [step.stride] * 2, "pads": pads}
        out = _onnx_name(number, net)
        kinds: dict[str, tuple[str, dict[str, Any]]] = {
            "conv": ("Conv", {**windows, "group": step.groups}),
            "norm": ("BatchNormalization", {"epsilon": step.epsilon}),
            "relu": ("Relu", {}),
            "add": ("Add", {}),
            "concat": ("Concat", {"axis": 1}),
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

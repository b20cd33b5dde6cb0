"""ResNet-18, ResNet-50, MobileNetV2 and VGG-16 as they are known, images of 224x224 pixels, beside ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from reader_networks import mobilenet_v2, resnet, vgg16

import fastcnn.onnx
from fastcnn import applications
from fastcnn.layers.base import weight_budget
from fastcnn.models import Model

ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

SIZE, BATCHES = 224, (1, 8)


class Network(NamedTuple):
    """One network: as `applications` has it, and as a file in the words of PyTorch's exporter."""

    build: Callable[..., Model]
    proto: Callable[..., Any]
    norms: int


NETWORKS = {
    "resnet18": Network(applications.ResNet18, partial(resnet, [2, 2, 2, 2], False), 20),
    "resnet50": Network(applications.ResNet50, partial(resnet, [3, 4, 6, 3], True), 53),
    "mobilenet_v2": Network(applications.MobileNetV2, mobilenet_v2, 52),
    # The whole of it, half a GiB, is written and read by the test of `applications`; here, dense layers are smaller.
    "vgg16": Network(applications.VGG16, partial(vgg16, hidden=512), 0),
}


def images() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    for batch in BATCHES:
        yield rng.standard_normal((batch, 3, SIZE, SIZE), np.float32)


def randomised(model: Model) -> Model:
    """Weights with which numbers keep their size from layer to layer, statistics that a mistake can't hide behind."""
    rng = np.random.default_rng(2)
    for layer in model.layers:
        for variable in layer.weights:
            if variable.name == "kernel":
                depthwise = type(layer).__name__ == "DepthwiseConv2D"
                terms = np.prod(variable.shape[:2] if depthwise else variable.shape[:-1])
                array = rng.standard_normal(variable.shape, np.float32) * np.float32((2 / terms) ** 0.5)
            elif variable.name in ("gamma", "moving_variance"):
                array = rng.uniform(0.5, 1.5, variable.shape)
            else:
                array = rng.normal(0, 0.1, variable.shape)
            variable.assign(array)
    return model


def check(model: Model, path: Path, last: bool) -> None:
    """The numbers of ONNX Runtime, one image at a time and several, from a plan in which nothing moves axes or
    normalizes.

    Parameters
    ----------
    last : bool
        Whether the model takes images with their channels last; the file has them first.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3  # it would report what it leaves out of the file
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for x in images():
        (wanted,) = session.run(None, {session.get_inputs()[0].name: x})
        found = model.predict_on_batch(np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if last else x)
        assert found.shape == wanted.shape
        assert np.abs(wanted).max() > 0
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()
        kernels = [step.kernel for step in model.plan(len(x)).steps if not step.once]
        assert not [k for k in kernels if k.startswith(("host", "batch_norm"))]
        # Only the border of a file with its channels first has a move of axes.
        assert kernels.count("strided_copy") == (0 if last else 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_built_by_applications(name: str, tmp_path: Path) -> None:
    """Also as they are written to a file, and as they are read from it again."""
    network, path = NETWORKS[name], tmp_path / "network.onnx"
    with weight_budget(1 << 62):  # zeros: weights are drawn here
        model = network.build(classifier_activation=None)
    randomised(model)
    assert sum(type(layer).__name__ == "BatchNormalization" for layer in model.layers) == network.norms
    fastcnn.onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)
    check(model, path, last=True)
    again = fastcnn.onnx.load(path, layout="NHWC")
    x = np.ascontiguousarray(next(images()).transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(again.predict_on_batch(x), model.predict_on_batch(x))
    path.unlink()  # up to half a GiB, which pytest would keep


@pytest.mark.parametrize("name", NETWORKS)
def test_read_from_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    proto = NETWORKS[name].proto()
    assert sum(node.op_type == "BatchNormalization" for node in proto.graph.node) == NETWORKS[name].norms
    onnx.save(proto, path)
    check(fastcnn.onnx.load(path), path, last=False)

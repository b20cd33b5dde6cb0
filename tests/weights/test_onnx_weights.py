"""Weights from ONNX files: by name, in order, and with batch normalization folded into convolutions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
pytest.importorskip("onnx.defs")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import fastcnn.onnx  # noqa: E402
from fastcnn import applications, layers, weights  # noqa: E402
from fastcnn.errors import ModelFileError  # noqa: E402
from fastcnn.models import Model, Sequential  # noqa: E402

EPSILON = 1e-5


def trained(build: Callable[..., Model] = applications.ResNet20, seed: int = 0, **how: Any) -> Model:
    """A network whose every weight says something."""
    model, rng = build(**how), np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif variable.name != "kernel":
            variable.assign(rng.normal(0, 0.1, variable.shape))
    return model


def renamed(proto: Any, rename: Callable[[str], str]) -> None:
    """Call the stored tensors something else, here and where they are used."""
    names = {tensor.name: rename(tensor.name) for tensor in proto.graph.initializer}
    for tensor in proto.graph.initializer:
        tensor.name = names[tensor.name]
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)


def without_names(proto: Any) -> None:
    """As exporters that optimize leave them."""
    numbers: dict[str, int] = {}
    renamed(proto, lambda name: f"onnx::Tensor_{numbers.setdefault(name, len(numbers))}")


def folded(proto: Any) -> None:
    """Batch normalizations put into the convolutions before them, as exporters do in evaluation mode."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    makers = {name: node for node in proto.graph.node for name in node.output}
    for node in [n for n in proto.graph.node if n.op_type == "BatchNormalization"]:
        gamma, beta, mean, variance = (stored[name] for name in node.input[1:])
        epsilon = next(a.f for a in node.attribute if a.name == "epsilon")
        conv, scale = makers[node.input[0]], gamma / np.sqrt(variance + epsilon)
        for name, array in (
            (conv.input[1], stored[conv.input[1]] * scale[:, None, None, None]),
            (f"{conv.input[1]}_bias", beta - mean * scale),
        ):
            old = next((t for t in proto.graph.initializer if t.name == name), None)
            if old is not None:
                proto.graph.initializer.remove(old)
            proto.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
        conv.input.append(f"{conv.input[1]}_bias")
        conv.output[0] = node.output[0]
        proto.graph.node.remove(node)
        for name in node.input[1:]:
            proto.graph.initializer.remove(next(t for t in proto.graph.initializer if t.name == name))


def images(count: int = 2, size: int = 32) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((count, size, size, 3)).astype(np.float32)


def written(proto: Any, path: Path) -> Path:
    path.write_bytes(proto.SerializeToString())
    return path


def as_torch(name: str) -> str:
    """What PyTorch's exporter calls a tensor that is called "layer/kernel" here."""
    layer, _, weight = name.partition("/")
    names = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
             "moving_variance": "running_var"}  # fmt: skip
    module = applications.resnet_cifar.torch_name(layer)
    return f"{module}.{names.get(weight, weight)}" if module else name


@pytest.mark.parametrize("names", ["own", "PyTorch's", "none"])
def test_as_it_was_trained(names: str, tmp_path: Path) -> None:
    model = trained()
    proto = fastcnn.onnx.to_proto(model)
    if names == "PyTorch's":
        renamed(proto, as_torch)
    elif names == "none":
        without_names(proto)
    path = written(proto, tmp_path / "net.onnx")
    again = applications.ResNet20(weights=path)
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    wanted = applications.resnet_cifar.torch_name if names == "PyTorch's" else None
    report = weights.compare(again, path, wanted)
    assert report.complete
    assert report.by == ("order" if names == "none" else "name")
    assert {m.tensor for m in report.matched} <= {t.name for t in proto.graph.initializer}
    raw = weights.read(path)
    assert set(raw) == {t.name for t in proto.graph.initializer}


@pytest.mark.parametrize("names", ["kept", "lost"])
def test_folded_batch_normalization(names: str, tmp_path: Path) -> None:
    model = trained()
    proto = fastcnn.onnx.to_proto(model)
    folded(proto)
    if names == "lost":
        without_names(proto)
    path = written(proto, tmp_path / "net.onnx")
    again = applications.ResNet20(weights=path)
    np.testing.assert_allclose(again.predict(images()), model.predict(images()), rtol=1e-4, atol=1e-6)
    report = weights.compare(again, path)
    norms = [layer.name for layer in again.layers if type(layer).__name__ == "BatchNormalization"]
    assert list(report.folded) == norms
    assert report.complete
    assert f"{len(norms)} batch normalizations folded into its convolutions" in report.summary()
    assert f"  folded:  conv1_bn (only adds {report.folded['conv1_bn']}; keep it frozen in further training)" in str(
        report
    )


def test_without_a_top(tmp_path: Path) -> None:
    model = trained(classes=7)
    path = written(fastcnn.onnx.to_proto(model), tmp_path / "net.onnx")
    body = applications.ResNet20(include_top=False, weights=path)
    np.testing.assert_array_equal(body.get_weights()[-1], model.get_weights()[-3])
    with pytest.raises(ModelFileError, match=r"net\.onnx: .* missing.*predictions/kernel .*has shape \(7, 64\)"):
        applications.ResNet20(weights=path, classes=10)


@pytest.mark.parametrize("name", ["MobileNetV2", "SqueezeNet", "EfficientNetLite0", "MobileNetV3Small"])
def test_other_networks(name: str, tmp_path: Path) -> None:
    build = getattr(applications, name)
    model = trained(build, input_shape=(64, 64, 3), classes=5)
    for change in (lambda proto: None, without_names):
        proto = fastcnn.onnx.to_proto(model)
        change(proto)
        again = build(weights=written(proto, tmp_path / "net.onnx"), input_shape=(64, 64, 3), classes=5)
        np.testing.assert_array_equal(again.predict(images(1, 64)), model.predict(images(1, 64)))


def test_flattened_images(tmp_path: Path) -> None:
    """Rows of dense layers follow the file's order of pixels: with channels first, or last behind a transposition."""
    model = Sequential([layers.Input((4, 3, 2)), layers.Conv2D(5, 1, name="conv"), layers.Flatten(),
                        layers.Dense(6, name="dense")])  # fmt: skip
    for layer in model.layers:
        layer.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in layer.get_weights()])
    other = Sequential([layers.Input((4, 3, 2)), layers.Conv2D(5, 1, name="conv"), layers.Flatten(),
                        layers.Dense(6, name="dense")])  # fmt: skip
    proto = fastcnn.onnx.to_proto(model)
    weights.load(other, written(proto, tmp_path / "first.onnx"))
    np.testing.assert_array_equal(other.get_weights()[2], model.get_weights()[2])
    kernel, bias = model.layers[-1].get_weights()
    stored = [
        numpy_helper.from_array(np.ascontiguousarray(model.get_weights()[0].transpose(3, 2, 0, 1)), "conv/kernel"),
        numpy_helper.from_array(model.get_weights()[1], "conv/bias"),
        numpy_helper.from_array(kernel, "dense/kernel"),
        numpy_helper.from_array(bias, "sum"),
        numpy_helper.from_array(np.int64([0, -1]), "shape"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "conv/kernel", "conv/bias"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("MatMul", ["c", "dense/kernel"], ["d"]),
        helper.make_node("Add", ["d", "sum"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "y")]
    last = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], stored))
    report = weights.load(other, written(last, tmp_path / "last.onnx"))
    assert {m.weight: m.tensor for m in report.matched}["dense/bias"] == "sum"
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_no_layer_has(tmp_path: Path) -> None:
    """Weights of operators that are no layers are left over, and said to be; bounds and shapes are no weights."""
    model = trained()
    proto = fastcnn.onnx.to_proto(model)
    proto.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "scale\x1b[2J"))
    proto.graph.node.append(helper.make_node("Mul", ["image", "scale\x1b[2J"], ["scaled"]))
    path = written(proto, tmp_path / "net.onnx")
    report = weights.compare(model, path)
    assert report.unused == ["scale\x1b[2J"]
    assert "\x1b" not in str(report)
    with pytest.raises(ModelFileError, match=r"1 of the file's tensors unused.*nothing was changed"):
        weights.load(model, path)


def test_bad_files(tmp_path: Path) -> None:
    model = trained()
    proto = fastcnn.onnx.to_proto(model)
    whole = proto.SerializeToString()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"cut\.onnx: .*not an ONNX model"):
        weights.load(model, tmp_path / "cut.onnx")
    proto.graph.initializer[0].raw_data = b"1234"
    with pytest.raises(ModelFileError, match=r"short\.onnx: tensor 'conv1_conv/kernel': sizes .* there are 4"):
        weights.load(model, written(proto, tmp_path / "short.onnx"))
    proto.graph.initializer[0].ClearField("raw_data")
    proto.graph.initializer[0].data_location = TensorProto.EXTERNAL
    proto.graph.initializer[0].external_data.add(key="location", value="../secret")
    with pytest.raises(ModelFileError, match="must lie in the model's folder"):
        weights.load(model, written(proto, tmp_path / "out.onnx"))

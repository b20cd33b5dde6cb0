"""Files from anywhere: what is wrong is a ValueError that names the node or the tensor, and nothing else happens."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from reader_networks import Builder  # noqa: E402

import fastcnn.onnx  # noqa: E402


def small() -> Any:
    """Convolution, ReLU, mean, dense: a file that is well."""
    b = Builder()
    x = b.node("GlobalAveragePool", [b.relu(b.conv("x", 3, 4, 3, 1, 1, bias=True))])
    return b.model(["n", 3, 8, 8], [b.dense(b.node("Flatten", [x]), 4, 2)])


def attribute(model: Any, node: int, name: str, value: Any) -> None:
    kept = [a for a in model.graph.node[node].attribute if a.name != name]
    del model.graph.node[node].attribute[:]
    model.graph.node[node].attribute.extend([*kept, helper.make_attribute(name, value)])


def set_input(model: Any, node: int, place: int, name: str) -> None:
    model.graph.node[node].input[place] = name


def set_dims(model: Any, *dims: int) -> None:
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)


def rename_op(model: Any, names: dict[int, str]) -> None:
    for node, name in names.items():
        model.graph.node[node].op_type = name


CASES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "strides of 0": (lambda m: attribute(m, 0, "strides", [0, 1]), r"'/Conv_0' \(Conv\): strides must be from 1"),
    "huge strides": (lambda m: attribute(m, 0, "strides", [2**40, 1]), "'/Conv_0' .*strides must be from 1 to 214"),
    "few strides": (lambda m: attribute(m, 0, "strides", [1]), "'/Conv_0' .*strides must have 2 numbers"),
    "odd pads": (lambda m: attribute(m, 0, "pads", [1, 1, 1]), "'/Conv_0' .*pads must have 4 numbers"),
    "negative pads": (lambda m: attribute(m, 0, "pads", [-1, 0, 0, 0]), "'/Conv_0' .*pads must be from 0"),
    "dilations of 0": (lambda m: attribute(m, 0, "dilations", [1, 0]), "'/Conv_0' .*dilations must be from 1"),
    "group": (lambda m: attribute(m, 0, "group", 3), "'/Conv_0' .*group must divide the 4 rows"),
    "group of 0": (lambda m: attribute(m, 0, "group", 0), "'/Conv_0' .*group must be at least 1"),
    "kernel": (lambda m: attribute(m, 0, "kernel_shape", [5, 5]), "'/Conv_0' .*kernel_shape must be that of the"),
    "channels": (lambda m: attribute(m, 0, "group", 2), r"'/Conv_0' .*take 6 channels, not 3"),
    "auto_pad": (lambda m: attribute(m, 0, "auto_pad", "AROUND"), "'/Conv_0' .*auto_pad must be one of"),
    "unknown attribute": (lambda m: attribute(m, 3, "aksis", 1), "'/Flatten_3' .*unknown attribute 'aksis'"),
    "unknown operators": (
        lambda m: rename_op(m, {1: "Telu", 3: "Flatter"}), "Flatter .node '/Flatten_3'.; Telu .node '/Relu_1'."),
    "undefined": (lambda m: set_input(m, 1, 0, "nowhere"), "'/Relu_1' .*its input 'nowhere' is not defined"),
    "given twice": (lambda m: m.graph.node[1].output.__setitem__(0, "x"), "'/Relu_1' .*'x' is given twice"),
    "stored twice": (lambda m: m.graph.initializer.append(m.graph.initializer[0]), "'array_0' is given twice"),
    "cycle": (lambda m: set_input(m, 1, 0, m.graph.node[2].output[0]), "cycle through the nodes '/Relu_1'"),
    "no outputs": (lambda m: m.graph.ClearField("output"), "no outputs"),
    "opset": (lambda m: setattr(m.opset_import[0], "version", 6), r"opset must be one from 7 to \d+, received \[6\]"),
    "newer opset": (lambda m: setattr(m.opset_import[0], "version", 999), "opset must be one from 7"),
    "huge tensor": (lambda m: set_dims(m, 2**20, 2**20, 2**20), "'array_0': sizes .* need .* bytes .*, there are 432"),
    "negative tensor": (lambda m: set_dims(m, 4, -3, 3, 3), "'array_0': sizes must be from 0"),
    "short tensor": (lambda m: set_dims(m, 4, 3, 3, 4), "'array_0': sizes .* need 576 bytes .*, there are 432"),
    "tensor type": (lambda m: setattr(m.graph.initializer[0], "data_type", 99), "'array_0': unknown type 99"),
    "strings": (
        lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.STRING), "'array_0': must hold numbers"),
    "huge input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[2], "dim_value", 2**40), "'x': a size must be"),
    "graph attribute": (lambda m: attribute(m, 3, "axis", m.graph), "attribute 'axis' can't be used"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_wrong_files(name: str) -> None:
    change, message = CASES[name]
    model = small()
    fastcnn.onnx.load(model)
    change(model)
    for form in (model, model.SerializeToString()):
        with pytest.raises(ValueError, match=message):
            fastcnn.onnx.load(form)


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fastcnn.onnx.load(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("certainly not")
    with pytest.raises(ValueError, match=r"text.onnx: not an ONNX model"):
        fastcnn.onnx.load(tmp_path / "text.onnx")
    whole = small().SerializeToString()
    for data in (b"", whole[: len(whole) // 2], whole[:-1]):
        with pytest.raises(ValueError, match=r"not an ONNX model|tensor|defined|no outputs|opset"):
            fastcnn.onnx.load(data)
    with pytest.raises(TypeError, match="model must be a path"):
        fastcnn.onnx.load(7)
    with pytest.raises(ValueError, match='layout must be "NCHW" or "NHWC"'):
        fastcnn.onnx.load(small(), layout="NCWH")
    with pytest.raises(ValueError, match="'y' is not an input of the model"):
        fastcnn.onnx.load(small(), input_shapes={"y": (1,)})


# ---------------------------------------------------------------- data in other files


def external(folder: Path, location: str, **entries: str) -> Path:
    """A model in `folder` whose first weights lie at `location`."""
    model = small()
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    folder.mkdir(exist_ok=True)
    (folder / "weights.bin").write_bytes(b"0123" + data)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return folder / "net.onnx"


def test_external_data(tmp_path: Path) -> None:
    path = external(tmp_path / "net", "weights.bin", offset="4", length="432")
    images = np.random.default_rng(0).standard_normal((2, 3, 8, 8), np.float32)
    found = fastcnn.onnx.load(path).predict(images, verbose=0)
    assert np.array_equal(found, fastcnn.onnx.load(small()).predict(images, verbose=0))
    with pytest.raises(ValueError, match="a model that isn't a file has no folder"):
        fastcnn.onnx.load(path.read_bytes())


@pytest.mark.parametrize(
    ("location", "entries", "message"),
    [
        ("../secret.bin", {}, "must lie in the model's folder"),
        ("sub/../../secret.bin", {}, "must lie in the model's folder"),
        ("..\\secret.bin", {}, "must lie in the model's folder"),
        ("/etc/passwd", {}, "must lie in the model's folder"),
        ("C:\\secret.bin", {}, "must lie in the model's folder"),
        ("", {}, "must lie in the model's folder"),
        ("none.bin", {}, "can't be read"),
        (".", {}, "must lie in the model's folder|must be a file|can't be read"),
        ("weights.bin", {"offset": "-4"}, "received offset -4"),
        ("weights.bin", {"offset": "four"}, "must be numbers"),
        ("weights.bin", {"offset": "8"}, "ends before byte 440"),
        ("weights.bin", {"length": "99"}, "received offset 0 and length 99"),
        ("weights.bin", {"offset": str(2**62)}, "ends before byte"),
    ],
)
def test_external_data_elsewhere(location: str, entries: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    path = external(tmp_path / "net", location, **entries)
    with pytest.raises(ValueError, match=f"tensor 'array_0': .*({message})"):
        fastcnn.onnx.load(path)


def test_external_data_behind_links(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "secret.bin").write_bytes(bytes(1000))
    path = external(tmp_path / "net", "link.bin")
    try:
        os.symlink(tmp_path / "secret.bin", tmp_path / "net" / "link.bin")
        os.symlink(tmp_path / "folder", tmp_path / "net" / "sub")
    except OSError:
        pytest.skip("no links on this system")
    with pytest.raises(ValueError, match=r"'link.bin' lies behind a link"):
        fastcnn.onnx.load(path)
    with pytest.raises(ValueError, match="lies behind a link, 'sub'"):
        fastcnn.onnx.load(external(tmp_path / "net", "sub/secret.bin"))
    os.link(tmp_path / "secret.bin", tmp_path / "net" / "hard.bin")
    with pytest.raises(ValueError, match="has another name elsewhere"):
        fastcnn.onnx.load(external(tmp_path / "net", "hard.bin"))


def test_attributes_that_are_tensors() -> None:
    value = numpy_helper.from_array(np.zeros(4, np.float32), "value")
    del value.dims[:]
    value.dims.extend([2**20, 2**20])
    node = helper.make_node("Constant", [], ["c"], name="big", value=value)
    graph = helper.make_graph([node], "g", [], [helper.make_empty_tensor_value_info("c")])
    with pytest.raises(ValueError, match="node 'big': attribute 'value': sizes"):
        fastcnn.onnx.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))

"""From fastcnn to ONNX and back, on to safetensors and back: the same bits in every prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from test_writer import as_list, first, images, randomised
from writer_networks import LAYERS, NETWORKS

from fastcnn.models import Model, load_model
from fastcnn.onnx import load, save, to_proto


def predictions(model: Model, given: list[np.ndarray]) -> list[np.ndarray]:
    return as_list(model.predict(given if len(given) > 1 else given[0], verbose=0))


def check(model: Model, folder: Path) -> None:
    given = images(model, 3)
    expected = predictions(model, given)
    save(model, folder / "model.onnx")
    # As the file has them; and with the channels last, as the model itself.
    for layout, order in ((None, first), ("NHWC", np.ascontiguousarray)):
        read = load(folder / "model.onnx", layout=layout)
        read.save(folder / "model.safetensors")
        again = load_model(folder / "model.safetensors")
        for other in (read, again):
            for ours, theirs in zip(expected, predictions(other, [order(x) for x in given]), strict=True):
                np.testing.assert_array_equal(theirs, order(ours))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks(name: str, tmp_path: Path) -> None:
    check(randomised(NETWORKS[name]()), tmp_path)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layers(name: str, tmp_path: Path) -> None:
    check(randomised(LAYERS[name]()), tmp_path)


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_layers_are_what_they_were(tmp_path: Path) -> None:
    model = NETWORKS["classic"]()
    save(model, tmp_path / "model.onnx")
    read = load(tmp_path / "model.onnx", layout="NHWC")
    convolutions = [layer for layer in read.layers if type(layer).__name__ == "Conv2D"]
    for layer, original in zip(convolutions, [model.layers[0], model.layers[2]], strict=True):
        np.testing.assert_array_equal(layer.get_weights()[0], original.get_weights()[0])
    assert "Operator" not in kinds(read)
    assert "Permute" not in kinds(read)
    assert read.count_params() == model.count_params()


def test_written_again_without_transposes(tmp_path: Path) -> None:
    save(NETWORKS["residual"](), tmp_path / "first.onnx")
    save(load(tmp_path / "first.onnx"), tmp_path / "second.onnx")
    one, two = (onnx.load(tmp_path / f"{name}.onnx") for name in ("first", "second"))
    assert [n.op_type for n in two.graph.node] == [n.op_type for n in one.graph.node]
    assert two.graph.input[0].type == one.graph.input[0].type


def selecting(opset: int) -> onnx.ModelProto:
    """A network whose tail no kernel computes: the places of the largest numbers, behind a convolution."""
    weights = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    fixed = {"w": weights, "k": np.array([5]), "shape": np.array([0, -1])}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["c", "shape"], ["rows"]),
        helper.make_node("TopK", ["rows", "k"], ["best", "where"], largest=0),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 6, 5])
    best = helper.make_tensor_value_info("best", TensorProto.FLOAT, ["n", 5])
    where = helper.make_tensor_value_info("where", TensorProto.INT64, ["n", 5])
    weights = [numpy_helper.from_array(array, name) for name, array in fixed.items()]
    graph = helper.make_graph(nodes, "selecting", [x], [best, where], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def test_operators_on_numpy_are_written_as_they_came() -> None:
    model = load(selecting(17))
    x = np.random.default_rng(2).normal(size=(2, 3, 6, 5)).astype(np.float32)
    again = load(to_proto(model, 18))
    for ours, theirs in zip(model.predict_on_batch(x), again.predict_on_batch(x), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    onnx.checker.check_model(to_proto(model, 18), full_check=True)


def test_operators_that_have_changed_since() -> None:
    newest = onnx.defs.get_schema("TopK")
    if newest.since_version <= 18:
        pytest.skip("TopK is the same in all opsets")
    model = load(selecting(18))
    with pytest.raises(ValueError, match="TopK of opset 18 is another than that of opset"):
        to_proto(model, newest.since_version)

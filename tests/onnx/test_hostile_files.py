"""Files from strangers: whatever is wrong with one is a ValueError that says where, soon, and without taking memory."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import fastcnn

NODE = helper.make_node


def model_of(
    nodes: Sequence[onnx.NodeProto], tensors: dict[str, Any] | None = None, output: str = "y", opset: int = 17
) -> onnx.ModelProto:
    stored = [t if isinstance(t, TensorProto) else numpy_helper.from_array(t, n) for n, t in (tensors or {}).items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])
    graph = helper.make_graph(nodes, "g", [x], [onnx.ValueInfoProto(name=output)], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


@pytest.mark.parametrize(
    "node",
    [
        NODE("Add", [], ["y"], name="bad"),
        NODE("Add", ["", "x"], ["y"], name="bad"),
        NODE("Conv", ["x"], ["y"], name="bad"),
        NODE("Concat", ["x", "", "x"], ["y"], name="bad", axis=1),
        NODE("Concat", ["x", "x"], ["y"], name="bad"),
        NODE("Relu", ["x"], ["y", "z"], name="bad"),
        NODE("Relu", ["x"], [], name="bad"),
        NODE("MaxPool", ["x"], ["y"], name="bad", kernel_shape=3),
        NODE("MaxPool", ["x"], ["y"], name="bad", kernel_shape=[3, 3], strides=["a", "b"]),
        NODE("MaxPool", ["x"], ["y"], name="bad", kernel_shape=[3, 3], strides=1.5),
        NODE("MaxPool", ["x"], ["y"], name="bad", kernel_shape=[3, 3], strides=[1.5, 1.5]),
        NODE("Concat", ["x", "x"], ["y"], name="bad", axis=float("inf")),
        NODE("Concat", ["x", "x"], ["y"], name="bad", axis=1.9),
        NODE("LRN", ["c"], ["y"], name="bad", size=0),
        NODE("Split", ["x"], ["y", "z"], name="bad", num_outputs=2**62),
        NODE("Resize", ["c", "", "f"], ["y"], name="bad", mode="linear"),
        NODE("Resize", ["c", "", "", "s"], ["y"], name="bad", mode="linear"),
        NODE("DepthToSpace", ["c"], ["y"], name="bad", blocksize=0),
        NODE("LpNormalization", ["c"], ["y"], name="bad", p=0),
    ],
    ids=lambda node: f"{node.op_type}-{len(node.input)}-{len(node.output)}",
)
def test_nodes_that_cannot_be(node: onnx.NodeProto) -> None:
    tensors = {"c": np.ones((1, 4, 2, 2), np.float32)}
    tensors |= {"f": np.array([1, 1, 1, 1e6], np.float32), "s": np.array([1, 4, 2, 2**21])}
    with pytest.raises(ValueError, match="bad"):
        fastcnn.onnx.load(model_of([node], tensors, output="y" if node.output else "x", opset=18))


@pytest.mark.parametrize("axis", [2**63 - 1, 2**62, -(2**63), -5, 4])
def test_axes_beyond_all(axis: int) -> None:
    """ONNX's own inference of shapes reads beyond its memory for these."""
    node = NODE("LayerNormalization", ["x", "s"], ["y"], name="bad", axis=axis)
    with pytest.raises(ValueError, match=r"bad.*axis"):
        fastcnn.onnx.load(model_of([node], {"s": np.ones(8, np.float32)}))


def test_sizes_behind_each_other_without_end() -> None:
    count = 3000
    nodes = [NODE("Shape", ["x"], ["s0"])] + [NODE("Identity", [f"s{i}"], [f"s{i + 1}"]) for i in range(count)]
    with pytest.raises(ValueError, match=f"s{count}"):
        fastcnn.onnx.load(model_of(nodes, output=f"s{count}"))


def test_sizes_beside_each_other_without_end() -> None:
    nodes = [NODE("Shape", ["x"], ["s0"])]
    nodes += [NODE("Concat", [f"s{i}", f"s{i}"], [f"s{i + 1}"], name=f"double{i}", axis=0) for i in range(60)]
    nodes.append(NODE("Reshape", ["x", "s60"], ["y"]))
    with pytest.raises(ValueError, match=r"'double10'.* 8192 sizes in a row"):
        fastcnn.onnx.load(model_of(nodes))


def outside(folder: Path, location: str, sizes: Sequence[int] = (8,), count: int = 1) -> Path:
    tensors = {}
    for number in range(count):
        tensor = TensorProto(name=f"w{number}", data_type=1, dims=sizes, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=location)
        tensors[tensor.name] = tensor
    path = folder / "model.onnx"
    path.write_bytes(model_of([NODE("Add", ["x", "w0"], ["y"])], tensors).SerializeToString())
    return path


@pytest.mark.parametrize("location", ["a" * 300, "a" * 100_000, "folder", "folder/data/x"])
def test_names_of_no_file(tmp_path: Path, location: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="w0"):
        fastcnn.onnx.load(outside(tmp_path, location))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are Unix'")
def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"w0.*must be a file"):
        fastcnn.onnx.load(outside(tmp_path, "pipe"))


def test_more_data_than_memory(tmp_path: Path) -> None:
    """Each of the tensors could be: they all lie in the same place of a file that takes no room on the disk."""
    with open(tmp_path / "data", "wb") as file:
        file.truncate(2**31)
    with pytest.raises(ValueError, match=r"w0.*bytes lie in other files"):
        fastcnn.onnx.load(outside(tmp_path, "data", (2**29,), count=20_000))


def test_more_bytes_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of fewer numbers than that."""
    monkeypatch.setattr("fastcnn.weights.onnx_tensors.memory_limit", lambda: 1000)
    (tmp_path / "data").write_bytes(bytes(600))
    with pytest.raises(ValueError, match=r"w0.*1200 bytes lie in other files; this process can have 1000"):
        fastcnn.onnx.load(outside(tmp_path, "data", (150,), count=2))


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        fastcnn.onnx.load(tmp_path)


def constant(value: Any) -> np.ndarray:
    return np.asarray(value)


BOMBS = {
    "places in a window": (
        [
            NODE("MaxPool", ["i"], ["o", "p"], name="n", kernel_shape=[1000, 1000], pads=[999] * 4),
            NODE("Add", ["x", "o"], ["y"]),
        ],
        {"i": np.zeros((1, 1, 8, 8), np.float32)},
    ),
    "many large ones": (
        [NODE("ConstantOfShape", ["s"], [f"c{i}"], name=f"n{i}") for i in range(99)]
        + [NODE("Sum", ["x", *(f"c{i}" for i in range(99))], ["y"])],
        {"s": constant([1, 1, 4096, 1024])},
    ),
    "doubled each time": (
        [NODE("Concat", [f"c{i}"] * 2, [f"c{i + 1}"], name=f"n{i}", axis=0) for i in range(50)]
        + [NODE("Add", ["x", "c50"], ["y"])],
        {"c0": np.zeros(8, np.float32)},
    ),
    "a wide type": (
        [NODE("OneHot", ["i", "d", "v"], ["o"], name="n"), NODE("Add", ["x", "o"], ["y"])],
        {"i": np.zeros(4, np.int8), "d": constant(2**26), "v": np.zeros(2)},
    ),
    "a long range": (
        [NODE("Range", ["a", "b", "c"], ["o"], name="n"), NODE("Add", ["x", "o"], ["y"])],
        {"a": constant(0), "b": constant(2**28), "c": constant(1)},
    ),
    "points of a region": (
        [
            NODE("RoiAlign", ["i", "r", "b"], ["o"], name="n", sampling_ratio=30_000, output_height=9, output_width=9),
            NODE("Add", ["x", "o"], ["y"]),
        ],
        {"i": np.zeros((1, 1, 8, 8), np.float32), "r": np.float32([[0, 0, 8, 8]]), "b": constant([0])},
    ),
    "many results of a convolution": (
        [NODE("Conv", ["i", "w"], ["o"], name="n", pads=[40] * 4), NODE("Add", ["x", "o"], ["y"])],
        {"i": np.zeros((1, 1, 128, 128), np.float32), "w": np.zeros((16384, 1, 1, 1), np.float32)},
    ),
    "whole numbers, which are computed in wider ones": (
        [
            NODE("ConvInteger", ["i", "w"], ["o"], name="n"),
            NODE("Cast", ["o"], ["f"], to=1),
            NODE("Add", ["x", "f"], ["y"]),
        ],
        {"i": np.zeros((1, 1, 200, 200), np.uint8), "w": np.zeros((2048, 1, 1, 1), np.uint8)},
    ),
    "a large region": (
        [NODE("RoiAlign", ["i", "r", "b"], ["o"], name="n", output_width=2), NODE("Add", ["x", "o"], ["y"])],
        {"i": np.zeros((1, 1, 8, 8), np.float32), "r": np.float32([[0, 0, 1e9, 1e9]]), "b": constant([0])},
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_little_that_becomes_much(name: str) -> None:
    """Weights are in the file; what is computed of them while it is read keeps to a size of that order."""
    nodes, tensors = BOMBS[name]
    with pytest.raises(ValueError, match=r"node 'n\d*' .*(MiB|memory)"):
        fastcnn.onnx.load(model_of(nodes, tensors))


def test_an_unknown_type_of_an_input() -> None:
    model = model_of([NODE("Relu", ["x"], ["y"])])
    model.graph.input[0].type.tensor_type.elem_type = 77
    with pytest.raises(ValueError, match=r"'x'.* 77"):
        fastcnn.onnx.load(model)


def test_names_that_become_the_same() -> None:
    """Layers have no slashes in their names. Numbers behind them are counted on, and not looked for from 1."""
    names = ["".join(letters) for letters in itertools.islice(itertools.product("/_", repeat=14), 16_000)]
    start = time.process_time()
    fastcnn.onnx.load(model_of([NODE("Relu", ["x"], [name]) for name in names], output=names[-1]))
    assert time.process_time() - start < 5


def test_more_axes_than_arrays_have() -> None:
    model = model_of([NODE("Relu", ["x"], ["y"])])
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1] * 100_000))
    with pytest.raises(ValueError, match=r"'x'.* at most 64 axes"):
        fastcnn.onnx.load(model)

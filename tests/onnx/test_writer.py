"""Models written as ONNX: accepted by ONNX's checker, and the same numbers from ONNX Runtime."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from writer_networks import LAYERS, NETWORKS

import fastcnn as fc
from fastcnn import layers
from fastcnn._ops.kinds import UNARY
from fastcnn._ops.resampling import Resampling
from fastcnn.graph import constant, emit
from fastcnn.graph.functional import unary
from fastcnn.layers import Input
from fastcnn.models import Model
from fastcnn.onnx import load, save, to_proto

OPSETS = sorted({13, 17, 18, onnx.defs.onnx_opset_version()})


def randomised(model: Model) -> Model:
    """With statistics and biases that a mistake can't hide behind."""
    rng = np.random.default_rng(7)
    for variable in model.weights:
        array = (
            rng.uniform(0.5, 1.5, variable.shape) if "variance" in variable.name else rng.normal(size=variable.shape)
        )
        variable.assign(array * (1 if array.ndim < 2 else array[..., 0].size ** -0.5))
    return model


def images(model: Model, batch: int) -> list[np.ndarray]:
    rng = np.random.default_rng(batch)
    return [rng.normal(size=(batch, *v.shape[1:])).astype(np.float32) for v in model.inputs]


def as_list(x: Any) -> list[np.ndarray]:
    return x if isinstance(x, list) else [x]


def first(array: np.ndarray) -> np.ndarray:
    """Images with their channels first."""
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def check(model: Model, layout: str = "NCHW", opset: int = 18) -> Any:
    """Written, accepted, and computed by ONNX Runtime as by the model."""
    runtime = pytest.importorskip("onnxruntime")
    proto = to_proto(model, opset, layout)
    onnx.checker.check_model(proto, full_check=True)
    if opset > 24:
        return proto  # newer than what ONNX Runtime promises to run
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        given = images(model, batch)
        expected = as_list(model.predict(given if len(given) > 1 else given[0], verbose=0))
        order = first if layout == "NCHW" else np.ascontiguousarray
        results = session.run(None, {v.name: order(x) for v, x in zip(session.get_inputs(), given)})
        for ours, theirs in zip(expected, results, strict=True):
            np.testing.assert_allclose(theirs, order(ours), rtol=1e-4, atol=1e-5)
    return proto


def operators(proto: Any) -> list[str]:
    return [node.op_type for node in proto.graph.node]


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layer(name: str) -> None:
    model = randomised(LAYERS[name]())
    check(model)
    assert name.split("-")[0] in layers.CLASSES


def test_every_layer_is_written() -> None:
    tested = {name.split("-")[0] for name in LAYERS}
    assert tested == set(layers.CLASSES), "layers without a case, or cases without a layer"


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_network(name: str, opset: int) -> None:
    check(randomised(NETWORKS[name]()), opset=opset)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_channels_first_needs_no_transposes(name: str) -> None:
    assert "Transpose" not in operators(to_proto(NETWORKS[name]()))


def test_channels_last_has_transposes_at_the_border_only() -> None:
    proto = check(randomised(NETWORKS["classic"]()), "NHWC")
    assert operators(proto)[0] == "Transpose"
    assert operators(proto).count("Transpose") == 1


def test_names() -> None:
    proto = to_proto(NETWORKS["branches"]())
    assert [v.name for v in proto.graph.input] == ["left", "right"]
    assert [v.name for v in proto.graph.output] == ["small", "large"]
    assert {"small/kernel", "small/bias", "large/kernel"} <= {w.name for w in proto.graph.initializer}
    assert proto.producer_name == "fastcnn"
    assert proto.producer_version == fc.__version__


def test_weights_used_twice_are_written_once() -> None:
    proto = to_proto(NETWORKS["branches"]())
    assert len(proto.graph.initializer) == 6


def test_batch_is_free() -> None:
    proto = to_proto(NETWORKS["classic"]())
    for value in (*proto.graph.input, *proto.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


#: Numbers of the functions that have some: (alpha, beta).
NUMBERS = {
    "leaky_relu": (0.3, 0.0),
    "clip": (-0.5, 0.75),
    "threshold": (0.25, 0.0),
    "shrink": (0.5, 0.25),
    "hard_sigmoid": (0.3, 0.4),
    "elu": (0.7, 1.0),
    "selu": (1.5, 1.1),
    "silu": (1.0, 0.0),
    "power": (3.0, 0.0),
}
FUNCTIONS = {**{kind: NUMBERS.get(kind, (0.0, 0.0)) for kind in UNARY}}
FUNCTIONS |= {"clip-low": (0.0, math.inf), "threshold-value": (0.25, -1.5), "silu-alpha": (1.7, 0.0)}
FUNCTIONS |= {"elu-celu": (0.5, 2.0), "elu-both": (0.5, 1.5)}


class Function(layers.Layer):
    """One of the element-wise functions."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.function = name

    def call(self, inputs: Any) -> Any:
        alpha, beta = FUNCTIONS[self.function]
        return unary(inputs, self.function.split("-")[0], alpha, beta=beta)


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_function(name: str, opset: int) -> None:
    x = Input((4, 5, 3))
    # Square, so that roots and logarithms are of positive numbers.
    y = Function("square")(x) if name in ("log", "sqrt", "reciprocal") else x
    check(Model(x, Function(name)(y)), opset=opset)


ONES = np.linspace(0.5, 2.0, 6)
#: Operations of the graph that layers make in their own ways: of images of 4 x 5 pixels and 6 channels.
OPERATIONS: dict[str, tuple[str, dict[str, Any], list[Any]]] = {
    "expand": ("expand", {"shape": (None, 4, 5, 6)}, []),
    "group_norm": ("group_norm", {"groups": 2, "epsilon": 1e-3}, [ONES, -ONES]),
    "group_norm-plain": ("group_norm", {"groups": 3, "epsilon": 1e-3}, []),
    "instance_norm": ("group_norm", {"groups": 6, "epsilon": 1e-3}, [ONES, None]),
    "layer_norm": ("layer_norm", {"axis": 3, "epsilon": 1e-3}, [ONES, -ONES]),
    "layer_norm-image": ("layer_norm", {"axis": 1, "epsilon": 1e-3}, []),
    "matmul": ("matmul", {"a_transposed": False, "b_transposed": True}, [np.ones((7, 6))]),
    "matmul-a": ("matmul", {"a_transposed": True, "b_transposed": False}, [np.ones((5, 3))]),
    "pad": ("pad", {"pads": ((0, 0), (1, 2), (0, 3), (4, 0)), "value": 0.5}, []),
    "permute": ("permute", {"axes": (0, 3, 2, 1)}, []),
    "reduce-max": ("reduce", {"axes": (2, 3), "kind": "max", "keepdims": False}, []),
    "reduce-mean": ("reduce", {"axes": (1,), "kind": "mean", "keepdims": True}, []),
    "reduce-sum": ("reduce", {"axes": (3,), "kind": "sum", "keepdims": False}, []),
    "resize-cubic": ("resize", {"size": (9, 3), "how": Resampling("cubic", cubic_a=-0.5), "scales": None}, []),
    "resize-linear": ("resize", {"size": (8, 10), "how": Resampling(), "scales": (2.0, 2.0)}, []),
    "resize-nearest": ("resize", {"size": (7, 5), "how": Resampling("nearest", "asymmetric"), "scales": None}, []),
    "slice": ("slice", {"slices": (None, (1, 2, 1), (0, 3, 2), None)}, []),
    "slice-back": ("slice", {"slices": (None, (3, 4, -1), None, (4, 2, -2))}, []),
    "slice-whole": ("slice", {"slices": (None, None, None, None)}, []),
}


class Operation(layers.Layer):
    """One of the graph's operations."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.operation = name

    def call(self, inputs: Any) -> Any:
        kind, attrs, others = OPERATIONS[self.operation]
        return emit(kind, [inputs, *(None if x is None else constant(x) for x in others)], attrs, self.name)


@pytest.mark.parametrize("opset", [13, 18, 21])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operation(name: str, opset: int) -> None:
    x = Input((4, 1, 6) if name == "expand" else (4, 5, 6))
    # Behind a convolution the file has the channels first, whatever its own layout.
    # ONNX Runtime takes the transposition at the border through a cubic resize, and then can't do it.
    for layout in ("NCHW",) if name == "resize-cubic" else ("NCHW", "NHWC"):
        check(Model(x, Operation(name)(x)), layout, opset)
    check(Model(x, Operation(name)(layers.Conv2D(6, 1)(x))), opset=opset)


def test_flat_image_that_others_read_too() -> None:
    x = Input((5, 4, 3))
    flat = layers.Flatten()(layers.Conv2D(4, 2)(x))
    model = randomised(Model(x, [layers.Dense(3)(flat), flat]))
    assert operators(check(model)).count("Transpose") == 1


def test_metadata() -> None:
    model = NETWORKS["classic"]()
    model.metadata = {"classes": ["shirt", "boot"], "author": "Zoë"}
    proto = to_proto(model)
    found = {entry.key: entry.value for entry in proto.metadata_props}
    assert found == {"author": "Zoë", "fastcnn.metadata": '{"classes": ["shirt", "boot"]}'}
    assert load(proto).metadata == model.metadata
    next(entry for entry in proto.metadata_props if entry.key == "fastcnn.metadata").value = "{"
    with pytest.raises(ValueError, match=r"metadata 'fastcnn\.metadata' is no valid JSON object"):
        load(proto)
    model.metadata = {"function": print}
    with pytest.raises(ValueError, match=r"model\.metadata must be plain data"):
        to_proto(model)


def test_file(tmp_path: Path) -> None:
    model, path = NETWORKS["classic"](), tmp_path / "model.onnx"
    save(model, path)
    assert onnx.load(path) == to_proto(model)
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="opset must be from 13"):
        save(NETWORKS["classic"](), path, opset=12)
    assert path.read_bytes() == b"old"


def test_bad_arguments() -> None:
    model = NETWORKS["classic"]()
    with pytest.raises(ValueError, match="layout must be"):
        to_proto(model, layout="CHWN")
    with pytest.raises(ValueError, match="opset must be from 13 to"):
        to_proto(model, opset=1000)
    with pytest.raises(TypeError, match="model must be a fastcnn model, received 3"):
        to_proto(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="isn't built"):
        to_proto(fc.Sequential([layers.Dense(3)]))

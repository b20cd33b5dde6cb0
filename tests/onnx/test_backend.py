"""The standard interface of ONNX backends."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.backend.base import Backend

from fastcnn.onnx import backend


def network(opset: int = 13) -> onnx.ModelProto:
    """Two inputs, two outputs."""
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Relu", ["sum"], ["positive"])]
    a, b, total, positive = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in ("a", "b", "sum", "positive")
    )
    graph = helper.make_graph(nodes, "network", [a, b], [total, positive])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


A = np.array([[1, -2, 3], [0, 5, -6]], np.float32)
B = np.array([[1, 1, -9], [2, -7, 8]], np.float32)


def test_is_a_backend() -> None:
    assert issubclass(backend.FastcnnBackend, Backend)
    assert backend.supports_device("CPU")
    assert not backend.supports_device("CUDA")
    with pytest.raises(ValueError, match="device must be \"CPU\", received 'CUDA'"):
        backend.prepare(network(), "CUDA")


@pytest.mark.parametrize("given", [[A, B], (A, B), {"b": B, "a": A}], ids=["list", "tuple", "dict"])
def test_run_model(given: object) -> None:
    total, positive = backend.run_model(network(), given)
    np.testing.assert_array_equal(total, A + B)
    np.testing.assert_array_equal(positive, np.maximum(A + B, 0))


def test_prepared_model_runs_again_and_gives_results_by_name() -> None:
    prepared = backend.prepare(network())
    for factor in (1, 2):
        outputs = prepared.run([factor * A, B])
        np.testing.assert_array_equal(outputs["sum"], factor * A + B)
    assert prepared.kernels > 0


def test_opset_before_those_that_are_read() -> None:
    total, _ = backend.run_model(network(6), [A, B])
    np.testing.assert_array_equal(total, A + B)


def test_invalid_model() -> None:
    model = network()
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(onnx.checker.ValidationError):
        backend.prepare(model)


def test_is_compatible() -> None:
    assert backend.is_compatible(network())
    assert not backend.is_compatible(network(), "CUDA")
    model = network()
    model.graph.node[0].op_type = "LSTM"
    assert not backend.is_compatible(model)


def test_run_node() -> None:
    node = helper.make_node("Concat", ["a", "b"], ["y"], axis=1)
    (y,) = backend.run_node(node, [A, B])
    np.testing.assert_array_equal(y, np.concatenate([A, B], axis=1))
    node = helper.make_node("Clip", ["a", "", "high"], ["y"])
    (y,) = backend.run_node(node, [A, np.array(2, np.float32)], outputs_info=[(np.float32, (2, 3))], opset_version=12)
    np.testing.assert_array_equal(y, np.minimum(A, 2))


def test_run_node_with_too_few_inputs() -> None:
    node = helper.make_node("Add", ["a", "b"], ["y"], name="sum")
    with pytest.raises(ValueError, match=r"node 'sum' has inputs \['a', 'b'\], received 1 arrays"):
        backend.run_node(node, [A])

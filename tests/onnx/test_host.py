"""Operators computed with NumPy: against ONNX Runtime; their shapes foretold; hostile sizes refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from host_cases import CASES, HOSTILE, Case

from fastcnn.graph import Spec
from fastcnn.onnx.host import OPERATORS, HostOperator, attributes_of, run, supports
from fastcnn.onnx.host_node import make_proto


def operator(case: Case, name: str = "node") -> HostOperator:
    return HostOperator(case.op_type, "", case.opset, case.attributes, case.outputs, name)


@pytest.mark.parametrize("name", sorted(CASES))
def test_same_as_onnxruntime(name: str) -> None:
    runtime = pytest.importorskip("onnxruntime")
    case = CASES[name]
    op = operator(case)
    specs = [None if x is None else Spec(x.shape, str(x.dtype)) for x in case.inputs]
    proto = onnx.shape_inference.infer_shapes(make_proto(op.node, specs))
    proto.ir_version = 8
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {f"x{i}": x for i, x in enumerate(case.inputs) if x is not None})
    for ours, theirs in zip(op(case.inputs), expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(CASES))
def test_shapes_are_foretold(name: str) -> None:
    case = CASES[name]
    op = operator(case)
    results = op(case.inputs)
    known = [None if x is None else Spec(x.shape, str(x.dtype)) for x in case.inputs]
    unknown = [None if s is None else Spec([None] * len(s.shape), s.dtype) for s in known]
    constants = {i: x for i, x in enumerate(case.inputs) if x is not None and x.ndim == 1}
    for specs, values in ((known, constants), (known, {}), (unknown, {})):
        for result, spec in zip(results, op.infer(specs, values), strict=True):
            assert str(result.dtype) == spec.dtype
            assert len(spec.shape) == result.ndim
            assert all(told in (None, size) for told, size in zip(spec.shape, result.shape))


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_sizes(name: str) -> None:
    case, message = HOSTILE[name]
    with pytest.raises(ValueError, match=rf"node 'culprit' \({case.op_type}\): .*{message}"):
        operator(case, "culprit")(case.inputs)


def test_every_operator_is_known_at_some_opset() -> None:
    assert len(OPERATORS) == 133
    newest = onnx.defs.onnx_opset_version()
    unknown = [op for op in sorted(OPERATORS) if not any(supports(op, "", v) for v in range(6, newest + 1))]
    assert unknown == ([] if newest >= 24 else ["Swish"])  # which the package onnx has since 1.19


@pytest.mark.parametrize(
    ("op_type", "domain", "opset"),
    [("NoSuchThing", "", 13), ("Gelu", "", 13), ("Relu", "com.microsoft", 1), ("Upsample", "", 13), ("LSTM", "", 13)],
)
def test_unknown_operators(op_type: str, domain: str, opset: int) -> None:
    assert not supports(op_type, domain, opset)
    with pytest.raises(ValueError, match=f"node 'n': operator {op_type}"):
        HostOperator(op_type, domain, opset, {}, 1, "n")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "attribute 'kernel_shape' is missing"),
        ({"kernel_shape": [2], "kernal": 3}, "unknown attribute 'kernal'; known: auto_pad, ceil_mode"),
        ({"kernel_shape": "big"}, "attribute 'kernel_shape' must be of ONNX's type INTS, received 'big'"),
        ({"kernel_shape": [2], "auto_pad": 3}, "attribute 'auto_pad' must be of ONNX's type STRING, received 3"),
    ],
)
def test_bad_attributes(attributes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=rf"node 'n' \(MaxPool\): {message}"):
        HostOperator("MaxPool", "", 12, attributes, 1, "n")


def test_bad_inputs_name_the_node() -> None:
    with pytest.raises(ValueError, match=r"node 'sum' \(Add\): .*; its inputs are float32\[2\], float32\[3\]"):
        run("Add", "", 13, {}, [np.zeros(2, np.float32), np.zeros(3, np.float32)], name="sum")
    with pytest.raises(ValueError, match=r"node 'g' \(GatherElements\): indices must lie in -2 .. 1"):
        run("GatherElements", "", 13, {}, [np.zeros(2, np.float32), np.array([5])], name="g")


def test_numbers_beyond_the_range_warn_nobody() -> None:
    (result,) = run("Div", "", 13, {}, [np.ones(1, np.float32), np.zeros(1, np.float32)])
    assert np.isinf(result).all()


def test_mask_of_the_old_dropout() -> None:
    x = np.arange(3, dtype=np.float32)
    y, mask = run("Dropout", "", 7, {}, [x], 2)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(mask, np.ones(3, np.float32))
    assert mask.dtype == np.float32


def test_attributes_of() -> None:
    tensor = onnx.numpy_helper.from_array(np.arange(3))
    node = onnx.helper.make_node("X", [], [], a=1, b=2.5, c="text", d=[1, 2], e=[0.5], f=["x", "y"], g=tensor)
    found = attributes_of(node)
    np.testing.assert_array_equal(found.pop("g"), np.arange(3))
    assert found == {"a": 1, "b": 2.5, "c": "text", "d": [1, 2], "e": [0.5], "f": ["x", "y"]}


def test_attributes_of_other_kinds() -> None:
    node = onnx.helper.make_node("If", ["c"], ["y"], name="choice", then_branch=onnx.GraphProto())
    with pytest.raises(ValueError, match="node 'choice': attribute 'then_branch' can't be used"):
        attributes_of(node)

"""ONNX's own conformance tests on fastcnn, counted: ``make conformance``.

The node cases whose operators are all known are run through `onnx.backend.test.BackendTest`, and so are the groups
simple, pytorch-operator, pytorch-converted and the light models. Cases that are known to fail stand in
conformance_exceptions.txt, each with its reason.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import unittest
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import onnx
from onnx.backend.test import BackendTest
from onnx.backend.test.loader import load_model_tests

from fastcnn._ops import core
from fastcnn.onnx.backend import FastcnnBackend, FastcnnRep
from fastcnn.onnx.host import OPERATORS

EXCEPTIONS = Path(__file__).with_name("conformance_exceptions.txt")
GROUPS = {
    "OnnxBackendNodeModelTest": "node",
    "OnnxBackendSimpleModelTest": "simple",
    "OnnxBackendPyTorchOperatorModelTest": "pytorch-operator",
    "OnnxBackendPyTorchConvertedModelTest": "pytorch-converted",
    "OnnxBackendRealModelTest": "light",
}
#: What a convolutional network computes in. The others are those of language models, and text.
DTYPES = frozenset("FLOAT FLOAT16 DOUBLE BOOL INT8 INT16 INT32 INT64 UINT8".split())  # noqa: SIM905
FAMILIES = {
    "convolution": "Conv ConvTranspose",
    "quantization": "ConvInteger QLinearConv QLinearMatMul MatMulInteger QuantizeLinear DequantizeLinear "
    "DynamicQuantizeLinear",
    "pooling": "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool GlobalLpPool MaxUnpool",
    "normalization": "BatchNormalization InstanceNormalization GroupNormalization LayerNormalization LRN "
    "LpNormalization MeanVarianceNormalization",
    "activation": "Relu LeakyRelu PRelu Elu Selu Celu Gelu Sigmoid HardSigmoid HardSwish Swish Mish Softplus Softsign "
    "Tanh ThresholdedRelu Clip Shrink Softmax LogSoftmax Hardmax Dropout",
    "matrix": "Gemm MatMul Einsum",
    "element-wise": "Cast CastLike Add Sub Mul Div Neg Abs Pow Sqrt Reciprocal Exp Log Floor Ceil Round Sign Sin Cos "
    "Min Max Sum Mean Mod Erf IsNaN IsInf",
    "comparison": "Where Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Xor",
    "reduction": "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum "
    "ReduceLogSumExp ArgMax ArgMin TopK CumSum",
    "layout": "Flatten Reshape Transpose Squeeze Unsqueeze Concat Split Slice Expand Tile Pad DepthToSpace "
    "SpaceToDepth Identity Trilu",
    "indexing": "Gather GatherElements GatherND ScatterND ScatterElements Scatter NonZero OneHot",
    "sampling": "Resize Upsample GridSample RoiAlign NonMaxSuppression",
    "shape": "Shape Size Constant ConstantOfShape Range EyeLike",
}
FAMILY = {op: family for family, ops in FAMILIES.items() for op in ops.split()}


class Outcome(NamedTuple):
    """One case: its group, the family of its operator, why it doesn't count (or ""), and how it went."""

    name: str
    group: str
    family: str
    excluded: str
    error: str
    on_kernels: bool


class _Counting(FastcnnBackend):
    """Remembers the model that was prepared last."""

    last: FastcnnRep | None = None

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        return True  # what isn't known fails, rather than being skipped

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> FastcnnRep:
        _Counting.last = None
        _Counting.last = super().prepare(model, device, **kwargs)
        return _Counting.last


class _Result(unittest.TestResult):
    """What went wrong, in a line."""

    error = ""

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        self.error = " ".join(f"{err[0].__name__}: {err[1]}".split())[:300]

    addFailure = addError  # noqa: N815

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        self.error = f"skipped: {reason}"


def dtypes(model: onnx.ModelProto) -> set[str]:
    """The types of elements of a model's inputs and outputs; "SEQUENCE" and the like for what is no tensor."""
    found = set()
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.WhichOneof("value")
        element = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        found.add(element if kind == "tensor_type" else kind.removesuffix("_type").upper())
    return found


def exclusion(model: onnx.ModelProto) -> str:
    """Why a node case doesn't count: "operator", "dtype" or ""."""
    known = all(node.op_type in OPERATORS and node.domain in ("", "ai.onnx") for node in model.graph.node)
    if not known or model.functions:
        return "operator"
    return "" if dtypes(model) <= DTYPES else "dtype"


def family_of(model: onnx.ModelProto, name: str) -> str:
    """The family of a node case's operator; of one that is written with others, that of the operator it stands for."""
    words = name.removeprefix("test_").split("_")
    by_name = {op.lower(): family for op, family in FAMILY.items()}
    for count in range(len(words), 0, -1):
        family = by_name.get("".join(words[:count]))
        if family:
            return family
    return FAMILY[model.graph.node[0].op_type]


def run(names: Iterable[str] | None = None) -> list[Outcome]:
    """All cases, or those named, and how they went."""
    # The light models leave their data in a folder.
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ONNX_MODELS"] = folder
        try:
            return _run(None if names is None else set(names))
        finally:
            del os.environ["ONNX_MODELS"]


def _run(names: set[str] | None) -> list[Outcome]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases are made with NumPy, infinities and all
        models = {case.name: _model_of(case) for case in load_model_tests(kind="node")}
        groups = BackendTest(_Counting, __name__).test_cases
    outcomes = []
    for title, cases in groups.items():
        group = GROUPS[title]
        for method in sorted(vars(cases)):
            name = method.removesuffix("_cpu")
            if not method.startswith("test_") or name == method or (names is not None and name not in names):
                continue
            model = models[name] if group == "node" else None
            excluded = "" if model is None else exclusion(model)
            family = group if model is None or excluded == "operator" else family_of(model, name)
            error, on_kernels = "", False
            if excluded != "operator":
                result = _Result()
                _Counting.last = None
                cases(method).run(result)
                error = result.error
                on_kernels = _Counting.last is not None and _Counting.last.kernels > 0
            outcomes.append(Outcome(name, group, family, excluded, error, on_kernels))
    return outcomes


def _model_of(case: Any) -> onnx.ModelProto:
    """Older releases of the package onnx have their cases as files."""
    return case.model or onnx.load(Path(case.model_dir) / "model.onnx")


def exceptions() -> dict[str, str]:
    """The cases that are known to fail on this instruction set or with this release of ONNX, and why."""
    release = "onnx " + ".".join(onnx.__version__.split(".")[:2])
    known = {}
    for line in EXCEPTIONS.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"(\w+)(?: \[([\w. ]+)\])?: (.+)", line)
        if match and match[2] in (None, core.isa(), release):
            known[match[1]] = match[3]
        elif not match and line.strip() and not line.startswith("#"):
            raise ValueError(f"{EXCEPTIONS.name}: not a case with a reason: {line!r}")
    return known


def unforeseen(outcomes: list[Outcome]) -> dict[str, str]:
    """Cases that fail and aren't listed, with their errors; and listed ones that pass."""
    known = exceptions()
    failed = {o.name: o.error for o in outcomes if o.error and not o.excluded and o.name not in known}
    return failed | {o.name: "passes, though it is listed" for o in outcomes if o.name in known and not o.error}


def table(outcomes: list[Outcome]) -> str:
    """The counts, as text."""
    lines = [f"{'':<20}{'cases':>7}{'passed':>8}{'failed':>8}{'on kernels':>12}{'on NumPy only':>15}"]

    def row(title: str, members: list[Outcome]) -> None:
        passed = [o for o in members if not o.error]
        kernels = sum(o.on_kernels for o in passed)
        lines.append(
            f"{title:<20}{len(members):>7}{len(passed):>8}{len(members) - len(passed):>8}"
            f"{kernels:>12}{len(passed) - kernels:>15}"
        )

    nodes = [o for o in outcomes if o.group == "node"]
    counted = [o for o in nodes if not o.excluded]
    for family in FAMILIES:
        row(family, [o for o in counted if o.family == family])
    row("node cases", counted)
    if counted:
        share = sum(not o.error for o in counted) / len(counted)
        lines.append(f"{share:.2%} of the node cases whose operators and types are known")
    lines.append("")
    for group in list(GROUPS.values())[1:]:
        row(group, [o for o in outcomes if o.group == group])
    lines.append("")
    why = Counter(o.excluded for o in nodes)
    beyond = [o for o in nodes if o.excluded == "dtype"]
    lines.append(
        f"not counted: {why['operator']} node cases of other operators; {why['dtype']} of other types, of which "
        f"{sum(not o.error for o in beyond)} pass all the same"
    )
    return "\n".join(lines)


def main() -> int:
    start = time.monotonic()
    outcomes = run(sys.argv[1:] or None)
    print(table(outcomes))
    known, wrong = exceptions(), unforeseen(outcomes)
    for outcome in outcomes:
        if outcome.error and outcome.name in known:
            print(f"known    {outcome.name}: {known[outcome.name]}")
    for name, what in wrong.items():
        print(f"WRONG    {name}: {what}")
    print(f"{time.monotonic() - start:.0f} s, onnx {onnx.__version__}, instruction set {core.isa()}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

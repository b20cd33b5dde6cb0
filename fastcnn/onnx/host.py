"""Operators of ONNX computed with NumPy: those off the hot path, and any operator in a dtype other than float32.

Most are ONNX's own reference implementation. Where that is missing, wrong for older opsets, or walks over pixels in
Python, `host_*.py` has NumPy instead. Sizes are checked before anything is allocated (`host_limits`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import defs, helper
from onnx.reference import ReferenceEvaluator

from ..errors import shown
from ..graph import Spec
from .host_boxes import BOXES
from .host_convolution import CONVOLUTIONS
from .host_limits import check_result
from .host_node import Attributes, HostNode, make_proto, schema_of
from .host_old import OLDER
from .host_sampling import SAMPLING
from .host_shapes import infer_specs
from .host_windows import WINDOWS

#: What a convolutional network can meet, of ONNX's own domain.
_NAMES = """
    Conv ConvTranspose ConvInteger QLinearConv QLinearMatMul MatMulInteger QuantizeLinear DequantizeLinear
    DynamicQuantizeLinear MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool GlobalLpPool MaxUnpool
    BatchNormalization InstanceNormalization GroupNormalization LayerNormalization LRN LpNormalization
    MeanVarianceNormalization Relu LeakyRelu PRelu Elu Selu Celu Gelu Sigmoid HardSigmoid HardSwish Swish Mish
    Softplus Softsign Tanh Erf ThresholdedRelu Clip Shrink Softmax LogSoftmax Hardmax Gemm MatMul Flatten Reshape
    Transpose Squeeze Unsqueeze Concat Split Slice Gather GatherElements GatherND Expand Tile Pad Shape Size
    Constant ConstantOfShape Identity Cast CastLike Range Where Add Sub Mul Div Neg Abs Pow Sqrt Reciprocal Exp Log
    Floor Ceil Round Sign Sin Cos Min Max Sum Mean Mod Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Xor
    IsNaN IsInf ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum
    ReduceLogSumExp ArgMax ArgMin TopK CumSum Resize Upsample DepthToSpace SpaceToDepth GridSample RoiAlign
    NonMaxSuppression NonZero OneHot ScatterND ScatterElements Scatter Dropout Einsum Trilu EyeLike
"""
OPERATORS = frozenset(_NAMES.split())

#: Operators with NumPy of our own: (first opset, last opset or None) and the function.
OWN: dict[str, list[tuple[int, int | None, Callable[..., Any]]]] = {
    **OLDER,
    **WINDOWS,
    **CONVOLUTIONS,
    **SAMPLING,
    **BOXES,
}


#: What NumPy and the reference implementation raise for bad input.
_FAILURES = (
    ValueError, TypeError, LookupError, AttributeError, RuntimeError, AssertionError, ArithmeticError, MemoryError,
)  # fmt: skip


def supports(op_type: str, domain: str = "", opset: int | None = None) -> bool:
    """Whether `HostOperator` computes this operator at this opset (None: the newest)."""
    if domain not in ("", "ai.onnx") or op_type not in OPERATORS:
        return False
    schema = schema_of(op_type, opset or defs.onnx_opset_version())
    return schema is not None and not schema.deprecated


class HostOperator:
    """One node of an ONNX graph as a function of NumPy arrays.

    Parameters
    ----------
    op_type, domain, opset
        Which operator, and the version of its domain that the model imports (None: the newest).
    attributes : mapping
        Numbers, strings, lists of them, and arrays where ONNX has tensors; what is absent has ONNX's default.
    outputs : int
        How many results are wanted, the first ones.
    name : str
        The node's name, for error messages.

    Raises
    ------
    ValueError
        The operator isn't known at this opset, or an attribute is missing, unknown or of another type.
    """

    def __init__(
        self,
        op_type: str,
        domain: str = "",
        opset: int | None = None,
        attributes: Mapping[str, Any] | None = None,
        outputs: int = 1,
        name: str = "",
    ) -> None:
        version = opset or defs.onnx_opset_version()
        if not supports(op_type, domain, version):
            raise ValueError(
                f"node {name!r}: operator {op_type} of domain {domain!r}, opset {version}, is not supported"
            )
        self.node = HostNode(op_type, version, Attributes(op_type, version, attributes or {}, name), outputs, name)
        self._own = next((f for first, last, f in OWN.get(op_type, ()) if first <= version <= (last or version)), None)
        self._evaluators: dict[tuple[Any, ...], ReferenceEvaluator] = {}

    def __call__(self, inputs: Sequence[np.ndarray | None], limit: int | None = None) -> list[np.ndarray]:
        """The node's results.

        Parameters
        ----------
        inputs : sequence of (np.ndarray or None)
            None for an optional input that is left out.
        limit : int, optional
            Most bytes of a result, if that is less than the memory.

        Raises
        ------
        ValueError
            Inputs that don't fit the operator, or a result larger than the memory; the node is named.
        """
        node = self.node
        given = [None if x is None else np.asarray(x) for x in inputs]
        with np.errstate(all="ignore"):
            try:
                check_result(node, given, limit)
                if self._own is not None:
                    made = self._own(node, *given)
                    results = list(made) if isinstance(made, (tuple, list)) else [made]
                else:
                    feeds = {f"x{i}": x for i, x in enumerate(given) if x is not None}
                    results = self._evaluator(given).run(None, feeds)
            except _FAILURES as error:
                # What the reference implementation and NumPy raise for bad input is of many kinds and names no node.
                text = str(error)
                about = ", ".join("none" if x is None else f"{x.dtype}{list(x.shape)}" for x in given)
                if text.startswith("node "):
                    raise
                raise ValueError(f"{node.label}: {text or type(error).__name__}; its inputs are {about}") from error
        return [np.asarray(r) for r in results[: node.outputs]]

    def infer(self, inputs: Sequence[Spec | None], constants: Mapping[int, np.ndarray] | None = None) -> list[Spec]:
        """Shapes and dtypes of the results; None for sizes known only when the node runs.

        Parameters
        ----------
        inputs : sequence of (Spec or None)
            None for an optional input that is left out.
        constants : mapping, optional
            The inputs whose values are known, by their place.
        """
        return infer_specs(self.node, inputs, constants or {})

    def _evaluator(self, inputs: Sequence[np.ndarray | None]) -> ReferenceEvaluator:
        """The reference implementation for inputs of these dtypes (what some operators do depends on them)."""
        key = tuple(None if x is None else x.dtype for x in inputs)
        if key not in self._evaluators:
            model = make_proto(self.node, [None if x is None else Spec((), str(x.dtype)) for x in inputs], ranks=False)
            self._evaluators[key] = ReferenceEvaluator(model)
        return self._evaluators[key]


def run(
    op_type: str,
    domain: str,
    opset: int | None,
    attributes: Mapping[str, Any],
    inputs: Sequence[np.ndarray | None],
    outputs: int = 1,
    name: str = "",
) -> list[np.ndarray]:
    """`HostOperator` applied once."""
    return HostOperator(op_type, domain, opset, attributes, outputs, name)(inputs)


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes as plain data: numbers, strings, lists of them, and arrays for tensors.

    Raises
    ------
    ValueError
        An attribute of a kind that none of the operators has (a graph, a sparse tensor, a reference).
    """
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            raise ValueError(f"node {node.name!r}: attribute {attribute.name!r} refers to a function's attribute")
        value = helper.get_attribute_value(attribute)
        if isinstance(value, onnx.TensorProto):
            value = onnx.numpy_helper.to_array(value)
        elif isinstance(value, bytes):
            value = value.decode()
        elif attribute.type == onnx.AttributeProto.STRINGS:
            value = [text.decode() for text in value]
        elif attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
            value = list(value)
        elif not isinstance(value, (int, float)):
            raise ValueError(f"node {node.name!r}: attribute {attribute.name!r} can't be used, it is {shown(value)}")
        found[attribute.name] = value
    return found

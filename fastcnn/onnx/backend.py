"""The standard interface of ONNX backends, `onnx.backend.base`, over `fastcnn.onnx.load`.

>>> import fastcnn.onnx.backend as backend
>>> outputs = backend.run_model(proto, [x])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from ..models import Model
from .host import supports
from .reader import load
from .source import OLDEST


class FastcnnRep(BackendRep):
    """A model made ready to be run.

    Attributes
    ----------
    model : Model
        What `fastcnn.onnx.load` made of it.
    """

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        self.model = model
        self._results = namedtupledict("Outputs", list(names))

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The model's outputs.

        Parameters
        ----------
        inputs : array, sequence of arrays in the model's order, or dict of arrays by name

        Returns
        -------
        tuple of np.ndarray
            In the model's order; also to be had by name: ``outputs["y"]``.
        """
        if not isinstance(inputs, Mapping):
            inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
            if len(inputs) == 1:
                inputs = inputs[0]
        results = self.model.predict_on_batch(inputs)
        return self._results(*(results if isinstance(results, list) else [results]))

    @property
    def kernels(self) -> int:
        """How many steps on kernels the runs so far have planned."""
        plans = list(self.model._plans.values())
        return sum(not step.kernel.startswith("host: ") for plan in plans for step in plan.steps)


class FastcnnBackend(Backend):
    """fastcnn as a backend for ONNX models: float32 on kernels, the rest on NumPy; on the CPU alone."""

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether all of a model's operators are known."""
        versions = {o.domain: o.version for o in model.opset_import}
        version = max(versions.get("", 1), OLDEST)
        return cls.supports_device(device) and all(supports(n.op_type, n.domain, version) for n in model.graph.node)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> FastcnnRep:
        """Check a model and make it ready to be run.

        Models of opsets before those that `fastcnn.onnx.load` reads are converted first.

        Raises
        ------
        ValueError
            Another device, or a model that `load` refuses.
        """
        if not cls.supports_device(device):
            raise ValueError(f'device must be "CPU", received {device!r}')
        onnx.checker.check_model(model)
        oldest = min((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=OLDEST)
        if oldest < OLDEST:
            model = onnx.version_converter.convert_version(model, OLDEST)
        return FastcnnRep(load(model), [value.name for value in model.graph.output])

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """One node's results.

        Parameters
        ----------
        inputs : sequence of arrays
            For the node's inputs that aren't left out, in their order.
        outputs_info : sequence of (dtype, shape), optional
            What the results will be.
        opset_version : int, optional
            The newest if not given.
        """
        given = [np.asarray(x) for x in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]
        names = [name for name in node.input if name]
        if len(given) != len(names):
            raise ValueError(f"node {node.name!r} has inputs {names}, received {len(given)} arrays")
        told: list[tuple[Any, Any]] = list(outputs_info or ()) or [(None, None)] * len(node.output)
        values = [_info(name, x.dtype, x.shape) for name, x in zip(names, given)]
        results = [_info(name, dtype, shape) for name, (dtype, shape) in zip(node.output, told) if name]
        opset = kwargs.get("opset_version", onnx.defs.onnx_opset_version())
        graph = helper.make_graph([node], node.name or node.op_type, values, results)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(node.domain, opset)])
        return cls.prepare(onnx.shape_inference.infer_shapes(model), device).run(given)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only "CPU"."""
        return device == "CPU"


def _info(name: str, dtype: Any, shape: Sequence[int] | None) -> onnx.ValueInfoProto:
    element = onnx.TensorProto.UNDEFINED if dtype is None else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, shape)


is_compatible = FastcnnBackend.is_compatible
prepare = FastcnnBackend.prepare
run_model = FastcnnBackend.run_model
run_node = FastcnnBackend.run_node
supports_device = FastcnnBackend.supports_device

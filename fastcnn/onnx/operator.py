"""An operator of ONNX as a layer: by kernels where the graph has them for it, else on arrays."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import shown
from ..graph import Node, Spec, Value, apply
from ..layers.base import Layer
from . import forms_moving, forms_pooling, forms_windows  # noqa: F401  (they register their forms)
from .forms import FORMS, Inputs
from .host import HostOperator


class Operator(Layer):
    """One operator of an ONNX file that no other layer stands for.

    It is described with the graph's own operations where they can say it (`forms.py`), and else is a host node,
    computed with NumPy. That is decided again when a plan is made, when sizes are known that were open before.

    Parameters
    ----------
    op_type, domain : str
    opset : int
        Of the domain, as the file imports it.
    attributes : dict
        Numbers, strings, lists of them, arrays.
    constants : dict of int to array
        Those of the inputs that are fixed, by their place.
    places : int
        How many inputs there are, fixed ones and those left out included.
    left_out : sequence of int
        Places of optional inputs that aren't there.
    outputs : int
        How many results there are.
    known_shape : sequence of (int or None), optional
        What is known of the first result's sizes besides what the operator tells.
    """

    automatic_base = "operator"

    def __init__(
        self,
        op_type: str,
        domain: str = "",
        opset: int = 17,
        attributes: Mapping[str, Any] | None = None,
        constants: Mapping[Any, Any] | None = None,
        places: int = 1,
        left_out: Sequence[int] = (),
        outputs: int = 1,
        known_shape: Sequence[int | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.op_type, self.domain, self.opset = op_type, domain, opset
        self.attributes = {k: _unpacked(v) for k, v in (attributes or {}).items()}
        self.constants = {int(k): np.asarray(_unpacked(v)) for k, v in (constants or {}).items()}
        self.places, self.left_out, self.outputs = places, tuple(left_out), outputs
        self.known_shape = None if known_shape is None else tuple(known_shape)
        self.host = HostOperator(op_type, domain, opset, self.attributes, outputs, self.name)

    def ensure_built(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        """There is nothing to build, and maybe no input."""
        self.built = True

    def call(self, inputs: Any) -> Any:
        values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        given: Inputs = []
        for place in range(self.places):
            fixed = place in self.constants or place in self.left_out
            given.append(self.constants.get(place) if fixed else values.pop(0))
        outputs = self.described(given)
        return outputs[0] if self.outputs == 1 else outputs

    def described(self, inputs: Inputs) -> list[Value]:
        """The results as values, from values, arrays, and None for what is left out."""
        form = FORMS.get(self.op_type)
        if form is not None and all(_float(x) for x in inputs if isinstance(x, Value)):
            made = form(self.host.node, inputs)
            if made is not None:
                return made
        return list(self._host_node(inputs).outputs)

    def _host_node(self, inputs: Inputs) -> Node:
        fixed = {i: x for i, x in enumerate(inputs) if isinstance(x, np.ndarray)}

        def full(given: Sequence[Any]) -> list[Any]:
            rest = iter(given)
            return [next(rest) if isinstance(x, Value) else x for x in inputs]

        def infer(specs: list[Spec]) -> list[Spec]:
            found = self.host.infer([None if isinstance(x, np.ndarray) else x for x in full(specs)], fixed)
            if self.known_shape is not None:
                merged = [k if s is None else s for s, k in zip(found[0].shape, self.known_shape)]
                found[0] = Spec(merged, found[0].dtype)
            return found

        def specialize(values: list[Value | None]) -> list[Value] | None:
            if self.op_type in ("Shape", "Size") and values[0] is not None and None not in values[0].shape:
                return self._size_of(values[0])
            contents = full([v if v is None or v.constant is None else v.constant for v in values])
            form = FORMS.get(self.op_type)
            if any(isinstance(x, np.ndarray) and isinstance(old, Value) for x, old in zip(contents, inputs)):
                return self.described(contents)
            if form is not None and all(_float(x) for x in contents if isinstance(x, Value)):
                return form(self.host.node, contents)
            return None

        attrs = {
            "function": lambda arrays: self.host(full(arrays)),
            "infer": infer,
            "kind": self.op_type,
            "specialize": specialize,
            # For whoever writes the node to a file: itself, and of each input its array, None, or that it is a value.
            "node": self.host.node,
            "places": [isinstance(x, Value) or x for x in inputs],
        }
        return apply("host", [x for x in inputs if isinstance(x, Value)], attrs, self.name)

    def _size_of(self, value: Value) -> list[Value]:
        """Shape and Size need no numbers."""
        shape = [s for s in value.shape if s is not None]
        found = self.host([np.broadcast_to(np.zeros((), value.dtype), shape)])[0]
        return [Value(found.shape, str(found.dtype), name=self.name, constant=found)]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "op_type": self.op_type,
            "domain": self.domain,
            "opset": self.opset,
            "attributes": {k: _packed(v) for k, v in self.attributes.items()},
            "constants": {str(k): _packed(v) for k, v in self.constants.items()},
            "places": self.places,
            "left_out": list(self.left_out),
            "outputs": self.outputs,
            "known_shape": None if self.known_shape is None else list(self.known_shape),
        }


def _float(value: Value) -> bool:
    return value.dtype == "float32"


def _packed(value: Any) -> Any:
    """An array as plain data; anything else as it is."""
    if not isinstance(value, np.ndarray):
        return value
    data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return {"dtype": str(value.dtype), "shape": list(value.shape), "data": data}


def _unpacked(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    try:
        data = np.frombuffer(base64.b64decode(value["data"], validate=True), np.dtype(value["dtype"]))
        return data.reshape([int(size) for size in value["shape"]]).copy()
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"an array must have a dtype, a shape and data that fit, received {shown(value)}") from error

"""Nodes held against what their operators take: how many inputs and results, attributes of which types.

Attributes of windows (convolution, pooling) are held against what they are for: lengths, signs, sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx.defs import OpSchema

from ..shapes import MAX_SIZE
from .host_node import converted, schema_of

_POOLS = ("MaxPool", "AveragePool", "LpPool")
_CONVS = ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv")
_PADDINGS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def check_signature(op_type: str, name: str, opset: int, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """An error for a node with more or fewer inputs or results than its operator has, or with a necessary one left out.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Names; "" is left out.
    """
    schema, where = schema_of(op_type, opset), f"node {name!r} ({op_type})"
    for what, names, formal, least, most in (
        ("inputs", inputs, schema.inputs, schema.min_input, schema.max_input),
        ("results", outputs, schema.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            bounds = f"from {least} to {most}" if most < 2**31 - 1 else f"at least {least}"
            raise ValueError(f"{where}: it must have {bounds} {what}, received {len(names)}")
        for place, given in enumerate(names):
            option = formal[min(place, len(formal) - 1)].option
            if not given and option != OpSchema.FormalParameterOption.Optional and (what == "inputs" or not place):
                raise ValueError(f"{where}: place {place} of its {what} is left out, and must not be")


def typed_attributes(op_type: str, name: str, opset: int, given: Mapping[str, Any], results: int) -> dict[str, Any]:
    """A node's attributes in the types that its operator has them in; those it doesn't know stay as they are."""
    known, where = schema_of(op_type, opset).attributes, f"node {name!r} ({op_type})"
    for key, schema in known.items():
        if schema.required and key not in given:
            raise ValueError(f"{where}: attribute {key!r} is missing")
    if given.get("num_outputs", results) != results:
        raise ValueError(
            f"{where}: num_outputs must be that of its results, {results}, received {given['num_outputs']}"
        )
    return {
        key: converted(value, known[key].type, f"{where}: attribute {key!r}") if key in known else value
        for key, value in given.items()
    }


def check_attributes(
    op_type: str, name: str, attributes: Mapping[str, Any], constants: Sequence[np.ndarray | None]
) -> None:
    """An error for attributes that no window can have.

    Raises
    ------
    ValueError
        It names the node, the attribute, and what was received.
    """
    if op_type not in (*_POOLS, *_CONVS, "MaxUnpool", "Im2Col", "Col2Im"):
        return
    where = f"node {name!r} ({op_type})"
    weights = constants[3 if op_type == "QLinearConv" else 1] if op_type in _CONVS and len(constants) > 1 else None
    kernel = attributes.get("kernel_shape")
    axes = len(kernel) if kernel is not None else None
    if weights is not None:
        if weights.ndim < 3:
            raise ValueError(f"{where}: its weights must have at least 3 axes, received shape {weights.shape}")
        if kernel is not None and tuple(kernel) != weights.shape[2:]:
            raise ValueError(f"{where}: kernel_shape must be that of the weights {weights.shape}, received {kernel}")
        axes = weights.ndim - 2
        kernel = list(weights.shape[2:])
    if kernel is None and op_type in _POOLS:
        raise ValueError(f"{where}: kernel_shape is missing")
    for key, minimum, times in (
        ("kernel_shape", 1, 1), ("strides", 1, 1), ("dilations", 1, 1), ("pads", 0, 2), ("output_padding", 0, 1),
        ("output_shape", 1, 1),
    ):  # fmt: skip
        values = attributes.get(key)
        if values is None:
            continue
        if axes is not None and len(values) != axes * times:
            raise ValueError(f"{where}: {key} must have {axes * times} numbers, received {values}")
        if any(not minimum <= v <= MAX_SIZE for v in values):
            raise ValueError(f"{where}: {key} must be from {minimum} to {MAX_SIZE}, received {values}")
    if kernel is not None and any(not 1 <= v <= MAX_SIZE for v in kernel):
        raise ValueError(f"{where}: the window must have sizes of at least 1, received {list(kernel)}")
    if attributes.get("auto_pad", "NOTSET") not in _PADDINGS:
        raise ValueError(f"{where}: auto_pad must be one of {_PADDINGS}, received {attributes['auto_pad']!r}")
    _check_groups(where, attributes, weights, op_type)


def _check_groups(where: str, attributes: Mapping[str, Any], weights: np.ndarray | None, op_type: str) -> None:
    if op_type not in _CONVS:
        return
    group = attributes.get("group", 1)
    if not 1 <= group <= MAX_SIZE:
        raise ValueError(f"{where}: group must be at least 1, received {group}")
    if weights is not None and weights.shape[0] % group:
        raise ValueError(f"{where}: group must divide the {weights.shape[0]} rows of the weights, received {group}")

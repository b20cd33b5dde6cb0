"""Attributes of windows (convolution, pooling), held against what they are for: lengths, signs, sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..shapes import MAX_SIZE

_POOLS = ("MaxPool", "AveragePool", "LpPool")
_CONVS = ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv")
_PADDINGS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


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

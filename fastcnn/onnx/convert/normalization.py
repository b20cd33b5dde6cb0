"""Normalization with fixed statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ... import layers as L  # noqa: N812
from ..tensors import channels_last
from .table import converts

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode


@converts("BatchNormalization")
def batch_normalization(r: Reader, node: SourceNode) -> bool:
    x = r.first(node)
    fixed = [r.array(node, i) for i in range(1, 5)]
    training = node.attributes.get("training_mode") or not node.attributes.get("spatial", 1)
    if training or r.count(node) > 1 or x.is_fixed or x.dtype != "float32" or x.rank < 2:
        return False
    arrays = [a for a in fixed if a is not None and a.dtype == np.float32]
    if len(arrays) < 4:
        return False
    for array in arrays:
        if array.ndim != 1 or x.shape[1] not in (None, len(array)):
            raise ValueError(f"its numbers of shape {array.shape} don't fit {x.shape[1]} channels")
    momentum = float(node.attributes.get("momentum", 0.9))
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    layer = L.BatchNormalization(momentum=momentum, epsilon=epsilon, name=r.name(node))
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return r.give(node, r.put(node, layer, r.last(x), dict(zip(names, arrays))), channels_last(x.rank))


@converts("InstanceNormalization")
def instance_normalization(r: Reader, node: SourceNode) -> bool:
    """Groups of one channel (Wu and He 2018, "Group normalization", section 3)."""
    return _in_groups(r, node, r.first(node).shape[1] if r.first(node).rank > 1 else None)


@converts("GroupNormalization")
def group_normalization(r: Reader, node: SourceNode) -> bool:
    """Until opset 20 with numbers for each group."""
    return _in_groups(r, node, int(node.attributes["num_groups"]))


def _in_groups(r: Reader, node: SourceNode, groups: int | None) -> bool:
    x, gamma, beta = r.first(node), r.array(node, 1), r.array(node, 2)
    if x.is_fixed or x.dtype != "float32" or x.rank < 3 or gamma is None or beta is None or groups is None:
        return False
    channels = x.shape[1]
    if channels is None or groups < 1 or channels % groups or gamma.dtype != np.float32 or gamma.shape != beta.shape:
        return False
    if node.op_type == "GroupNormalization" and r.opset < 21 and gamma.shape == (groups,):
        gamma, beta = (np.repeat(array, channels // groups) for array in (gamma, beta))
    if gamma.shape != (channels,):
        return False
    layer = L.GroupNormalization(groups, epsilon=float(node.attributes.get("epsilon", 1e-5)), name=r.name(node))
    return r.give(node, r.put(node, layer, r.last(x), {"gamma": gamma, "beta": beta}), channels_last(x.rank))

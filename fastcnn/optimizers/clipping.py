"""Gradients kept small: by their elements, by each weight's norm, or by the norm of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._ops.kinds import UNARY
from ..plan import FlatStore

#: Parts have at most so many floats: FC_CHUNK of csrc/kernels/kernel.h.
_PART = 16384

#: Kernels with their arguments, as `Optimizer.calls` gives them.
Calls = list[tuple[str, dict[str, Any]]]


def clip_values(grads: Any, count: int, limit: float) -> Calls:
    """Each element to -limit .. limit."""
    return [("unary_forward", {"x": grads, "y": grads, "count": count, "kind": UNARY["clip"], "alpha": -limit,
                               "beta": limit})]  # fmt: skip


def clip_norms(grads: Any, store: FlatStore, limit: float, together: bool) -> Calls:
    """Norms to at most `limit`: that of each weight's gradient, or of all `together` (Pascanu et al., ICML 2013)."""
    bounds, groups = [0], []
    for variable, start in zip(store.variables, store.starts):
        first, end = len(bounds) - 1, start + variable.size
        bounds += [*range(start + _PART, end, _PART), end]
        groups += [(first, len(bounds) - 1)] * (len(bounds) - 1 - first)
    if together:
        groups = [(0, len(groups))] * len(groups)
    places, sums = np.array(bounds, np.int64), np.zeros(len(groups), np.float64)
    common = {"bounds": places, "sums": sums, "count": store.size, "parts": len(groups)}
    return [
        ("square_sums", {"x": grads, **common}),
        ("clip_norms", {"g": grads, "groups": np.array(groups, np.int64).reshape(-1), "limit": limit, **common}),
    ]

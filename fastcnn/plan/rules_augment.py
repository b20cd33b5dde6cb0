"""Kernels of augmentation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.augment.recipe import make_recipe
from ..graph import Node
from .lowering import Lowering, lowers, one
from .memory import Buffer


@lowers("augment")
def augment(low: Lowering, node: Node) -> None:
    x = one(node)
    n, h, w, c = low.shape(x)
    steps = node.attrs["augmentation"].steps(h, w, training=low.training)
    if not steps:
        low.alias(node.outputs[0], x)
        return
    recipe = make_recipe(steps, (n, h, w, c), "float32")
    # Outside training nothing is random, and the counter may be any.
    rng = low.rng if low.rng is not None else np.zeros(2, np.uint64)
    places: dict[str, Any] = {"x": low.read(x), "y": low.write(node.outputs[0]), "rng": rng}
    places["site"] = low.dropout_site(node.attrs.get("of") or node)
    for name, (size, dtype) in recipe.memory.items():
        places[name] = low.temporary(size, dtype, name=name)
    for call in recipe.calls:
        low.step(call.kernel, node, **{k: _argument(v, places) for k, v in call.args.items()})


def _argument(value: Any, places: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return places[value]
    if isinstance(value, np.ndarray):
        return Buffer(value.size, str(value.dtype), name="steps", array=value)
    return value

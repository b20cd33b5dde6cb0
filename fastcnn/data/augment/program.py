"""An augmentation's recipe as a program of kernels, and what was drawn in a run of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..._ops import core
from .recipe import Recipe
from .steps import DRAWN


class Program:
    """A recipe as kernels in memory."""

    def __init__(self, recipe: Recipe, like: np.ndarray) -> None:
        self.recipe = recipe
        dtype, size = like.dtype.name, int(np.prod(recipe.shape))
        self.kept = {k: v for k, v in recipe.memory.items() if k.startswith(("drawn", "matrix"))}
        slots = {"x": (like.size, dtype), "y": (size, dtype), "rng": (2, "uint64"), **self.kept}
        places: dict[str, Any] = {
            name: core.Slot(i, kind, count, name) for i, (name, (count, kind)) in enumerate(slots.items())
        }
        offset = 0
        for name, (count, kind) in recipe.memory.items():
            if name not in self.kept:
                nbytes = count * np.dtype(kind).itemsize
                places[name] = core.Arena(offset, nbytes)
                offset += -(-nbytes // core.ALIGNMENT) * core.ALIGNMENT
        calls = [(c.kernel, {k: argument(v, places) for k, v in c.args.items()}) for c in recipe.calls]
        self._program = core.Program(calls, offset, [p for p in places.values() if isinstance(p, core.Slot)])
        self.sizes: list[tuple[int, int]] = []
        h, w = like.shape[1:3]
        for stage in recipe.stages:
            for step in stage.steps:
                h, w = step.size or (h, w)
            self.sizes.append((h, w))

    def run(self, x: np.ndarray, rng: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        y = np.empty(self.recipe.shape, x.dtype)
        found = {name: np.empty(size, dtype) for name, (size, dtype) in self.kept.items()}
        self._program.run([x, y, rng, *found.values()], 0)
        return y, found


def argument(value: Any, memory: Mapping[str, Any]) -> Any:
    """An argument of a kernel, in the place of its name."""
    if not isinstance(value, str):
        return value
    return 0 if value == "site" else memory[value]


def described(recipe: Recipe, memory: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """What was drawn for each image, a dict for each pass: see `Augmentation.params`."""
    passes = []
    for i, stage in enumerate(recipe.stages):
        drawn = memory[f"drawn{i}"].reshape(-1, len(stage.steps), DRAWN)
        found: dict[str, Any] = {
            "steps": [step.kind for step in stage.steps], "done": drawn[:, :, 0] != 0, "values": drawn[:, :, 1:],
        }  # fmt: skip
        if stage.kind == "warp":
            found["matrix"] = memory[f"matrix{i}"].reshape(-1, 3, 3)
        passes.append(found)
    return passes

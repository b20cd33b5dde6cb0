"""From steps to kernels: which run, in which order, on which memory. Models and calls on arrays use the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .steps import BORDERS, DRAWN, GEOMETRIC, LINEAR, POINTS, Step, table


@dataclasses.dataclass(frozen=True)
class Stage:
    """Steps that one pass over the images does, and their places among all steps."""

    kind: str
    steps: tuple[Step, ...]
    lanes: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class KernelCall:
    """A kernel's name and its arguments: numbers, arrays, or the names of memory (str)."""

    kernel: str
    args: dict[str, Any]


@dataclasses.dataclass
class Recipe:
    """What is run for a batch of one shape.

    "x" is the batch, "y" the result, "rng" the seed and the step (uint64).

    Attributes
    ----------
    calls : list of KernelCall
    memory : {name: (elements, dtype)}
        What is needed beside x, y and rng. "drawn0", … are what the images draw in each stage, "matrix0", … the
        matrices of geometric stages.
    shape : tuple of int
        Of the result.
    stages : list of Stage
    """

    calls: list[KernelCall]
    memory: dict[str, tuple[int, str]]
    shape: tuple[int, int, int, int]
    stages: list[Stage]


_NOWHERE = np.zeros(0, np.int32)


def _pass_of(step: Step) -> str:
    if step.kind in GEOMETRIC:
        return "warp"
    if step.kind in POINTS:
        return "points"
    return {"blur": "filter", "sharpen": "filter", "equalize": "equalize"}.get(step.kind, "erase")


def _exclude(a: Step, b: Step) -> bool:
    """Whether no image has both done to it."""
    return a.group is not None and b.group is not None and a.group[0] == b.group[0] and a.group[1] != b.group[1]


def _joins(stage: list[Step], step: Step) -> bool:
    """Whether a step can be done in one pass with those before it."""
    first = stage[0]
    if _pass_of(first) != _pass_of(step):
        return False
    if step.kind in GEOMETRIC:
        return step.view == first.view
    if step.kind not in POINTS or step.value_range != first.value_range:
        return False
    # The pass knows the statistics of what it begins with, and how means follow through linear steps.
    before = [s for s in stage if not _exclude(s, step)]
    if step.kind == "contrast":
        return all(s.kind in LINEAR for s in before)
    return step.kind != "stretch" or not before


def stages_of(steps: Sequence[Step]) -> list[Stage]:
    """Steps joined to as few passes as they need."""
    found: list[tuple[list[Step], list[int]]] = []
    for lane, step in enumerate(steps):
        if not found or not _joins(found[-1][0], step):
            found.append(([], []))
        found[-1][0].append(step)
        found[-1][1].append(lane)
    return [Stage(_pass_of(s[0]), tuple(s), tuple(lanes)) for s, lanes in found]


def _memories(passes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Where each pass reads the images, and where it leaves them. The last one that moves them moves them to y."""
    moving = [i for i, kind in enumerate(passes) if kind in ("copy", "warp") or i == 0]
    source = "x"
    for i in range(len(passes)):
        target = source
        if i in moving:
            target = "y" if i == moving[-1] else f"images{moving.index(i) % 2}"
        yield source, target
        source = target


def make_recipe(steps: Sequence[Step], shape: tuple[int, int, int, int], dtype: str) -> Recipe:
    """The kernels for a batch.

    Parameters
    ----------
    shape : (batch, height, width, channels)
    dtype : {"uint8", "float32"}
    """
    n, h, w, c = shape
    of = {"uint8": "u8", "float32": "f32"}[dtype]
    stages = stages_of(steps)
    memory: dict[str, tuple[int, str]] = {}
    calls: list[KernelCall] = []
    passes = [stage.kind for stage in stages]
    if not passes or passes[0] in ("equalize", "erase"):
        passes.insert(0, "copy")  # what works in place needs the images where the result will be
    memories = list(_memories(passes))
    if passes[0] == "copy":
        target = memories.pop(0)[1]
        nothing = {"from": _NOWHERE, "share": _NOWHERE.view(np.float32), "box": _NOWHERE, "shift": _NOWHERE}
        calls.append(KernelCall(f"augment_mix_{of}", {
            "x": "x", "y": target, **nothing, "n": n, "h": h, "w": w, "c": c, "p": 0,
        }))  # fmt: skip
        if target != "y":
            memory[target] = n * h * w * c, dtype
    for number, (stage, (source, target)) in enumerate(zip(stages, memories)):
        k, drawn = len(stage.steps), f"drawn{number}"
        rows = table(stage.steps, stage.lanes, h, w)
        memory[drawn] = n * k * DRAWN, "float32"
        calls.append(
            KernelCall("augment_draw", {"steps": rows, "rng": "rng", "drawn": drawn, "n": n, "k": k, "site": "site"})
        )
        low, high = (0.0, 255.0) if dtype == "uint8" else stage.steps[0].value_range
        ends = {"low": low, "high": high}
        size = stage_size(stage, h, w)
        if target.startswith("images"):
            known = memory.get(target, (0, dtype))[0]
            memory[target] = max(known, n * size[0] * size[1] * c), dtype
        if stage.kind == "warp":
            view, matrix = stage.steps[0].view, f"matrix{number}"
            memory[matrix] = 9 * n, "float64"
            calls.append(
                KernelCall("augment_geometry", {"steps": rows, "drawn": drawn, "matrix": matrix, "n": n, "k": k})
            )
            calls.append(KernelCall(f"augment_warp_{of}", {
                "x": source, "matrix": matrix, "y": target, "n": n, "h": h, "w": w, "c": c, "oh": size[0],
                "ow": size[1], "bilinear": int(view.interpolation == "bilinear"), "border": BORDERS.index(view.border),
                "fill": view.fill,
            }))  # fmt: skip
        elif stage.kind == "points":
            calls += _points(stage, rows, number, (n, h * w, c), (source, target), of, ends, memory)
        else:
            images = {"y": target} if stage.kind != "filter" else {"x": source, "y": target}
            args: dict[str, Any] = {**images, "drawn": drawn, "n": n, "c": c, "k": k, "step": 0, **ends}
            if stage.kind == "equalize":
                args["pixels"] = h * w
            else:
                args |= {"steps": rows, "h": h, "w": w}
            if stage.kind == "filter":
                args |= dict(zip(("rows", "cols"), stage.steps[0].window))
            elif stage.kind == "erase":
                args |= {"rng": "rng", "site": "site"}
            calls.append(KernelCall(f"augment_{stage.kind}_{of}", args))
        h, w = size
    return Recipe(calls, memory, (n, h, w, c), stages)


def _points(
    stage: Stage,
    rows: NDArray[np.float64],
    number: int,
    images: tuple[int, int, int],
    where: tuple[str, str],
    of: str,
    ends: dict[str, float],
    memory: dict[str, tuple[int, str]],
) -> Iterator[KernelCall]:
    n, pixels, c = images
    k, drawn, lists, statistics = len(stage.steps), f"drawn{number}", f"lists{number}", f"statistics{number}"
    memory[lists] = n * (k + 1) * (2 + 4 * c), "float32"
    wanted = any(s.kind in ("contrast", "stretch") for s in stage.steps)
    if wanted:
        memory[statistics] = 3 * n * c, "float32"
        yield KernelCall(
            f"augment_statistics_{of}", {"x": where[0], "statistics": statistics, "n": n, "pixels": pixels, "c": c}
        )
    yield KernelCall("augment_colors", {
        "steps": rows, "drawn": drawn, "statistics": statistics if wanted else None, "lists": lists, "n": n, "c": c,
        "k": k, **ends,
    })  # fmt: skip
    yield KernelCall(f"augment_points_{of}", {
        "x": where[0], "lists": lists, "rng": "rng", "y": where[1], "n": n, "pixels": pixels, "c": c, "k": k,
        "site": "site", **ends,
    })  # fmt: skip


def stage_size(stage: Stage, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a stage's result."""
    for step in stage.steps:
        height, width = step.size or (height, width)
    return height, width

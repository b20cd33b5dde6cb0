"""Runs a problem on the kernels, and compares what came out with what was expected."""

from __future__ import annotations

import numpy as np

from fastcnn._ops import core

from .case import Problem, Step


def numbers_of(step: Step) -> dict[str, int | float]:
    """The step's integer and real arguments."""
    fields = core.KERNELS[step.kernel].by_name
    return {name: value for name, value in step.args.items() if fields[name].dtype is None}  # type: ignore[misc]


def allocate(problem: Problem) -> dict[str, np.ndarray]:
    """Every buffer of the problem; those without a content are filled with NaN or with a value nobody expects."""
    buffers = {name: array.copy() for name, array in problem.inputs.items()}
    for step in problem.steps:
        needed = core.Call(step.kernel, numbers_of(step)).needed()
        for field in core.KERNELS[step.kernel].pointers:
            name = step.args.get(field.name)
            if isinstance(name, str) and name not in buffers:
                buffers[name] = core.aligned_empty(needed[field.name]).view(field.dtype)
                buffers[name][...] = np.nan if field.dtype.kind == "f" else 99
    return buffers


def run(problem: Problem) -> dict[str, np.ndarray]:
    """All buffers after the problem's steps."""
    buffers = allocate(problem)
    for step in problem.steps:
        pointers = {
            field.name: buffers[name]
            for field in core.KERNELS[step.kernel].pointers
            if isinstance(name := step.args.get(field.name), str)
        }
        core.call(step.kernel, **pointers, **numbers_of(step))
    return buffers


def check(problem: Problem, results: dict[str, np.ndarray]) -> None:
    """An error that says where and by how much a result is off."""
    for name, expected in problem.expected.items():
        got = results[name].reshape(expected.shape)
        if expected.dtype.kind != "f":
            np.testing.assert_array_equal(got, expected, err_msg=name)
            continue
        # In float64, so that the difference itself is not rounded.
        np.testing.assert_allclose(
            got.astype(np.float64), expected, rtol=problem.rtol, atol=problem.atol, err_msg=name, equal_nan=True
        )

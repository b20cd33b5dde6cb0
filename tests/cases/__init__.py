"""Shapes, dtypes and tolerances as data: one list drives correctness, gradients, guard pages and timing.

Each family's module has its shapes at the top and `cases()`, which turns them into `Case`s: kernels of
csrc/kernels.def with arguments, and what the reference says comes out.
"""

from __future__ import annotations

from . import (
    augmentation,
    boxes,
    convolution,
    detection,
    elementwise,
    group_normalization,
    judging,
    losses,
    matmul,
    moving,
    normalization,
    optimizers,
    pooling,
    reductions,
    resizing,
    strided,
)
from .case import ATOL, RTOL, Case, Problem, Step

__all__ = ["ATOL", "CASES", "RTOL", "Case", "Problem", "Step"]

#: Every case, family by family.
CASES: list[Case] = [
    case
    for family in (
        convolution, pooling, elementwise, reductions, losses, optimizers, moving, strided, resizing, matmul,
        normalization, group_normalization, augmentation, boxes, judging, detection,
    )
    for case in family.cases()
]  # fmt: skip

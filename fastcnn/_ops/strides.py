"""Dense arrays read in another order: sizes and steps of the kernels strided_copy and strided_place."""

from __future__ import annotations

from collections.abc import Sequence

#: Axes of the kernels.
AXES = 5


def dense_steps(shape: Sequence[int]) -> list[int]:
    """How far apart neighbours along each axis of a dense array are."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= size
    return steps[::-1]


def copy_fields(sizes: Sequence[int], steps: Sequence[int]) -> dict[str, int]:
    """Sizes and steps of the kernel `strided_copy`: axes that are walked as one are merged, then padded to five.

    Raises
    ------
    ValueError
        More than five axes are left.
    """
    axes: list[tuple[int, int]] = []
    for size, step in zip(sizes, steps):
        if size == 1:
            continue
        if axes and axes[-1][1] == step * size:
            axes[-1] = (axes[-1][0] * size, step)
        else:
            axes.append((size, step))
    if len(axes) > AXES:
        raise ValueError(f"more than {AXES} axes of {tuple(sizes)} change places at once")
    axes = [(1, 0)] * (AXES - len(axes)) + axes
    return {f"d{i}": size for i, (size, _) in enumerate(axes)} | {f"s{i}": step for i, (_, step) in enumerate(axes)}

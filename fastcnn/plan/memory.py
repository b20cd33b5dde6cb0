"""Memory of a plan: buffers with lifetimes, and their places in one arena."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

ALIGNMENT = 64


class Buffer:
    """A piece of memory that steps of a plan read and write.

    Attributes
    ----------
    size, dtype
        Elements and their type.
    slot : int or None
        The caller's array that it is, if any.
    array : np.ndarray or None
        The fixed array (weight, constant, optimizer state) that it is, if any.
    parent, start
        The buffer it is a part of, and at which element.
    step : int
        Elements from one of its pixels to the next where other parts of the parent's pixels lie between them, else 0.
    first, last : int
        The steps between which an arena buffer must keep its contents.
    steady : bool
        Its contents depend on weights and constants alone.
    """

    __slots__ = (
        "array", "dtype", "first", "last", "name", "offset", "parent", "pending", "size", "slot", "start", "steady",
        "step",
    )  # fmt: skip

    def __init__(
        self,
        size: int,
        dtype: str = "float32",
        *,
        name: str = "",
        slot: int | None = None,
        array: np.ndarray | None = None,
        parent: Buffer | None = None,
        start: int = 0,
        step: int = 0,
    ) -> None:
        self.size = size
        self.dtype = dtype
        self.name = name
        self.slot = slot
        self.array = array
        self.parent = parent
        self.start = start
        self.step = step
        self.first = -1
        self.last = -1
        self.offset = -1
        self.pending = 0
        self.steady = array is not None

    @property
    def nbytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def in_arena(self) -> bool:
        return self.slot is None and self.array is None

    def used_at(self, step: int) -> None:
        """Take note that the step reads or writes it."""
        root = self.parent or self
        if root.first < 0:
            root.first = step
        root.last = max(root.last, step)

    def place(self) -> int:
        """Byte offset in the arena, once laid out."""
        if self.parent is not None:
            return self.parent.offset + self.start * np.dtype(self.dtype).itemsize
        return self.offset


def lay_out(buffers: Iterable[Buffer]) -> int:
    """Give every buffer an offset such that no two alive at the same step overlap; returns the arena's bytes.

    Greedy by size: the largest first, each at the lowest place free over its whole life (Pisarchyk and Lee,
    "Efficient memory management for deep neural net inference", 2020, section 5.2).
    """
    placed: list[Buffer] = []
    total = 0
    for buffer in sorted(buffers, key=lambda b: (-b.nbytes, b.first)):
        size = _aligned(buffer.nbytes)
        offset = 0
        for other in sorted(placed, key=lambda b: b.offset):
            if other.last < buffer.first or buffer.last < other.first:
                continue
            if offset + size <= other.offset:
                break
            offset = max(offset, other.offset + _aligned(other.nbytes))
        buffer.offset = offset
        total = max(total, offset + size)
        placed.append(buffer)
    return total


def _aligned(nbytes: int) -> int:
    return (nbytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT

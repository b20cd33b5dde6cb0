"""What a case is: kernels with their arguments, what goes in, and what the reference says comes out."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

#: |err| <= ATOL + RTOL |ref|, unless a case says otherwise and why.
ATOL, RTOL = 1e-5, 1e-4

#: A pointer's buffer by name, a number, or None for an optional pointer left out.
Argument = str | int | float | None


@dataclass(frozen=True)
class Step:
    """One kernel with its arguments by field name. Two pointers with one buffer's name share memory ("in place")."""

    kernel: str
    args: dict[str, Argument]


@dataclass
class Problem:
    """Kernels run one after another on named buffers.

    `inputs` are buffers with a beginning content, `expected` those whose end content is checked (one buffer may be
    in both). A buffer in neither carries results from one step to the next, such as packed weights, whose order is
    the instruction set's own affair.
    """

    steps: list[Step] = field(default_factory=list)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    expected: dict[str, np.ndarray] = field(default_factory=dict)
    atol: float = ATOL
    rtol: float = RTOL

    def add(
        self,
        kernel: str,
        inputs: dict[str, np.ndarray],
        expected: dict[str, Any],
        tag: str = "",
        **args: Argument,
    ) -> Problem:
        """One step whose buffers are named after its fields, with `tag` to tell several steps' apart."""
        named = {name: name + tag for name in (*inputs, *expected)}
        self.steps.append(Step(kernel, {**named, **args}))
        self.inputs.update({name + tag: array for name, array in inputs.items()})
        self.expected.update({name + tag: np.asarray(array) for name, array in expected.items()})
        return self

    def exactly(self) -> Problem:
        """No rounding is possible here: results are compared bit for bit."""
        self.atol = self.rtol = 0.0
        return self


@dataclass(frozen=True)
class Case:
    """A problem that is made when it is needed.

    Parameters
    ----------
    kernels : tuple of str
        The kernels it runs, in order, each once.
    large : bool
        Enough work that several threads share it.
    """

    name: str
    kernels: tuple[str, ...]
    make: Callable[[np.random.Generator], Problem]
    large: bool = False

    @cached_property
    def problem(self) -> Problem:
        return self.make(generator(self.name))


def generator(name: str) -> np.random.Generator:
    """Random numbers that are always the same for one name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def floats(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Normally distributed float32."""
    return np.asarray(rng.standard_normal(shape) * scale, dtype=np.float32)


def apart(pixels: np.ndarray, gap: int) -> np.ndarray:
    """Pixels [...][channels] with `gap` floats between them that nobody may touch: they stay NaN."""
    if not gap:
        return pixels
    channels = pixels.shape[-1]
    wide = np.full((pixels.size // channels, channels + gap), np.nan)
    wide[:, :channels] = pixels.reshape(-1, channels)
    return wide.reshape(-1)[: max(0, wide.size - gap)]


def integers(rng: np.random.Generator, *shape: int, limit: int = 4) -> np.ndarray:
    """Whole numbers -limit .. limit as float32: sums of their products are exact."""
    return rng.integers(-limit, limit + 1, shape).astype(np.float32)

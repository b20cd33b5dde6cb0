"""Who takes part: someone who computes one shape in one direction, again and again on the same arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ..._ops import core
from .shapes import CONVOLUTIONS, Shape


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to compute a layer.

    Attributes
    ----------
    name : str
    run : callable
        Computes once; what comes back is for `results`.
    results : callable
        Given what `run` returned, the arrays in fastcnn's layouts (NHWC, HWIO), to compare.
    rest : float
        For so many seconds after a call its threads may turn in circles, waiting for the next one, and slow others.
    """

    name: str
    run: Callable[[], object]
    results: Callable[[Any], list[np.ndarray]]
    rest: float = 0.0


@dataclasses.dataclass(frozen=True)
class Task:
    """A shape with a batch, a direction and the arrays that all contenders get.

    Attributes
    ----------
    x, dy : np.ndarray
        Input, and gradient of the result.
    weights, bias : np.ndarray or None
        Of convolutions; (gamma, beta) of batch normalisation.
    labels : np.ndarray or None
        int32, of softmax.
    """

    shape: Shape
    batch: int
    direction: str
    x: np.ndarray
    dy: np.ndarray
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    labels: np.ndarray | None = None

    @classmethod
    def make(cls, shape: Shape, batch: int, direction: str) -> Task:
        """A task with random arrays, always the same ones for the same shape."""
        generator = np.random.default_rng(1)
        x = aligned(generator.standard_normal(shape.x_shape(batch), dtype=np.float32))
        dy = aligned(generator.standard_normal(shape.y_shape(batch), dtype=np.float32))
        weights = bias = labels = None
        if shape.kind in CONVOLUTIONS:
            g = shape.geometry(batch)
            weights = generator.standard_normal(g.w_shape, dtype=np.float32)
            bias = generator.standard_normal(shape.filters, dtype=np.float32)
        elif shape.kind == "batch_norm":
            weights, bias = generator.random((2, shape.channels), dtype=np.float32)
        elif shape.kind == "softmax":
            labels = generator.integers(0, shape.channels, batch, dtype=np.int32)
        return cls(shape, batch, direction, x, dy, weights, bias, labels)


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins with a cache line, as everybody's own memory between two layers does. NumPy's begins 16 bytes
    behind one, and each vector of 64 bytes then lies across two lines.
    """
    copy = core.aligned_empty(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def nchw(array: np.ndarray) -> np.ndarray:
    """NHWC to NCHW, in memory."""
    return aligned(array.transpose(0, 3, 1, 2))


def nhwc(array: np.ndarray) -> np.ndarray:
    """NCHW to NHWC."""
    return array.transpose(0, 2, 3, 1)


def oihw(weights: np.ndarray) -> np.ndarray:
    """Kernels (height, width, in, out) to (out, in, height, width)."""
    return np.ascontiguousarray(weights.transpose(3, 2, 0, 1))


def hwio(weights: np.ndarray) -> np.ndarray:
    """Kernels (out, in, height, width) to (height, width, in, out)."""
    return weights.transpose(2, 3, 1, 0)

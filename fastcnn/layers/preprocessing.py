"""Standardization of data with statistics taken once, inside the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._ops.arrays import real_array
from ..data.dataset import Dataset
from ..errors import shown
from ..graph import Spec, Value, constant, emit
from ..graph.functional import binary, unary
from .base import SingleInputLayer

#: Deviations below this count as this: constant features become 0 instead of NaN.
_LEAST_DEVIATION = 1e-7


class Normalization(SingleInputLayer):
    """``(x - mean) / sqrt(variance)`` with the statistics of the training data.

    They are given, or taken from data by `adapt` before training. As weights that nothing trains they are saved with
    the model, which then takes data as it is.

    Parameters
    ----------
    axis : int, tuple of int or None
        The axes along which each index has statistics of its own: the last one for each channel's; None: one mean and
        variance of all numbers.
    mean, variance : float or array_like, optional
        Both or neither; of a shape that broadcasts to the axes'.
    invert : bool
        Whether to undo the standardization: ``x * sqrt(variance) + mean``.

    Raises
    ------
    ValueError
        One of mean and variance without the other, the batch among the axes, statistics that don't fit.
    """

    def __init__(
        self, axis: int | Sequence[int] | None = -1, mean: Any = None, variance: Any = None, invert: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        where = f"layer {self.name!r}: "
        if axis is not None and not isinstance(axis, int):
            axis = tuple(axis)
        axes = () if axis is None else (axis,) if isinstance(axis, int) else axis
        if any(isinstance(a, bool) or not isinstance(a, int) or a == 0 for a in axes):
            raise ValueError(f"{where}axis must be axes other than 0, the batch, or None, received {shown(axis)}")
        if (mean is None) != (variance is None):
            raise ValueError(f"{where}mean and variance must be given both or neither")
        self.axis, self._axes, self.invert = axis, axes, bool(invert)
        self._given: list[np.ndarray] | None = None
        if mean is not None:
            self._given = [self._statistic(mean, "mean"), self._statistic(variance, "variance")]

    def _statistic(self, value: Any, name: str) -> np.ndarray:
        array = real_array(value, f"layer {self.name!r}: {name}").astype(np.float32)
        if name == "variance" and not (array >= 0).all():
            raise ValueError(f"layer {self.name!r}: variance must not be negative, received {shown(value)}")
        return array

    def _kept(self, rank: int) -> list[int]:
        """The axes with statistics of their own, none negative."""
        axes = sorted(a + rank if a < 0 else a for a in self._axes)
        if any(not 0 < a < rank for a in axes) or len(set(axes)) != len(axes):
            raise ValueError(f"axis must be axes of an input of rank {rank} behind the batch, received {self.axis!r}")
        return axes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        axes = self._kept(len(input_shape))
        sizes = [size for a in axes if (size := input_shape[a]) is not None]
        if len(sizes) != len(axes):
            raise ValueError(f"Normalization must know the axes {axes} of its input, received shape {input_shape}")
        #: The statistics' shape against the input's.
        self._stretched = tuple(size if i in axes else 1 for i, size in enumerate(input_shape) if i > 0)
        if self._given is not None:
            try:
                self._constants = [constant(np.broadcast_to(a, sizes), self.name) for a in self._given]
            except ValueError:
                shapes = " and ".join(str(a.shape) for a in self._given)
                raise ValueError(f"mean and variance must have shape {tuple(sizes)}, received {shapes}") from None
            return
        self.mean = self.add_weight(sizes, "zeros", "mean", trainable=False)
        self.variance = self.add_weight(sizes, "ones", "variance", trainable=False)
        self.count = self.add_weight((), "zeros", "count", trainable=False)

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data.

        Parameters
        ----------
        data : array_like, (samples, …), or Dataset
            Of the rank of the layer's input; a `fastcnn.data.Dataset` of batches is read for one epoch, of ``(x, y)``
            x is taken.

        Raises
        ------
        ValueError
            The statistics were given, there are no samples, or the shape doesn't fit that of the layer.
        """
        where = f"layer {self.name!r}: "
        if self._given is not None:
            raise ValueError(f"{where}mean and variance were given, there is nothing to adapt")
        batches = data if isinstance(data, Dataset) else [data]
        count, mean, spread = 0, np.zeros(()), np.zeros(())
        for batch in batches:
            x = self._samples(batch[0] if isinstance(batch, tuple) else batch)
            kept = self._kept(x.ndim)
            others = tuple(i for i in range(x.ndim) if i not in kept)
            more = x.size // max(1, self.mean.size)
            center, width = x.mean(axis=others, dtype=np.float64), x.var(axis=others, dtype=np.float64)
            # Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979
            distance, total = center - mean, count + more
            spread = spread + width * more + distance * distance * (count * more / total)
            mean, count = mean + distance * (more / total), total
        if count == 0:
            raise ValueError(f"{where}data must have at least one sample, received a dataset without any")
        self.mean.assign(mean.astype(np.float32))
        self.variance.assign((spread / count).astype(np.float32))
        self.count.assign(np.float32(count))

    def _samples(self, data: Any) -> np.ndarray:
        """Data to adapt to, checked."""
        where = f"layer {self.name!r}: "
        x = real_array(data, f"{where}data")
        if x.ndim < 2 or x.size == 0:
            raise ValueError(f"{where}data must be (samples, …) with at least one sample, received shape {x.shape}")
        self.ensure_built([(None, *x.shape[1:])])
        if tuple(x.shape[a] for a in self._kept(x.ndim)) != self.mean.shape:
            raise ValueError(
                f"{where}data of shape {x.shape} doesn't fit statistics of shape {self.mean.shape} of axis {self.axis}"
            )
        return x

    def call(self, inputs: Value) -> Value:
        given = self._constants if self._given is not None else [v.value() for v in (self.mean, self.variance)]
        like = Spec(self._stretched)
        mean, variance = (emit("reshape", [v], {"like": like}, self.name) for v in given)
        deviation = binary(unary(variance, "sqrt", name=self.name), np.array([_LEAST_DEVIATION]), "maximum", self.name)
        if self.invert:
            return binary(binary(inputs, deviation, "multiply", self.name), mean, "add", self.name)
        return binary(binary(inputs, mean, "subtract", self.name), deviation, "divide", self.name)

    def get_config(self) -> dict[str, Any]:
        statistics = [None, None] if self._given is None else [a.tolist() for a in self._given]
        return {
            **super().get_config(),
            "axis": list(self.axis) if isinstance(self.axis, tuple) else self.axis,
            "mean": statistics[0],
            "variance": statistics[1],
            "invert": self.invert,
        }

"""Weights: named float32 arrays that layers own, graphs refer to and plans point at."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..errors import shown
from .values import Value


class _Clock:
    """Counts changes, so that plans know when what they derived from weights is out of date.

    ``values`` changes when any weight's contents have changed, ``storage`` when any weight's memory has moved. Neither
    ever takes a value twice, whatever threads do at once: drawing a number is one step, counting up is two.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.values = 0
        self.storage = 0

    def values_changed(self) -> None:
        self.values = next(self._numbers)

    def storage_moved(self) -> None:
        self.storage = next(self._numbers)


clock = _Clock()


class Variable:
    """A weight.

    Parameters
    ----------
    array : np.ndarray
        Initial contents; kept as float32.
    name : str
        Its name within its layer: "kernel", "bias".
    regularizer : optional
        A `fastcnn.regularizers.Regularizer`, added to the loss in training.
    """

    def __init__(self, array: Any, name: str, trainable: bool = True, regularizer: Any = None) -> None:
        self._array = np.array(array, dtype=np.float32, order="C")
        self.name = name
        self.path = name
        self.trainable = trainable
        self.regularizer = regularizer
        self._value: Value | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> str:
        return "float32"

    @property
    def size(self) -> int:
        return self._array.size

    def value(self) -> Value:
        """The variable as a value of the graph: always the same one."""
        if self._value is None:
            self._value = Value(self.shape, "float32", name=self.path, variable=self)
        return self._value

    def numpy(self) -> np.ndarray:
        """A copy of the contents."""
        return self._array.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._array.astype(dtype) if dtype is not None else self._array.copy()

    def assign(self, array: Any) -> None:
        """Replace the contents; the shape must be the same.

        Raises
        ------
        ValueError
            `array` has another shape or can't be read as float32.
        """
        try:
            new = np.asarray(array)
            if new.dtype.kind not in "biuf":
                raise TypeError
        except (TypeError, ValueError):
            raise ValueError(f"weight {self.path!r} takes numbers, received {shown(array)}") from None
        if new.shape != self.shape:
            raise ValueError(f"weight {self.path!r} has shape {self.shape}, received an array of shape {new.shape}")
        self._array[...] = new
        clock.values_changed()

    @property
    def storage(self) -> np.ndarray:
        """The memory itself, for plans. Whoever writes to it moves `clock`."""
        return self._array

    def move_to(self, memory: np.ndarray) -> None:
        """Live in `memory` (same shape, float32, C-contiguous) from now on, contents unchanged."""
        memory[...] = self._array
        self._array = memory
        clock.storage_moved()

    def __repr__(self) -> str:
        return f"<Variable {self.path} shape={self.shape}{'' if self.trainable else ' frozen'}>"

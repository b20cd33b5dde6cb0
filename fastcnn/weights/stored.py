"""Tensors in a file: what they are called, how large they are, and their numbers once these are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        As NumPy names it; or ``"bfloat16"``, which NumPy doesn't have and `read` gives as float32.
    read : callable
        The numbers, read from the file now. The file must still be open.
    name : str
        What the file calls it, where that isn't what it is found by.
    flat_last : bool
        Of a dense layer's weights: whether the pixels of a flattened image come with their channels last.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], NDArray[np.generic]]
    name: str = ""
    flat_last: bool = False

    @property
    def floating(self) -> bool:
        return "float" in self.dtype


@dataclass(frozen=True)
class TensorFile:
    """The tensors of an open file, in its order.

    Attributes
    ----------
    path : str
    tensors : dict of str to StoredTensor
    own : bool
        Whether fastcnn wrote it: names and axes are then those of its layers, else those of PyTorch's modules.
    ordered : bool
        Whether modules come in the order in which they were defined; safetensors has them by name.
    is_graph : bool
        Whether it holds a network whose parameters `tensors` are, called and laid out as those of PyTorch's modules;
        then batch normalization may be folded into the convolutions before it.
    whole : dict of str to StoredTensor
        All that it stores, as it stores that, if this isn't `tensors`.
    others : sequence of str
        Of `whole`, weights that belong to no module.
    """

    path: str
    tensors: dict[str, StoredTensor]
    own: bool = False
    ordered: bool = True
    is_graph: bool = False
    whole: Mapping[str, StoredTensor] | None = None
    others: Sequence[str] = ()


def brief(error: Exception) -> str:
    """What an error says, without the half of the file that it may quote."""
    text = str(error)
    return text if len(text) <= 100 else text[:97] + "..."


def widen(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 as float32, of which it is the upper half."""
    return (halves.astype(np.uint32) << 16).view(np.float32)

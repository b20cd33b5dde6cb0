"""Tensors in a file: what they are called, how large they are, and their numbers once these are asked for."""

from __future__ import annotations

from collections.abc import Callable
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
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], NDArray[np.generic]]

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
    """

    path: str
    tensors: dict[str, StoredTensor]
    own: bool = False
    ordered: bool = True


def brief(error: Exception) -> str:
    """What an error says, without the half of the file that it may quote."""
    text = str(error)
    return text if len(text) <= 100 else text[:97] + "..."


def widen(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 as float32, of which it is the upper half."""
    return (halves.astype(np.uint32) << 16).view(np.float32)

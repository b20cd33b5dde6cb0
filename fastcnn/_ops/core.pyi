"""Types of the Cython module core.pyx."""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

HYPER_COUNT: int
lock: threading.Lock
ALIGNMENT: int
KERNELS: dict[str, Kernel]

class Field:
    name: str
    kind: str
    dtype: np.dtype[Any] | None
    optional: bool
    place: int
    part: bool

class Kernel:
    name: str
    index: int
    fields: list[Field]
    by_name: dict[str, Field]
    pointers: list[Field]

class Arena:
    offset: int
    nbytes: int
    def __init__(self, offset: int, nbytes: int) -> None: ...

class Slot:
    index: int
    dtype: np.dtype[Any]
    size: int
    name: str
    def __init__(self, index: int, dtype: Any, size: int, name: str) -> None: ...

class Call:
    kernel: Kernel
    def __init__(self, name: str, numbers: Mapping[str, float]) -> None: ...
    @property
    def flops(self) -> float: ...
    @property
    def bytes(self) -> float: ...
    def needed(self) -> dict[str, int]: ...

class Program:
    slots: list[Slot]
    arena_bytes: int
    def __init__(
        self, steps: Iterable[tuple[str, Mapping[str, Any]]], arena_bytes: int, slots: Iterable[Slot], prologue: int = 0
    ) -> None: ...
    def run(self, arrays: list[NDArray[Any]], version: int = 0) -> None: ...

def usable_isas() -> list[str]: ...
def isa() -> str: ...
def set_isa(name: str) -> None: ...
def cpu_features() -> str: ...
def compiler() -> str: ...
def environment(name: bytes) -> bytes: ...
def threads() -> int: ...
def set_threads(count: int) -> None: ...
def after_fork_in_child() -> None: ...
def aligned_empty(nbytes: int) -> NDArray[np.uint8]: ...
def call(name: str, **arguments: Any) -> None: ...

"""What datasets are given, checked, and what they say about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._ops import get_num_threads
from ..errors import shown
from ..shapes import whole_number

#: So many files that something is wrong with are named in a warning.
_NAMED = 5


def as_column(given: Any) -> Any:
    """Numbers as an array; one that is mapped from a file stays so."""
    array = np.asanyarray(given) if not isinstance(given, np.ndarray) else given
    if array.dtype == object:
        raise TypeError(f"from_arrays: expected arrays of numbers, received {shown(given)}")
    return array


def thread_count(count: int | None, name: str, default: int) -> int:
    """A number of threads as given: None is the default, -1 as many as fastcnn uses."""
    if count is None:
        return default
    return get_num_threads() if count == -1 else whole_number(count, name)


def numpy_file(path: str | os.PathLike[str], mode: Any) -> Any:
    """What is in a file of NumPy's: an array, or an open archive of arrays."""
    try:
        return np.load(Path(path), mmap_mode=mode, allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception as error:  # a header can be wrong in many ways
        raise ValueError(f"{os.fspath(path)} can't be read as NumPy's file: {error}") from None


def listed(what: str, problems: Sequence[str]) -> str:
    """A warning about files, of which the first few are named."""
    more = f"\n  and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    return what + "".join(f"\n  {text}" for text in problems[:_NAMED]) + more

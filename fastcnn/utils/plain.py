"""State as plain data: nested dicts, lists, numbers and arrays, as JSON and arrays by name, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import shown

#: Keys of the objects that stand for what JSON doesn't have. A dict with such a key is written as pairs.
_ARRAY, _PAIRS, _TUPLE = "$array", "$pairs", "$tuple"
_MARKS = {_ARRAY, _PAIRS, _TUPLE}


def pack(value: Any, arrays: dict[str, np.ndarray], path: str) -> Any:
    """`value` as what JSON has; its arrays go into `arrays`, under names that begin with `path`.

    Raises
    ------
    TypeError
        There is something else in it; the message says where.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[path] = np.array(value, order="C")
        return {_ARRAY: path}
    if isinstance(value, (list, tuple)):
        items = [pack(item, arrays, f"{path}/{i}") for i, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and not _MARKS & value.keys():
            return {key: pack(item, arrays, f"{path}/{key}") for key, item in value.items()}
        pairs = [[key, item] for key, item in value.items()]
        return {_PAIRS: [[pack(k, arrays, f"{path}/{i}k"), pack(v, arrays, f"{path}/{i}")]
                         for i, (k, v) in enumerate(pairs)]}  # fmt: skip
    raise TypeError(f"{path} is no plain data (numbers, strings, arrays, lists, dicts): {shown(value)}")


def unpack(data: Any, arrays: dict[str, np.ndarray]) -> Any:
    """What `pack` was given; lists, dicts and arrays are new ones."""
    if isinstance(data, list):
        return [unpack(item, arrays) for item in data]
    if isinstance(data, dict):
        if data.keys() == {_ARRAY}:
            return arrays[data[_ARRAY]].copy()
        if data.keys() == {_TUPLE}:
            return tuple(unpack(item, arrays) for item in data[_TUPLE])
        if data.keys() == {_PAIRS}:
            return {unpack(key, arrays): unpack(item, arrays) for key, item in data[_PAIRS]}
        return {key: unpack(item, arrays) for key, item in data.items()}
    return data


def is_plain(value: Any) -> bool:
    """Whether `pack` takes it."""
    try:
        pack(value, {}, "")
    except TypeError:
        return False
    return True

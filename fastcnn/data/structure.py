"""What flows through a pipeline: arrays, tuples and dicts of them, and lists with an array for each sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import shown

#: An array; a list (one item a sample, of any sizes); a tuple or dict of elements.
Element = Any


def leaves(element: Element) -> Iterator[Any]:
    """The arrays and lists of an element, in a fixed order."""
    if isinstance(element, tuple):
        for part in element:
            yield from leaves(part)
    elif isinstance(element, Mapping):
        for part in element.values():
            yield from leaves(part)
    else:
        yield element


def changed(element: Element, function: Callable[[Any], Any]) -> Element:
    """An element of the same structure, `function` applied to its leaves."""
    if isinstance(element, tuple):
        return tuple(changed(part, function) for part in element)
    if isinstance(element, Mapping):
        return {key: changed(part, function) for key, part in element.items()}
    return function(element)


def rows(element: Element, index: np.ndarray) -> Element:
    """The samples `index` of an element that holds many."""

    def taken(leaf: Any) -> Any:
        if isinstance(leaf, list):
            return [leaf[i] for i in index]
        return leaf[index] if isinstance(leaf, np.memmap) else np.take(leaf, index, axis=0)

    return changed(element, taken)


def row(element: Element, number: int) -> Element:
    """One sample of an element that holds many."""
    return changed(element, lambda leaf: leaf[number])


def stacked(samples: Sequence[Element], what: str = "samples") -> Element:
    """One element that holds all of these.

    Raises
    ------
    ValueError
        Their structures or shapes differ.
    """
    first = samples[0]
    if isinstance(first, tuple):
        if any(not isinstance(s, tuple) or len(s) != len(first) for s in samples):
            raise ValueError(f"{what} must be alike to be batched: some are tuples of {len(first)}, some are not")
        return tuple(stacked([s[i] for s in samples], what) for i in range(len(first)))
    if isinstance(first, Mapping):
        if any(not isinstance(s, Mapping) or s.keys() != first.keys() for s in samples):
            raise ValueError(f"{what} must be alike to be batched: some have the keys {list(first)}, some have not")
        return {key: stacked([s[key] for s in samples], what) for key in first}
    arrays = [np.asarray(s) for s in samples]
    for array in arrays:
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"{what} must be of one shape to be batched, received {arrays[0].shape} and {array.shape}: bring them "
                f"to one size in map before"
            )
    return np.stack(arrays)


def joined(parts: Sequence[Element]) -> Element:
    """Batches one after the other as one element."""
    first = parts[0]
    if isinstance(first, tuple):
        return tuple(joined([p[i] for p in parts]) for i in range(len(first)))
    if isinstance(first, Mapping):
        return {key: joined([p[key] for p in parts]) for key in first}
    if isinstance(first, list):
        return [item for part in parts for item in part]
    return np.concatenate([np.asarray(p) for p in parts])


def checked(element: Element, where: str) -> int:
    """How many samples an element of arrays and lists holds.

    Raises
    ------
    ValueError, TypeError
        They are not equally long, there are none, or something else is among them.
    """
    sizes = []
    for leaf in leaves(element):
        if not isinstance(leaf, (np.ndarray, list)) or (isinstance(leaf, np.ndarray) and leaf.ndim == 0):
            raise TypeError(f"{where}: expected arrays with a sample in each row, received {shown(leaf)}")
        sizes.append(len(leaf))
    if not sizes:
        raise ValueError(f"{where}: there are no arrays")
    if len(set(sizes)) > 1:
        raise ValueError(f"{where}: the arrays must be equally long, received lengths {sizes}")
    return sizes[0]

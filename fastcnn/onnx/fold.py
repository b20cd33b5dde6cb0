"""Arithmetic on sizes while a file is read: what exporters write to keep the number of samples open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .tensors import Tensor

if TYPE_CHECKING:
    from .reader import Reader
    from .source import SourceNode


#: More sizes than these in a row are no shape's: a few nodes could ask for any number of them.
_MOST = 4096
#: Types in which sizes are followed, by ONNX's numbers.
_TYPES = {6: "int32", 7: "int64"}


def folded_sizes(reader: Reader, node: SourceNode, given: Sequence[Tensor | None]) -> tuple[np.ndarray, str] | None:
    """The result of a node on sizes, some of them open: an array of ints and `Size`s, and its dtype; None if it isn't
    one.

    Raises
    ------
    ValueError
        They are more than any shape has.
    """
    first = given[0] if given else None
    if first is None:
        return None
    if node.op_type == "Shape":
        sizes = _objects(reader.sizes_of(first))
        return sizes[slice(node.attributes.get("start"), node.attributes.get("end"))], "int64"
    if all(t is None or t.sizes is None for t in given):
        return None
    contents = [None if t is None else _contents(t) for t in given]
    if any(c is None and t is not None for c, t in zip(contents, given)):
        return None
    if node.op_type == "Concat" and (count := sum(c.size for c in contents if c is not None)) > _MOST:
        raise ValueError(f"node {node.name!r}: {count} sizes in a row, expected at most {_MOST}")
    try:
        found = _RULES[node.op_type](node, contents) if node.op_type in _RULES else None
    except (IndexError, ValueError, TypeError):
        return None  # the operator itself says what is wrong, when it runs
    if found is None:
        return None
    dtype = next(t.dtype for t in given if t is not None and t.sizes is not None)
    return found, _TYPES[node.attributes["to"]] if node.op_type == "Cast" else dtype


def _objects(items: Sequence[Any]) -> np.ndarray:
    found = np.empty(len(items), object)
    found[:] = items
    return found


def _contents(tensor: Tensor) -> np.ndarray | None:
    """Whole numbers and sizes."""
    if tensor.sizes is not None:
        return _objects(tensor.sizes).reshape(tensor.shape)
    if tensor.array is None or tensor.array.dtype.kind not in "iu":
        return None
    return _objects([int(v) for v in tensor.array.ravel()]).reshape(tensor.array.shape)


def _axes(node: SourceNode, contents: Sequence[Any]) -> list[int] | None:
    given = contents[1] if len(contents) > 1 else node.attributes.get("axes")
    return None if given is None else [int(a) for a in np.ravel(given)]


def _gather(node: SourceNode, contents: Sequence[Any]) -> np.ndarray:
    places = np.asarray(contents[1], np.int64)
    return np.asarray(np.take(contents[0], places, axis=node.attributes.get("axis", 0)), object)


def _slice(node: SourceNode, contents: Sequence[Any]) -> np.ndarray | None:
    bounds: list[Any] = [node.attributes.get(k) for k in ("starts", "ends", "axes")] + [None]
    if len(contents) > 1:
        bounds = [None if c is None else list(c) for c in [*contents[1:], None, None][:4]]
    starts, ends, axes, steps = bounds
    if contents[0].ndim != 1 or axes not in (None, [0], [-1]):
        return None
    step = int(steps[0]) if steps else 1
    end: int | None = int(ends[0])
    if step < 0 and end is not None and end < -len(contents[0]):
        end = None
    return contents[0][int(starts[0]) : end : step]


def _concat(node: SourceNode, contents: Sequence[Any]) -> np.ndarray:
    return np.concatenate(list(contents))


def _unsqueeze(node: SourceNode, contents: Sequence[Any]) -> np.ndarray | None:
    axes = _axes(node, contents)
    return np.expand_dims(contents[0], tuple(axes)) if axes is not None and contents[0].ndim == 0 else None


def _squeeze(node: SourceNode, contents: Sequence[Any]) -> np.ndarray | None:
    return contents[0].reshape(()) if contents[0].shape == (1,) else None


def _same(node: SourceNode, contents: Sequence[Any]) -> np.ndarray:
    return contents[0]


def _cast(node: SourceNode, contents: Sequence[Any]) -> np.ndarray | None:
    return contents[0] if node.attributes.get("to") in _TYPES else None


def _reshape(node: SourceNode, contents: Sequence[Any]) -> np.ndarray | None:
    shape = [int(s) for s in np.ravel(contents[1])]
    return contents[0].reshape(shape) if len(shape) < 2 else None


_RULES = {
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Identity": _same,
    "Cast": _cast,
    "Reshape": _reshape,
}

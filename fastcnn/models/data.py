"""From what users bring (arrays, lists, dicts, generators) to batches that a plan takes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import random
from .._ops import arrays, core
from ..errors import shown
from ..utils import imbalance

if TYPE_CHECKING:
    from .network import Network
    from .trainer import Trainer

#: Of a column's rows so much is gathered at once.
_GATHERED_BYTES = 1 << 20


class Column:
    """One input's or target's samples: an array, and how rows of it become what the plan takes."""

    __slots__ = ("array", "dtype", "row")

    def __init__(self, array: np.ndarray, row: tuple[int, ...], dtype: str = "float32") -> None:
        self.array = array
        self.row = row
        self.dtype = dtype

    def __len__(self) -> int:
        return len(self.array)

    def dense(self) -> np.ndarray:
        """All rows, contiguous and of the dtype."""
        if self.dtype == "float32":
            return arrays.as_float32(self.array, "x").reshape((len(self.array), *self.row))
        return np.ascontiguousarray(self.array, self.dtype).reshape((len(self.array), *self.row))

    def rows(self, index: np.ndarray) -> np.ndarray:
        """The rows `index` (int64), contiguous: gathered and converted in one pass where a kernel can."""
        source = self.array
        kernel = {("float32", "f4"): "gather_f32", ("float32", "u1"): "gather_u8"}.get(
            (self.dtype, source.dtype.str[1:])
        )
        if kernel is None or not source.flags.c_contiguous or not source.flags.aligned or not source.dtype.isnative:
            taken = source[index]
            return np.ascontiguousarray(taken, dtype=self.dtype).reshape((len(index), *self.row))
        out = np.empty((len(index), *self.row), np.float32)
        size = int(np.prod(self.row, dtype=np.int64))
        core.call(kernel, x=source, index=index, y=out, total=len(source), rows=len(index), size=size)
        return out

    def part(self, start: int, stop: int) -> Column:
        return Column(self.array[start:stop], self.row, self.dtype)


def _named(given: Any, names: Sequence[str], what: str) -> list[Any]:
    """One item for each name, from a single item, a list or a dict."""
    if isinstance(given, Mapping):
        missing = [n for n in names if n not in given]
        extra = [n for n in given if n not in names]
        if missing or extra:
            raise ValueError(f"{what} must be a dict with the keys {list(names)}, received {list(given)}")
        return [given[n] for n in names]
    if isinstance(given, (list, tuple)) and len(names) > 1:
        if len(given) != len(names):
            raise ValueError(
                f"{what} must be a list of {len(names)} arrays ({', '.join(names)}), received {len(given)}"
            )
        return list(given)
    if len(names) > 1:
        raise ValueError(f"{what} must be a list or dict of {len(names)} arrays ({', '.join(names)})")
    if isinstance(given, (list, tuple)) and len(given) == 1 and isinstance(given[0], np.ndarray):
        return [given[0]]
    return [given]


def _row(array: np.ndarray, row: tuple[int | None, ...]) -> tuple[int, ...] | None:
    """The shape of one sample, with `row`'s open sizes as the array has them; None where the array holds no such
    samples. As in Keras, a last axis of size 1 may be missing or too many.
    """
    rest = array.shape[1:]
    for shape in (rest, (*rest, 1), rest[:-1] if rest[-1:] == (1,) else rest):
        if array.ndim and len(shape) == len(row) and all(r in (None, s) for r, s in zip(row, shape)):
            return shape
    return None


def _size(size: int | None) -> str:
    return "any number" if size is None else str(size)


def whole_inputs(model: Network, x: Any) -> list[np.ndarray]:
    """The inputs of a model whose axis 0 doesn't count samples, each as one array of its own shape and dtype."""
    names, found = model.input_names, []
    if not names and not (isinstance(x, (list, tuple, Mapping)) and len(x) == 0):
        raise ValueError(f"model {model.name!r} has no inputs: x must be an empty list, received {shown(x)}")
    for name, value, given in zip(names, model.inputs, _named(x, names, "x")):
        label = "x" if len(names) == 1 else f"x[{name!r}]"
        array = arrays.real_array(given, label)
        if array.ndim != value.ndim or any(s not in (None, a) for s, a in zip(value.shape, array.shape)):
            raise ValueError(f"{label} must have shape {value.shape} for layer {name!r}, received {array.shape}")
        _check_dtype(array, value.dtype, label)
        found.append(np.asarray(array, value.dtype, order="C"))
    return found


def _check_dtype(array: np.ndarray, dtype: str, label: str) -> None:
    """Everything becomes float32; other types take what holds the same numbers."""
    if dtype != "float32" and not np.can_cast(array.dtype, dtype):
        raise TypeError(f"{label} must have dtype {dtype}, received {array.dtype}")


def model_inputs(model: Network, x: Any) -> tuple[list[Column], int]:
    """The model's inputs as columns, checked, and how many samples there are."""
    names = model.input_names
    columns = []
    for name, value, given in zip(names, model.inputs, _named(x, names, "x")):
        label = "x" if len(names) == 1 else f"x[{name!r}]"
        array = arrays.real_array(given, label)
        wanted = value.shape[1:]
        row = _row(array, wanted)
        if row is None:
            one = _row(array[None], wanted) is not None
            hint = "; a single sample needs a batch axis, x[None], a dataset of such a step .batch(32)" if one else ""
            raise ValueError(
                f"{label} must have shape (batch, {', '.join(map(str, wanted))}) for layer {name!r}, "
                f"received {array.shape}{hint}"
            )
        _check_dtype(array, value.dtype, label)
        columns.append(Column(array, row, value.dtype))
    sizes = {len(c) for c in columns}
    if len(sizes) > 1:
        raise ValueError(f"the arrays of x must be equally long, received lengths {[len(c) for c in columns]}")
    return columns, len(columns[0])


def model_targets(model: Trainer, y: Any, count: int) -> list[Column]:
    """The targets as columns: labels checked against the number of classes, everything against its output's shape."""
    all_losses = model.objective_losses()
    judged = [(n, loss, v) for n, loss, v in zip(model.output_names, all_losses, model.outputs) if loss is not None]
    names = [name for name, _, _ in judged]
    columns = []
    for (name, loss, value), given in zip(judged, _named(y, names, "y")):
        label = "y" if len(names) == 1 else f"y[{name!r}]"
        array = arrays.real_array(given, label)
        wanted = value.shape[1:]
        if array.ndim == 0 or len(array) != count:
            length = "a scalar" if array.ndim == 0 else f"{len(array)} samples"
            raise ValueError(
                f"x and {label} must be equally long, received {count} samples of x and {length} of {label}"
            )
        if loss.sparse:
            # Open sizes are those of the labels.
            sizes = tuple(a if w is None else w for w, a in itertools.zip_longest(wanted[:-1], array.shape[1:])
                          )[: len(wanted) - 1]  # fmt: skip
            labels = arrays.as_labels(array, label, (count, *sizes), wanted[-1] or 1)
            columns.append(Column(labels, sizes, "int32"))
            continue
        wanted = loss.target(value, "y").shape[1:]
        row = _row(array, wanted)
        if row is None:
            hint = ""
            if array.shape in ((count,), (count, 1)) and len(wanted) == 1:
                hint = '; for class numbers use the loss "sparse_categorical_crossentropy", or to_categorical(y)'
            raise ValueError(
                f"{label} must have shape (batch, {', '.join(_size(s) for s in wanted)}) for output {name!r} "
                f"with the loss {loss.name!r}, received {array.shape}{hint}"
            )
        dense = arrays.as_float32(array, label).reshape((count, *row))
        loss.check_target(dense, label)
        columns.append(Column(dense, row))
    return columns


def sample_weights(
    model: Trainer, sample_weight: Any, class_weight: Any, targets: Sequence[Column], count: int
) -> Column | None:
    """One weight a sample from sample_weight and class_weight, or None where neither is given."""
    weights = None
    if sample_weight is not None:
        weights = arrays.as_float32(sample_weight, "sample_weight")
        if weights.shape not in ((count,), (count, 1)):
            raise ValueError(f"sample_weight must have shape ({count},), received {weights.shape}")
        weights = weights.reshape(count)
        if not np.isfinite(weights).all():
            raise ValueError("sample_weight must be finite, received NaN or infinity")
    if class_weight is not None:
        by_class = _class_weights(model, class_weight, targets)
        weights = by_class if weights is None else weights * by_class
    return None if weights is None else Column(np.ascontiguousarray(weights, np.float32), ())


def _class_weights(model: Trainer, class_weight: Any, targets: Sequence[Column]) -> np.ndarray:
    if not isinstance(class_weight, (Mapping, str)):
        names = " or ".join(f'"{name}"' for name in imbalance.NAMES)
        raise TypeError(
            f"class_weight must be a dict of class number to weight, {names}, received {shown(class_weight)}"
        )
    if len(targets) != 1:
        raise ValueError("class_weight works for models with one output; give sample_weight instead")
    target = targets[0].array
    classes = model.outputs[0].shape[-1]
    if target.ndim > 2 or (target.ndim == 2 and targets[0].dtype == "int32"):
        raise ValueError("class_weight needs one class a sample; give sample_weight instead")
    if classes == 1:
        classes, labels = 2, (target.reshape(-1) > 0.5).astype(np.int64)
    else:
        labels = target.argmax(-1) if target.ndim == 2 else target
    if isinstance(class_weight, str):
        class_weight = imbalance.class_weights(labels, class_weight)
    table = np.ones(int(classes or 1), np.float32)
    for key, value in class_weight.items():
        known = isinstance(key, (int, np.integer)) and not isinstance(key, bool)
        if not known or not 0 <= key < len(table):
            raise ValueError(f"class_weight's keys must be class numbers 0 to {len(table) - 1}, received {key!r}")
        if not isinstance(value, (int, float, np.number)) or not 0 <= float(value) < float("inf"):
            raise ValueError(f"class_weight[{key}] must be a number of at least 0, received {value!r}")
        table[int(key)] = value
    return table[labels]


class Batch:
    """What one step takes: contiguous arrays in the plan's order."""

    __slots__ = ("inputs", "size", "targets", "weights")

    def __init__(
        self, inputs: list[np.ndarray], targets: list[np.ndarray], weights: np.ndarray | None, size: int
    ) -> None:
        self.inputs, self.targets, self.weights, self.size = inputs, targets, weights, size


class Arrays:
    """Batches out of arrays that lie in memory."""

    def __init__(
        self,
        inputs: list[Column],
        targets: list[Column],
        weights: Column | None,
        batch_size: int,
        shuffle: bool = False,
    ) -> None:
        self.inputs, self.targets, self.weights = inputs, targets, weights
        self.batch_size, self.shuffle = batch_size, shuffle
        #: At most so many batches an epoch.
        self.steps: int | None = None
        self.samples = len(inputs[0])
        #: The random numbers with which this epoch was shuffled, and how many of its batches have been given.
        self._begin: dict[str, Any] | None = None
        self._given = 0
        self._resumed = False

    def __len__(self) -> int:
        batches = -(-self.samples // self.batch_size)
        return batches if self.steps is None else min(batches, self.steps)

    def part(self, start: int, stop: int) -> Arrays:
        weights = None if self.weights is None else self.weights.part(start, stop)
        inputs, targets = ([c.part(start, stop) for c in columns] for columns in (self.inputs, self.targets))
        return Arrays(inputs, targets, weights, self.batch_size, self.shuffle)

    def __iter__(self) -> Iterator[Batch]:
        if not self._resumed:
            self._begin, self._given = random.get_state() if self.shuffle else None, 0
        order = np.arange(self.samples, dtype=np.int64)
        if self._begin is not None:
            (random.generator_at(self._begin) if self._resumed else random.generator()).shuffle(order)
        self._resumed = False
        order = order[self._given * self.batch_size : len(self) * self.batch_size]
        columns = [*self.inputs, *self.targets, *(() if self.weights is None else (self.weights,))]
        inputs, known = len(self.inputs), len(self.inputs) + len(self.targets)
        for rows in zip(*(_gathered(c, order, self.batch_size) for c in columns)):
            weights = rows[known] if len(rows) > known else None
            self._given += 1
            yield Batch(list(rows[:inputs]), list(rows[inputs:known]), weights, len(rows[0]))

    def state_dict(self) -> dict[str, Any]:
        """Where this epoch is, as plain data."""
        return {"samples": self.samples, "batch_size": self.batch_size, "begin": self._begin, "given": self._given}

    def load_state_dict(self, state: dict[str, Any], within: bool) -> None:
        """`within` an epoch: let the next iteration be the rest of it. Between epochs there is nothing to do.

        Raises
        ------
        ValueError
            The state is that of other data.
        """
        for what, now in (("samples", self.samples), ("batch_size", self.batch_size)):
            if state.get(what) != now:
                raise ValueError(
                    f"the backup is of a training with {what}={shown(state.get(what))}, this one has {now}"
                )
        if within:
            self._begin, self._given, self._resumed = state["begin"], state["given"], True


def _gathered(column: Column, order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """The rows `order` of a column, batch by batch. As many batches are gathered at once as are small beside what a
    step touches: each call of a kernel takes microseconds in Python, which labels alone aren't worth.
    """
    row = max(1, 4 * math.prod(column.row))
    ahead = batch_size * max(1, _GATHERED_BYTES // (row * batch_size))
    for start in range(0, len(order), ahead):
        rows = column.rows(order[start : start + ahead])
        for first in range(0, len(rows), batch_size):
            yield rows[first : first + batch_size]


def checked_batch(model: Trainer, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None) -> Batch:
    """One batch from arrays, checked."""
    check_no_name(class_weight)
    inputs, count = model_inputs(model, x)
    if count == 0:
        raise ValueError("x is empty: a batch needs at least one sample")
    if y is None:
        raise ValueError("y is missing")
    targets = model_targets(model, y, count)
    weights = sample_weights(model, sample_weight, class_weight, targets, count)
    return Batch(
        [c.dense() for c in inputs],
        [np.ascontiguousarray(c.array) for c in targets],
        None if weights is None else weights.array,
        count,
    )


def check_no_name(class_weight: Any) -> None:
    """A single batch doesn't tell how frequent the classes are."""
    if isinstance(class_weight, str):
        raise ValueError(
            f"class_weight={class_weight!r} counts the classes, so it needs fit with x and y as arrays; give the "
            f"weights: fastcnn.utils.class_weights(labels, {class_weight!r})"
        )


def check_verbose(verbose: Any) -> Any:
    """The argument `verbose`: "auto", 0, 1 or 2."""
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(f'verbose must be "auto", 0, 1 or 2, received {shown(verbose)}')
    return verbose


def check_batches(x: Any) -> Any:
    """`x`, if it can give batches."""
    if isinstance(x, (str, bytes)) or not (hasattr(x, "__iter__") or hasattr(x, "__getitem__")):
        raise TypeError(f"x must be arrays or an iterable of batches, received {shown(x)}")
    return x


def is_arrays(x: Any) -> bool:
    """Whether x holds samples (arrays, lists of numbers, dicts of arrays), not an iterable of batches."""
    if isinstance(x, (np.ndarray, Mapping)) or hasattr(x, "__array__"):
        return True
    return isinstance(x, (list, tuple))

"""What fit and evaluate are given, as sources of batches."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import shown
from ..shapes import whole_number
from .data import Arrays, check_batches, is_arrays, model_inputs, model_targets, sample_weights
from .stream import Stream

if TYPE_CHECKING:
    from .trainer import Trainer

Source = Any


def make_source(
    model: Trainer,
    x: Any,
    y: Any,
    batch_size: int | None,
    sample_weight: Any = None,
    class_weight: Any = None,
    steps: int | None = None,
    shuffle: bool = False,
    goes_on: bool = False,
) -> Source:
    """x and y as batches, everything checked that can be before the first step. Of arrays class_weight is left to
    the caller. What has no end `goes_on` from epoch to epoch, or begins anew: see `Stream`.
    """
    if x is None:
        raise ValueError("x is missing")
    if not is_arrays(x):
        check_batches(x)
        if y is not None or sample_weight is not None:
            raise ValueError("x gives batches that hold y and sample_weight themselves; don't give them as well")
        return Stream(model, x, class_weight, steps, goes_on)
    if y is None:
        listed = "; a list is taken as arrays: for batches pass iter(x)" if isinstance(x, (list, tuple)) else ""
        raise ValueError(f"y is missing{listed}")
    size = 32 if batch_size is None else whole_number(batch_size, "batch_size")
    inputs, count = model_inputs(model, x)
    if count == 0:
        raise ValueError(f"x is empty: there is nothing to learn or judge in {np.shape(x)}")
    targets = model_targets(model, y, count)
    weights = sample_weights(model, sample_weight, None, targets, count)
    source = Arrays(inputs, targets, weights, size, bool(shuffle))
    source.steps = steps
    return source


def split_validation(
    model: Trainer, train: Source, split: float, data: Any, batch_size: int | None, steps: int | None
) -> tuple[Source, Source | None]:
    """(training source, validation source): the second given, or cut off the end of the first."""
    if data is not None:
        if is_arrays(data) and not isinstance(data, (tuple, list)):
            raise ValueError(f"validation_data must be (x, y) or (x, y, sample_weight), received {shown(data)}")
        if isinstance(data, (tuple, list)):
            if len(data) not in (2, 3):
                raise ValueError(f"validation_data must be (x, y) or (x, y, sample_weight), received {len(data)}")
            weights = data[2] if len(data) == 3 else None
            return train, make_source(model, data[0], data[1], batch_size, weights, steps=steps)
        return train, make_source(model, data, None, None, steps=steps)
    if not isinstance(split, Real) or not 0 <= split < 1:
        raise ValueError(f"validation_split must be at least 0 and below 1, received {split!r}")
    if split == 0:
        return train, None
    if not isinstance(train, Arrays):
        raise ValueError("validation_split needs x and y as arrays; give validation_data instead")
    cut = int(train.samples * (1 - split))
    if cut in (0, train.samples):
        raise ValueError(f"validation_split={split} of {train.samples} samples leaves one part empty")
    validation = train.part(cut, train.samples)
    validation.shuffle = False
    validation.batch_size = batch_size or train.batch_size
    return train.part(0, cut), validation


def length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None

"""Cross-validation."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import random
from ..data import Dataset
from ..errors import shown
from ..models import Model
from ..models.data import check_verbose
from ..shapes import whole_number
from ..utils.progress import is_live, open_bar, say
from .folds import group_folds, stratified_folds, unstratified_folds
from .results import CrossValidation, Fold
from .seeding import seeded

Ints = NDArray[np.int64]
_BAR = "{desc} {bar} {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"


def cross_validate(
    build_fn: Callable[..., Model],
    data: Any,
    k: int = 5,
    *,
    cv: Any = None,
    stratified: bool | None = None,
    repeats: int = 1,
    groups: ArrayLike | None = None,
    seed: int | None = None,
    epochs: int = 1,
    batch_size: int = 32,
    callbacks: Callable[[], list[Any]] | None = None,
    fit_args: Mapping[str, Any] | None = None,
    keep_models: bool = False,
    verbose: Any = "auto",
) -> CrossValidation:
    """Train and judge a model on each of several parts of the data, having learned from the others.

    Parameters
    ----------
    build_fn : callable
        Makes a new, compiled model each time. If it takes an argument, that is the inputs of the fold's training part,
        for what is measured on data: ``Normalization().adapt``, say, which must not see the test part.
    data : (x, y), (x, y, sample_weight) or Dataset
        Arrays; x may be a list or dict of several. A `fastcnn.data.Dataset` is read into memory, augmentation and all:
        give it as it is for judging, and let the model augment.
    k : int
        Number of folds, at least 2.
    cv : object or iterable, optional
        Instead of `k`: an object with ``split(X, y, groups)``, as scikit-learn's splitters have it, or pairs of arrays
        (training rows, test rows). Then `stratified` and `repeats` say nothing.
    stratified : bool, optional
        Whether each fold has its share of each class. By default where `y` holds class numbers or rows with a single
        one, and `groups` are not given.
    repeats : int
        How often everything is done, with other folds each time.
    groups : array, shape (samples,), optional
        Samples of one group are all in one fold.
    seed : int, optional
        Of folds, first weights, shuffling and dropout: the whole repeats itself, and fastcnn's other random numbers go
        on as if nothing had happened.
    epochs, batch_size : int
        Of each training.
    callbacks : callable, optional
        Makes the list of callbacks of each training; callbacks remember what they saw, so each needs its own.
    fit_args : dict, optional
        Further arguments of ``fit``: ``{"validation_split": 0.1, "class_weight": …}``. Training rows are in a random
        order, so the end that ``validation_split`` cuts off is a random part of them.
    keep_models : bool
        Whether each fold's model is kept.
    verbose : "auto", 0, 1 or 2
        Nothing, or a line a fold and on a terminal a bar; with 2 only the lines.

    Returns
    -------
    CrossValidation
        Scores of each fold, mean, spread and intervals, and out-of-fold predictions; ``print`` shows it as a table.

    Raises
    ------
    ValueError
        More folds than samples, groups, or samples of a class; arrays of different lengths; a splitter whose training
        and test rows overlap; a `build_fn` that returns the same model twice, or one that isn't compiled.
    """
    x, y, weights, count = _checked_data(data)
    repeats, epochs = whole_number(repeats, "repeats"), whole_number(epochs, "epochs")
    batch_size, verbose = whole_number(batch_size, "batch_size"), check_verbose(verbose)
    seed = None if seed is None else random.check_seed(seed)
    if not callable(build_fn):
        raise TypeError(f"build_fn must be a function that makes a compiled model, received {shown(build_fn)}")
    if callbacks is not None and not callable(callbacks):
        raise TypeError("callbacks must be a function that makes a list of callbacks: each training needs its own")
    known = set(inspect.signature(Model.fit).parameters)
    taken = {"self", "x", "y", "sample_weight", "callbacks", "epochs", "batch_size", "verbose"}
    for name in fit_args or {}:
        if name in taken or name not in known:
            raise ValueError(f"fit_args: {name!r} is no argument of fit that can be given here")
    kept_together = None if groups is None else np.asarray(groups)
    if kept_together is not None and kept_together.shape != (count,):
        raise ValueError(f"groups must have one entry for each of {count} samples, received {kept_together.shape}")
    splits = _splits(x, y, count, k, cv, stratified, repeats, kept_together, seed)
    seen: list[weakref.ref[Any]] = []
    folds: list[Fold] = []
    live = verbose in (1, "auto") and is_live()
    bar = open_bar("Folds", len(splits), sys.stdout, bar_format=_BAR) if live else None
    try:
        for repeat, number, train, test in splits:
            with seeded(seed, 1, repeat, number):
                fold = _fold(
                    build_fn, (x, y, weights), repeat, number, train, test, seen,
                    {**(fit_args or {}), "epochs": epochs, "batch_size": batch_size}, callbacks,
                )  # fmt: skip
            folds.append(fold if keep_models else _without_model(fold))
            if verbose:
                say(_line(fold, len(folds), len(splits)))
            if bar is not None:
                bar.update()
    finally:
        if bar is not None:
            bar.close()
    return CrossValidation(folds, y)


def _splits(
    x: Any,
    y: NDArray[Any],
    count: int,
    k: int,
    cv: Any,
    stratified: bool | None,
    repeats: int,
    groups: NDArray[Any] | None,
    seed: int | None,
) -> list[tuple[int, int, Ints, Ints]]:
    """(repetition, number, training rows, test rows) of each fold."""
    if cv is not None:
        return [(0, i, *pair) for i, pair in enumerate(_given_splits(cv, x, y, groups, count))]
    if stratified is None:
        stratified = groups is None and _holds_classes(y)
    if stratified and not _holds_classes(y):
        raise ValueError("stratified=True needs y as class numbers or rows with a single one")
    labels = y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(count, -1)[:, 0]
    found = []
    for repeat in range(repeats):
        with seeded(seed, 0, repeat):
            rng = np.random.default_rng(random.next_seed())
        if groups is not None:
            fold_of = group_folds(groups, k, rng, labels if stratified else None)
        elif stratified:
            fold_of = stratified_folds(labels, k, rng)
        else:
            fold_of = unstratified_folds(count, k, rng)
        found += [(repeat, i, np.flatnonzero(fold_of != i), np.flatnonzero(fold_of == i)) for i in range(k)]
    return found


def _given_splits(cv: Any, x: Any, y: NDArray[Any], groups: Any, count: int) -> Iterator[tuple[Ints, Ints]]:
    """The pairs of a splitter or an iterable, checked."""
    if isinstance(cv, (int, np.integer)):
        raise TypeError(f"cv must be a splitter or pairs of rows; for {cv} folds give k={cv}")
    if hasattr(cv, "split"):
        labels = y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 and _holds_classes(y) else y
        pairs: Iterable[Any] = cv.split(np.zeros((count, 1)), labels, groups)
    else:
        pairs = cv
    number = -1
    for number, pair in enumerate(pairs):
        try:
            train, test = (np.asarray(rows) for rows in pair)
        except (TypeError, ValueError):
            raise ValueError(f"cv: split {number} must be (training rows, test rows), received {shown(pair)}") from None
        for rows, name in ((train, "training"), (test, "test")):
            if rows.dtype == np.bool_ and rows.shape == (count,):
                continue
            if rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows):
                raise ValueError(f"cv: the {name} rows of split {number} must be a list of row numbers, not empty")
            if rows.min() < 0 or rows.max() >= count:
                raise ValueError(f"cv: the {name} rows of split {number} must be from 0 to {count - 1}")
        train, test = (np.flatnonzero(r) if r.dtype == np.bool_ else r.astype(np.int64) for r in (train, test))
        both = np.intersect1d(train, test)
        if len(both):
            raise ValueError(f"cv: split {number} has row {both[0]} in its training and its test part")
        yield train, test
    if number < 0:
        raise ValueError("cv gave no splits")


def _fold(
    build_fn: Callable[..., Model],
    data: tuple[Any, Any, Any],
    repeat: int,
    number: int,
    train: Ints,
    test: Ints,
    seen: list[weakref.ref[Any]],
    fit_args: dict[str, Any],
    callbacks: Callable[[], list[Any]] | None,
) -> Fold:
    x, y, weights = data
    start = time.perf_counter()
    # In a random order: of sorted data a validation_split would cut off the last class.
    order = random.generator().permutation(train)
    x_train, x_test = _rows(x, order), _rows(x, test)
    model = _new_model(build_fn, x_train, seen)
    history = model.fit(
        x_train, y[order], sample_weight=None if weights is None else weights[order],
        callbacks=None if callbacks is None else callbacks(), verbose=0, **fit_args,
    )  # fmt: skip
    size = fit_args["batch_size"]
    scores = model.evaluate(
        x_test, y[test], batch_size=size, sample_weight=None if weights is None else weights[test], verbose=0,
        return_dict=True,
    )  # fmt: skip
    predictions = model.predict(x_test, batch_size=size, verbose=0)
    if not isinstance(predictions, np.ndarray):
        raise ValueError(f"build_fn's model must have one output, it has {len(predictions)}")
    seconds = time.perf_counter() - start
    return Fold(repeat, number, train, test, scores, dict(history.history), predictions, seconds, model)


def _without_model(fold: Fold) -> Fold:
    return dataclasses.replace(fold, model=None)


def _new_model(build_fn: Callable[..., Model], x_train: Any, seen: list[weakref.ref[Any]]) -> Model:
    model = build_fn(x_train) if _wants_data(build_fn) else build_fn()
    if not isinstance(model, Model):
        raise TypeError(f"build_fn must return a Model, it returned {shown(model)}")
    if not model.compiled:
        raise ValueError("build_fn must return a compiled model: call model.compile in it")
    for part, name in ((model, "model"), (model.optimizer, "optimizer")):
        if any(part is other() for other in seen):
            raise ValueError(f"build_fn must make a new {name} each time: this one has learned from other folds")
        seen.append(weakref.ref(part))
    return model


def _wants_data(build_fn: Callable[..., Model]) -> bool:
    try:
        parameters = inspect.signature(build_fn).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in parameters) == 1


def _checked_data(data: Any) -> tuple[Any, NDArray[Any], Any, int]:
    if isinstance(data, Dataset):
        data = data.to_arrays()
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(f"data must be (x, y) or (x, y, sample_weight), received {shown(data)}")
    x, y = data[0], np.asarray(data[1])
    weights = None if len(data) == 2 or data[2] is None else np.asarray(data[2])
    if isinstance(x, Mapping):
        x = {name: np.asarray(part) for name, part in x.items()}
    elif isinstance(x, (list, tuple)) and len(x) and all(hasattr(part, "shape") and part.ndim > 1 for part in x):
        x = [np.asarray(part) for part in x]
    else:
        x = np.asarray(x)
    parts = [*(x.values() if isinstance(x, dict) else x if isinstance(x, list) else [x]), y]
    sizes = [len(part) if part.ndim else 0 for part in [*parts, *([] if weights is None else [weights])]]
    if len(set(sizes)) != 1 or not sizes[0]:
        raise ValueError(f"data must have arrays of one length, not empty, received lengths {sizes}")
    return x, y, weights, sizes[0]


def _rows(x: Any, rows: Ints) -> Any:
    if isinstance(x, dict):
        return {name: part[rows] for name, part in x.items()}
    return [part[rows] for part in x] if isinstance(x, list) else x[rows]


def _holds_classes(y: NDArray[Any]) -> bool:
    """Whether y has one class a sample: (samples,) or (samples, 1) whole numbers, or rows with a single one."""
    if y.ndim == 2 and y.shape[1] > 1:
        return bool(np.isin(y, (0, 1)).all() and (y.sum(1) == 1).all())
    return y.ndim <= 2 and (y.dtype.kind in "iub" or (y.dtype.kind == "f" and bool((y == np.rint(y)).all())))


def _line(fold: Fold, done: int, of: int) -> str:
    scores = [f"{name}: {value:.4f}" for name, value in fold.scores.items() if np.ndim(value) == 0]
    return " - ".join([f"Fold {done}/{of}", f"{fold.seconds:.1f}s", *scores])

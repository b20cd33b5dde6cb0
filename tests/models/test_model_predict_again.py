"""Predictions of one batch after another of the same shape, which go a shorter way than the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn import layers
from fastcnn.models import Sequential

SHAPE = (9, 8, 16)


@pytest.fixture
def model() -> Sequential:
    fastcnn.utils.set_random_seed(3)
    return Sequential([layers.Input(SHAPE), layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(4)])


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, *SHAPE), dtype=np.float32)


ARRAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "other numbers": lambda x: x + 1,
    "reversed": lambda x: x[::-1],
    "transposed": lambda x: np.asfortranarray(x),
    "double": lambda x: x.astype(np.float64),
    "whole": lambda x: np.round(4 * x).astype(np.int8),
    "swapped bytes": lambda x: x.astype(x.dtype.newbyteorder()),
    "list": lambda x: x.tolist(),
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "one fewer": lambda x: x[:1],
}


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("way", ["predict", "predict_on_batch", "__call__"])
def test_any_array_may_follow(model: Sequential, x: np.ndarray, kind: str, way: str) -> None:
    predict = getattr(model, way)
    given = ARRAYS[kind](x)
    expected = model.predict(np.ascontiguousarray(given, dtype=np.float32), batch_size=7)
    first = predict(x).copy()
    np.testing.assert_array_equal(predict(given), expected)
    np.testing.assert_array_equal(predict(x), first)


def test_results_are_arrays_of_their_own(model: Sequential, x: np.ndarray) -> None:
    first, second = model.predict_on_batch(x), model.predict_on_batch(x)
    assert not np.shares_memory(first, second)


def test_weights_that_changed_are_seen(model: Sequential, x: np.ndarray) -> None:
    model.predict_on_batch(x)
    model.layers[-1].set_weights([np.zeros_like(w) for w in model.layers[-1].get_weights()])
    assert not model.predict_on_batch(x).any()


def test_a_layer_that_was_added_is_seen(model: Sequential, x: np.ndarray) -> None:
    before = model.predict_on_batch(x)
    model.add(layers.Rescaling(2.0))
    np.testing.assert_array_equal(model.predict_on_batch(x), 2 * before)


def test_a_method_that_was_forced_is_seen(model: Sequential, x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_CONV", "direct")
    direct = model.predict_on_batch(x)
    monkeypatch.setenv("FASTCNN_CONV", "winograd")
    winograd = model.predict_on_batch(x)
    monkeypatch.setenv("FASTCNN_CONV", "direct")
    np.testing.assert_array_equal(model.predict_on_batch(x), direct)
    assert np.abs(winograd - direct).max() > 0


@pytest.mark.parametrize("bad", [np.zeros((2, 9, 8, 15), np.float32), np.zeros(SHAPE, np.float32)])
def test_another_shape_is_an_error(model: Sequential, x: np.ndarray, bad: np.ndarray) -> None:
    model.predict(x)
    with pytest.raises(ValueError, match="x must have shape"):
        model.predict(bad)


def test_a_dtype_without_numbers_is_an_error(model: Sequential, x: np.ndarray) -> None:
    model.predict(x)
    with pytest.raises(TypeError, match="x must be an array of numbers"):
        model.predict(x.astype(np.complex64))

"""Dropout in models: the mask of the reference, the same forward and backward, and none outside training."""

from __future__ import annotations

import numpy as np
import pytest
from model_tools import Offset, close, gradients, product, same_bits

import fastcnn
from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn.models import Model, Sequential
from fastcnn.optimizers import SGD

RATE = 0.4
X = np.random.default_rng(0).standard_normal((6, 5, 4)).astype(np.float32)


class Trained:
    """A model's predictions in training, as a metric sees them."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        self.seen.append(y_pred.copy())
        return np.zeros(len(y_pred))


def test_masks_are_those_of_the_reference() -> None:
    """Of each layer at each step its own, the gradient's the same as the result's."""
    trained = Trained()
    model = Sequential([L.Input((5, 4)), Offset(), L.Dropout(RATE), L.Activation("tanh"), L.Dropout(RATE)])
    model.compile(SGD(1.0), product, metrics=[trained])
    y = np.random.default_rng(1).standard_normal(X.shape).astype(np.float32) * X.size
    objective = model._ready()
    seed = int(objective.rng[0])
    for step in (1, 2, 3):
        found = gradients(model, X, y)
        masks = [ref.dropout_mask(X.size, RATE, seed, step, site).reshape(X.shape) / (1 - RATE) for site in (0, 1)]
        inner = np.tanh(X * masks[0])
        close(trained.seen[-1], inner * masks[1])
        slope = y / y.size * masks[1] * (1 - inner**2) * masks[0]
        np.testing.assert_allclose(found[0], slope.sum(0), rtol=1e-4, atol=1e-5)
    assert not np.array_equal(trained.seen[0] == 0, trained.seen[1] == 0)


def test_shared_dropout_draws_for_each_call() -> None:
    trained = Trained()
    a, b = L.Input((5, 4)), L.Input((5, 4))
    drop = L.Dropout(RATE)
    model = Model([a, b], L.Subtract()([drop(a), drop(b)]))
    model.compile("sgd", "mse", metrics=[trained])
    model.train_on_batch([X, X], X)
    assert np.any(trained.seen[0] != 0)


def test_nothing_is_dropped_outside_training() -> None:
    trained = Trained()
    model = Sequential([L.Input((5, 4)), L.Dropout(RATE), L.Flatten(), L.Reshape((5, 4))])
    model.compile("sgd", "mse", metrics=[trained])
    assert same_bits([model.predict(X)], [X])
    assert model.evaluate(X, X, verbose=0)[0] == 0
    assert same_bits(trained.seen, [X])
    model.train_on_batch(X, X)
    assert np.mean(trained.seen[1] == 0) == pytest.approx(RATE, abs=0.15)
    model.fit(X, X, validation_data=(X, X), verbose=0)
    assert same_bits(trained.seen[-1:], [X])


def test_seeds() -> None:
    """set_seed repeats the masks, whatever the size of the batch and its place in the arena."""

    def fitted(seed: int) -> list[np.ndarray]:
        fastcnn.set_seed(seed)
        model = Sequential([L.Input((5, 4)), L.Dropout(RATE), L.Flatten(), L.Dropout(RATE), L.Dense(2)])
        model.compile("adam", "mse")
        model.fit(X, np.ones((6, 2)), epochs=3, batch_size=4, verbose=0)
        return model.get_weights()

    assert same_bits(fitted(1), fitted(1))
    assert not same_bits(fitted(1), fitted(2))


def test_rate_zero_costs_nothing() -> None:
    model = Sequential([L.Input((5, 4)), L.Dropout(0.0), L.Flatten(), L.Dense(1)])
    model.compile("sgd", "mse")
    assert "dropout" not in [s.kernel for s in model._ready()._training_plan(3, False).steps]

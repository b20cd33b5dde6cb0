"""Noise in models: that of the reference, the same forward and backward, and none outside training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from model_tools import Offset, close, gradients, product, same_bits

import fastcnn
from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn.models import Sequential
from fastcnn.optimizers import SGD

X = np.random.default_rng(0).standard_normal((6, 5, 3, 4)).astype(np.float32)
RATE, STDDEV = 0.4, 0.3


class Trained:
    """A model's predictions in training, as a metric sees them."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        self.seen.append(y_pred.copy())
        return np.zeros(len(y_pred))


def trained_model(*layers: L.Layer) -> tuple[Sequential, Trained, int]:
    trained = Trained()
    model = Sequential([L.Input(X.shape[1:]), Offset(), *layers])
    model.compile(SGD(1.0), product, metrics=[trained])
    return model, trained, int(model._ready().rng[0])


def test_channels_are_dropped_as_the_reference_has_it() -> None:
    model, trained, seed = trained_model(L.SpatialDropout2D(RATE), L.Activation("tanh"))
    y = np.random.default_rng(1).standard_normal(X.shape).astype(np.float32) * X.size
    for step in (1, 2):
        found = gradients(model, X, y)
        kept = ref.dropout_mask(6 * 4, RATE, seed, step, 0).reshape(6, 1, 1, 4) / (1 - RATE)
        assert 0 < np.count_nonzero(kept) < kept.size
        close(trained.seen[-1], np.tanh(X * kept))
        slope = y / y.size * (1 - np.tanh(X * kept) ** 2) * kept
        np.testing.assert_allclose(found[0], slope.sum(0), rtol=1e-4, atol=1e-5)


def test_noise_is_that_of_the_reference() -> None:
    """After a dropout, whose random numbers are others."""
    model, trained, seed = trained_model(L.Dropout(RATE), L.GaussianNoise(STDDEV), L.Activation("tanh"))
    y = np.random.default_rng(1).standard_normal(X.shape).astype(np.float32) * X.size
    for step in (1, 2):
        found = gradients(model, X, y)
        kept = ref.dropout_mask(X.size, RATE, seed, step, 0).reshape(X.shape) / (1 - RATE)
        result = np.tanh(ref.gaussian_noise(X * kept, STDDEV, seed, step, 1))
        close(trained.seen[-1], result)
        np.testing.assert_allclose(found[0], (y / y.size * (1 - result**2) * kept).sum(0), rtol=1e-4, atol=1e-5)


def test_noise_is_normally_distributed() -> None:
    z = ref.normals(200_000, 7)
    assert abs(z.mean()) < 0.01
    assert abs(z.std() - 1) < 0.01
    for limit, share in ((-1, 0.1587), (0, 0.5), (2, 0.9772)):
        assert np.mean(z < limit) == pytest.approx(share, abs=0.005)
    assert abs(np.corrcoef(z[::2], z[1::2])[0, 1]) < 0.01


LAYERS: list[Callable[[], L.Layer]] = [
    lambda: L.SpatialDropout2D(RATE), lambda: L.GaussianNoise(STDDEV),
]  # fmt: skip


@pytest.mark.parametrize("make", LAYERS)
def test_nothing_happens_outside_training(make: Callable[[], L.Layer]) -> None:
    model, trained, _ = trained_model(make())
    assert same_bits([model.predict(X)], [X])
    model.evaluate(X, X, verbose=0)
    assert same_bits(trained.seen[-1:], [X])
    model.train_on_batch(X, X)
    assert not same_bits(trained.seen[-1:], [X])


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("make", LAYERS)
def test_seeds(make: Callable[[], L.Layer], recompute: bool) -> None:
    """set_seed repeats the noise, also where results are computed again."""

    def fitted(seed: int, recompute: bool = False) -> list[np.ndarray]:
        fastcnn.set_seed(seed)
        model = Sequential([L.Input(X.shape[1:]), L.Conv2D(8, 3, activation="tanh"), make(), L.Activation("tanh"),
                            L.Flatten(), L.Dense(2)])  # fmt: skip
        model.compile("adam", "mse", recompute=recompute)
        model.fit(X, np.ones((6, 2)), epochs=3, batch_size=4, verbose=0)
        return model.get_weights()

    assert same_bits(fitted(1), fitted(1, recompute))
    assert not same_bits(fitted(1), fitted(2))


@pytest.mark.parametrize("make", [lambda: L.SpatialDropout2D(0.0), lambda: L.GaussianNoise(0.0)])
def test_none_costs_nothing(make: Callable[[], L.Layer]) -> None:
    model = Sequential([L.Input(X.shape[1:]), make(), L.Flatten(), L.Dense(1)])
    model.compile("sgd", "mse")
    kernels = {s.kernel for s in model._ready()._training_plan(3, False).steps}
    assert not kernels & {"dropout", "gaussian_noise", "strided_copy"}

"""Normalization with statistics of data: adapted, saved, set, and trained behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_tools import close, same_bits

from fastcnn import layers as L  # noqa: N812
from fastcnn.models import Sequential, load_model

X = (np.random.default_rng(0).standard_normal((40, 5, 4, 3)) * [1, 20, 300] + [0, 50, -1000]).astype(np.float32)


@pytest.mark.parametrize(("axis", "over"), [(-1, (0, 1, 2)), (None, (0, 1, 2, 3)), ((1, 3), (0, 2)), (2, (0, 1, 3))])
def test_adapted(axis: int | tuple[int, ...] | None, over: tuple[int, ...], tmp_path: Path) -> None:
    layer = L.Normalization(axis)
    layer.adapt(X)
    mean, variance, count = layer.get_weights()
    wide = X.astype(float)
    np.testing.assert_allclose(mean, wide.mean(over), rtol=1e-6)
    np.testing.assert_allclose(variance, wide.var(over), rtol=1e-6)
    assert count == X.size // mean.size
    assert layer.trainable_weights == []
    model = Sequential([L.Input(X.shape[1:]), layer])
    expected = (wide - wide.mean(over, keepdims=True)) / wide.std(over, keepdims=True)
    close(model.predict(X), expected, scale=5)
    model.save(tmp_path / "model.fastcnn")
    again = load_model(tmp_path / "model.fastcnn")
    assert same_bits([again.predict(X)], [model.predict(X)])
    assert same_bits(again.get_weights(), model.get_weights())


def test_adapting_again_within_a_model() -> None:
    layer = L.Normalization()
    model = Sequential([L.Input(X.shape[1:]), layer])
    np.testing.assert_array_equal(model.predict(X), X)
    layer.adapt(X)
    assert abs(model.predict(X).mean()) < 1e-3
    layer.adapt(X * 2)
    close(model.predict(X * 2), (X - X.mean((0, 1, 2), np.float64)) / X.std((0, 1, 2), np.float64), scale=5)


def test_training_leaves_statistics_alone() -> None:
    layer = L.Normalization()
    layer.adapt(X)
    before = layer.get_weights()
    model = Sequential([L.Input(X.shape[1:]), layer, L.Flatten(), L.Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(X, np.ones(40), epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert same_bits(layer.get_weights(), before)


def test_bad_data() -> None:
    with pytest.raises(ValueError, match=r"layer 'bad': data must be \(samples, …\) .*, received shape \(0, 3\)"):
        L.Normalization(name="bad").adapt(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="layer 'bad': mean and variance were given"):
        L.Normalization(mean=0, variance=1, name="bad").adapt(X)
    layer = L.Normalization(name="bad")
    layer.adapt(X)
    with pytest.raises(ValueError, match=r"layer 'bad': data of shape \(4, 2\) doesn't fit statistics of shape \(3,\)"):
        layer.adapt(np.zeros((4, 2)))
    with pytest.raises(TypeError, match="layer 'bad': data must be an array of numbers"):
        layer.adapt(np.array([["a"]]))

"""Recomputation: less memory, more work, the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import random_weights, same_bits

import fastcnn
from fastcnn import layers as L  # noqa: N812
from fastcnn.models import Model, Sequential, load_model
from fastcnn.optimizers import SGD
from fastcnn.plan import training
from fastcnn.plan.recompute import StepGraph, with_recomputation

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 8, 9, 3)).astype(np.float32)
Y = RNG.integers(0, 4, 12)


def _head(x: Any) -> Any:
    return L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(x))


def chain() -> Model:
    """Convolutions, each with batch normalization, an activation and dropout."""
    x = inputs = L.Input((8, 9, 3))
    for activation in ("relu", "tanh", "relu", "leaky_relu", "relu"):
        x = L.BatchNormalization(momentum=0.5)(L.Conv2D(8, 3, padding="same", use_bias=False)(x))
        x = L.Dropout(0.2)(L.Activation(activation)(x))
    return Model(inputs, _head(x))


def residual() -> Model:
    """Blocks as in ResNet, one of them with a projection, after a pool."""
    inputs = L.Input((8, 9, 3))
    x = L.MaxPooling2D()(L.Conv2D(6, 3, padding="same", activation="relu")(inputs))
    for filters in (6, 6, 10, 10):
        short = x if x.shape[-1] == filters else L.BatchNormalization()(L.Conv2D(filters, 1)(x))
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(filters, 3, padding="same")(x)))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same")(y))
        x = L.ReLU()(L.Add()([y, short]))
    return Model(inputs, _head(x))


def shared() -> Model:
    """The same layers several times, one frozen; a regularizer; a long connection; reshaping."""
    inputs = L.Input((8, 9, 3))
    first = x = L.Conv2D(6, 3, padding="same", activation="relu", kernel_regularizer="l2")(inputs)
    again, norm, still = L.Conv2D(6, 3, padding="same"), L.BatchNormalization(), L.BatchNormalization()
    still.trainable = False
    for _ in range(3):
        x = L.Reshape((8, 9, 6))(L.Activation("sigmoid")(still(norm(again(x)))))
    x = L.Concatenate()([x, first, L.Multiply()([x, first])])
    return Model(inputs, _head(L.Conv2D(5, 3, strides=2)(x)))


def two_outputs() -> Model:
    """Two losses, one of them early."""
    inputs = L.Input((8, 9, 3))
    x = L.BatchNormalization()(L.Conv2D(6, 3, activation="relu", padding="same")(inputs))
    early = _head(x)
    for _ in range(3):
        x = L.Dropout(0.3)(L.BatchNormalization()(L.Conv2D(6, 3, activation="relu", padding="same")(x)))
    return Model(inputs, [_head(x), early])


MODELS: list[Callable[[], Model]] = [chain, residual, shared, two_outputs]


def trained(make: Callable[[], Model], **how: Any) -> list[np.ndarray]:
    """Weights, moving statistics, loss and predictions after three steps."""
    fastcnn.random.set_seed(1)
    model = make()
    random_weights(model)
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.moving_variance.assign(np.ones(layer.moving_variance.shape))
    model.compile(SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy", **how)
    targets = [Y] * len(model.outputs)
    losses = [model.train_on_batch(X, targets if len(targets) > 1 else Y) for _ in range(3)]
    predictions = model.predict(X)
    found = [np.array(losses), *model.get_weights(), *(predictions if isinstance(predictions, list) else [predictions])]
    assert all(np.isfinite(a).all() for a in found)
    return found


def arena(model: Model, **how: Any) -> int:
    model.compile("sgd", "sparse_categorical_crossentropy", **how)
    return model._ready()._training_plan(16, False).arena_bytes


@pytest.mark.parametrize("make", MODELS)
def test_training_gives_the_same_bits(make: Callable[[], Model]) -> None:
    assert same_bits(trained(make), trained(make, recompute=True))


@pytest.fixture
def every_way(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes training take one of the ways to recompute, whatever it saves."""

    def take(number: int) -> None:
        def only(step: StepGraph, batch: int) -> Iterator[StepGraph]:
            yield list(with_recomputation(step, batch))[number]

        monkeypatch.setattr(training, "with_recomputation", only)
        monkeypatch.setattr(training, "_WORTHWHILE", np.inf)

    return take


def ways(make: Callable[[], Model], monkeypatch: pytest.MonkeyPatch) -> int:
    seen: list[int] = []

    def counted(step: StepGraph, batch: int) -> Sequence[StepGraph]:
        found = list(with_recomputation(step, batch))
        seen.append(len(found))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(training, "with_recomputation", counted)
        arena(make(), recompute=True)
    return seen[0]


@pytest.mark.parametrize("make", MODELS)
def test_every_way_gives_the_same_bits(
    make: Callable[[], Model], every_way: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    count, expected = ways(make, monkeypatch), trained(make)
    assert count > 2
    for number in range(count):
        every_way(number)
        assert same_bits(expected, trained(make, recompute=True)), number


@pytest.mark.parametrize("make", [chain, residual, two_outputs])
def test_it_saves_memory(make: Callable[[], Model]) -> None:
    assert arena(make(), recompute=True) < 0.75 * arena(make())


def test_memory_grows_with_the_root_of_the_depth() -> None:
    """36 equal layers: 6 results kept between segments, and 6 of a segment with their gradients."""
    layers = [L.Conv2D(8, 3, padding="same", activation="tanh") for _ in range(36)]
    model = Sequential([L.Input((16, 16, 8)), *layers, L.GlobalAveragePooling2D(), L.Dense(4, activation="softmax")])
    activation = 16 * 16 * 16 * 8 * 4
    assert arena(model) > 36 * activation
    assert arena(model, recompute=True) < 17 * activation


def test_work_at_most_doubles_forward() -> None:
    """Every convolution runs again once at most."""
    model = chain()
    model.compile("sgd", "sparse_categorical_crossentropy", recompute=True)
    kernels = [s.layer for s in model._ready()._training_plan(16, False).steps if s.kernel == "conv2d_forward"]
    assert len(kernels) > 5
    assert max(kernels.count(layer.name) for layer in model.layers) == 2


def test_a_model_too_small_to_save_anything_is_left_alone() -> None:
    model = Sequential([L.Input((3,)), L.Dense(4, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", recompute=True)
    again = model._ready()._training_plan(16, False)
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert [s.kernel for s in again.steps] == [s.kernel for s in model._ready()._training_plan(16, False).steps]


@pytest.mark.parametrize("given", [1, "yes", None, [True]])
def test_recompute_must_be_true_or_false(given: Any) -> None:
    model = chain()
    with pytest.raises(TypeError, match=r"recompute must be True or False, received"):
        model.compile("sgd", "mse", recompute=given)
    assert not model.compiled


def test_it_is_saved_with_the_model(tmp_path: Path) -> None:
    for recompute in (True, False):
        model = chain()
        model.compile("sgd", "sparse_categorical_crossentropy", recompute=recompute)
        model.save(tmp_path / "model.safetensors")
        again = load_model(tmp_path / "model.safetensors")
        assert again._ready().recompute is recompute

"""What passes put together computes the same as its pieces, and is put together where it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import fastcnn
from fastcnn import layers as L  # noqa: N812
from fastcnn.models import Model, Sequential
from fastcnn.plan import passes, training

RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, 4, 9)


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Direct convolution on both sides: what differs then is only what is put together."""
    fastcnn.set_precision("exact")
    yield
    fastcnn.set_precision("fast")


def classic() -> Model:
    return Sequential([
        L.Conv2D(8, 3, activation="relu", input_shape=(14, 14, 3)), L.MaxPooling2D(2),
        L.Conv2D(17, 3, padding="same", activation="leaky_relu"), L.MaxPooling2D(2, padding="same"),
        L.Conv2D(6, 2, activation="relu6"), L.Flatten(), L.Dense(10, activation="relu"),
        L.Dense(4, activation="softmax"),
    ])  # fmt: skip


def residual() -> Model:
    inputs = L.Input((6, 5, 3))
    x = L.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    y = L.Conv2D(8, 3, padding="same")(L.Conv2D(8, 1, activation="relu")(x))
    x = L.ReLU()(L.Add()([x, y]))
    x = L.ReLU()(L.Add()([L.Conv2D(8, 3, padding="same")(x), x]))
    return Model(inputs, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def dropping() -> Model:
    """Dropout behind and between what is put together: its mask must be drawn alike both ways."""
    return Sequential([
        L.Conv2D(8, 3, activation="relu", input_shape=(10, 10, 3)), L.MaxPooling2D(2), L.Dropout(0.4),
        L.Conv2D(6, 2, activation="relu"), L.Dropout(0.3), L.Conv2D(6, 2, activation="relu"), L.Flatten(),
        L.Dropout(0.2), L.Dense(4, activation="softmax"),
    ])  # fmt: skip


def overlapping() -> Model:
    """Pooling that convolutions don't take over; gradients still go through the activation first."""
    return Sequential([
        L.Conv2D(8, 3, activation="relu", input_shape=(12, 12, 3)), L.MaxPooling2D(3, strides=2),
        L.Conv2D(7, 2, activation="sigmoid"), L.MaxPooling2D(2, strides=1),
        L.DepthwiseConv2D(2, activation="relu"), L.MaxPooling2D(1), L.Flatten(), L.Dense(4, activation="softmax"),
    ])  # fmt: skip


def shared() -> Model:
    """A layer used twice, and a result that is read by a pool and by another layer."""
    inputs = L.Input((8, 8, 3))
    layer = L.Conv2D(3, 3, padding="same", activation="relu")
    x = layer(layer(inputs))
    y = L.Conv2D(5, 3, activation="relu")(x)
    z = L.Add()([L.GlobalAveragePooling2D()(L.MaxPooling2D(2)(y)), L.GlobalMaxPooling2D()(y)])
    return Model(inputs, L.Dense(4, activation="softmax")(z))


MODELS = [classic, residual, dropping, overlapping, shared]


def trained(make: Callable[[], Model]) -> tuple[list[float], list[np.ndarray], np.ndarray, list[str]]:
    fastcnn.set_seed(7)
    model = make()
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.random.default_rng(1).standard_normal((9, *model.inputs[0].shape[1:]), dtype=np.float32)
    losses = [float(model.train_on_batch(x, LABELS)[0]) for _ in range(3)]
    names = [s.kernel for key, plan in model._plans.items() if key[0] == "train" for s in plan.steps]
    return losses, model.get_weights(), model.predict(x, verbose=0), names


@pytest.mark.parametrize("make", MODELS, ids=lambda f: f.__name__)
def test_training_is_that_of_the_pieces(make: Callable[[], Model], monkeypatch: pytest.MonkeyPatch) -> None:
    losses, weights, predictions, fused = trained(make)
    for module, name in ((training, "fuse_step"), (passes, "fuse_epilogues"), (passes, "fuse_pools")):
        monkeypatch.setattr(module, name, lambda outputs, *rest: list(outputs))
    expected, expected_weights, expected_predictions, pieces = trained(make)
    assert len(fused) < len(pieces)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    np.testing.assert_allclose(predictions, expected_predictions, rtol=1e-5, atol=1e-6)
    for weight, piece in zip(weights, expected_weights):
        np.testing.assert_allclose(weight, piece, rtol=1e-5, atol=1e-6)


def test_a_step_of_the_classic_network_has_no_pass_of_its_own_for_activations_and_pools() -> None:
    *_, names = trained(classic)
    assert not {"unary_forward", "unary_backward", "max_pool_forward", "binary"} & set(names)
    # The first layer's gradient isn't spread over the windows, since its weights alone ask for it.
    assert names.count("conv2d_backward_weights_pooled") == names.count("max_pool_backward") == 1


def test_residuals_and_their_gradients_are_taken_over() -> None:
    *_, names = trained(residual)
    assert not {"unary_forward", "binary"} & set(names)


def test_overlapping_windows_are_pooled_apart() -> None:
    *_, names = trained(overlapping)
    assert names.count("max_pool_forward") == 3


def test_a_result_that_is_read_elsewhere_stays() -> None:
    *_, names = trained(shared)
    assert names.count("max_pool_forward") == 2

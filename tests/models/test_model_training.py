"""fit: what is learnt, in which order, with which weights of samples, and what stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import LABELS, X, same_bits, small

import fastcnn
from fastcnn import callbacks as cb
from fastcnn import datasets, optimizers
from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn._ops import core
from fastcnn.models import Model, Sequential

RNG = np.random.default_rng(0)


# ---------------------------------------------------------------- the classic program


def classic() -> Sequential:
    from fastcnn.layers import Conv2D, Dense, Flatten, MaxPooling2D

    model = Sequential()
    model.add(Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
    model.add(MaxPooling2D((2, 2)))
    model.add(Conv2D(64, (3, 3), activation="relu"))
    model.add(MaxPooling2D((2, 2)))
    model.add(Conv2D(64, (3, 3), activation="relu"))
    model.add(Flatten())
    model.add(Dense(64, activation="relu"))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_the_classic_program_learns() -> None:
    (x_train, y_train), (x_test, y_test) = datasets.sample.read_sample()
    fastcnn.set_seed(1)
    model = classic()
    assert model.count_params() == 93322
    history = model.fit(x_train / 255.0, y_train, epochs=3, validation_data=(x_test / 255.0, y_test), verbose=0)
    assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.history["loss"][-1] < 0.7 * history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.6
    loss, accuracy = model.evaluate(x_test / 255.0, y_test, verbose=0)
    assert (loss, accuracy) == (history.history["val_loss"][-1], history.history["val_accuracy"][-1])
    predicted = model.predict(x_test / 255.0).argmax(-1)
    assert np.mean(predicted == y_test) == pytest.approx(accuracy, abs=1e-6)


# ---------------------------------------------------------------- the same bits


def trained(threads: int = 1, seed: int = 3) -> list[np.ndarray]:
    core.set_threads(threads)
    fastcnn.set_seed(seed)
    model = Sequential([
        L.Input((28, 28, 1)), L.Conv2D(16, 3, activation="relu"), L.MaxPooling2D(), L.Dropout(0.2),
        L.Conv2D(24, 3, activation="relu"), L.Flatten(), L.Dropout(0.3), L.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    model.fit(rng.random((200, 28, 28, 1)), rng.integers(0, 10, 200), verbose=0)
    return model.get_weights()


@pytest.mark.usefixtures("keep_threads")
def test_threads_give_the_same_bits(isa: str) -> None:
    one = trained(1)
    assert same_bits(one, trained(2))
    assert same_bits(one, trained(3))
    assert not same_bits(one, trained(1, seed=4))


# ---------------------------------------------------------------- order and shares


def batches_seen(model: Model, **how: Any) -> list[list[int]]:
    """Which samples each step of a fit was given, found out from a label-like metric."""
    seen: list[list[int]] = []

    def spy(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        seen.append([int(v) for v in y_true[:, 0]])
        return np.zeros(len(y_true))

    model.compile("sgd", "mse", metrics=[spy])
    model.fit(np.zeros((10, 2)), np.arange(10.0)[:, None], verbose=0, **how)
    return seen


def line() -> Sequential:
    return Sequential([L.Input((2,)), L.Dense(1)])


def test_batches_cover_each_epoch_once() -> None:
    fastcnn.set_seed(5)
    seen = batches_seen(line(), batch_size=4, epochs=3)
    assert [len(b) for b in seen] == [4, 4, 2] * 3
    epochs = [[*seen[i], *seen[i + 1], *seen[i + 2]] for i in (0, 3, 6)]
    assert all(sorted(e) == list(range(10)) for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    fastcnn.set_seed(5)
    assert batches_seen(line(), batch_size=4, epochs=3) == seen
    assert batches_seen(line(), batch_size=4, epochs=3) != seen


def test_without_shuffling() -> None:
    assert batches_seen(line(), batch_size=4, shuffle=False) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches_seen(line(), shuffle=False) == [list(range(10))]  # 32 samples a batch


def test_steps_per_epoch_and_initial_epoch() -> None:
    model = line()
    assert batches_seen(model, batch_size=2, shuffle=False, steps_per_epoch=2, epochs=2) == [[0, 1], [2, 3]] * 2
    assert batches_seen(model, batch_size=5, shuffle=False, epochs=5, initial_epoch=3) == [
        list(range(5)), list(range(5, 10)),
    ] * 2  # fmt: skip
    assert model.history.epoch == [3, 4]
    weights = model.get_weights()
    assert model.fit(np.zeros((2, 2)), np.zeros((2, 1)), epochs=2, initial_epoch=2, verbose=0).history == {}
    assert same_bits(weights, model.get_weights())


def test_validation_split_takes_the_end() -> None:
    model, other = small(), small()
    history = model.fit(X, LABELS, validation_split=0.3, batch_size=8, shuffle=False, epochs=2, verbose=0)
    again = other.fit(
        X[:35], LABELS[:35], validation_data=(X[35:], LABELS[35:]), batch_size=8, shuffle=False, epochs=2, verbose=0
    )
    assert history.history == again.history
    assert same_bits(model.get_weights(), other.get_weights())
    assert "val_loss" in history.history


def test_validation_frequency_weights_and_batch_size() -> None:
    model = small()
    weight = np.linspace(0, 2, 20)
    history = model.fit(X, LABELS, epochs=5, validation_data=(X[:20], LABELS[:20], weight), validation_freq=2,
                        validation_batch_size=7, verbose=0)  # fmt: skip
    assert [len(history.history[k]) for k in ("loss", "val_loss")] == [5, 2]
    some = model.fit(X, LABELS, epochs=5, validation_data=(X, LABELS), validation_freq=[1, 5], verbose=0)
    losses = some.history["val_loss"]
    assert len(losses) == 2 and losses[-1] == model.evaluate(X, LABELS, verbose=0)[0]
    model = small(optimizers.SGD(0.0))
    history = model.fit(X, LABELS, validation_data=(X[:20], LABELS[:20], weight), verbose=0)
    expected = model.evaluate(X[:20], LABELS[:20], sample_weight=weight, verbose=0)
    assert [history.history["val_loss"][0], history.history["val_accuracy"][0]] == expected


def test_callbacks_pass_over_epochs_that_are_not_validated(tmp_path: Path) -> None:
    """Silently (a warning would fail here): nothing is saved, and no patience is lost."""
    model = small(optimizers.SGD(0.0))
    watching = [
        cb.ModelCheckpoint(tmp_path / "{epoch}.safetensors", save_best_only=True),
        cb.ModelCheckpoint(tmp_path / "{epoch}-{val_accuracy:.3f}.safetensors"),
        cb.EarlyStopping(patience=2),
        cb.ReduceLROnPlateau(patience=2),
    ]
    fit = {"epochs": 7, "validation_data": (X, LABELS), "validation_freq": 2, "verbose": 0}
    history = model.fit(X, LABELS, callbacks=watching, **fit)
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir()) == ["2", "2.safetensors", "4", "6"]
    assert history.epoch == list(range(6)) and len(history.history["val_loss"]) == 3
    with pytest.warns(UserWarning, match="'val_los' is not in the logs") as said:
        model.fit(X, LABELS, callbacks=cb.EarlyStopping("val_los"), **fit)
    assert len(said) == 3


def test_metrics_are_those_it_is_compiled_with() -> None:
    model = small()
    assert [metric.name for metric in model.metrics] == model.metrics_names[1:] == ["accuracy"]
    assert Sequential().metrics == []


# ---------------------------------------------------------------- weights of samples


def test_class_weight_is_a_sample_weight() -> None:
    table = {0: 0.5, 2: 3.0}
    weight = np.array([table.get(int(c), 1.0) for c in LABELS], np.float32)
    models = [small() for _ in range(3)]
    models[0].fit(X, LABELS, class_weight=table, shuffle=False, verbose=0)
    models[1].fit(X, LABELS, sample_weight=weight, shuffle=False, verbose=0)
    models[2].fit(X, LABELS, shuffle=False, verbose=0)
    assert same_bits(models[0].get_weights(), models[1].get_weights())
    assert not same_bits(models[0].get_weights(), models[2].get_weights())
    both, once = small(), small()
    both.fit(X, LABELS, class_weight=table, sample_weight=weight, shuffle=False, verbose=0)
    once.fit(X, LABELS, sample_weight=weight * weight, shuffle=False, verbose=0)
    assert same_bits(both.get_weights(), once.get_weights())


def test_class_weight_of_one_hot_and_binary() -> None:
    one_hot = np.eye(3, dtype=np.float32)[LABELS]
    a, b = small(), small()
    for model in (a, b):
        model.compile("sgd", "categorical_crossentropy")
    a.train_on_batch(X, one_hot, class_weight={1: 2.0})
    b.train_on_batch(X, one_hot, sample_weight=np.where(LABELS == 1, 2.0, 1.0))
    assert same_bits(a.get_weights(), b.get_weights())
    binary = Sequential([L.Input((2,)), L.Dense(1, activation="sigmoid")])
    binary.compile("sgd", "binary_crossentropy")
    x, y = X[:, 0, 0], (LABELS > 0).astype(int)
    expected = ref.pointwise_loss(binary.predict(x), y[:, None], "binary_crossentropy", np.where(y, 5.0, 1.0)).mean()
    assert binary.train_on_batch(x, y, class_weight={1: 5.0}) == pytest.approx([expected], rel=1e-5)


def test_weight_zero_is_absence() -> None:
    """Samples of weight 0 change nothing but the divisor."""
    a, b = small(optimizers.SGD(0.1)), small(optimizers.SGD(0.1 * 20 / 50))
    weight = np.zeros(50)
    weight[:20] = 1
    a.train_on_batch(X, LABELS, sample_weight=weight)
    b.train_on_batch(X[:20], LABELS[:20])
    for p, q in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_allclose(p, q, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- freezing


def test_frozen_layers_stay_as_they_are() -> None:
    model = small("adam")
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(X, LABELS, epochs=2, verbose=0)
    after = model.get_weights()
    assert same_bits(before[:2], after[:2])
    assert not any(same_bits([b], [a]) for b, a in zip(before[2:], after[2:]))
    assert [len(w) for w in (model.trainable_weights, model.non_trainable_weights)] == [2, 2]
    # The kernels that would have worked for the frozen layer are not there.
    objective = model._ready()
    kernels = [s.kernel for s in objective._training_plan(5, False).steps]
    assert "conv2d_backward_data" not in kernels
    model.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, LABELS, verbose=0)
    assert same_bits(after, model.get_weights())


def test_freezing_counts_from_the_next_compile() -> None:
    model, other = small(), small()
    model.trainable = False
    with pytest.warns(UserWarning, match="call compile again"):
        model.fit(X, LABELS, shuffle=False, verbose=0)
    other.fit(X, LABELS, shuffle=False, verbose=0)
    assert same_bits(model.get_weights(), other.get_weights())


def test_class_weight_leaves_the_validation_part_alone() -> None:
    model = small()
    history = model.fit(X, LABELS, validation_split=0.25, class_weight={0: 10, 1: 10}, verbose=0)
    cut = int(len(X) * 0.75)
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(X[cut:], LABELS[cut:], verbose=0)[0])


def test_a_model_goes_on_from_another_ones_output() -> None:
    model = small()
    further = Model(model.input, L.Dense(2)(model.output))
    assert further.predict(X).shape == (len(X), 2)
    assert further.count_params() == model.count_params() + 2 * (model.output.shape[-1] + 1)


def test_models_that_share_layers_train_in_turns() -> None:
    """Weights move to the memory of whoever trains them; nobody is left behind."""
    body, head = L.Dense(4, activation="tanh"), L.Dense(2)
    inputs = L.Input((3,))
    whole = Model(inputs, head(body(inputs)))
    part = Model(inputs, body(inputs))
    x, y = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 2))
    whole.compile("adam", "mse")
    part.compile("sgd", "mse")
    for _ in range(3):
        before = part.predict(x)
        whole.train_on_batch(x, y)
        assert not np.array_equal(before, part.predict(x))
        before = whole.predict(x)
        part.train_on_batch(x, np.ones((6, 4)))
        assert not np.array_equal(before, whole.predict(x))
        close = np.tanh(x @ body.get_weights()[0] + body.get_weights()[1])
        np.testing.assert_allclose(part.predict(x), close, rtol=1e-4, atol=1e-5)

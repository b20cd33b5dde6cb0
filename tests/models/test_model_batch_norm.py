"""Batch normalization as a layer: training, prediction, freezing, files, and what is fused into it and it into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import Offset, check_gradients, close, gradients, product, same_bits

from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn._ops import core
from fastcnn.models import Model, Sequential, load_model
from fastcnn.optimizers import SGD
from fastcnn.plan import Plan

Array = np.ndarray
RNG = np.random.default_rng(0)
X = (RNG.standard_normal((20, 6, 5, 3)) * 2 + 1).astype(np.float32)
LABELS = RNG.integers(0, 4, 20)
MOMENTUM = 0.9


def randomize(model: L.Layer) -> None:
    """Weights that hide no mistake: gammas and betas too, and variances that can be some."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        array = rng.standard_normal(variable.shape) * 0.4
        variable.assign(np.abs(array) + 0.5 if variable.name in ("gamma", "moving_variance") else array)


def kernels(model: Model, kind: str) -> list[str]:
    """The kernels of the plan that the model made last for "predict", "train" or "test"."""
    plans: list[Plan] = [plan for key, plan in model._plans.items() if key[0] == kind]
    return [step.kernel for step in plans[-1].steps]


def resnet() -> Model:
    """A convolution, a block with an identity shortcut and one with a projection, each normalized."""
    inputs = L.Input((6, 5, 3))
    x = L.ReLU()(L.BatchNormalization(momentum=MOMENTUM)(L.Conv2D(8, 3, padding="same", use_bias=False)(inputs)))
    y = L.ReLU()(L.BatchNormalization(momentum=MOMENTUM)(L.Conv2D(8, 3, padding="same")(x)))
    y = L.BatchNormalization(momentum=MOMENTUM)(L.Conv2D(8, 3, padding="same")(y))
    x = L.ReLU()(L.Add()([y, x]))
    y = L.BatchNormalization(momentum=MOMENTUM)(L.Conv2D(12, 3, strides=2, padding="same")(x))
    x = L.BatchNormalization(momentum=MOMENTUM)(L.Conv2D(12, 1, strides=2)(x))
    x = L.ReLU(max_value=6)(L.Add()([x, y]))
    model = Model(inputs, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(x)))
    randomize(model)
    return model


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("shape", [(6, 5, 3), (7,), (9, 2)])
def test_training_step(center: bool, scale: bool, shape: tuple[int, ...]) -> None:
    """Loss, gradients and moving statistics of one step; then the prediction with those."""
    layer = L.BatchNormalization(momentum=MOMENTUM, epsilon=0.01, center=center, scale=scale)
    model = Sequential([L.Input(shape), Offset(), layer])
    randomize(model)
    model.compile(SGD(1.0), product)
    rng = np.random.default_rng(2)
    x = (rng.standard_normal((8, *shape)) * 2 + 1).astype(np.float32)
    y = (rng.standard_normal((8, *shape)) * 8 * np.prod(shape)).astype(np.float32)
    names = [v.name for v in model.trainable_weights]

    def loss(*weights: Array) -> float:
        given = dict(zip(names, weights))
        normal = ref.batch_norm(x + given["offset"], given.get("gamma", 1.0), given.get("beta", 0.0), epsilon=0.01)
        return float((y * normal).mean())

    start = [v.numpy() for v in model.trainable_weights]
    check_gradients(loss, start, gradients(model, x, y))
    before = {v.name: v.numpy() for v in model.weights}
    np.testing.assert_allclose(model.train_on_batch(x, y), loss(*start), rtol=1e-4, atol=1e-3)
    mean, variance = ref.moments(x + before["offset"])
    close(layer.moving_mean.numpy(), MOMENTUM * before["moving_mean"] + (1 - MOMENTUM) * mean)
    close(layer.moving_variance.numpy(), MOMENTUM * before["moving_variance"] + (1 - MOMENTUM) * variance)
    now = {v.name: v.numpy() for v in model.weights}
    statistics = now["moving_mean"], now["moving_variance"]
    expected = ref.batch_norm(x + now["offset"], now.get("gamma", 1.0), now.get("beta", 0.0), statistics, 0.01)
    close(model.predict(x), expected, scale=10)


def probabilities(model: Model, x: Array, training: bool, **other: Array) -> Array:
    """What `resnet` computes, by the reference; `other`: weights, by their paths, in place of the model's."""
    w = {**{v.path: v.numpy() for v in model.weights}, **other}
    convs = [layer for layer in model.layers if isinstance(layer, L.Conv2D)]
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]

    def block(x: Any, number: int, norm: int, residual: Any = 0.0, activation: str = "linear") -> Any:
        conv, n = convs[number], norms[norm]
        bias = w[f"{conv.name}/bias"] if conv.use_bias else None
        z = ref.conv2d(x, w[f"{conv.name}/kernel"], bias, strides=conv.strides, padding="same")
        moving = (w[f"{n.name}/moving_mean"], w[f"{n.name}/moving_variance"])
        return ref.batch_norm(z, w[f"{n.name}/gamma"], w[f"{n.name}/beta"], None if training else moving,
                              residual=residual, activation=activation)  # fmt: skip

    places = {conv.name: i for i, conv in enumerate(convs)}
    assert list(places.values()) == [0, 1, 2, 3, 4]
    a = block(x, 0, 0, activation="relu")
    b = block(a, 1, 1, activation="relu")
    c = block(b, 2, 2, a, "relu")
    strided = {conv.kernel_size: i for i, conv in enumerate(convs) if conv.strides == (2, 2)}
    main, short = strided[3, 3], strided[1, 1]
    d = block(c, short, short)
    e = block(c, main, main, d, "relu6")
    dense = model.layers[-1]
    logits = e.mean(axis=(1, 2)) @ w[f"{dense.name}/kernel"] + w[f"{dense.name}/bias"]
    return ref.softmax(logits)


def test_prediction_of_a_residual_network() -> None:
    """Folded into the convolutions, it is still what the reference says; and again after the weights have changed."""
    model = resnet()
    model.compile(SGD(0.05), "sparse_categorical_crossentropy")
    for _ in range(2):
        close(model.predict(X), probabilities(model, X, False))
        model.fit(X, LABELS, batch_size=10, verbose=0)
    assert not any(kernel.startswith("batch_norm_apply") for kernel in kernels(model, "predict"))
    close(model.predict(X), probabilities(model, X, False))


def test_training_of_a_residual_network() -> None:
    """The loss, and the gradients of all kinds of weights, against central differences of the reference."""
    model = resnet()
    model.compile(SGD(1.0), "sparse_categorical_crossentropy")
    one_hot = np.eye(4)[LABELS]

    def loss_with(**other: Array) -> float:
        return float(-np.mean(np.sum(one_hot * np.log(probabilities(model, X, True, **other)), axis=-1)))

    held = model.get_weights()
    loss = model.train_on_batch(X, LABELS)
    found = {v.path: h.astype(float) - v.numpy() for v, h in zip(model.weights, held)}
    model.set_weights(held)
    np.testing.assert_allclose(loss, loss_with(), rtol=1e-4)
    rng, step = np.random.default_rng(3), 1e-6
    for variable in model.trainable_weights:
        direction = rng.standard_normal(variable.shape)
        ends = [loss_with(**{variable.path: variable.numpy() + sign * direction}) for sign in (step, -step)]
        slope = (ends[0] - ends[1]) / (2 * step)
        mine = np.sum(found[variable.path] * direction)
        np.testing.assert_allclose(mine, slope, rtol=1e-3, atol=1e-5, err_msg=variable.path)


def test_same_bits_for_any_number_of_threads() -> None:
    x = np.random.default_rng(0).standard_normal((40, 24, 20, 3)).astype(np.float32)
    y, results = np.random.default_rng(1).integers(0, 4, 40), []
    for threads in (1, 2, 3):
        core.set_threads(threads)
        inputs = L.Input((24, 20, 3))
        z = L.BatchNormalization()(L.Conv2D(16, 3)(inputs))
        z = L.ReLU()(L.Add()([z, L.BatchNormalization()(L.Conv2D(16, 3)(z))][:1] * 2))
        model = Model(inputs, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(z)))
        randomize(model)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=2, batch_size=20, shuffle=False, verbose=0)
        results.append(model.get_weights())
    assert same_bits(results[0], results[1])
    assert same_bits(results[0], results[2])


# ---------------------------------------------------------------- what is fused


def test_activation_and_residual_are_fused_in_training() -> None:
    model = resnet()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(X, LABELS)
    names = kernels(model, "train")
    assert names.count("batch_norm_apply") == 5
    assert not {"unary_forward", "unary_backward", "binary"} & set(names)


def test_what_is_read_elsewhere_is_not_fused() -> None:
    """The same network, once with results between that are outputs too: the same numbers, by more kernels."""
    inputs = L.Input((6, 5, 3))
    z = L.Conv2D(8, 3)(inputs)
    n = L.BatchNormalization()(z)
    s = L.Add()([n, z])
    out = L.Activation("relu")(s)
    fused, open_ = Model(inputs, out), Model(inputs, [out, n, s, z])
    randomize(fused)
    results = open_.predict(X)
    close(results[0], fused.predict(X))
    mean, variance = (fused.layers[2].get_weights()[i] for i in (2, 3))
    gamma, beta = fused.layers[2].get_weights()[:2]
    close(results[1], ref.batch_norm(results[3], gamma, beta, (mean, variance)))
    assert kernels(fused, "predict").count("batch_norm_apply") == 1
    assert {"binary", "unary_forward"} & set(kernels(fused, "predict")) == set()
    assert {"binary", "unary_forward"} <= set(kernels(open_, "predict"))


@pytest.mark.parametrize("before", [
    lambda: L.Conv2D(4, 3, use_bias=False), lambda: L.Conv2D(6, 3, groups=3), lambda: L.Conv2D(3, (2, 3), groups=3),
    lambda: L.Dense(5),
])  # fmt: skip
def test_folding(before: Any) -> None:
    layers = [L.Input((6, 5, 3)), before(), L.BatchNormalization(), L.LeakyReLU(negative_slope=0.3)]
    model = Sequential(layers)
    randomize(model)
    inner = Sequential([L.Input((6, 5, 3)), layers[1]])
    gamma, beta, *statistics = layers[2].get_weights()
    expected = ref.batch_norm(inner.predict(X), gamma, beta, statistics, activation="leaky_relu", alpha=0.3)  # type: ignore[arg-type]
    close(model.predict(X), expected)
    plan = model.plan(4)
    running = [step.kernel for step in plan.steps if not step.once]
    assert not {"batch_norm_apply", "batch_norm_scales", "binary", "unary_forward"} & set(running)


def test_before_a_convolution_it_takes_the_activation() -> None:
    model = Sequential([L.Input((6, 5, 3)), L.BatchNormalization(), L.ReLU(), L.Conv2D(4, 3)])
    randomize(model)
    gamma, beta, *statistics = model.layers[0].get_weights()
    x = ref.batch_norm(X, gamma, beta, statistics, activation="relu")  # type: ignore[arg-type]
    close(model.predict(X), ref.conv2d(x, *model.layers[2].get_weights()))
    assert [s.kernel for s in model.plan(4).steps if not s.once] == ["batch_norm_apply", "conv2d_forward"]


# ---------------------------------------------------------------- freezing


def test_frozen_it_normalizes_with_the_moving_statistics() -> None:
    """In `fit` too; nothing of it changes, and the layers before it still learn, through it."""
    layer = L.BatchNormalization(trainable=False)
    model = Sequential([L.Input((6, 5, 3)), Offset(), layer, L.ReLU()])
    randomize(model)
    model.compile(SGD(1.0), product)
    y = (np.random.default_rng(2).standard_normal(X.shape) * X.size).astype(np.float32)
    held = layer.get_weights()
    gamma, beta, *statistics = held

    def loss(offset: Array) -> float:
        normal = ref.batch_norm(X + offset, gamma, beta, statistics, activation="relu")  # type: ignore[arg-type]
        return float((y * normal).mean())

    check_gradients(loss, [model.layers[0].get_weights()[0]], gradients(model, X, y))
    model.fit(X, y, verbose=0)
    assert same_bits(layer.get_weights(), held)


def test_freezing_counts_from_compile_on() -> None:
    model = Sequential([L.Input((6, 5, 3)), L.Conv2D(4, 3), L.BatchNormalization(center=False, scale=False)])
    model.compile("sgd", "mse")
    y = np.zeros((20, 4, 3, 4), np.float32)
    layer = model.layers[1]
    layer.trainable = False
    before = layer.get_weights()
    with pytest.warns(UserWarning, match="call compile again"):
        model.train_on_batch(X, y)
    moved = layer.get_weights()
    assert not np.array_equal(before[0], moved[0])
    model.compile("sgd", "mse")
    model.train_on_batch(X, y)
    assert same_bits(layer.get_weights(), moved)


def test_a_model_inside_a_model_moves_its_statistics() -> None:
    inner = Sequential([L.Input((6, 5, 3)), L.BatchNormalization()])
    outer = Sequential([L.Input((6, 5, 3)), inner])
    outer.compile("sgd", "mse")
    outer.train_on_batch(X, X)
    close(inner.get_weights()[2], 0.01 * ref.moments(X)[0])
    inner.trainable = False
    outer.compile("sgd", "mse")
    assert outer.moving_weights == []


def test_used_twice_it_moves_twice() -> None:
    layer, a, b = L.BatchNormalization(momentum=0.5), L.Input((6, 5, 3)), L.Input((6, 5, 3))
    model = Model([a, b], L.Add()([layer(a), layer(b)]))
    model.compile(SGD(0.0), "mse")
    other = X * 3 - 2
    model.train_on_batch([X, other], X)
    first, second = ref.moments(X), ref.moments(other)
    starts = np.zeros(3), np.ones(3)
    close(layer.moving_mean.numpy(), 0.25 * starts[0] + 0.25 * first[0] + 0.5 * second[0])
    close(layer.moving_variance.numpy(), 0.25 * starts[1] + 0.25 * first[1] + 0.5 * second[1])


# ---------------------------------------------------------------- configuration, files, bad input


def test_weights_and_summary(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential([L.Input((6, 5, 3)), L.BatchNormalization()])
    assert [v.name for v in model.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [w.tolist() for w in model.get_weights()] == [[1] * 3, [0] * 3, [0] * 3, [1] * 3]
    assert [v.name for v in model.non_trainable_weights] == ["moving_mean", "moving_variance"]
    model.summary()
    assert "Non-trainable params: 6 " in capsys.readouterr().out


def test_files(tmp_path: Path) -> None:
    """A loaded network predicts and trains on as the saved one does."""
    model = resnet()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, LABELS, epochs=2, verbose=0)
    model.save(tmp_path / "net.fastcnn")
    again = load_model(tmp_path / "net.fastcnn")
    assert same_bits([again.predict(X)], [model.predict(X)])
    for each in (model, again):
        each.train_on_batch(X, LABELS)
    assert same_bits(again.get_weights(), model.get_weights())


def test_configuration() -> None:
    layer = L.BatchNormalization(momentum=0.8, epsilon=1e-5, center=False, gamma_initializer="zeros",
                                 beta_regularizer="l2", name="norm", trainable=False)  # fmt: skip
    again = L.BatchNormalization.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.momentum, again.epsilon, again.center, again.trainable) == (0.8, 1e-5, False, False)


def test_defaults_are_those_of_keras() -> None:
    config = L.BatchNormalization().get_config()
    assert (config["momentum"], config["epsilon"], config["axis"]) == (0.99, 1e-3, -1)
    L.BatchNormalization(axis=3)(L.Input((6, 5, 3)))  # the last one by its number


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: L.BatchNormalization(axis=1)(L.Input((6, 5, 3))), "axis must be -1, the channels' .last. axis"),
        (lambda: L.BatchNormalization(axis=[1, 2])(L.Input((6, 5, 3))), r"axis must be -1.*received \[1, 2\]"),
        (lambda: L.BatchNormalization(momentum=1.5), "momentum must be a number from 0 to 1, received 1.5"),
        (lambda: L.BatchNormalization(epsilon=-1e-3), "epsilon must be a finite number of at least 0"),
        (lambda: L.BatchNormalization()(L.Input(())), "takes inputs .batch, …, channels."),
    ],
)
def test_bad_input(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()

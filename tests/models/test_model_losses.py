"""Losses, regularizers, several outputs: values and gradients against float64."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import check_gradients, close, gradients, random_weights

from fastcnn import layers as L  # noqa: N812
from fastcnn import losses, ops, regularizers
from fastcnn import reference as ref
from fastcnn.models import Model, Sequential, load_model
from fastcnn.optimizers import SGD

ROWS, FEATURES, CLASSES = 5, 4, 3
Array = np.ndarray


def _pointwise(kind: str) -> Callable[..., Array]:
    return lambda p, y, w: ref.pointwise_loss(p, y, kind, w, 1 / p.shape[-1])


def _entropy(smoothing: float = 0.0) -> Callable[..., Array]:
    return lambda p, y, w: ref.softmax_crossentropy(p, y, w, smoothing)


PRIOR, ALPHA = [60, 30, 10], [0.5, 1.0, 2.0]


def _focal(gamma: float, alpha: Any, smoothing: float = 0.0) -> Callable[..., Array]:
    return lambda p, y, w: ref.softmax_focal(p, y, gamma, alpha, w, smoothing)


def _binary_focal(balance: tuple[float, float], smoothing: float, logits: bool) -> Callable[..., Array]:
    return lambda p, y, w: ref.binary_focal_loss(p, y, 2.0, balance, smoothing, logits, w, 1 / p.shape[-1])


def _adjusted(tau: float) -> Callable[..., Array]:
    shift = tau * np.log(np.array(PRIOR) / 100)
    return lambda p, y, w: ref.softmax_crossentropy(p + shift, y, w)


def _of_probabilities(p: Array, y: Array, w: Any) -> Array:
    """Cross entropy of rows that need not add up to one."""
    return ref.softmax_crossentropy(np.log(p + 1e-7), y, w)


#: name: (loss, activation of the model's end, kind of y, losses of rows from what comes out of the last dense layer)
LOSSES: dict[str, tuple[Callable[..., losses.Loss], Any, str, Callable[..., Array]]] = {
    "sparse, softmax": (losses.SparseCategoricalCrossentropy, "softmax", "labels", _entropy()),
    "sparse, logits": (
        lambda **how: losses.SparseCategoricalCrossentropy(from_logits=True, **how), None, "labels", _entropy()
    ),
    "sparse, no softmax": (
        losses.SparseCategoricalCrossentropy, "sigmoid", "labels",
        lambda p, y, w: _of_probabilities(ref.sigmoid(p), y, w),
    ),
    "categorical, softmax": (losses.CategoricalCrossentropy, "softmax", "rows", _entropy()),
    "categorical, smooth": (
        lambda **how: losses.CategoricalCrossentropy(label_smoothing=0.2, **how), "softmax", "rows", _entropy(0.2)
    ),
    "categorical, smooth logits": (
        lambda **how: losses.CategoricalCrossentropy(True, 0.1, **how), None, "rows", _entropy(0.1)
    ),
    "sparse, smooth": (
        lambda **how: losses.SparseCategoricalCrossentropy(label_smoothing=0.2, **how), "softmax", "labels",
        _entropy(0.2),
    ),
    "focal, softmax": (losses.CategoricalFocalCrossentropy, "softmax", "rows", _focal(2.0, 0.25)),
    "focal, smooth logits": (
        lambda **how: losses.CategoricalFocalCrossentropy(ALPHA, 1.5, True, 0.1, **how), None, "rows",
        _focal(1.5, ALPHA, 0.1),
    ),
    "sparse focal, softmax": (
        lambda **how: losses.SparseCategoricalFocalCrossentropy(ALPHA, **how), "softmax", "labels", _focal(2.0, ALPHA)
    ),
    "binary focal, sigmoid": (
        losses.BinaryFocalCrossentropy, "sigmoid", "rows", _binary_focal((1.0, 1.0), 0.0, True)
    ),
    "binary focal, smooth logits": (
        lambda **how: losses.BinaryFocalCrossentropy(True, 0.3, from_logits=True, label_smoothing=0.1, **how), None,
        "rows", _binary_focal((0.3, 0.7), 0.1, True),
    ),
    "binary focal, no sigmoid": (
        losses.BinaryFocalCrossentropy, "softmax", "rows",
        lambda p, y, w: _binary_focal((1.0, 1.0), 0.0, False)(ref.softmax(p), y, w),
    ),
    "adjusted, softmax": (
        lambda **how: losses.LogitAdjustedCrossentropy(PRIOR, **how), "softmax", "labels", _adjusted(1.0)
    ),
    "adjusted, logits": (
        lambda **how: losses.LogitAdjustedCrossentropy(PRIOR, 0.5, True, sparse=False, **how), None, "rows",
        _adjusted(0.5),
    ),
    "binary, smooth": (
        lambda **how: losses.BinaryCrossentropy(label_smoothing=0.2, **how), "sigmoid", "rows",
        lambda p, y, w: _pointwise("binary_crossentropy_logits")(p, 0.8 * y + 0.1, w),
    ),
    "binary, sigmoid": (
        losses.BinaryCrossentropy, "sigmoid", "rows", _pointwise("binary_crossentropy_logits")
    ),
    "binary, logits": (
        lambda **how: losses.BinaryCrossentropy(from_logits=True, **how), None, "rows",
        _pointwise("binary_crossentropy_logits"),
    ),
    "binary, no sigmoid": (
        losses.BinaryCrossentropy, "softmax", "rows",
        lambda p, y, w: _pointwise("binary_crossentropy")(ref.softmax(p), y, w),
    ),
    "mse": (losses.MeanSquaredError, None, "rows", _pointwise("squared_error")),
    "mae, tanh": (
        losses.MeanAbsoluteError, "tanh", "rows",
        lambda p, y, w: _pointwise("absolute_error")(np.tanh(p), y, w),
    ),
}  # fmt: skip


def targets(kind: str, shape: tuple[int, ...]) -> Array:
    rng = np.random.default_rng(11)
    if kind == "labels":
        return rng.integers(0, CLASSES, shape)
    rows = rng.random((*shape, CLASSES)).astype(np.float32)
    return rows / rows.sum(-1, keepdims=True)


@pytest.mark.parametrize("inner", [(), (2, 3)], ids=["rank 2", "rank 4"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss(name: str, weighted: bool, reduction: str, inner: tuple[int, ...]) -> None:
    make, act, kind, rows_of = LOSSES[name]
    rng = np.random.default_rng(5)
    model = Sequential([L.Input((*inner, FEATURES)), L.Dense(CLASSES, activation=act)])
    random_weights(model)
    model.compile(SGD(1.0), make(reduction=reduction))
    x = rng.standard_normal((ROWS, *inner, FEATURES)).astype(np.float32)
    y = targets(kind, (ROWS, *inner))
    weight = rng.random(ROWS).astype(np.float32) if weighted else None
    pixels = int(np.prod(inner))
    each = None if weight is None else np.repeat(weight, pixels)

    def loss(kernel: Array, bias: Array) -> float:
        flat = y.reshape(-1) if kind == "labels" else y.reshape(-1, CLASSES)
        rows = rows_of((x @ kernel + bias).reshape(-1, CLASSES), flat, each)
        return float(rows.sum() if reduction == "sum" else rows.mean())

    expected = loss(*[w.astype(np.float64) for w in model.get_weights()])
    assert model.test_on_batch(x, y, sample_weight=weight) == pytest.approx([expected], rel=1e-5)
    assert model.train_on_batch(x, y, sample_weight=weight) == pytest.approx([expected], rel=1e-5)
    random_weights(model)
    check_gradients(loss, model.get_weights(), gradients(model, x, y, sample_weight=weight))


def test_keras_values() -> None:
    """Numbers worked out by hand from the definitions."""
    model = Sequential([L.Input((2,)), L.Rescaling(1.0)])
    p = [[0.6, 0.4], [0.1, 0.9]]
    for loss, y, expected in (
        ("sparse_categorical_crossentropy", [0, 1], -(np.log(0.6) + np.log(0.9)) / 2),
        ("categorical_crossentropy", [[1, 0], [0, 1]], -(np.log(0.6) + np.log(0.9)) / 2),
        ("binary_crossentropy", [[1, 0], [0, 1]], -(np.log(0.6) + np.log(0.9)) / 2),
        ("mse", [[1, 0], [0, 1]], (0.16 + 0.01) / 2),
        ("mae", [[1, 0], [0, 1]], (0.4 + 0.1) / 2),
    ):
        model.compile("sgd", loss)
        assert model.test_on_batch(p, y) == pytest.approx([expected], rel=1e-5), loss
    # Weights of samples multiply their losses, and the number of samples divides.
    assert model.test_on_batch(p, [[1, 0], [0, 1]], sample_weight=[1, 0]) == pytest.approx([0.4 / 2])


def test_focal_values_are_those_of_keras() -> None:
    """Numbers that Keras 3.15 gives."""
    model = Sequential([L.Input((3,)), L.Rescaling(1.0)])
    p, y = [[0.6, 0.3, 0.1], [0.1, 0.7, 0.2]], [[1, 0, 0], [0, 0, 1]]
    for loss, expected in (
        ("categorical_focal_crossentropy", 0.13897155),
        (losses.CategoricalFocalCrossentropy(0.5, 1.5, label_smoothing=0.1), 0.33799574),
        (losses.CategoricalFocalCrossentropy(from_logits=True), 0.11698273),
        ("binary_focal_crossentropy", 0.28932118),
        (losses.BinaryFocalCrossentropy(True, 0.3, 1.5, label_smoothing=0.1), 0.14749891),
        (losses.BinaryFocalCrossentropy(from_logits=True), 0.22682130),
        (losses.BinaryCrossentropy(label_smoothing=0.2), 0.70549905),
    ):
        model.compile("sgd", loss)
        assert model.test_on_batch(p, y) == pytest.approx([expected], rel=1e-5), loss


@pytest.mark.parametrize("name", [n for n in LOSSES if "focal" in n or "adjusted" in n or "smooth" in n])
def test_losses_come_back_from_files(name: str, tmp_path: Path) -> None:
    make, act, kind, _ = LOSSES[name]
    model = Sequential([L.Input((FEATURES,)), L.Dense(CLASSES, activation=act)])
    model.compile("sgd", make(reduction="sum"))
    model.save(tmp_path / "m.safetensors")
    same = load_model(tmp_path / "m.safetensors")
    x, y = np.random.default_rng(3).standard_normal((ROWS, FEATURES)), targets(kind, (ROWS,))
    assert same.test_on_batch(x, y) == model.test_on_batch(x, y)


def test_focal_losses_are_one_kernel() -> None:
    """From the logits to their gradient: neither a softmax nor a sigmoid is computed besides."""
    x = np.zeros((8, FEATURES))
    for loss, act, y in (
        ("sparse_categorical_focal_crossentropy", "softmax", np.zeros(8)),
        ("binary_focal_crossentropy", "sigmoid", np.zeros((8, CLASSES))),
    ):
        model = Sequential([L.Input((FEATURES,)), L.Dense(CLASSES, activation=act)])
        model.compile(SGD(1.0), loss)
        model.train_on_batch(x, y)
        objective = model._ready()
        kernels = [step.kernel for step in objective._training_plan(8, False).steps]
        assert not {"softmax_backward", "unary_backward"} & set(kernels), kernels
        assert {"softmax_focal", "binary_focal_loss"} & set(kernels), kernels


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.CategoricalFocalCrossentropy(gamma=-1), "gamma must be a finite number of at least 0"),
        (
            lambda: losses.CategoricalFocalCrossentropy(alpha=[[1.0]]),
            "alpha must be a number of at least 0, or one for",
        ),
        (lambda: losses.BinaryFocalCrossentropy(alpha=1.5), "alpha must be a number from 0 to 1, received 1.5"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.0), "label_smoothing must be a number from 0 to below 1"),
        (lambda: losses.CategoricalCrossentropy(axis=1), "axis must be -1, the last axis, received 1"),
        (lambda: losses.LogitAdjustedCrossentropy([5, 0, 2]), "prior must be one number above 0 for each class"),
        (lambda: losses.LogitAdjustedCrossentropy("many"), "prior must be a number of at least 0, or one for each"),
    ],
)
def test_bad_arguments(make: Callable[[], losses.Loss], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_numbers_for_another_number_of_classes() -> None:
    model = Sequential([L.Input((FEATURES,)), L.Dense(CLASSES, activation="softmax")])
    model.compile("sgd", losses.LogitAdjustedCrossentropy([5, 4]))
    with pytest.raises(ValueError, match="was given prior for 2 classes, but the model's output has 3"):
        model.train_on_batch(np.zeros((2, FEATURES)), [0, 1])


def huber(y_true: Any, y_pred: Any) -> Any:
    """Smooth everywhere: sqrt(1 + e^2) - 1, written with operators and functions of fastcnn.ops."""
    return ops.sqrt((y_true - y_pred) ** 2 + 1.0) - 1.0


def ratio(y_true: Any, y_pred: Any) -> Any:
    return 1.0 / (2.0 + ops.exp(y_pred)) - 3.0 * y_true / (ops.square(y_pred) + 2.0) + ops.abs(-y_pred) / 4.0


def row_mean(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.log(ops.exp(y_pred * y_true) + 1.0), axis=-1)


FUNCTIONS: dict[str, tuple[Any, Callable[[Array, Array], Array]]] = {
    "huber": (huber, lambda y, p: np.sqrt((y - p) ** 2 + 1) - 1),
    "ratio": (ratio, lambda y, p: 1 / (2 + np.exp(p)) - 3 * y / (p**2 + 2) + np.abs(p) / 4),
    "row_mean": (row_mean, lambda y, p: np.log(np.exp(p * y) + 1).mean(-1)),
    "scalar": (lambda y, p: ops.sum(p * p * y) * 0.5, lambda y, p: (p * p * y).sum() * 0.5),
    "hinge": (
        lambda y, p: ops.maximum(0.0, 1 - y * p) + ops.minimum(p, y),
        lambda y, p: np.maximum(0, 1 - y * p) + np.minimum(p, y),
    ),
    "softmax": (
        lambda y, p: ops.sum(ops.subtract(ops.softmax(p), y) ** 2, axis=-1),
        lambda y, p: ((ref.softmax(p) - y) ** 2).sum(-1),
    ),
    "numpy constant": (
        lambda y, p: np.array([1.0, 2.0, 3.0]) * p - y, lambda y, p: np.array([1.0, 2.0, 3.0]) * p - y
    ),
}  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_loss_functions(name: str, weighted: bool) -> None:
    function, expected = FUNCTIONS[name]
    rng = np.random.default_rng(6)
    model = Sequential([L.Input((FEATURES,)), L.Dense(CLASSES, activation="tanh")])
    random_weights(model)
    model.compile(SGD(1.0), function)
    x = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    y = rng.standard_normal((ROWS, CLASSES)).astype(np.float32)
    weight = rng.random(ROWS).astype(np.float32) if weighted else None

    def loss(kernel: Array, bias: Array) -> float:
        values = expected(y.astype(np.float64), np.tanh(x @ kernel + bias))
        rows = values.reshape(ROWS, -1).mean(-1) if values.ndim else values
        return float((rows if weight is None else rows * weight).mean())

    if weighted and name == "scalar":
        with pytest.raises(ValueError, match="one loss for each row"):
            model.train_on_batch(x, y, sample_weight=weight)
        return
    value = model.test_on_batch(x, y, sample_weight=weight)
    assert value == pytest.approx([loss(*model.get_weights())], rel=1e-4)
    check_gradients(loss, model.get_weights(), gradients(model, x, y, sample_weight=weight))


def test_loss_function_must_return_a_value() -> None:
    model = Sequential([L.Input((2,)), L.Dense(1)])
    model.compile("sgd", lambda y, p: 3.0)
    with pytest.raises(TypeError, match=r"must return a graph value.*received 3\.0"):
        model.train_on_batch(np.ones((2, 2)), np.ones((2, 1)))


@pytest.mark.parametrize("of", ["kernel", "bias"])
@pytest.mark.parametrize(("l1", "l2"), [(0.03, 0.0), (0.0, 0.02), (0.01, 0.05), (0.0, 0.0)])
def test_regularizers(of: str, l1: float, l2: float) -> None:
    penalty = regularizers.L1L2(l1, l2)
    how: dict[str, Any] = {f"{of}_regularizer": penalty}
    model = Sequential([L.Input((6, 5, 2)), L.Conv2D(3, 3, **how), L.Flatten(), L.Dense(2, **how)])
    random_weights(model)
    model.compile(SGD(1.0), "mse")
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((4, 6, 5, 2)).astype(np.float32), rng.standard_normal((4, 2)).astype(np.float32)

    def loss(k: Array, b: Array, k2: Array, b2: Array) -> float:
        p = ref.conv2d(x, k, b).reshape(4, -1) @ k2 + b2
        penalised = (k, k2) if of == "kernel" else (b, b2)
        extra = sum(l1 * np.abs(w).sum() + l2 * (w**2).sum() for w in penalised)
        return float(((p - y) ** 2).mean() + extra)

    assert model.test_on_batch(x, y) == pytest.approx([loss(*model.get_weights())], rel=1e-5)
    check_gradients(loss, model.get_weights(), gradients(model, x, y))


def test_regularizer_of_frozen_weights_is_silent() -> None:
    frozen = L.Dense(2, kernel_regularizer="l2", trainable=False)
    model = Sequential([L.Input((3,)), frozen, L.Dense(1, kernel_regularizer=regularizers.l1(0.5))])
    random_weights(model)
    model.compile(SGD(1.0), "mse")
    x = np.zeros((2, 3), np.float32)
    y = model.predict(x)
    assert model.test_on_batch(x, y) == pytest.approx([0.5 * np.abs(model.get_weights()[2]).sum()], rel=1e-5)


def _two_in_two_out() -> tuple[Model, Callable[..., list[Array]]]:
    """A model with a shared layer, a nested model used twice, a branch that is read twice, and two outputs."""
    inner_input = L.Input((6,))
    inner = Model(inner_input, L.Dense(5, activation="tanh")(L.Activation("relu")(L.Dense(6)(inner_input))))
    a, b = L.Input((4,), name="a"), L.Input((4,), name="b")
    shared = L.Dense(6, activation="sigmoid", name="shared")
    p, q = inner(shared(a)), inner(shared(b))
    joined = L.Multiply()([p, L.Activation("exponential")(q)])
    both = L.Add()([joined, p])
    first = L.Dense(CLASSES, activation="softmax", name="first")(both)
    second = L.Dense(2, name="second")(L.LeakyReLU(0.1)(joined))
    model = Model([a, b], [first, second])

    def expected(a: Array, b: Array, *weights: Array) -> list[Array]:
        ks, bs, k1, b1, k2, b2, kf, bf, kg, bg = weights
        p, q = (np.tanh(ref.relu(ref.sigmoid(v @ ks + bs) @ k1 + b1) @ k2 + b2) for v in (a, b))
        joined = p * np.exp(q)
        return [(joined + p) @ kf + bf, ref.leaky_relu(joined, 0.1) @ kg + bg]

    return model, expected


def test_several_inputs_and_outputs() -> None:
    model, expected = _two_in_two_out()
    random_weights(model)
    rng = np.random.default_rng(9)
    x = [rng.standard_normal((ROWS, 4)).astype(np.float32) for _ in range(2)]
    labels, y = rng.integers(0, CLASSES, ROWS), rng.standard_normal((ROWS, 2)).astype(np.float32)
    weights = model.get_weights()
    names = [v.path.split("/")[0] for v in model.weights]
    assert (names[0], names[-4], names[-1]) == ("shared", "first", "second")
    logits, second = expected(*x, *weights)
    for result in (model.predict(x), model.predict({"b": x[1], "a": x[0]})):
        close(result[0], ref.softmax(logits))
        close(result[1], second)

    def loss(*w: Array) -> float:
        logits, second = expected(*x, *w)
        return float(2 * ref.softmax_crossentropy(logits, labels).mean() - 0.5 * np.abs(second - y).mean())

    for given, factors in (
        (["sparse_categorical_crossentropy", "mae"], [2.0, -0.5]),
        ({"second": "mae", "first": "sparse_categorical_crossentropy"}, {"second": -0.5, "first": 2.0}),
    ):
        model.compile(SGD(1.0), given, loss_weights=factors)
        assert model.test_on_batch(x, [labels, y])[0] == pytest.approx(loss(*weights), rel=1e-5)
        check_gradients(loss, weights, gradients(model, x, {"first": labels, "second": y}))


def test_outputs_that_share_an_activation() -> None:
    """Both outputs' losses start at one value: their gradients add up."""
    inputs = L.Input((FEATURES,))
    logits = L.Dense(CLASSES)(inputs)
    model = Model(inputs, [L.Activation("softmax")(logits), logits])
    random_weights(model)
    model.compile(SGD(1.0), ["sparse_categorical_crossentropy", "mse"], loss_weights=[1.0, 3.0])
    rng = np.random.default_rng(10)
    x = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    labels, y = rng.integers(0, CLASSES, ROWS), rng.standard_normal((ROWS, CLASSES)).astype(np.float32)

    def loss(kernel: Array, bias: Array) -> float:
        p = x @ kernel + bias
        return float(ref.softmax_crossentropy(p, labels).mean() + 3 * ((p - y) ** 2).mean())

    assert model.test_on_batch(x, [labels, y])[0] == pytest.approx(loss(*model.get_weights()), rel=1e-5)
    check_gradients(loss, model.get_weights(), gradients(model, x, [labels, y]))

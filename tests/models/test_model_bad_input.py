"""Bad input: an error that names the argument, what was expected and what came, before any work; nothing is lost."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import LABELS, X, random_weights, same_bits, small

from fastcnn import activations
from fastcnn import layers as L  # noqa: N812
from fastcnn.models import Model, Sequential

sys.path.insert(0, str(Path(__file__).parent.parent / "ops"))
from layouts import VARIANTS


def state(model: Model) -> list[Any]:
    """All that a call that fails must leave alone."""
    assert model.optimizer is not None
    slots = [part.copy() for _, parts in model.optimizer.state() for part in parts]
    return [model.get_weights(), slots, model.optimizer.iterations, dict(model.history.history), model.history.epoch]


def unchanged(before: list[Any], after: list[Any]) -> bool:
    return same_bits(before[0], after[0]) and same_bits(before[1], after[1]) and before[2:] == after[2:]


@pytest.fixture(scope="module")
def model() -> Sequential:
    """A model with a past."""
    made = small("adam")
    made.fit(X, LABELS, verbose=0, epochs=2)
    return made


def replaced(array: np.ndarray, place: Any, value: Any) -> np.ndarray:
    made = array.copy()
    made[place] = value
    return made


FLOATS = LABELS.astype(np.float32)
#: (arguments of fit, what the message must say)
FITS: list[tuple[dict[str, Any], str]] = [
    ({"x": X.astype(object)}, r"x must be an array of numbers .*, received dtype object"),
    ({"x": X.astype(complex)}, r"x must be an array of numbers .*, received dtype complex128"),
    ({"x": X.astype(str)}, r"x must be an array of numbers .*, received dtype <U\d+"),
    ({"x": [[1, 2], [3]]}, r"x can't be made an array"),
    ({"x": X[0]}, r"x must have shape \(batch, 6, 5, 2\) for layer '.*', received \(6, 5, 2\); .*x\[None\]"),
    ({"x": X[:, :5]}, r"x must have shape \(batch, 6, 5, 2\) for layer '.*', received \(50, 5, 5, 2\)"),
    ({"x": X.reshape(50, -1)}, r"received \(50, 60\)"),
    ({"x": np.float32(3)}, r"received \(\)"),
    ({"x": X[:0], "y": LABELS[:0]}, r"x is empty"),
    ({"x": X[:40]}, r"x and y must be equally long, received 40 samples of x and 50 samples of y"),
    ({"x": None}, r"x is missing"),
    ({"x": 5.0}, r"x must be arrays or an iterable of batches, received 5\.0"),
    ({"y": None}, r"y is missing"),
    ({"y": replaced(LABELS, 7, 3)}, r"y must be whole numbers from 0 to 2, received 3 at 7"),
    ({"y": replaced(LABELS, 9, -1)}, r"y must be whole numbers from 0 to 2, received -1 at 9"),
    ({"y": replaced(FLOATS, 4, 0.5)}, r"y must be whole numbers from 0 to 2, received 0\.5 at 4"),
    ({"y": replaced(FLOATS, 4, np.nan)}, r"y must be whole numbers from 0 to 2, received nan at 4"),
    ({"y": np.eye(3)[LABELS]}, r"y must hold one class number a row, shape \(50,\), received shape \(50, 3\)"),
    ({"y": LABELS.astype(str)}, r"y must be an array of numbers"),
    ({"y": 1}, r"equally long, received 50 samples of x and a scalar of y"),
    ({"sample_weight": np.ones(49)}, r"sample_weight must have shape \(50,\), received \(49,\)"),
    ({"sample_weight": np.ones((50, 2))}, r"sample_weight must have shape \(50,\), received \(50, 2\)"),
    ({"sample_weight": np.full(50, np.nan)}, r"sample_weight must be finite, received NaN"),
    ({"sample_weight": ["a"] * 50}, r"sample_weight must be an array of numbers"),
    ({"class_weight": [1, 2, 3]}, r"class_weight must be a dict .*, \"balanced\" or .* received \[1, 2, 3\]"),
    ({"class_weight": {3: 1.0}}, r"class_weight's keys must be class numbers 0 to 2, received 3"),
    ({"class_weight": {"a": 1.0}}, r"class_weight's keys .* received 'a'"),
    ({"class_weight": {1: -1.0}}, r"class_weight\[1\] must be a number of at least 0, received -1\.0"),
    ({"batch_size": 0}, r"batch_size must be at least 1 .*, received 0"),
    ({"batch_size": 2.5}, r"batch_size must be an integer, received 2\.5"),
    ({"epochs": -1}, r"epochs must be at least 0 .*, received -1"),
    ({"epochs": "3"}, r"epochs must be an integer, received '3'"),
    ({"initial_epoch": -2}, r"initial_epoch must be at least 0"),
    ({"steps_per_epoch": 0}, r"steps_per_epoch must be at least 1"),
    ({"validation_freq": 0}, r"validation_freq must be at least 1"),
    ({"validation_freq": [1, 0]}, r"validation_freq must be at least 1"),
    ({"validation_split": 1.0}, r"validation_split must be at least 0 and below 1, received 1\.0"),
    ({"validation_split": "0.1"}, r"validation_split must be at least 0 and below 1, received '0\.1'"),
    ({"validation_split": 0.99}, r"validation_split=0\.99 of 50 samples leaves one part empty"),
    ({"validation_data": (X, LABELS), "validation_steps": -1}, r"validation_steps must be at least 1"),
    ({"validation_data": (X,)}, r"validation_data must be \(x, y\)"),
    ({"validation_data": (X[:, :4], LABELS)}, r"must have shape \(batch, 6, 5, 2\).*received \(50, 4, 5, 2\)"),
    ({"validation_data": X}, r"validation_data must be \(x, y\)"),
    ({"callbacks": ["log"]}, r"callbacks must be Callback objects, received 'log'"),
    ({"x": iter([]), "y": LABELS}, r"x gives batches that hold y and sample_weight themselves"),
    ({"x": iter([]), "y": None, "validation_split": 0.5}, r"validation_split needs x and y as arrays"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "message"), FITS, ids=[f"{next(iter(g))} {i}" for i, (g, _) in enumerate(FITS)])
def test_fit(model: Sequential, given: dict[str, Any], message: str) -> None:
    before = state(model)
    arguments = {"x": X, "y": LABELS, "verbose": 0, **given}
    with pytest.raises((ValueError, TypeError)) as caught:
        model.fit(**arguments)
    assert re.search(message, str(caught.value)), caught.value
    assert unchanged(before, state(model))


def test_a_misspelled_keyword(model: Sequential) -> None:
    for call in (
        lambda: model.fit(X, LABELS, batchsize=3),
        lambda: L.Conv2D(3, 3, paddding="same"),
        lambda: L.Dense(3, aktivation="relu"),
    ):
        with pytest.raises(TypeError, match=r"batchsize|paddding|aktivation"):
            call()  # type: ignore[no-untyped-call]


def test_a_wrong_batch_in_the_middle_names_itself(model: Sequential) -> None:
    good = X[:10], LABELS[:10]
    for bad, message in (
        ((X[:10], LABELS[:10] + 5), r"batch 1: y must be whole numbers from 0 to 2"),
        ((X[:10], LABELS[:3]), r"batch 1: x and y must be equally long"),
        (X[:10], r"batch 1: expected \(x, y\) or \(x, y, sample_weight\)"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(iter([good, bad]), verbose=0)


@pytest.mark.parametrize("where", ["x", "y"])
def test_nan_in_the_data_warns_once_and_names_the_batch(where: str) -> None:
    model = Sequential([L.Input((4,)), L.Dense(2)])
    model.compile("sgd", "mse")
    data = {"x": np.ones((30, 4), np.float32), "y": np.ones((30, 2), np.float32)}
    data[where][23, 1] = np.nan
    with pytest.warns(RuntimeWarning) as caught:
        model.fit(**data, batch_size=10, shuffle=False, epochs=2, verbose=0)
    assert len(caught) == 1
    assert re.match(rf"epoch 1, batch 2: {where} holds NaN \(first in sample 3 of the batch\)", str(caught[0].message))


def test_nan_in_the_loss_alone_warns() -> None:
    model = Sequential([L.Input((1,)), L.Dense(1)])
    model.compile("sgd", "mse")
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="the loss is NaN, and the data holds infinity"):
        model.fit(np.full((4, 1), 3e38), np.full((4, 1), np.inf), epochs=3, verbose=0)
    model.set_weights([np.full((1, 1), np.nan), np.zeros(1)])
    with pytest.warns(RuntimeWarning, match="this batch: the loss is NaN although the data is not"):
        model.train_on_batch(np.ones((4, 1)), np.ones((4, 1)))


def test_nan_is_noticed_outside_fit_too() -> None:
    model = Sequential([L.Input((1,)), L.Dense(1)])
    model.compile("sgd", "mse")
    x = np.array([[1.0], [np.nan]])
    with pytest.warns(RuntimeWarning, match=r"evaluation, batch 0: x holds NaN \(first in sample 1"):
        model.evaluate(x, np.ones((2, 1)), verbose=0)


@pytest.mark.parametrize("x", [None, 3, "pictures"])
def test_what_gives_no_batches_is_named(x: object) -> None:
    model = Sequential([L.Input((1,)), L.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises((TypeError, ValueError), match=r"^x (is missing|must be arrays or an iterable of batches)"):
        model.fit(x)
    with pytest.raises(TypeError, match=r"^x must be arrays or an iterable of batches"):
        model.predict(x)


def test_a_missing_y_is_said_to_be_missing() -> None:
    model = Sequential([L.Input((1,)), L.Dense(1)])
    model.compile("sgd", "mse")
    batch = np.ones((2, 1)), np.ones((2, 1))
    with pytest.raises(ValueError, match=r"y is missing$"):
        model.train_on_batch(batch[0])
    with pytest.raises(ValueError, match=r"y is missing; a list is taken as arrays: for batches pass iter\(x\)"):
        model.fit([batch, batch])
    with pytest.raises(ValueError, match=r"verbose must be"):
        model.fit(*batch, verbose="loud")
    with pytest.raises(ValueError, match=r"outputs must have at least one value"):
        Model(model.input, [])
    with pytest.raises(ValueError, match=r"training must be False"):
        model(batch[0], training=True)


def test_huge_numbers_are_no_nan() -> None:
    model = Sequential([L.Input((100,)), L.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mae")
    x = np.full((4, 100), 3e38, np.float32)
    x[1] *= -1
    model.fit(x, np.ones((4, 1)), verbose=0)  # warnings are errors here


# ---------------------------------------------------------------- models


def test_order_of_calls() -> None:
    model = Sequential([L.Conv2D(2, 3), L.Flatten(), L.Dense(3)])
    for call in (lambda: model.predict(X), lambda: model.summary(), lambda: model.save("never"), lambda: model.plan(1)):
        with pytest.raises(ValueError, match=r"isn't built yet: give its first layer input_shape="):
            call()  # type: ignore[no-untyped-call]
    for call in (lambda: model.fit(X, LABELS), lambda: model.evaluate(X, LABELS), lambda: model.train_on_batch(X)):
        with pytest.raises(ValueError, match=r"isn't compiled: call compile\("):
            call()  # type: ignore[no-untyped-call]
    assert not model.built
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"isn't built yet and x is an iterable"):
        model.fit(iter([]))
    Sequential(model.layers)  # still usable


def test_a_layer_that_does_not_fit_leaves_the_model_alone() -> None:
    model = Sequential([L.Input((6, 5, 2)), L.Conv2D(3, 3)])
    wrong = L.Conv2D(3, 9)
    for bad in (wrong, L.Dense(2, name=model.layers[0].name), model.layers[0], L.Input((3,)), "dense", L.Dense):
        with pytest.raises((ValueError, TypeError)):
            model.add(bad)  # type: ignore[arg-type]
        assert (len(model.layers), model.output_shape) == (1, (None, 4, 3, 3))
    assert not wrong.built
    assert wrong(L.Input((20, 20, 7))).shape == (None, 12, 12, 3)
    model.add(L.Flatten())
    assert model.predict(X).shape == (50, 36)


def test_data_that_does_not_fit_leaves_an_unbuilt_model_unbuilt() -> None:
    model = Sequential([L.Conv2D(2, 3), L.Conv2D(2, 4), L.Flatten(), L.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="window 4x4 is larger"):
        model.fit(np.ones((5, 4, 5, 7)), LABELS[:5], verbose=0)
    assert not model.built
    model.fit(np.ones((5, 7, 8, 1)), LABELS[:5], verbose=0)
    assert model.input_shape == (None, 7, 8, 1)


def test_functional_models() -> None:
    a, b = L.Input((3,), name="a"), L.Input((3,), name="b")
    y = L.Dense(2, name="y")(a)
    for call, message in (
        (lambda: Model(a, L.Add()([y, L.Dense(2)(b)])), "the outputs depend on input 'b', which is not in inputs"),
        (lambda: Model(y, y), "inputs must be results of Input"),
        (lambda: Model(a, "y"), "outputs must be results of Input.* received str"),
        (lambda: Model(a, y + y), "made by an operator and not by a layer"),
        (lambda: Model(a, L.Dense(2, name="y")(y)), "two layers are named 'y'"),
        (lambda: Model([a, b], y).predict({"a": X}), r"x must be a dict with the keys \['a', 'b'\], received \['a'\]"),
        (lambda: Model([a, b], y).predict([X]), r"x must be a list of 2 arrays \(a, b\), received 1"),
        (lambda: Model([a, b], y).predict(X), r"x must be a list or dict of 2 arrays"),
        (
            lambda: Model([a, b], y).predict([np.ones((3, 3)), np.ones((2, 3))]),
            r"equally long, received lengths \[3, 2\]",
        ),
        (lambda: Model(a, y)(L.Input((4,))), r"takes inputs of shape \(None, 3\), received \(None, 4\)"),
        (lambda: Model(a, [y, L.Dense(1, name="z")(y)]).compile("sgd", ["mse"]), "one entry for each of 2 outputs"),
        (lambda: Model(a, [y, L.Dense(1, name="z")(y)]).compile("sgd", {"yy": "mse"}), "'yy' is not an output"),
        (
            lambda: Model(a, y).compile("sgd", "mse", loss_weights="x"),
            "loss_weights must be a finite number, received 'x'",
        ),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()  # type: ignore[no-untyped-call]


def test_a_bad_compile_changes_nothing(model: Sequential) -> None:
    before, optimizer = state(model), model.optimizer
    for how in (("adam", "mse", None, ["nope"]), ("nope", "mse"), ("adam", "nope"), ("adam", None)):
        with pytest.raises(ValueError):
            model.compile(*how)
    assert model.optimizer is optimizer
    assert unchanged(before, state(model))
    assert model.metrics_names == ["loss", "accuracy"]


def test_weights_are_set_all_or_none() -> None:
    model = small()
    before = model.get_weights()
    good = [w + 1 for w in before]
    for weights, message in (
        (good[:-1], "has 4 weights, received 3 arrays"),
        ([*good[:-1], np.ones(4)], r"dense.*/bias' has shape \(3,\), received an array of shape \(4,\)"),
        ([*good[:-1], np.array(["a"] * 3)], r"weights\[3\] must be an array of numbers"),
        ([*good[:-1], np.ones(3, complex)], r"weights\[3\] must be an array of numbers"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            model.set_weights(weights)
        assert same_bits(before, model.get_weights())
    with pytest.raises(ValueError, match=r"/kernel' has shape \(3, 3, 2, 4\), received an array of shape \(3,\)"):
        model.weights[0].assign([1, 2, 3])
    with pytest.raises(ValueError, match="takes numbers, received"):
        model.weights[0].assign(np.ones((3, 3, 2, 4), complex))


# ---------------------------------------------------------------- arrays of every kind


@pytest.mark.parametrize("kind", VARIANTS)
def test_every_layout_and_dtype_gives_the_same_bits(kind: str) -> None:
    x = VARIANTS[kind](X)
    plain = np.ascontiguousarray(np.asarray(x), dtype=np.float32)
    results = []
    for data in (x, plain):
        model = small()
        model.fit(data, LABELS, batch_size=16, shuffle=False, verbose=0)
        results.append([model.predict(data, batch_size=16), np.float32(model.evaluate(data, LABELS, verbose=0)),
                        model.predict_on_batch(data), *model.get_weights()])  # fmt: skip
    assert same_bits(*results)


def test_labels_of_every_kind_give_the_same_bits() -> None:
    expected = None
    for labels in (
        LABELS, LABELS.astype(np.uint8), LABELS.astype(">i8"), FLOATS, LABELS[:, None], LABELS.tolist(),
        np.repeat(LABELS, 2)[::2],
    ):  # fmt: skip
        model = small()
        model.fit(X, labels, shuffle=False, verbose=0)
        expected = expected or model.get_weights()
        assert same_bits(expected, model.get_weights())


def test_a_missing_last_axis_of_one_channel() -> None:
    model = Sequential([L.Input((6, 5, 1)), L.Flatten(), L.Dense(1)])
    random_weights(model)
    model.compile("sgd", "mse")
    x, y = X[..., :1], np.ones((50, 1))
    assert same_bits([model.predict(x)], [model.predict(x[..., 0])])
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x[..., 0], y[:, 0], verbose=0)


def test_no_samples() -> None:
    inputs = L.Input((6, 5, 2))
    model = Model(inputs, [L.Conv2D(3, 3)(inputs), L.Dense(4)(L.Flatten()(inputs))])
    for result in (model.predict(X[:0]), model.predict_on_batch(X[:0])):
        assert [r.shape for r in result] == [(0, 4, 3, 3), (0, 4)]
        assert all(r.dtype == np.float32 for r in result)
    compiled = small()
    with pytest.raises(ValueError, match="x is empty"):
        compiled.train_on_batch(X[:0], LABELS[:0])
    with pytest.raises(ValueError, match="x is empty"):
        compiled.evaluate(X[:0], LABELS[:0], verbose=0)


def test_data_is_never_written_to() -> None:
    x, y, w = X.copy(), LABELS.copy(), np.ones(50, np.float32)
    copies = [x.copy(), y.copy(), w.copy()]
    for array in (x, y, w):
        array.flags.writeable = False
    model = small("adam")
    model.fit(x, y, sample_weight=w, verbose=0, validation_split=0.2)
    model.predict(x)
    model.train_on_batch(x, y, w)
    assert same_bits([x, y, w], copies)


def test_a_negative_slope_given_to_the_function() -> None:
    with pytest.raises(ValueError, match=r"slope of negative values must be at least 0, received -0\.5"):
        L.Dense(1, activation=lambda v: activations.leaky_relu(v, -0.5))(L.Input((3,)))

"""What every optimizer can do besides its formula: clip, accumulate gradients, keep averages of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import random_weights, same_bits

from fastcnn import layers as L  # noqa: N812
from fastcnn import optimizers as O  # noqa: N812
from fastcnn import reference as ref
from fastcnn._ops import core
from fastcnn.graph import Variable
from fastcnn.models import Model, Sequential, load_model
from fastcnn.plan import FlatStore

Array = np.ndarray
X = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((8, 2)).astype(np.float32)


def _given() -> tuple[list[Array], list[list[Array]]]:
    """First weights, and gradients for six batches."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((2, 3)).astype("float32"), rng.standard_normal(3).astype("float32")]
    grads = [
        [(rng.standard_normal((2, 3)) * 3).astype("float32"), (rng.standard_normal(3) * 0.5).astype("float32")]
        for _ in range(6)
    ]
    return weights, grads


def _run(optimizer: O.Optimizer) -> tuple[Array, Array | None]:
    """The weights, and their averages if there are any, after the six batches."""
    weights, grads = _given()
    store = FlatStore([Variable(w, "w") for w in weights])
    optimizer.bind(store)
    for grad in grads:
        flat: Any = np.concatenate([g.ravel() for g in grad])
        optimizer.prepare_step()
        for kernel, args in optimizer.calls(store.memory, flat):
            core.call(kernel, **args)
        optimizer.finish_step()
    averages = dict(optimizer.state()).get("average")
    found = np.concatenate([v.numpy().ravel() for v in store.variables])
    return found, None if averages is None else np.concatenate([a.ravel() for a in averages])


# fmt: off
#: Keras 3.15's SGD(0.1, momentum=0.9, ...) on the same weights and gradients: weights, averages.
KERAS: list[tuple[dict[str, Any], list[float], list[float] | None]] = [
    ({"clipnorm": 1.0},
     [0.595724, -0.239049, 0.398737, 0.124644, -0.201818, 0.376638, 1.15037, 0.967621, -0.71794], None),
    ({"clipvalue": 0.5},
     [0.607705, 0.0297455, 0.28779, 0.0258746, 0.165815, 0.374892, 1.17889, 0.962985, -0.686703], None),
    ({"global_clipnorm": 1.0},
     [0.594011, -0.237959, 0.399695, 0.126373, -0.20399, 0.376958, 1.26258, 0.945799, -0.707377], None),
    ({"gradient_accumulation_steps": 3},
     [0.68869, -0.297145, 0.297745, 0.0797444, -0.215161, 0.440824, 1.28643, 0.96109, -0.725767], None),
    ({"gradient_accumulation_steps": 2, "clipnorm": 1.0},
     [0.394121, -0.197905, 0.529777, 0.154375, -0.310814, 0.409305, 1.2439, 0.959633, -0.721272], None),
    ({"use_ema": True, "ema_momentum": 0.8},
     [3.44675, -0.908738, -1.37061, 0.28612, 1.43415, 0.609359, 1.15181, 0.971475, -0.723671],
     [1.66495, -0.253585, 0.0132883, 0.910765, 0.363281, 0.805063, 1.24803, 0.971753, -0.659547]),
    ({"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2},
     [1.27389, -0.200119, 0.0883487, 0.692645, -0.0123467, 0.701637, 1.29181, 0.970191, -0.693973],
     [1.27389, -0.200119, 0.0883487, 0.692645, -0.0123467, 0.701637, 1.29181, 0.970191, -0.693973]),
]
# fmt: on


@pytest.mark.parametrize(("options", "weights", "averages"), KERAS)
def test_numbers_are_those_of_keras(
    options: dict[str, Any], weights: list[float], averages: list[float] | None
) -> None:
    optimizer = O.SGD(0.1, momentum=0.9, **options)
    found, found_averages = _run(optimizer)
    np.testing.assert_allclose(found, weights, rtol=1e-5)
    if averages is not None:
        np.testing.assert_allclose(found_averages, averages, rtol=1e-5)
    assert optimizer.iterations == 6 // (options.get("gradient_accumulation_steps") or 1)


def _model(optimizer: O.Optimizer) -> Model:
    model = Sequential([L.Input((3,)), L.Dense(4, activation="tanh"), L.Dense(2)])
    random_weights(model)
    model.compile(optimizer, "mse")
    return model


def test_accumulated_halves_are_a_whole() -> None:
    """Two batches of four are one of eight, whatever the optimizer's formula."""
    whole, halves = _model(O.Adam(0.1)), _model(O.Adam(0.1, gradient_accumulation_steps=2))
    before = halves.get_weights()
    for step in range(4):
        whole.train_on_batch(X, Y)
        halves.train_on_batch(X[:4], Y[:4])
        if step == 0:
            assert same_bits(halves.get_weights(), before)
        halves.train_on_batch(X[4:], Y[4:])
    for a, b in zip(whole.get_weights(), halves.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_clipping_in_training() -> None:
    """A step of SGD with rate 1 is the clipped gradient itself."""
    plain, clipped = _model(O.SGD(1.0)), _model(O.SGD(1.0, global_clipnorm=0.01))
    start = plain.get_weights()
    for model in (plain, clipped):
        model.train_on_batch(X, Y)
    grads = np.concatenate([(a - b).ravel() for a, b in zip(start, plain.get_weights())])
    steps = np.concatenate([(a - b).ravel() for a, b in zip(start, clipped.get_weights())])
    np.testing.assert_allclose(steps, ref.clip_norm(grads, 0.01), rtol=1e-3, atol=1e-6)


def test_gradients_whose_squares_no_float_holds_are_clipped() -> None:
    huge = np.full(100, 1e20, np.float32)
    bounds, groups, sums = np.array([0, 100]), np.array([0, 1]), np.zeros(1)
    core.call("square_sums", x=huge, bounds=bounds, sums=sums, count=100, parts=1)
    core.call("clip_norms", g=huge, bounds=bounds, groups=groups, sums=sums, count=100, parts=1, limit=1.0)
    np.testing.assert_allclose(huge, 0.1, rtol=1e-6)


def test_a_nan_is_not_clipped_away() -> None:
    for options in ({"clipnorm": 1.0}, {"clipvalue": 1.0}, {"global_clipnorm": 1.0}):
        model = _model(O.SGD(0.1, **options))
        with pytest.warns(RuntimeWarning, match="NaN"):
            model.train_on_batch(np.full_like(X, np.nan), Y)
        assert np.isnan(model.get_weights()[0]).all()


def test_fit_ends_with_the_averages_and_they_are_saved(tmp_path: Path) -> None:
    model = _model(O.SGD(0.1, use_ema=True, ema_momentum=0.5))
    expected = None
    for _ in range(3):
        model.train_on_batch(X, Y)
        now = model.get_weights()
        expected = now if expected is None else [0.5 * a + 0.5 * b for a, b in zip(expected, now)]
    assert expected is not None
    model.save(tmp_path / "model.safetensors")
    for one in (model, load_model(tmp_path / "model.safetensors")):
        one.fit(X, Y, batch_size=8, epochs=1, shuffle=False, verbose=0)
        assert one.optimizer is not None
        for weight, average in zip(one.get_weights(), dict(one.optimizer.state())["average"]):
            assert np.array_equal(weight, average)
    for weight, old in zip(model.get_weights(), expected):
        assert np.abs(weight - old).max() > 1e-4


def test_half_accumulated_gradients_are_saved(tmp_path: Path) -> None:
    model = _model(O.Adam(0.1, gradient_accumulation_steps=3))
    for _ in range(5):
        model.train_on_batch(X, Y)
    model.save(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    for one in (model, loaded):
        before = one.get_weights()
        one.train_on_batch(X, Y)
        assert not same_bits(one.get_weights(), before)
    assert same_bits(loaded.get_weights(), model.get_weights())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: O.SGD(clipnorm=1.0, clipvalue=1.0),
            "only one of clipnorm, clipvalue and global_clipnorm can be given",
        ),
        (lambda: O.Adam(clipnorm=0), "clipnorm must be above 0, received 0"),
        (lambda: O.Adam(global_clipnorm=-1), "global_clipnorm must be a finite number of at least 0, received -1"),
        (lambda: O.Adam(use_ema=True, ema_momentum=1.1), "ema_momentum must be a number from 0 to 1, received 1.1"),
        (
            lambda: O.Adam(gradient_accumulation_steps=1),
            "gradient_accumulation_steps must be at least 2 and at most 2147483647, received 1",
        ),
        (lambda: O.get({"class_name": "Adam", "config": {"clipnrom": 1}}), "unexpected keyword argument 'clipnrom'"),
    ],
)
def test_bad_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

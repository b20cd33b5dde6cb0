"""Optimizers: many steps of a real model against the reference's formulas, and their state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from model_tools import random_weights, same_bits

from fastcnn import layers as L  # noqa: N812
from fastcnn import optimizers as O  # noqa: N812
from fastcnn import reference as ref
from fastcnn.models import Model, Sequential

Array = np.ndarray
STEPS = 6
X = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((8, 2)).astype(np.float32)


def _zeros(count: int, start: float = 0.0) -> Callable[[Array], list[Array]]:
    return lambda w: [np.full(w.shape, start) for _ in range(count)]


def _sgd(lr: float = 0.01, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0) -> Any:
    def step(w: Array, g: Array, state: list[Array], iteration: int) -> Array:
        m = state[0] if momentum else None
        w, m = ref.sgd(w, g, m, lr, momentum, nesterov, weight_decay)
        state[:] = [m]
        return w

    return _zeros(1), step


def _rmsprop(momentum: float = 0.0, centered: bool = False, **how: Any) -> Any:
    def step(w: Array, g: Array, state: list[Array], iteration: int) -> Array:
        v, m, d = state
        given = (m if momentum else None, d if centered else None)
        w, v, new_m, new_d = ref.rmsprop(w, g, v, *given, momentum=momentum, **how)
        state[:] = [v, m if new_m is None else new_m, d if new_d is None else new_d]
        return w

    return _zeros(3), step


def _simple(function: Any, slots: int, start: float = 0.0, numbered: bool = False, **how: Any) -> Any:
    def step(w: Array, g: Array, state: list[Array], iteration: int) -> Array:
        args = (iteration,) if numbered else ()
        w, *state[:] = function(w, g, *state, *args, **how)
        return w

    return _zeros(slots, start), step


#: (the optimizer, (state before the first step, a step of the reference))
CASES: dict[str, tuple[Callable[[], O.Optimizer], Any]] = {
    "sgd": (O.SGD, _sgd()),
    "sgd decay": (lambda: O.SGD(0.1, weight_decay=0.2), _sgd(0.1, weight_decay=0.2)),
    "momentum": (lambda: O.SGD(0.05, momentum=0.9), _sgd(0.05, 0.9)),
    "nesterov": (lambda: O.SGD(0.05, 0.8, True, 0.1), _sgd(0.05, 0.8, True, 0.1)),
    "rmsprop": (O.RMSprop, _rmsprop(lr=0.001, rho=0.9)),
    "rmsprop all": (
        lambda: O.RMSprop(0.02, 0.8, 0.7, 1e-3, True, 0.1),
        _rmsprop(0.7, True, lr=0.02, rho=0.8, epsilon=1e-3, weight_decay=0.1),
    ),
    "rmsprop momentum": (lambda: O.RMSprop(0.02, momentum=0.7), _rmsprop(0.7, lr=0.02)),
    "rmsprop centered": (lambda: O.RMSprop(0.02, centered=True, epsilon=1e-3),
                         _rmsprop(centered=True, lr=0.02, epsilon=1e-3)),
    "adam": (O.Adam, _simple(ref.adam, 2, numbered=True)),
    "adam all": (
        lambda: O.Adam(0.05, 0.7, 0.8, 1e-3, 0.1),
        _simple(ref.adam, 2, numbered=True, lr=0.05, beta_1=0.7, beta_2=0.8, epsilon=1e-3, weight_decay=0.1),
    ),
    "adamw": (O.AdamW, _simple(ref.adam, 2, numbered=True, weight_decay=0.004)),
    "adagrad": (lambda: O.Adagrad(0.1), _simple(ref.adagrad, 1, 0.1, lr=0.1)),
    "adagrad all": (
        lambda: O.Adagrad(0.1, 0.5, 1e-2, 0.1), _simple(ref.adagrad, 1, 0.5, lr=0.1, epsilon=1e-2, weight_decay=0.1)
    ),
    "adadelta": (lambda: O.Adadelta(1.0), _simple(ref.adadelta, 2, lr=1.0)),
    "adadelta all": (
        lambda: O.Adadelta(0.5, 0.8, 1e-3, 0.1),
        _simple(ref.adadelta, 2, lr=0.5, rho=0.8, epsilon=1e-3, weight_decay=0.1),
    ),
    "lion": (lambda: O.Lion(0.01), _simple(ref.lion, 1, lr=0.01)),
    "lion all": (
        lambda: O.Lion(0.01, 0.8, 0.7, 0.1), _simple(ref.lion, 1, lr=0.01, beta_1=0.8, beta_2=0.7, weight_decay=0.1)
    ),
}  # fmt: skip


def small_model(optimizer: Any) -> Sequential:
    model = Sequential([L.Input((3,)), L.Dense(4, activation="tanh"), L.Dense(2)])
    random_weights(model)
    model.compile(optimizer, "mse")
    return model


def model_gradients(weights: list[Array]) -> list[Array]:
    """Of the mean squared error of `small_model`, by hand."""
    k1, b1, k2, b2 = weights
    hidden = np.tanh(X @ k1 + b1)
    dp = 2 * (hidden @ k2 + b2 - Y) / Y.size
    dh = dp @ k2.T * (1 - hidden**2)
    return [X.T.astype(np.float64) @ dh, dh.sum(0), hidden.T @ dp, dp.sum(0)]


@pytest.mark.parametrize("name", CASES)
def test_steps(name: str) -> None:
    make, (start, step) = CASES[name]
    model = small_model(make())
    weights = [w.astype(np.float64) for w in model.get_weights()]
    states = [start(w) for w in weights]
    for iteration in range(1, STEPS + 1):
        model.train_on_batch(X, Y)
        grads = model_gradients(weights)
        weights = [step(w, g, s, iteration) for w, g, s in zip(weights, grads, states)]
    assert model.optimizer is not None
    assert model.optimizer.iterations == STEPS
    for actual, expected in zip(model.get_weights(), weights):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_configuration(name: str) -> None:
    optimizer = CASES[name][0]()
    again = O.get(O.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    assert again.hyper(0.5, 3) == optimizer.hyper(0.5, 3)


def test_names() -> None:
    for name in ("sgd", "SGD", "rmsprop", "RMSprop", "adam", "Adam", "adamw", "adagrad", "adadelta", "lion"):
        assert type(O.get(name)).__name__.lower() == name.lower()
        assert O.get(name).name == name.lower()
        assert type(O.get(type(O.get(name)))) is type(O.get(name))


def test_schedule_and_changed_rate() -> None:
    """A schedule is asked at each step, and a new rate takes effect without a new plan."""
    asked = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 0.1 / (1 + step)

    model = small_model(O.SGD(schedule))
    weights = [w.astype(np.float64) for w in model.get_weights()]
    for iteration in range(3):
        model.train_on_batch(X, Y)
        weights = [w - 0.1 / (1 + iteration) * g for w, g in zip(weights, model_gradients(weights))]
    assert asked == [0, 1, 2]
    assert model.optimizer is not None
    model.optimizer.learning_rate = 0.5
    model.train_on_batch(X, Y)
    weights = [w - 0.5 * g for w, g in zip(weights, model_gradients(weights))]
    for actual, expected in zip(model.get_weights(), weights):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="schedule"):
        O.SGD(schedule).get_config()


def test_state_lives_through_compiling_again() -> None:
    """The same optimizer compiled again goes on where it was; so it does after a layer was frozen."""
    straight, twice = small_model(O.Adam(0.01)), small_model(O.Adam(0.01))
    for model in (straight, twice):
        for _ in range(3):
            model.train_on_batch(X, Y)
        if model is twice:
            model.compile(twice.optimizer, "mse")
        for _ in range(3):
            model.train_on_batch(X, Y)
    assert same_bits(straight.get_weights(), twice.get_weights())
    twice.layers[0].trainable = False
    twice.compile(twice.optimizer, "mse")
    for model in (straight, twice):
        model.train_on_batch(X, Y)
    # The first step of the last layer is the same: its moments were kept.
    assert same_bits(straight.get_weights()[2:], twice.get_weights()[2:])
    assert not same_bits(straight.get_weights()[:2], twice.get_weights()[:2])


def test_one_optimizer_for_two_models() -> None:
    optimizer = O.Adam()
    first, second = small_model(optimizer), small_model(optimizer)
    first.train_on_batch(X, Y)
    before = second.get_weights()
    with pytest.raises(ValueError, match=r"has taken 1 steps for other weights.* an optimizer of its own"):
        second.train_on_batch(X, Y)
    assert same_bits(before, second.get_weights())
    assert optimizer.iterations == 1
    first.train_on_batch(X, Y)


def test_one_optimizer_for_models_that_share_a_layer() -> None:
    """Each weight keeps its state, whichever of the models is trained meanwhile."""
    shared, inputs = L.Dense(4, activation="tanh"), L.Input((3,))
    first, second = (Model(inputs, L.Dense(2)(shared(inputs))) for _ in range(2))
    random_weights(first)
    optimizer = O.SGD(0.1, momentum=0.5)
    for model in (first, second):
        model.compile(optimizer, "mse")
    weights = [w.astype(np.float64) for w in first.get_weights()]
    moments = [np.zeros_like(w) for w in weights]
    for model in (first, second, first):
        before = [w.astype(np.float64) for w in model.get_weights()]
        grads = model_gradients(before)
        if model is second:
            first_head = [w.copy() for w in moments[2:]]
            moments[2:] = [np.zeros_like(m) for m in first_head]
        else:
            moments[2:] = first_head if optimizer.iterations else moments[2:]
        model.train_on_batch(X, Y)
        moments = [0.5 * m - 0.1 * g for m, g in zip(moments, grads)]
        for actual, w, m in zip(model.get_weights(), before, moments):
            np.testing.assert_allclose(actual, w + m, rtol=1e-4, atol=1e-5)


def test_state_comes_back_when_a_weight_is_trained_again() -> None:
    model = small_model(O.Adam(0.01))
    optimizer = model.optimizer
    assert optimizer is not None
    model.train_on_batch(X, Y)
    moments = [m.copy() for m in dict(optimizer.state())["m"]]
    for frozen in (0, 1):
        for place, layer in enumerate(model.layers):
            layer.trainable = place != frozen
        model.compile(optimizer, "mse")
        model.train_on_batch(np.zeros_like(X), model.predict(np.zeros_like(X)))  # a loss of 0: gradients are 0
    states = optimizer.states()
    assert [v in states for v in model.weights] == [True] * 4
    for variable, moment in zip(model.weights, moments):
        np.testing.assert_allclose(states[variable]["m"], 0.9 * moment, rtol=1e-5)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.1, "0.1", None])
def test_a_schedule_that_gives_no_rate_changes_nothing(rate: Any) -> None:
    model = small_model(O.Adam(lambda step: 0.1 if step == 0 else rate))
    model.train_on_batch(X, Y)
    assert model.optimizer is not None
    before = [*model.get_weights(), *(p.copy() for _, parts in model.optimizer.state() for p in parts)]
    message = f"learning_rate of step 1 must be a finite number of at least 0, received {rate!r}"
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(X, Y)
    after = [*model.get_weights(), *(p for _, parts in model.optimizer.state() for p in parts)]
    assert same_bits(before, after)
    assert model.optimizer.iterations == 1
    with pytest.raises(ValueError, match="learning_rate must be a finite number"):
        model.optimizer.learning_rate = rate
    model.optimizer.learning_rate = 0.1
    model.train_on_batch(X, Y)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [(O.SGD, "momentum", 0.9), (O.SGD, "nesterov", True), (O.RMSprop, "momentum", 0.9), (O.RMSprop, "centered", True)],
)
def test_what_the_state_depends_on_is_set_once(make: type[O.Optimizer], name: str, value: Any) -> None:
    optimizer = make(0.1)
    before = optimizer.get_config()
    message = rf"{name} can't be changed.*make a new {make.__name__}\({name}={value}\)"
    with pytest.raises(AttributeError, match=message):
        setattr(optimizer, name, value)
    assert optimizer.get_config() == before
    small_model(optimizer).train_on_batch(X, Y)
    assert make(0.1, **{name: value}).get_config()[name] == value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: O.SGD(-1.0), "learning_rate must be a finite number of at least 0, received -1.0"),
        (lambda: O.SGD("fast"), "learning_rate must be a finite number of at least 0, received 'fast'"),
        (lambda: O.SGD(float("nan")), "learning_rate must be a finite number of at least 0, received nan"),
        (lambda: O.SGD(float("inf")), "learning_rate must be a finite number of at least 0, received inf"),
        (lambda: O.SGD(momentum=1.5), "momentum must be a number from 0 to 1, received 1.5"),
        (lambda: O.SGD(weight_decay=-1), "weight_decay must be a finite number of at least 0, received -1"),
        (lambda: O.Adam(beta_1=1.0), "beta_1 must be a number from 0 to below 1, received 1.0"),
        (lambda: O.Adam(epsilon=True), "epsilon must be a finite number of at least 0, received True"),
        (lambda: O.RMSprop(rho=2), "rho must be a number from 0 to 1, received 2"),
        (lambda: O.get("adm"), "Unknown optimizer 'adm'. Did you mean 'adam'?"),
        (
            lambda: O.get("rmspropp"),
            "Did you mean 'rmsprop'? Known: adadelta, adagrad, adam, adamw, lion, rmsprop, sgd",
        ),
    ],
)
def test_bad_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)

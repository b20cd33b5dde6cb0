"""Weights of classes, and samplers: what they do about classes that are not equally frequent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn import layers as L  # noqa: N812
from fastcnn import random
from fastcnn.data.sampling import RandomOverSampler, RandomUnderSampler, WeightedRandomSampler
from fastcnn.models import Sequential
from fastcnn.utils import class_weights

Labels = st.lists(st.integers(0, 6), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None)
@given(Labels)
def test_balanced_weights_are_those_of_scikit_learn(labels: list[int]) -> None:
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    classes = np.unique(labels)
    expected = sklearn.compute_class_weight("balanced", classes=classes, y=labels)
    found = class_weights(labels)
    assert list(found) == classes.tolist()
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-14)


def test_weights_by_effective_number() -> None:
    """Equation 2 of Cui et al., with the sum of the geometric series written out."""
    labels, beta = np.repeat([0, 1, 4], [1000, 50, 1]), 0.99
    effective = np.array([sum(beta**i for i in range(n)) for n in (1000, 50, 1)])
    expected = 3 / effective / (1 / effective).sum()
    found = class_weights(labels, "effective_number", beta)
    assert list(found) == [0, 1, 4]
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-12)
    assert list(class_weights(labels, "effective_number", 0.0).values()) == [1.0, 1.0, 1.0]
    # Towards 1 it becomes balanced, up to a factor.
    almost = class_weights(labels, "effective_number", 1 - 1e-9)
    assert almost[4] / almost[0] == pytest.approx(1000, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0.5, 1.0],), TypeError, r"y must be class numbers of shape \(n,\), received float64"),
        (([[0, 1]],), TypeError, r"received int64 of shape \(1, 2\)"),
        (([-1, 0],), ValueError, r"y must hold class numbers of at least 0, received \[-1, 0\]"),
        (([0, 1], "balance"), ValueError, "Unknown kind of class weights 'balance'. Did you mean 'balanced'"),
        (([0, 1], "effective_number", 1.0), ValueError, "beta must be a number from 0 to below 1, received 1.0"),
    ],
)
def test_bad_class_weights(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        class_weights(*arguments)


X = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
Y = np.repeat([0, 1, 2], [30, 8, 2])


def _fitted(y: np.ndarray, loss: str, units: int = 3, activation: str = "softmax", **how: Any) -> list[np.ndarray]:
    random.set_seed(1)
    model = Sequential([L.Input((3,)), L.Dense(units, activation=activation)])
    model.compile("sgd", loss)
    model.fit(X, y, epochs=2, batch_size=16, verbose=0, **how)
    return model.get_weights()


@pytest.mark.parametrize("name", ["balanced", "effective_number"])
def test_names_of_class_weights_in_fit(name: str) -> None:
    weights = class_weights(Y, name)
    one_hot, binary = np.eye(3)[Y], (Y > 0).astype(np.float32)
    for y, loss, table, *end in (
        (Y, "sparse_categorical_crossentropy", weights),
        (one_hot, "categorical_crossentropy", weights),
        (binary, "binary_crossentropy", class_weights(binary.astype(int), name), 1, "sigmoid"),
    ):
        for a, b in zip(_fitted(y, loss, *end, class_weight=name), _fitted(y, loss, *end, class_weight=table)):
            np.testing.assert_array_equal(a, b)


def test_names_count_the_part_that_is_trained_on() -> None:
    """Not what is cut off for validation: here all of the last class."""
    a = _fitted(Y, "sparse_categorical_crossentropy", class_weight="balanced", validation_split=0.05, shuffle=False)
    table = class_weights(Y[:38])
    b = _fitted(Y, "sparse_categorical_crossentropy", class_weight=table, validation_split=0.05, shuffle=False)
    np.testing.assert_array_equal(a[0], b[0])
    assert set(table) == {0, 1}


def test_names_need_all_labels() -> None:
    model = Sequential([L.Input((3,)), L.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    for call in (
        lambda: model.train_on_batch(X, Y, class_weight="balanced"),
        lambda: model.fit(iter([(X, Y)]), class_weight="balanced", verbose=0),
    ):
        with pytest.raises(ValueError, match=r"class_weight='balanced' counts the classes.*class_weights\(labels"):
            call()
    with pytest.raises(ValueError, match="Unknown kind of class weights 'equal'"):
        model.fit(X, Y, class_weight="equal", verbose=0)


# ---------------------------------------------------------------- samplers


@settings(max_examples=40, deadline=None)
@given(Labels, st.integers(0, 5))
def test_over_and_under_sampling(labels: list[int], epoch: int) -> None:
    y, counts = np.array(labels), np.unique(labels, return_counts=True)[1]
    over, under = RandomOverSampler(y, seed=3), RandomUnderSampler(y, seed=3)
    for sampler, each in ((over, counts.max()), (under, counts.min())):
        order = sampler.order(epoch)
        assert order.dtype == np.int64 and len(order) == len(sampler) == each * len(counts)
        assert (np.unique(y[order], return_counts=True)[1] == each).all()
    times = np.bincount(over.order(epoch), minlength=len(y))
    for c in np.unique(y):
        assert times[y == c].min() >= 1 and np.ptp(times[y == c]) <= 1
    assert np.bincount(under.order(epoch)).max() == 1


@pytest.mark.parametrize(
    "make", [lambda s: RandomOverSampler(Y, s), lambda s: RandomUnderSampler(Y, s),
             lambda s: WeightedRandomSampler(np.arange(40), seed=s)], ids=["over", "under", "weighted"],
)  # fmt: skip
def test_orders_depend_on_seed_and_epoch(make: Callable[[int | None], Any]) -> None:
    a, b, other = make(5), make(None), make(6)
    b.load_state_dict(a.state_dict())
    later = b.order(7)  # whatever was asked for before
    for epoch in (0, 1, 7):
        np.testing.assert_array_equal(a.order(epoch), b.order(epoch))
    np.testing.assert_array_equal(later, a.order(7))
    assert not np.array_equal(a.order(0), a.order(1))
    assert not np.array_equal(a.order(0), other.order(0))
    random.set_seed(9)
    c = make(None)
    random.set_seed(9)
    np.testing.assert_array_equal(c.order(0), make(None).order(0))


def test_weighted_sampling() -> None:
    sampler = WeightedRandomSampler([0.0, 1.0, 3.0], num_samples=20_000, seed=0)
    counts = np.bincount(sampler.order(0), minlength=3)
    assert counts[0] == 0
    assert counts[2] / 20_000 == pytest.approx(0.75, abs=0.02)
    alone = WeightedRandomSampler([2.0, 1.0, 0.0, 1.0], num_samples=3, replacement=False, seed=0)
    assert sorted(alone.order(4)) == [0, 1, 3]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RandomOverSampler([]), TypeError, "labels must be class numbers"),
        (lambda: RandomOverSampler(np.zeros(0, int)), ValueError, "labels is empty"),
        (lambda: RandomUnderSampler([[1, 0]]), TypeError, r"received int64 of shape \(1, 2\)"),
        (lambda: RandomUnderSampler([0, 1], seed=-1), ValueError, "seed must be at least 0, received -1"),
        (lambda: WeightedRandomSampler([1.0, -1.0]), ValueError, r"weights must be numbers .* received \[1.0, -1.0\]"),
        (lambda: WeightedRandomSampler([1, 0, 1], 3, False), ValueError, "only 2 samples have a weight above 0"),
        (lambda: RandomOverSampler([0, 1]).order(-1), ValueError, "epoch must be at least 0"),
    ],
)
def test_bad_samplers(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()

"""Cross-validation: what each fold learns from and is judged on, what is made of the scores, and wrong arguments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, RepeatedStratifiedKFold, ShuffleSplit

import fastcnn
from fastcnn import Sequential, layers
from fastcnn.callbacks import LambdaCallback
from fastcnn.data import Dataset
from fastcnn.evaluation import (
    CrossValidation,
    Fold,
    cross_validate,
    group_folds,
    stratified_folds,
    unstratified_folds,
)
from fastcnn.evaluation.statistics import t_distribution, t_quantile
from fastcnn.models import Model

RNG = np.random.default_rng(8)
N, C = 90, 3
Y = RNG.permutation(np.repeat(np.arange(C), (50, 25, 15)))
X = RNG.random((N, 6, 6, 1), dtype=np.float32) + 0.5 * Y[:, None, None, None]


def build() -> Model:
    model = Sequential([layers.Input((6, 6, 1)), layers.Flatten(), layers.Dense(C, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy", "f1_score"])
    return model


def run(**kwargs: Any) -> CrossValidation:
    return cross_validate(build, (X, Y), **{"verbose": 0, "epochs": 3, "seed": 1, **kwargs})


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(2, 30), min_size=1, max_size=6), st.integers(2, 6), st.integers(0, 99))
def test_stratified_folds(sizes: list[int], k: int, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rng = np.random.default_rng(seed)
    if min(sizes) < k:
        with pytest.raises(ValueError, match=r"folds need at least|k must be at most"):
            stratified_folds(labels, k, rng)
        return
    folds = stratified_folds(labels, k, rng)
    for part in (folds, *(folds[labels == c] for c in range(len(sizes)))):
        counts = np.bincount(part, minlength=k)
        assert counts.max() - counts.min() <= 1


def test_folds_are_random_and_even() -> None:
    folds = unstratified_folds(11, 4, np.random.default_rng(0))
    assert sorted(np.bincount(folds)) == [2, 3, 3, 3]
    others = [unstratified_folds(11, 4, np.random.default_rng(s)).tolist() for s in range(4)]
    assert len({tuple(o) for o in others}) == 4
    with pytest.raises(ValueError, match="k must be at most the number of samples, 3, received 4"):
        unstratified_folds(3, 4, np.random.default_rng(0))


def test_groups_stay_together() -> None:
    groups = np.repeat(np.arange(20), np.arange(1, 21))
    folds = group_folds(groups, 4, np.random.default_rng(0))
    assert all(len(set(folds[groups == g])) == 1 for g in range(20))
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() <= 6
    # Of two classes, each in groups of its own: both are spread over the folds.
    groups = np.arange(120) // 3
    labels = (groups % 5 == 0).astype(int)
    even = group_folds(groups.astype(str), 4, np.random.default_rng(0), labels)
    np.testing.assert_array_equal(np.bincount(even, labels, 4), 6)
    np.testing.assert_array_equal(np.bincount(even, 1 - labels, 4), 24)
    with pytest.raises(ValueError, match="k must be at most the number of groups, 40, received 41"):
        group_folds(groups, 41, np.random.default_rng(0))


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 10, 29, 100])
def test_students_t(degrees: int) -> None:
    for t in (0.0, 0.3, 1.0, 2.5, 12.0):
        expected = scipy.stats.t.cdf(t, degrees) - scipy.stats.t.cdf(-t, degrees)
        assert t_distribution(t, degrees) == pytest.approx(expected, abs=1e-12)
    for confidence in (0.5, 0.9, 0.95, 0.999):
        expected = scipy.stats.t.ppf(0.5 + confidence / 2, degrees)
        assert t_quantile(confidence, degrees) == pytest.approx(expected, rel=1e-9)


def test_each_sample_is_tested_once() -> None:
    found = run(k=4, keep_models=True)
    assert [f.number for f in found.folds] == [0, 1, 2, 3]
    np.testing.assert_array_equal(np.sort(np.concatenate([f.test for f in found.folds])), np.arange(N))
    for fold in found.folds:
        np.testing.assert_array_equal(np.sort(np.concatenate([fold.train, fold.test])), np.arange(N))
        assert np.ptp(np.bincount(Y[fold.test]) * 4 - np.array([50, 25, 15])) <= 8
        np.testing.assert_array_equal(fold.model.predict(X[fold.test], batch_size=32), fold.predictions)
        loss, accuracy, _ = fold.model.evaluate(X[fold.test], Y[fold.test], verbose=0)
        assert (fold.scores["loss"], fold.scores["accuracy"]) == (loss, accuracy)
        assert len(fold.history["loss"]) == 3
        np.testing.assert_array_equal(found.predictions[fold.test], fold.predictions)
    assert len({id(f.model) for f in found.folds}) == 4
    assert found.predictions.shape == (N, C)
    # The mean over folds of unequal size is not that over samples, but close.
    assert np.mean(found.predictions.argmax(1) == Y) == pytest.approx(found.mean("accuracy"), abs=0.05)


def test_a_seed_repeats_everything_and_leaves_other_random_numbers_alone() -> None:
    fastcnn.set_seed(5)
    expected = fastcnn.random.next_seed()
    fastcnn.set_seed(5)
    one = run(k=3)
    assert fastcnn.random.next_seed() == expected
    two = run(k=3)
    np.testing.assert_array_equal(one.predictions, two.predictions)
    assert (run(k=3, seed=2).predictions != one.predictions).any()
    assert (run(k=3, seed=None).predictions != run(k=3, seed=None).predictions).any()


def test_repetitions_differ_and_are_averaged() -> None:
    found = run(k=3, repeats=2)
    assert [(f.repeat, f.number) for f in found.folds] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert (found.folds[0].test != found.folds[3].test).any()
    sample = found.folds[0].test[0]
    again = next(f for f in found.folds[3:] if sample in f.test)
    mean = (found.folds[0].predictions[0] + again.predictions[again.test == sample][0]) / 2
    np.testing.assert_allclose(found.predictions[sample], mean, rtol=1e-6)
    assert "2.3" in str(found)


def test_groups_and_splitters() -> None:
    groups = np.arange(N) // 5
    for fold in run(k=3, groups=groups).folds:
        assert not set(groups[fold.train]) & set(groups[fold.test])
    found = run(cv=GroupKFold(3), groups=groups)
    for fold, (train, test) in zip(found.folds, GroupKFold(3).split(X[:, 0, 0], Y, groups)):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.test, test)
    assert len(run(cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)).folds) == 4
    pairs = [(np.arange(60), np.arange(60, 70)), (np.arange(N) < 30, np.arange(N) >= 80)]
    found = run(cv=pairs)
    assert np.isnan(found.predictions[:60]).all()
    assert np.isfinite(found.predictions[60:70]).all()
    assert len(run(cv=ShuffleSplit(3, test_size=0.2, random_state=0)).folds) == 3


def test_rows_with_a_single_one_are_stratified() -> None:
    def onehot() -> Model:
        model = build()
        model.compile("adam", "categorical_crossentropy")
        return model

    found = cross_validate(onehot, (X, np.eye(C)[Y]), 5, verbose=0, seed=0)
    assert {tuple(np.bincount(Y[f.test])) for f in found.folds} == {(10, 5, 3)}
    plain = cross_validate(onehot, (X, np.eye(C)[Y]), 5, stratified=False, verbose=0, seed=0)
    assert len({tuple(np.bincount(Y[f.test], minlength=C)) for f in plain.folds}) > 1


def test_what_is_measured_on_data_is_of_the_training_part() -> None:
    seen = []

    def scaled(x_train: np.ndarray) -> Model:
        seen.append(x_train)
        normalize = layers.Normalization()
        normalize.adapt(x_train)
        model = Sequential([layers.Input((6, 6, 1)), normalize, layers.Flatten(), layers.Dense(C)])
        model.add(layers.Softmax())
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    found = cross_validate(scaled, (X, Y), 3, verbose=0)
    for fold, x_train in zip(found.folds, seen):
        assert x_train.sum() == pytest.approx(X[fold.train].sum(), rel=1e-5)


def test_weights_callbacks_and_arguments_of_fit() -> None:
    weights = np.where(Y == 2, 0.0, 1.0)
    begun: list[Any] = []

    def callbacks() -> list[Any]:
        return [LambdaCallback(on_train_begin=lambda logs=None: begun.append(object()))]

    found = cross_validate(
        build, (X, Y, weights), 3, epochs=5, fit_args={"validation_split": 0.25}, callbacks=callbacks, verbose=0
    )
    assert len(begun) == 3
    assert all("val_accuracy" in f.history for f in found.folds)
    assert all(len(f.history["loss"]) == 5 for f in found.folds)
    # A class of weight 0 is never learned.
    assert found.predictions[Y == 2, 2].mean() < 0.5


def test_several_inputs() -> None:
    def two() -> Model:
        a, b = layers.Input((4,), name="a"), layers.Input((2,), name="b")
        joined = layers.Concatenate()([a, b])
        model = Model([a, b], layers.Dense(1)(joined))
        model.compile("adam", "mse")
        return model

    a, b = RNG.random((30, 4)), RNG.random((30, 2))
    target = RNG.random((30, 1))
    for x in ({"a": a, "b": b}, [a, b]):
        found = cross_validate(two, (x, target), 3, verbose=0)  # no classes: not stratified
        assert found.predictions.shape == (30, 1)
        assert found.names == ["loss"]


def test_a_dataset_is_read_once() -> None:
    data = Dataset.from_arrays(X, Y).shuffle(seed=3).batch(7)
    found = cross_validate(build, data, 3, seed=1, epochs=5, verbose=0)
    np.testing.assert_array_equal(np.bincount(found.targets), np.bincount(Y))
    assert (found.targets != Y).any()  # in the dataset's order
    assert np.mean(found.predictions.argmax(1) == found.targets) == pytest.approx(found.mean("accuracy"), abs=0.05)


def _made(scores: list[float], train: int = 40, test: int = 10) -> CrossValidation:
    rows = np.arange(train + test)
    return CrossValidation(
        [
            Fold(0, i, rows[:train], rows[train:], {"accuracy": s}, {}, np.zeros((test, 2), np.float32), 1.5)
            for i, s in enumerate(scores)
        ],
        np.zeros(train + test),
    )


def test_mean_spread_and_intervals() -> None:
    values = [0.9, 0.8, 0.85, 0.95, 0.7]
    found = _made(values)
    assert found.mean("accuracy") == pytest.approx(np.mean(values))
    assert found.std("accuracy") == pytest.approx(np.std(values, ddof=1))
    plain = scipy.stats.t.interval(0.95, 4, np.mean(values), scipy.stats.sem(values))
    assert found.interval("accuracy", corrected=False) == pytest.approx(plain, rel=1e-9)
    # Nadeau and Bengio: 1/5 + 10/40 instead of 1/5.
    low, high = found.interval("accuracy", 0.9)
    reach = scipy.stats.t.ppf(0.95, 4) * np.std(values, ddof=1) * np.sqrt(0.2 + 0.25)
    assert (high - low) / 2 == pytest.approx(reach, rel=1e-9)
    assert json.loads(json.dumps(found.summary()))["accuracy"]["mean"] == pytest.approx(0.84)
    text = str(found)
    assert "0.8400" in text
    assert "7.5 in all" in text
    assert np.isnan(_made([0.5]).interval("accuracy")).all()


def test_it_says_how_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    found = run(k=2, verbose="auto")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("Fold 2/2 - ")
    assert f"accuracy: {found.folds[1].scores['accuracy']:.4f}" in lines[1]
    run(k=2)
    assert not capsys.readouterr().out


ONE = build()
OPTIMIZER = fastcnn.optimizers.Adam()


def same_optimizer() -> Model:
    model = build()
    model.compile(OPTIMIZER, "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: run(k=1), ValueError, "k must be at least 2"),
        (lambda: run(k=16), ValueError, "k=16 folds need at least 16 samples of each class, class 2 has 15"),
        (lambda: run(cv=5), TypeError, "for 5 folds give k=5"),
        (lambda: run(cv=[]), ValueError, "cv gave no splits"),
        (lambda: run(cv=[([0, 1, 2], [2, 3])]), ValueError, "row 2 in its training and its test part"),
        (lambda: run(cv=[([0, 1], [N])]), ValueError, "from 0 to 89"),
        (lambda: run(cv=[([0, 1], [])]), ValueError, "not empty"),
        (lambda: run(cv=["ab", 3]), ValueError, "cv: "),
        (lambda: run(groups=[1, 2]), ValueError, "one entry for each of 90 samples"),
        (lambda: run(repeats=0), ValueError, "repeats must be at least 1"),
        (lambda: run(fit_args={"epoch": 3}), ValueError, "'epoch' is no argument of fit"),
        (lambda: run(fit_args={"verbose": 1}), ValueError, "'verbose' is no argument of fit that can be given here"),
        (lambda: run(callbacks=[]), TypeError, "callbacks must be a function"),
        (lambda: cross_validate(build, (X, Y[:5])), ValueError, r"one length, not empty, received lengths \[90, 5\]"),
        (lambda: cross_validate(build, X), ValueError, r"data must be \(x, y\)"),
        (lambda: cross_validate(ONE, (X, Y)), TypeError, "callable|build_fn"),
        (lambda: cross_validate(lambda: ONE, (X, Y), verbose=0), ValueError, "build_fn must make a new model"),
        (lambda: cross_validate(same_optimizer, (X, Y), verbose=0), ValueError, "must make a new optimizer"),
        (lambda: cross_validate(lambda: None, (X, Y)), TypeError, "must return a Model"),
        (lambda: cross_validate(lambda: Sequential([layers.Dense(3)]), (X, Y)), ValueError, "a compiled model"),
        (lambda: cross_validate(build, (X, Y + 0.5), stratified=True), ValueError, "stratified=True needs y as"),
        (lambda: run(k=2).scores("acuracy"), ValueError, "Did you mean 'accuracy'"),
        (lambda: run(k=2).interval("loss", 1.0), ValueError, "confidence must be above 0 and below 1"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()

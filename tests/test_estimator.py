"""CNNClassifier: scikit-learn's own checks of estimators, and what it is for."""

from __future__ import annotations

import copy
import functools
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastcnn
from fastcnn import layers, losses
from fastcnn.datasets import fashion_mnist
from fastcnn.evaluation import CNNClassifier
from fastcnn.models import Model, Sequential

(TRAIN, LABELS), (TEST, TEST_LABELS) = fashion_mnist.load_sample()
NAMES = np.array(fashion_mnist.CLASS_NAMES)
#: Three kinds of clothes that look different, 4x4 means: quick to learn.
KINDS = np.isin(LABELS, (1, 5, 8))
X = TRAIN[KINDS].reshape(-1, 7, 4, 7, 4).mean((2, 4))[:240]
Y = NAMES[LABELS[KINDS]][:240]

WEIGHTS_BY_REPETITION = (
    "a sample of weight 2 is not two samples: they would fall into other mini-batches, whose order and number of steps "
    "decide what is learned"
)
EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS_BY_REPETITION,
}


def _expected(estimator: Any) -> dict[str, str]:
    return EXPECTED_TO_FAIL


@parametrize_with_checks(
    [CNNClassifier(build_args={"filters": 4, "units": 32}, learning_rate=0.01, random_state=0)],
    expected_failed_checks=_expected,
)
def test_scikit_learns_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def small(input_shape: tuple[int, int, int], classes: int, filters: int = 6) -> Model:
    return Sequential([
        layers.Input(input_shape), layers.Rescaling(1 / 255), layers.Conv2D(filters, 3, activation="relu"),
        layers.Flatten(), layers.Dense(classes, activation="softmax"),
    ])  # fmt: skip


def test_images_and_names() -> None:
    model = CNNClassifier(random_state=1, epochs=5).fit(X, Y)
    assert list(model.classes_) == ["Bag", "Sandal", "Trouser"]
    probabilities = model.predict_proba(X[:10])
    assert probabilities.shape == (10, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.predict(X[:10]), model.classes_[probabilities.argmax(1)])
    assert model.score(X, Y) > 0.9
    assert model.image_shape_ == (7, 7, 1)
    assert len(model.history_["loss"]) == 5
    # A channel axis of size 1, and rows with their shape told, are the same images.
    for same, shape in ((X[..., None], None), (X.reshape(len(X), -1), (7, 7))):
        again = CNNClassifier(random_state=1, epochs=5, image_shape=shape).fit(same, Y)
        np.testing.assert_array_equal(again.predict_proba(same[:10]), probabilities)


def test_random_state() -> None:
    fastcnn.set_seed(3)
    expected = fastcnn.random.next_seed()
    fastcnn.set_seed(3)
    one, two = (CNNClassifier(epochs=2, random_state=4).fit(X, Y).predict_proba(X[:5]) for _ in range(2))
    assert fastcnn.random.next_seed() == expected
    np.testing.assert_array_equal(one, two)
    other = CNNClassifier(epochs=2, random_state=np.random.RandomState(5)).fit(X, Y).predict_proba(X[:5])
    assert (other != one).any()


def test_grid_search() -> None:
    estimator = CNNClassifier(small, epochs=3, random_state=0)
    grid = {"build_args": [{"filters": 1}, {"filters": 8}], "learning_rate": [1e-5, 0.01]}
    search = GridSearchCV(estimator, grid, cv=2).fit(X, Y)
    assert search.best_params_["learning_rate"] == 0.01
    assert search.best_score_ > 0.8
    assert search.best_estimator_.model_.layers[1].kernel.shape[-1] == search.best_params_["build_args"]["filters"]
    assert search.score(X, Y) > 0.8


def test_pipeline_and_cross_validation() -> None:
    rows = X.reshape(len(X), -1)
    pipeline = make_pipeline(StandardScaler(), CNNClassifier(image_shape=(7, 7), epochs=4, random_state=0))
    scores = cross_val_score(pipeline, rows, Y, cv=StratifiedKFold(3))
    assert scores.shape == (3,)
    assert scores.min() > 0.8
    estimator = CNNClassifier(small, epochs=3, random_state=0, learning_rate=0.01)
    probabilities = cross_val_predict(estimator, X, Y, cv=3, method="predict_proba", n_jobs=2)  # in processes
    get_reusable_executor().shutdown()  # idle processes would stay for the rest of the tests
    assert np.mean(np.unique(Y)[probabilities.argmax(1)] == Y) > 0.8


def test_pickle_and_copies() -> None:
    model = CNNClassifier(small, epochs=2, random_state=0).fit(X, Y)
    data = pickle.dumps(model)
    assert b'"format":"fastcnn"' in data.replace(b" ", b"")  # the model is one of our files
    for same in (pickle.loads(data), copy.deepcopy(model)):
        np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))
        assert same.get_params() == model.get_params()
    fresh = clone(model)
    assert not hasattr(fresh, "model_")
    assert fresh.get_params() == model.get_params()
    pickle.loads(pickle.dumps(CNNClassifier(epochs=3)))


def test_one_output_for_two_classes_and_logits() -> None:
    y = Y == "Bag"

    def one(shape: Any, classes: int, compiled: bool, width: int = 1) -> Model:
        model = Sequential([layers.Input(shape), layers.Rescaling(1 / 255), layers.Flatten()])
        model.add(layers.Dense(width, activation=None if compiled else "sigmoid"))
        if compiled:
            kind = losses.BinaryCrossentropy if width == 1 else losses.SparseCategoricalCrossentropy
            model.compile(fastcnn.optimizers.Adam(0.01), kind(from_logits=True))
        return model

    for args in ({"compiled": False}, {"compiled": True}, {"compiled": True, "width": 2}):
        model = CNNClassifier(one, build_args=args, epochs=30, learning_rate=0.01, random_state=0).fit(X, y)
        probabilities = model.predict_proba(X)
        assert probabilities.shape == (len(X), 2)
        np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
        assert model.predict(X).dtype == bool
        assert model.score(X, y) > 0.9


def test_class_weights() -> None:
    y = np.where(np.arange(len(Y)) % 12 == 0, "rare", "common")  # can't be told apart from the images
    plain = CNNClassifier(small, epochs=3, random_state=0).fit(X, y)
    for weight in ("balanced", {"rare": 11.0}):
        weighted = CNNClassifier(small, epochs=3, random_state=0, class_weight=weight).fit(X, y)
        assert weighted.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.2


def test_early_stopping() -> None:
    stop = functools.partial(fastcnn.callbacks.EarlyStopping, min_delta=10, patience=1)
    model = CNNClassifier(small, epochs=9, validation_split=0.2, callbacks=lambda: [stop()], random_state=0).fit(X, Y)
    assert len(model.history_["val_loss"]) == 2


def test_the_optimizer_is_not_worn_out() -> None:
    optimizer = fastcnn.optimizers.Adam(0.003)
    model = CNNClassifier(small, optimizer=optimizer, epochs=1, random_state=0)
    one, two = (model.fit(X, Y).predict_proba(X[:9]) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert optimizer.iterations == 0


@pytest.mark.parametrize(
    ("estimator", "x", "y", "message"),
    [
        (CNNClassifier(), X, Y[:5], "inconsistent numbers of samples"),
        (CNNClassifier(), X, np.zeros(len(X)), "at least two classes, received one class"),
        (CNNClassifier(), X[..., None, None], Y, "X must have shape"),
        (CNNClassifier(image_shape=(6, 7)), X, Y, r"images of image_shape \(6, 7\)"),
        (CNNClassifier(image_shape=(6, 7)), X.reshape(len(X), -1), Y, r"image_shape \(6, 7\) needs 42 features"),
        (CNNClassifier(class_weight={"Hat": 2}), X, Y, "keys must be labels of y, received 'Hat'"),
        (CNNClassifier(class_weight="even"), X, Y, 'class_weight must be a dict or "balanced"'),
        (CNNClassifier(lambda shape, classes: small(shape, 5)), X, Y, "must give 3 numbers for each image"),
        (CNNClassifier(epochs=0), X, Y, "epochs must be at least 1"),
    ],
)
def test_wrong_arguments(estimator: Any, x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimator.fit(x, y)


def test_other_images_than_in_fit() -> None:
    model = CNNClassifier(small, epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"images of shape \(7, 7, 1\), as in fit, received \(7, 6, 1\)"):
        model.predict(X[:, :, :6])


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    import fastcnn.evaluation as evaluation

    monkeypatch.delitem(sys.modules, "fastcnn.evaluation.estimator", raising=False)
    monkeypatch.delattr(evaluation, "estimator", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r'pip install "fastcnn\[sklearn\]"'):
        _ = evaluation.CNNClassifier

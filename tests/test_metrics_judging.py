"""Metrics that judge a trained model, held against scikit-learn's to 1e-12, whole and cut into batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from fastcnn import metrics
from fastcnn.layers import Dense
from fastcnn.models import Sequential

N, C = 301, 5
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def make_data(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(C), N)
    y = np.where(rng.random(N) < 0.5, p.argmax(1), rng.integers(0, C, N))
    y[y == 4] = np.where(rng.random((y == 4).sum()) < 0.7, 0, 4)  # a rare class
    binary = rng.integers(0, 2, N)
    score = np.clip(0.3 * binary + 0.7 * rng.random(N), 0, 1).round(2)  # many equal ones
    return {"p": p, "y": y, "said": p.argmax(1), "binary": binary, "score": score, "w": rng.random(N) * 3}


D = make_data()
B = (D["score"] > 0.5).astype(int)


def both_ways(
    metric: metrics.Metric, true: Any, pred: Any, expected: Any, weights: Any = None, function: Any = None
) -> None:
    """The metric in batches of any size, and the function of all at once, give what scikit-learn does."""
    for part in (slice(0, 7), slice(7, 7), slice(7, 200), slice(200, N)):
        metric.update_state(true[part], pred[part], None if weights is None else weights[part])
        metric.result()  # asked for in between, it must not be remembered
    np.testing.assert_allclose(metric.result(), expected, **CLOSE)
    if function is not None:
        np.testing.assert_allclose(function(true, pred, sample_weight=weights), expected, **CLOSE)
    metric.reset_state()
    np.testing.assert_allclose(metric(true, pred, weights), expected, **CLOSE)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("average", ["micro", "macro", "weighted", None])
def test_precision_recall_f_specificity(average: str | None, weights: str | None) -> None:
    w = None if weights is None else D[weights]
    y, p, said = D["y"], D["p"], D["said"]
    both_ways(
        metrics.PrecisionScore(average), y, p, sk.precision_score(y, said, average=average, sample_weight=w), w,
        lambda *a, **k: metrics.precision_score(*a, average=average, **k),
    )  # fmt: skip
    both_ways(
        metrics.RecallScore(average), y, p, sk.recall_score(y, said, average=average, sample_weight=w), w,
        lambda *a, **k: metrics.recall_score(*a, average=average, **k),
    )  # fmt: skip
    for beta in (0.5, 1.0, 2.0):
        both_ways(
            metrics.FBetaScore(average, beta), y, p,
            sk.fbeta_score(y, said, beta=beta, average=average, sample_weight=w), w,
            lambda *a, beta=beta, **k: metrics.fbeta_score(*a, beta=beta, average=average, **k),
        )  # fmt: skip
    f1 = sk.f1_score(y, said, average=average, sample_weight=w)
    np.testing.assert_allclose(metrics.f1_score(y, said, average, w), f1, **CLOSE)
    # scikit-learn has no specificity, but the counts that it is made of.
    counts = sk.multilabel_confusion_matrix(y, said, sample_weight=w).astype(float)
    tn, fp = counts[:, 0, 0], counts[:, 0, 1]
    support = np.bincount(y, w, C)
    specificity = tn / (tn + fp)
    expected: Any = {
        "micro": tn.sum() / (tn + fp).sum(), "macro": specificity.mean(),
        "weighted": (specificity * support).sum() / support.sum(), None: specificity,
    }[average]  # fmt: skip
    both_ways(
        metrics.SpecificityScore(average), y, p, expected, w,
        lambda *a, **k: metrics.specificity_score(*a, average=average, **k),
    )  # fmt: skip


def test_of_two_classes() -> None:
    y, w = D["binary"], D["w"]
    for mine, theirs in (
        (metrics.precision_score, sk.precision_score), (metrics.recall_score, sk.recall_score),
        (metrics.f1_score, sk.f1_score),
    ):  # fmt: skip
        np.testing.assert_allclose(mine(y, B, sample_weight=w), theirs(y, B, sample_weight=w), **CLOSE)
    np.testing.assert_allclose(metrics.specificity_score(y, B), sk.recall_score(y, B, pos_label=0), **CLOSE)
    with pytest.raises(ValueError, match='average="binary" is for classes 0 and 1, received 5 classes'):
        metrics.precision_score(D["y"], D["said"])
    # Class 2 neither occurs nor is predicted: no class to average over.
    y3, s3 = np.where(D["y"] == 2, 3, D["y"]), np.where(D["said"] == 2, 3, D["said"])
    np.testing.assert_allclose(metrics.f1_score(y3, s3, "macro"), sk.f1_score(y3, s3, average="macro"), **CLOSE)


@pytest.mark.parametrize("weights", [None, "w"])
def test_agreement(weights: str | None) -> None:
    w = None if weights is None else D[weights]
    y, p, said = D["y"], D["p"], D["said"]
    for adjusted in (False, True):
        both_ways(
            metrics.BalancedAccuracy(adjusted), y, p,
            sk.balanced_accuracy_score(y, said, sample_weight=w, adjusted=adjusted), w,
            lambda *a, adjusted=adjusted, **k: metrics.balanced_accuracy_score(*a, adjusted=adjusted, **k),
        )  # fmt: skip
    for kind in (None, "linear", "quadratic"):
        both_ways(
            metrics.CohenKappa(kind), y, said, sk.cohen_kappa_score(y, said, weights=kind, sample_weight=w), w,
            lambda *a, kind=kind, **k: metrics.cohen_kappa_score(*a, weights=kind, **k),
        )  # fmt: skip
    both_ways(
        metrics.MatthewsCorrelation(), y, p, sk.matthews_corrcoef(y, said, sample_weight=w), w,
        metrics.matthews_corrcoef,
    )  # fmt: skip
    assert metrics.matthews_corrcoef([1, 1], [0, 1]) == sk.matthews_corrcoef([1, 1], [0, 1]) == 0
    assert np.isnan(metrics.cohen_kappa_score([1, 1], [1, 1]))


def test_one_probability_a_sample_is_that_of_class_1() -> None:
    """As models with one sigmoid give them."""
    y, score = D["binary"], D["score"]
    for column in (score, score[:, None], score[:, None].astype(np.float32)):
        assert metrics.BalancedAccuracy()(y, column) == pytest.approx(sk.balanced_accuracy_score(y, B), abs=1e-12)
        for labels in (y, y[:, None], np.eye(2)[y]):
            assert metrics.F1Score("macro")(labels, column) == pytest.approx(sk.f1_score(y, B), abs=1e-12)
            assert metrics.RecallScore("macro")(labels, column) == pytest.approx(sk.recall_score(y, B), abs=1e-12)
        assert metrics.ROCAUC()(y, column) == pytest.approx(sk.roc_auc_score(y, score), abs=1e-12)
    assert metrics.f1_score(y, score > 0.5) == pytest.approx(sk.f1_score(y, B), abs=1e-12)  # functions take classes
    low = metrics.ConfusionMatrix(threshold=0.2)(y, score)
    np.testing.assert_array_equal(low, sk.confusion_matrix(y, score > 0.2))
    with pytest.raises(ValueError, match="class numbers from 0, or probabilities from 0 to 1, received"):
        metrics.BalancedAccuracy()([0, 1], [0.5, 1.5])
    with pytest.raises(ValueError, match="classes from 0 to 1, as y_pred has 1 column, received 2"):
        metrics.F1Score()([0, 2], [0.5, 0.6])


@pytest.mark.parametrize("weights", [None, "w"])
def test_areas(weights: str | None) -> None:
    w = None if weights is None else D[weights]
    y, p, rows = D["y"], D["p"], np.eye(C, dtype=int)[D["y"]]
    for average in ("macro", "weighted", "micro", None):
        roc = sk.roc_auc_score(rows, p, average=average, sample_weight=w)
        if average is not None:
            np.testing.assert_allclose(
                roc, sk.roc_auc_score(y, p, multi_class="ovr", average=average, sample_weight=w), **CLOSE
            )
        precision = sk.average_precision_score(rows, p, average=average, sample_weight=w)
        for true in (y, rows):
            both_ways(
                metrics.ROCAUC(average), true, p, roc, w,
                lambda *a, average=average, **k: metrics.roc_auc_score(*a, average=average, **k),
            )  # fmt: skip
            both_ways(
                metrics.AveragePrecision(average), true, p, precision, w,
                lambda *a, average=average, **k: metrics.average_precision_score(*a, average=average, **k),
            )  # fmt: skip
    y, score = D["binary"], D["score"]
    both_ways(metrics.ROCAUC(), y, score, sk.roc_auc_score(y, score, sample_weight=w), w, metrics.roc_auc_score)
    both_ways(metrics.AveragePrecision(), y, score, sk.average_precision_score(y, score, sample_weight=w), w)


def test_labels_that_several_of_may_be_right() -> None:
    rows = np.random.default_rng(5).integers(0, 2, (N, C))
    np.testing.assert_allclose(metrics.roc_auc_score(rows, D["p"]), sk.roc_auc_score(rows, D["p"]), **CLOSE)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=30),
    st.booleans(),
)
def test_curves(samples: list[tuple[int, int, int]], drop: bool) -> None:
    """Few distinct scores and weights, zero among them: equal ones everywhere."""
    y, score, w = (np.array(a) for a in zip(*samples))
    if not w.any():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes that do not occur
        theirs = sk.roc_curve(y, score, sample_weight=w, drop_intermediate=drop)
        precision = sk.precision_recall_curve(y, score, sample_weight=w, drop_intermediate=False)
        average = sk.average_precision_score(y, score, sample_weight=w)
    for mine, their in zip(metrics.roc_curve(y, score, w, drop), theirs):
        np.testing.assert_allclose(mine, their, **CLOSE)
    for mine, their in zip(metrics.precision_recall_curve(y, score, w), precision):
        np.testing.assert_allclose(mine, their, **CLOSE)
    np.testing.assert_allclose(metrics.average_precision_score(y, score, sample_weight=w), average, **CLOSE)
    if (w[y == 0].sum() > 0) and (w[y == 1].sum() > 0):
        np.testing.assert_allclose(
            metrics.roc_auc_score(y, score, sample_weight=w), sk.roc_auc_score(y, score, sample_weight=w), **CLOSE
        )
    else:
        assert np.isnan(metrics.roc_auc_score(y, score, sample_weight=w))


def test_ties_of_infinite_scores() -> None:
    """Scores count by their order alone: infinities as any largest and smallest numbers, equal ones together."""
    y, finite = [0, 1, 1, 0, 1, 0], np.array([9.0, 9.0, 4.0, 4.0, -9.0, -9.0])
    infinite = np.where(np.abs(finite) == 9, np.sign(finite) * np.inf, finite)
    for curve in (metrics.roc_curve, metrics.precision_recall_curve):
        for mine, wanted in zip(curve(y, infinite)[:2], curve(y, finite)[:2]):
            np.testing.assert_array_equal(mine, wanted)
    for area in (metrics.roc_auc_score, metrics.average_precision_score):
        assert area(y, infinite) == area(y, finite)


@pytest.mark.parametrize("weights", [None, "w"])
def test_probabilities(weights: str | None) -> None:
    w = None if weights is None else D[weights]
    y, p, b, score = D["y"], D["p"], D["binary"], D["score"].clip(0.01, 0.99)
    both_ways(metrics.LogLoss(), y, p, sk.log_loss(y, p, sample_weight=w), w, metrics.log_loss)
    both_ways(metrics.LogLoss(), np.eye(C)[y], p, sk.log_loss(y, p, sample_weight=w), w, metrics.log_loss)
    both_ways(metrics.LogLoss(), b, score, sk.log_loss(b, score, sample_weight=w), w, metrics.log_loss)
    assert metrics.SparseCategoricalCrossentropy()(y, p, w) == pytest.approx(sk.log_loss(y, p, sample_weight=w), 1e-12)
    both_ways(metrics.BrierScore(), b, score, sk.brier_score_loss(b, score, sample_weight=w), w, metrics.brier_score)
    both_ways(
        metrics.BrierScore(), y, p, np.average(((p - np.eye(C)[y]) ** 2).sum(1), weights=w), w, metrics.brier_score
    )
    certain = metrics.log_loss([0, 1], [0.0, 1.0])
    assert certain == pytest.approx(sk.log_loss([0, 1], [0.0, 1.0]), abs=1e-15)
    assert metrics.log_loss([1], [0.0]) == pytest.approx(sk.log_loss([1], [0.0], labels=[0, 1]), 1e-12)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration(bins: int) -> None:
    y, p, w = D["y"], D["p"], D["w"]
    right, sure = D["said"] == y, p.max(1)
    accuracy, confidence, weight = metrics.reliability_curve(y, p, bins)
    held = weight > 0
    theirs = calibration_curve(right, sure, n_bins=bins)
    np.testing.assert_allclose((accuracy[held], confidence[held]), theirs, **CLOSE)
    assert np.isnan(accuracy[~held]).all()
    assert weight.sum() == N
    gaps = np.abs(theirs[0] - theirs[1])
    both_ways(
        metrics.ExpectedCalibrationError(bins), y, p, (gaps * weight[held]).sum() / N, None,
        lambda *a, **k: metrics.expected_calibration_error(*a, num_bins=bins, **k),
    )  # fmt: skip
    assert metrics.expected_calibration_error(y, p, bins, "max") == pytest.approx(gaps.max(), 1e-12)
    # The weighted one, sample by sample.
    total = 0.0
    for low in range(bins):
        here = (sure > low / bins) & (sure <= (low + 1) / bins)
        total += abs((w * right)[here].sum() - (w * sure)[here].sum())
    both_ways(metrics.ExpectedCalibrationError(bins), y, p, total / w.sum(), w)
    metric = metrics.ExpectedCalibrationError(bins)
    metric.update_state(y, p)
    np.testing.assert_array_equal(metric.curve()[0], accuracy)


def test_accuracies() -> None:
    y, p, w = D["y"], D["p"], D["w"]
    for k in (1, 2, 3):
        both_ways(
            metrics.SparseTopKCategoricalAccuracy(k), y, p, sk.top_k_accuracy_score(y, p, k=k, sample_weight=w), w
        )
    both_ways(metrics.SparseCategoricalAccuracy(), y, p, sk.accuracy_score(y, D["said"], sample_weight=w), w)


# Keras 3.15's numbers for these arrays: the arguments, without and with weights.
RNG = np.random.default_rng(11)
KERAS_Y = RNG.integers(0, 2, (40, 3))
KERAS_P = np.clip(0.3 * KERAS_Y + 0.7 * RNG.random((40, 3)), 0, 1).round(3)
KERAS_W = RNG.random(40).round(3)
KERAS_AUC: list[tuple[dict[str, Any], float, float]] = [
    ({}, 0.744722, 0.719169),
    ({"curve": "PR"}, 0.774657, 0.771116),
    ({"num_thresholds": 7}, 0.751806, 0.731161),
    ({"num_thresholds": 7, "curve": "PR"}, 0.763564, 0.771416),
    ({"num_thresholds": 7, "summation_method": "minoring"}, 0.666667, 0.651549),
    ({"num_thresholds": 7, "summation_method": "majoring", "curve": "PR"}, 0.831004, 0.848112),
    ({"thresholds": [0.2, 0.5, 0.9]}, 0.686389, 0.648409),
    ({"multi_label": True, "num_labels": 3, "label_weights": [1.0, 2.0, 0.5]}, 0.756786, 0.74226),
    ({"multi_label": True, "num_labels": 3, "curve": "PR"}, 0.777352, 0.771369),
    ({"label_weights": [1.0, 2.0, 0.5]}, 0.754847, 0.740551),
]
KERAS_POINTS: list[tuple[type[metrics.Metric], float, dict[str, Any], float, float]] = [
    (metrics.SensitivityAtSpecificity, 0.7, {}, 0.55, 0.437977),
    (metrics.SensitivityAtSpecificity, 0.7, {"class_id": 1}, 0.5, 0.509552),
    (metrics.SpecificityAtSensitivity, 0.7, {}, 0.55, 0.48598),
    (metrics.SpecificityAtSensitivity, 0.7, {"class_id": 1}, 0.65, 0.6498),
    (metrics.PrecisionAtRecall, 0.6, {}, 0.631579, 0.673696),
    (metrics.PrecisionAtRecall, 0.6, {"num_thresholds": 1}, 0.622951, 0.610971),
    (metrics.RecallAtPrecision, 0.65, {}, 0.483333, 1.0),
    (metrics.RecallAtPrecision, 0.65, {"num_thresholds": 1}, 0.0, 0.0),
]


@pytest.mark.parametrize(
    ("make", "plain", "with_weights"),
    [(lambda kw=kw: metrics.AUC(**kw), a, b) for kw, a, b in KERAS_AUC]
    + [(lambda cls=cls, v=v, kw=kw: cls(v, **kw), a, b) for cls, v, kw, a, b in KERAS_POINTS],
)
def test_at_thresholds_as_keras(make: Callable[[], metrics.Metric], plain: float, with_weights: float) -> None:
    metric, again = make(), metrics.get(metrics.serialize(make()))
    for part in (slice(0, 25), slice(25, 40)):
        metric.update_state(KERAS_Y[part], KERAS_P[part])
        again.update_state(KERAS_Y[part], KERAS_P[part], KERAS_W[part, None])
    assert metric.result() == pytest.approx(plain, abs=2e-6)
    assert again.result() == pytest.approx(with_weights, abs=2e-6)


def test_auc_comes_close_to_the_exact_area() -> None:
    exact = sk.roc_auc_score(D["binary"], D["score"])
    assert metrics.AUC()(D["binary"], D["score"]) == pytest.approx(exact, abs=2e-3)
    logits = np.log(D["score"].clip(1e-6, 1 - 1e-6)) - np.log1p(-D["score"].clip(1e-6, 1 - 1e-6))
    assert metrics.AUC(5000, from_logits=True)(D["binary"], logits) == pytest.approx(exact, abs=1e-3)


def test_within_a_model() -> None:
    """By name, beside a loss with class numbers; the value is that of the model's own predictions."""
    x = np.random.default_rng(2).random((60, 4))
    y = (x.sum(1) * 0.9).astype(int)
    names = ["roc_auc", "average_precision", "f1_score", "cohen_kappa", "log_loss", "expected_calibration_error"]
    model = Sequential([Dense(4, activation="softmax", input_shape=(4,))])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[*names, metrics.ROCAUC("weighted", "weighted")])
    logs = model.evaluate(x, y, batch_size=7, verbose=0, return_dict=True)
    p = model.predict(x)
    assert logs["log_loss"] == pytest.approx(logs["loss"], 1e-5)
    assert logs["weighted"] == pytest.approx(metrics.roc_auc_score(y, p, "weighted"), 1e-9)
    assert logs["expected_calibration_error"] == pytest.approx(metrics.expected_calibration_error(y, p), 1e-9)
    np.testing.assert_allclose(
        logs["f1_score"], sk.f1_score(y, p.argmax(1), average=None, labels=range(4), zero_division=0), **CLOSE
    )


def test_a_model_that_went_astray_has_metrics_too() -> None:
    """NaN comes through as NaN, or counts as wrong; it doesn't end a training with an error."""
    rows = np.full((6, 3), np.nan, np.float32)
    y = np.arange(6) % 3
    for metric in (
        metrics.ROCAUC(), metrics.AveragePrecision(), metrics.LogLoss(), metrics.BrierScore(),
        metrics.ExpectedCalibrationError(),
    ):  # fmt: skip
        metric.update_state(y, np.eye(3)[y])
        assert np.isfinite(metric.result())
        assert np.isnan(metric(y, rows))
    for metric in (metrics.BalancedAccuracy(), metrics.F1Score("macro"), metrics.MatthewsCorrelation()):
        assert metric(y, rows) < 0.4
    assert metrics.BalancedAccuracy()([0, 1], [[np.nan], [np.nan]]) == 0.5
    assert np.isfinite(metrics.AUC()([0, 1], [np.nan, np.nan]))


def test_before_the_first_batch() -> None:
    for metric in (
        metrics.ROCAUC(), metrics.AUC(), metrics.PrecisionAtRecall(0.5), metrics.LogLoss(), metrics.BalancedAccuracy(),
        metrics.ExpectedCalibrationError(), metrics.SpecificityScore("macro"), metrics.MatthewsCorrelation(),
    ):  # fmt: skip
        assert metric.result() == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: metrics.roc_auc_score(D["y"], D["p"][:, :3]),
            "classes from 0 to 2, as y_pred has 3 columns, received",
        ),
        (lambda: metrics.roc_curve([0, 1], [0.1, np.nan]), "received NaN"),
        (lambda: metrics.roc_auc_score([0, 1], [0.1, 0.2, 0.3]), "same length, received 2 and 3"),
        (lambda: metrics.roc_auc_score([0, 1], [0.1, 0.2], average="mean"), "Unknown average 'mean'"),
        (lambda: metrics.roc_curve(D["y"], D["p"]), r"y_score must have shape \(samples,\)"),
        (lambda: metrics.roc_auc_score([0, 1], [0.1, 0.2], sample_weight=[1, -1]), "at least 0, received -1"),
        (lambda: metrics.log_loss([0, 1], [[3.0, -1.0], [0.5, 0.5]]), "probabilities from 0 to 1, received -1 to 3"),
        (lambda: metrics.log_loss([0, 5], D["p"][:2]), "classes from 0 to 4, received 5"),
        (lambda: metrics.brier_score([0], ["a"]), "y_pred must hold scores"),
        (lambda: metrics.expected_calibration_error([0], [0.5], norm="l3"), "Unknown norm 'l3'"),
        (lambda: metrics.ExpectedCalibrationError(0), "num_bins must be at least 1"),
        (lambda: metrics.cohen_kappa_score([0], [0], weights="cubic"), "Unknown weights 'cubic'"),
        (lambda: metrics.AUC(curve="DET"), "Unknown curve 'DET'"),
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds must be at least 2"),
        (lambda: metrics.AUC(num_labels=3), "num_labels needs multi_label=True"),
        (lambda: metrics.AUC()(D["y"], D["p"]), "ROCAUC and AveragePrecision take class numbers"),
        (lambda: metrics.AUC(multi_label=True, num_labels=3)(D["p"] > 0.5, D["p"]), "must have 3 labels"),
        (lambda: metrics.AUC()([0, 1], [-1.0, 2.0]), "probabilities from 0 to 1, received -1 to 2"),
        (lambda: metrics.PrecisionAtRecall(1.5), "recall must be"),
        (lambda: metrics.fbeta_score([0], [0], beta=-1), "beta must be"),
    ],
)
def test_bad_values(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

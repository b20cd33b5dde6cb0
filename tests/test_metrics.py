"""Streaming metrics against plain loops in float64 and scikit-learn, on whole data and cut into batches."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from fastcnn import losses, metrics

N, C = 203, 7


def make_data(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((N, C)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.where(rng.random(N) < 0.6, probabilities.argmax(1), rng.integers(0, C, N)).astype(np.uint8)
    return {
        "logits": logits,
        "p": probabilities.astype(np.float32),
        "y": labels,
        "onehot": np.eye(C, dtype=np.float32)[labels],
        "binary": rng.integers(0, 2, N).astype(np.uint8),
        "score": rng.random(N, dtype=np.float32),
        "w": rng.random(N).astype(np.float32) * 3,
    }


D = make_data()


def loop(fn: Callable[[int], float], weights: Any = None) -> float:
    """The mean over samples of fn(i), one by one."""
    weights = np.ones(N) if weights is None else np.asarray(weights, float)
    return math.fsum(float(w) * fn(i) for i, w in enumerate(weights)) / math.fsum(weights)


def entropy(i: int, smoothing: float = 0.0) -> float:
    p = D["p"][i].astype(float)
    p = p / p.sum()
    y = D["onehot"][i] * (1 - smoothing) + smoothing / C
    return -sum(y[c] * math.log(p[c]) for c in range(C))


def binary_entropy(i: int) -> float:
    p, y = float(D["score"][i]), D["binary"][i]
    return -math.log(p if y else 1 - p)


def rank(i: int) -> int:
    return int((D["p"][i] > D["p"][i, D["y"][i]]).sum())


# metric, labels, predictions, value of one sample
MEANS: list[tuple[metrics.Metric, str, str, Callable[[int], float]]] = [
    (metrics.SparseCategoricalAccuracy(), "y", "p", lambda i: rank(i) == 0),
    (metrics.CategoricalAccuracy(), "onehot", "p", lambda i: rank(i) == 0),
    (metrics.BinaryAccuracy(), "binary", "score", lambda i: (D["score"][i] > 0.5) == D["binary"][i]),
    (metrics.BinaryAccuracy(threshold=0.2), "binary", "score", lambda i: (D["score"][i] > 0.2) == D["binary"][i]),
    (metrics.BinaryAccuracy(), "onehot", "p", lambda i: np.mean((D["p"][i] > 0.5) == D["onehot"][i])),
    (metrics.SparseTopKCategoricalAccuracy(k=3), "y", "p", lambda i: rank(i) < 3),
    (metrics.TopKCategoricalAccuracy(k=2), "onehot", "p", lambda i: rank(i) < 2),
    (metrics.Accuracy(), "y", "binary", lambda i: D["y"][i] == D["binary"][i]),
    (metrics.MeanSquaredError(), "onehot", "p", lambda i: sum((D["onehot"][i].astype(float) - D["p"][i]) ** 2) / C),
    (metrics.MeanAbsoluteError(), "y", "binary", lambda i: abs(int(D["y"][i]) - int(D["binary"][i]))),
    (metrics.CategoricalCrossentropy(), "onehot", "p", entropy),
    (metrics.CategoricalCrossentropy(label_smoothing=0.1), "onehot", "p", lambda i: entropy(i, 0.1)),
    (metrics.CategoricalCrossentropy(from_logits=True), "onehot", "logits", entropy),
    (metrics.SparseCategoricalCrossentropy(), "y", "p", entropy),
    (metrics.SparseCategoricalCrossentropy(from_logits=True), "y", "logits", entropy),
    (metrics.BinaryCrossentropy(), "binary", "score", binary_entropy),
    (
        metrics.MeanAbsolutePercentageError(),
        "score", "binary",
        lambda i: 100 * abs(float(D["score"][i]) - int(D["binary"][i])) / float(D["score"][i]),
    ),
    (
        metrics.MeanSquaredLogarithmicError(),
        "y", "score",
        lambda i: (math.log(1 + D["y"][i]) - math.log(1 + float(D["score"][i]))) ** 2,
    ),
]  # fmt: skip


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(("metric", "true", "pred", "value"), MEANS, ids=[repr(m[0]) for m in MEANS])
def test_means(metric: metrics.Metric, true: str, pred: str, value: Callable[[int], float], weights: bool) -> None:
    metric.reset_state()
    y_true, y_pred = D[true], D[pred]
    for part in (slice(0, 64), slice(64, 64), slice(64, 200), slice(200, N)):
        metric.update_state(y_true[part], y_pred[part], D["w"][part] if weights else None)
    expected = loop(value, D["w"] if weights else None)
    assert metric.result() == pytest.approx(expected, rel=1e-5)
    metric.reset_state()
    assert metric.result() == 0.0
    assert metric(y_true, y_pred, sample_weight=D["w"][:, None] if weights else None) == pytest.approx(expected, 1e-5)


def test_vectors_and_columns_mean_the_same() -> None:
    for metric in (metrics.MeanSquaredError(), metrics.BinaryCrossentropy()):
        expected = metric(D["binary"], D["score"], D["w"])
        for true, pred in (("column", "vector"), ("vector", "column"), ("column", "column")):
            metric.reset_state()
            y_true = D["binary"] if true == "vector" else D["binary"][:, None]
            y_pred = D["score"] if pred == "vector" else D["score"][:, None]
            assert metric(y_true, y_pred, D["w"]) == expected


def test_root_mean_squared_error_is_of_everything_seen() -> None:
    metric = metrics.RootMeanSquaredError()
    metric.update_state([[0.0]], [[3.0]])
    metric.update_state([[0.0]], [[4.0]])
    assert metric.result() == pytest.approx(math.sqrt(12.5))


def test_label_shapes_and_dtypes_mean_the_same() -> None:
    expected = float(np.mean(D["p"].argmax(1) == D["y"]))
    for dtype in (np.uint8, np.int32, np.int64, np.float32, ">i4", np.float64):
        for shape in ((N,), (N, 1)):
            labels = D["y"].astype(dtype).reshape(shape)
            assert metrics.SparseCategoricalAccuracy()(labels, D["p"]) == pytest.approx(expected, abs=1e-12)
    flat = metrics.BinaryAccuracy()(D["binary"], D["score"])
    for true, pred in ((D["binary"][:, None], D["score"]), (D["binary"], D["score"][:, None])):
        assert metrics.BinaryAccuracy()(true, pred) == flat


def test_pixels_count_within_their_image() -> None:
    true = np.array([[[0, 1], [1, 1]], [[0, 0], [0, 0]]])
    pred = np.zeros((2, 2, 2, 3))
    pred[..., 0] = 1
    assert metrics.SparseCategoricalAccuracy()(true, pred) == 5 / 8
    assert metrics.SparseCategoricalAccuracy()(true, pred, sample_weight=[3, 1]) == pytest.approx((3 * 0.25 + 1) / 4)
    pixel = np.ones((2, 2, 2))
    pixel[0, 0] = [5, 0]
    assert metrics.SparseCategoricalAccuracy()(true, pred, sample_weight=pixel) == pytest.approx(9 / 11)


def test_mean_and_sum() -> None:
    assert metrics.Mean()([1, 3, 5, 7]) == 4
    assert metrics.Mean()([1, 3, 5, 7], sample_weight=[1, 1, 0, 0]) == 2
    assert metrics.Mean()(np.float32(2.5)) == 2.5
    assert metrics.Mean()(2.0, sample_weight=3) == 2
    assert metrics.Sum()([1, 3, 5, 7]) == 16
    assert metrics.Sum()([[1, 3], [5, 7]], sample_weight=[1, 0]) == 4
    assert metrics.Mean().result() == metrics.Sum().result() == 0


def test_sums_are_float64() -> None:
    metric = metrics.Mean()
    metric.update_state(np.array([2.0**24], np.float32))
    for _ in range(8):
        metric.update_state(np.ones(1, np.float32))
    assert metric.total == 2**24 + 8


def test_nan_goes_through() -> None:
    assert math.isnan(metrics.MeanSquaredError()([[1.0]], [[np.nan]]))
    assert math.isnan(metrics.SparseCategoricalCrossentropy()([0], [[np.nan, 1.0]]))
    assert metrics.SparseTopKCategoricalAccuracy(k=1)([0], [[np.nan, 1.0]]) == 0


@pytest.mark.parametrize("weights", [None, "w"])
def test_precision_and_recall(weights: str | None) -> None:
    w = None if weights is None else D[weights]
    for mine, theirs in ((metrics.Precision, sk.precision_score), (metrics.Recall, sk.recall_score)):
        levels = [0.2, 0.5, 0.9]
        metric, single = mine(thresholds=levels), mine()
        for part in (slice(0, 100), slice(100, N)):
            for m in (metric, single):
                m.update_state(D["binary"][part], D["score"][part][:, None], None if w is None else w[part])
        expected = [theirs(D["binary"], D["score"] > t, sample_weight=w) for t in levels]
        np.testing.assert_allclose(metric.result(), expected, rtol=1e-6)
        assert single.result() == pytest.approx(expected[1])
        one = mine(class_id=3, thresholds=0.3)
        assert one(D["onehot"], D["p"], w) == pytest.approx(
            theirs(D["y"] == 3, D["p"][:, 3] > 0.3, sample_weight=w), rel=1e-6
        )
        assert mine()([0, 0], [0.1, 0.2]) == 0


def test_counts() -> None:
    ((tn, fp), (fn, tp)) = sk.confusion_matrix(D["binary"], D["score"] > 0.5)
    for metric, expected in (
        (metrics.TruePositives(), tp), (metrics.TrueNegatives(), tn),
        (metrics.FalsePositives(), fp), (metrics.FalseNegatives(), fn),
    ):  # fmt: skip
        assert metric(D["binary"], D["score"]) == expected


def test_recall_among_the_first() -> None:
    k2 = metrics.Recall(top_k=2)(D["onehot"], D["p"])
    assert k2 == pytest.approx(np.mean([rank(i) < 2 for i in range(N)]))
    assert metrics.Precision(top_k=2)(D["onehot"], D["p"]) == pytest.approx(k2 / 2)
    # Of equal predictions the first counts.
    assert metrics.Recall(top_k=1)([[0, 1, 0]], [[0.5, 0.5, 0.0]]) == 0


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("beta", [1.0, 2.0])
@pytest.mark.parametrize("threshold", [None, 0.25])
def test_f_scores(average: str | None, beta: float, threshold: float | None) -> None:
    metric = metrics.FBetaScore(average, beta, threshold)
    assert metrics.F1Score(average).result() is not None
    for part in (slice(0, 100), slice(100, N)):
        metric.update_state(D["onehot"][part], D["p"][part], D["w"][part])
    said = np.eye(C)[D["p"].argmax(1)] if threshold is None else D["p"] > threshold
    expected = sk.fbeta_score(D["onehot"], said, beta=beta, average=average, sample_weight=D["w"], zero_division=0)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-12)
    if beta == 1:
        f1 = metrics.F1Score(average, threshold)
        np.testing.assert_allclose(f1(D["onehot"], D["p"], D["w"]), expected, rtol=1e-12)
        f1.reset_state()
        np.testing.assert_allclose(f1(D["y"][:, None], D["p"], D["w"]), expected, rtol=1e-12)


#: What a metric can't be made without.
NEEDED: dict[str, dict[str, Any]] = {
    "SensitivityAtSpecificity": {"specificity": 0.5}, "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "PrecisionAtRecall": {"recall": 0.5}, "RecallAtPrecision": {"precision": 0.5},
    "ClassLoss": {"loss": losses.DetectionLoss(32, 3)}, "BoxLoss": {"loss": losses.DetectionLoss(32, 3, (8,))},
}  # fmt: skip
ALL = sorted(metrics._CLASSES, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", ALL, ids=[c.__name__ for c in ALL])
def test_configuration_round_trip(cls: type[metrics.Metric]) -> None:
    needed = NEEDED.get(cls.__name__, {})
    metric = cls(name="mine", **needed)
    again = metrics.get(json.loads(json.dumps(metrics.serialize(metric))))
    assert type(again) is cls
    assert again.get_config() == metric.get_config()
    assert again.name == "mine"
    assert cls(**needed).name.replace("_", "") == cls.__name__.lower()
    if not needed:
        assert type(metrics.get(cls.__name__)) is type(metrics.get(cls)) is cls
    assert cls.from_config(metric.get_config()).get_config() == metric.get_config()


def test_configuration_keeps_arguments() -> None:
    for metric in (
        metrics.Precision(thresholds=[0.25, 0.75], class_id=2),
        metrics.SparseTopKCategoricalAccuracy(k=2),
        metrics.BinaryAccuracy(threshold=0.75),
        metrics.CategoricalCrossentropy(label_smoothing=0.5, from_logits=True, axis=1),
        metrics.F1Score("macro", 0.5),
        metrics.ConfusionMatrix(4),
    ):
        config = metric.get_config()
        assert type(metric).from_config(json.loads(json.dumps(config))).get_config() == config
        assert not set(config) - {"name", "dtype"} <= {
            k for k, v in type(metric)().get_config().items() if v == config[k]
        }


def test_names_by_shape() -> None:
    binary, sparse, onehot = ((None,), (None, 1)), ((None,), (None, 10)), ((None, 10), (None, 10))
    for name in ("accuracy", "acc", "Accuracy"):
        assert type(metrics.get(name, *binary)) is metrics.BinaryAccuracy
        assert type(metrics.get(name, *sparse)) is metrics.SparseCategoricalAccuracy
        assert type(metrics.get(name, (None, 1), (None, 10))) is metrics.SparseCategoricalAccuracy
        assert type(metrics.get(name, *onehot)) is metrics.CategoricalAccuracy
        assert metrics.get(name, *sparse).name == name
    assert type(metrics.get("ce", *sparse)) is metrics.SparseCategoricalCrossentropy
    assert type(metrics.get("crossentropy", *binary)) is metrics.BinaryCrossentropy
    assert type(metrics.get("accuracy")) is metrics.Accuracy
    assert type(metrics.get("mse")) is metrics.MeanSquaredError
    assert metrics.get("mae").name == "mae"
    with pytest.raises(ValueError, match="needs the shapes"):
        metrics.get("acc")


def test_functions_become_metrics() -> None:
    def off_by(y_true: Any, y_pred: Any, scale: float = 1.0) -> Any:
        return scale * np.abs(np.asarray(y_true) - y_pred)

    metric = metrics.get(off_by)
    assert metric.name == "off_by"
    assert metric([1, 2], [3, 3]) == 1.5
    assert metrics.MeanMetricWrapper(off_by, "far", scale=2)([1, 2], [3, 3]) == 3
    assert metrics.get(metric) is metric
    with pytest.raises(TypeError, match="wraps a Python function"):
        metrics.serialize(metric)


def test_the_base_class_says_what_to_write() -> None:
    for call in ("result", "reset_state", "__call__"):
        with pytest.raises(NotImplementedError, match="Metric must implement"):
            getattr(metrics.Metric(), call)(*([1, 2] if call == "__call__" else []))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.get("acuracy"), "Did you mean 'accuracy'"),
        (lambda: metrics.get("mean_square_error"), "Did you mean 'mean_squared_error'"),
        (lambda: metrics.SparseCategoricalAccuracy()(D["onehot"], D["p"]), "categorical metric"),
        (lambda: metrics.CategoricalAccuracy()(D["y"], D["p"]), "sparse categorical metric"),
        (lambda: metrics.CategoricalCrossentropy()(D["y"], D["p"]), "sparse categorical metric"),
        (lambda: metrics.SparseCategoricalCrossentropy()(D["y"] + 1, D["p"]), "classes from 0 to 6, received 1 to 7"),
        (lambda: metrics.MeanSquaredError()(np.ones((3, 2)), np.ones((3, 3))), r"shape of y_pred, \(3, 3\)"),
        (lambda: metrics.Mean()([1, 2], sample_weight=[1, 2, 3]), "sample_weight must have the shape"),
        (lambda: metrics.Sum()([1, 2], sample_weight=[[1, 2]]), "sample_weight must have the shape"),
        (lambda: metrics.Precision()([0, 1], [0.1, 0.2], sample_weight=[1, 2, 3]), "sample_weight must have the shape"),
        (lambda: metrics.BinaryAccuracy(threshold=1.5), "threshold must be a number from 0 to 1"),
        (lambda: metrics.Precision(thresholds=[0.5, "x"]), "thresholds must be a number from 0 to 1"),
        (lambda: metrics.Precision(top_k=9)(D["onehot"], D["p"]), "top_k=9 needs"),
        (lambda: metrics.Recall(class_id=7)(D["onehot"], D["p"]), "class_id 7"),
        (lambda: metrics.F1Score(average="mean"), "Unknown average"),
        (lambda: metrics.FBetaScore(beta=0), "beta must be above 0"),
        (lambda: metrics.F1Score()(D["y"][:9], D["p"]), r"one shape \(samples, classes\)"),
        (lambda: metrics.F1Score()(D["y"] + 1, D["p"]), "classes from 0 to 6, received 7"),
        (lambda: metrics.get("precision_at_recall"), "missing 1 required positional argument: 'recall'"),
        (lambda: metrics.TopKCategoricalAccuracy(k=0), "k must be at least 1"),
        (lambda: metrics.BinaryCrossentropy(label_smoothing=2), "label_smoothing must be from 0 to 1"),
    ],
)
def test_bad_values(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_training_step_hardly_notices(benchmark: Any) -> None:
    """Timed with --benchmark-enable; sparse accuracy on a batch of 32 takes about 2 microseconds."""
    metric = metrics.SparseCategoricalAccuracy()
    benchmark(metric.update_state, D["y"][:32], D["p"][:32])
    assert 0 < metric.result() < 1

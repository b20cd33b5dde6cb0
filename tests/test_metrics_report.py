"""Confusion matrices and reports, held against scikit-learn's."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from fastcnn import metrics

RNG = np.random.default_rng(3)
TRUE, PRED = RNG.integers(0, 6, 500), RNG.integers(0, 6, 500)
PRED[TRUE == 4] = 4
PRED[PRED == 2] = 1  # class 2 is never predicted
WEIGHTS = RNG.random(500)


def test_confusion_matrix() -> None:
    np.testing.assert_array_equal(metrics.confusion_matrix(TRUE, PRED), sk.confusion_matrix(TRUE, PRED))
    np.testing.assert_allclose(
        metrics.confusion_matrix(TRUE, PRED, sample_weight=WEIGHTS),
        sk.confusion_matrix(TRUE, PRED, sample_weight=WEIGHTS),
    )
    wide = metrics.confusion_matrix(TRUE, PRED, num_classes=8)
    assert wide.shape == (8, 8)
    assert wide[6:].sum() == wide[:, 6:].sum() == 0
    assert metrics.confusion_matrix([], []).shape == (0, 0)


def test_rows_of_scores_count_as_their_largest() -> None:
    scores = np.eye(7)[PRED] * 0.5
    np.testing.assert_array_equal(
        metrics.confusion_matrix(TRUE[:, None], scores), metrics.confusion_matrix(TRUE, PRED, 7)
    )
    assert metrics.classification_report(np.eye(6)[TRUE], scores) == metrics.classification_report(TRUE, PRED)


def test_streaming_matrix() -> None:
    for count in (None, 6, 9):
        metric = metrics.ConfusionMatrix(count)
        order = np.argsort(TRUE, kind="stable")  # the first batches lack the last classes
        for part in np.array_split(order, 7):
            metric.update_state(TRUE[part], PRED[part])
        np.testing.assert_array_equal(metric.result(), metrics.confusion_matrix(TRUE, PRED, count))
        assert metric.result().dtype == np.int64
        metric.reset_state()
        assert metric.result().sum() == 0
    assert metric(TRUE, PRED, sample_weight=WEIGHTS).sum() == pytest.approx(WEIGHTS.sum())


@pytest.mark.parametrize("digits", [2, 4])
@pytest.mark.parametrize("names", [None, ["T-shirt/top", "b", "c", "d", "Ankle boot, the longest", "f"]])
def test_text_is_scikit_learns(digits: int, names: list[str] | None) -> None:
    mine = metrics.classification_report(TRUE, PRED, names, digits=digits)
    assert mine == sk.classification_report(TRUE, PRED, target_names=names, digits=digits, zero_division=0)


def test_dict_is_scikit_learns() -> None:
    names = list("abcdef")
    mine: dict[str, Any] = metrics.classification_report(TRUE, PRED, names, output_dict=True)
    theirs = sk.classification_report(TRUE, PRED, target_names=names, output_dict=True, zero_division=0)
    assert mine.keys() == theirs.keys()
    for key, row in theirs.items():
        assert mine[key] == pytest.approx(row, rel=1e-12)


def test_missing_classes() -> None:
    true, pred = [0, 3, 3], [0, 3, 5]
    assert metrics.classification_report(true, pred) == sk.classification_report(true, pred, zero_division=0)
    named = metrics.classification_report(true, pred, list("abcdefg"), output_dict=True)
    assert named["g"] == {"precision": 0, "recall": 0, "f1-score": 0, "support": 0}
    assert named["accuracy"] == pytest.approx(2 / 3)
    empty = metrics.classification_report([], [], ["a"], output_dict=True)
    assert empty["accuracy"] == 0
    assert "accuracy" in metrics.classification_report([], [])


@pytest.mark.parametrize("names", [["bag", "bag", "c", "d", "e", "f"], ["a", "accuracy", "c", "macro avg", "e", "f"]])
def test_names_that_a_dict_cannot_hold(names: list[str]) -> None:
    """Text and table have a line for each class whatever it is called; the dict refuses."""
    text = metrics.classification_report(TRUE, PRED, names)
    assert text == sk.classification_report(TRUE, PRED, target_names=names, zero_division=0)
    with pytest.raises(ValueError, match=rf"target_names must differ, .* received '{names[1]}'"):
        metrics.classification_report(TRUE, PRED, names, output_dict=True)
    pytest.importorskip("rich", reason="rich is not installed")
    table = metrics.report_table(TRUE, PRED, names)
    assert [str(cell) for cell in table.columns[0].cells] == [*names, "accuracy", "macro avg", "weighted avg"]


def test_weights() -> None:
    names = list("abcdef")
    mine = metrics.classification_report(TRUE, PRED, names, output_dict=True, sample_weight=WEIGHTS)
    theirs = sk.classification_report(
        TRUE, PRED, target_names=names, output_dict=True, sample_weight=WEIGHTS, zero_division=0
    )
    for key, row in theirs.items():
        assert mine[key] == pytest.approx(row, rel=1e-12)
    text = metrics.classification_report(TRUE, PRED, names, sample_weight=WEIGHTS)
    assert f"{WEIGHTS[TRUE == 0].sum():.2f}" in text.splitlines()[2]


def test_rich_table() -> None:
    rich = pytest.importorskip("rich", reason="rich is not installed")
    names = ["[red]", "bag", "coat", "dress", "shirt", "hat"]
    rows = metrics.classification_report(TRUE, PRED, names, output_dict=True)
    out = io.StringIO()
    metrics.print_classification_report(TRUE, PRED, names, digits=3, title="[b]Test[/b]", file=out)
    text = out.getvalue()
    assert "[b]Test[/b]" in text
    for name in names:  # a class's name is text, not markup
        line = next(s for s in text.splitlines() if f" {name} " in s)
        assert f"{rows[name]['recall']:.3f}" in line
        assert str(rows[name]["support"]) in line
    console = rich.console.Console(record=True, file=io.StringIO(), width=80)
    console.print(metrics.report_table(TRUE, PRED, names))
    shown = console.export_html(inline_styles=True)
    worst = min(names, key=lambda n: rows[n]["f1-score"])
    assert worst == "coat"  # never predicted
    assert re.search(r'color: #800000[^>]*"> *coat *<', shown)


def test_report_without_rich(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module in ("rich", "rich.console", "rich.table", "rich.text"):
        monkeypatch.setitem(sys.modules, module, None)
    metrics.print_classification_report(TRUE, PRED, title="Test")
    assert capsys.readouterr().out == "Test\n\n" + metrics.classification_report(TRUE, PRED)
    with pytest.raises(ImportError, match=r'pip install "fastcnn\[rich\]"'):
        metrics.report_table(TRUE, PRED)


@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        ([0, 1], [0], "same length, received 2 and 1"),
        ([0, -1], [0, 0], "y_true must hold class numbers from 0, received -1"),
        ([0, 1], [0, 0.5], "y_pred must hold class numbers from 0, received 0.5"),
        ([0, np.nan], [0, 0], "received nan"),
        (["a", "b"], [0, 1], "y_true must hold class numbers"),
        (np.zeros((2, 2, 2)), [0, 1], "y_true must hold class numbers"),
    ],
)
def test_bad_input(true: Any, pred: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.confusion_matrix(true, pred)
    with pytest.raises(ValueError, match=message):
        metrics.classification_report(true, pred)


def test_too_few_classes() -> None:
    with pytest.raises(ValueError, match=r"classes must be from 0 to 4 \(num_classes=5\), received 5"):
        metrics.confusion_matrix(TRUE, PRED, 5)
    with pytest.raises(ValueError, match="num_classes=2"):
        metrics.classification_report(TRUE, PRED, ["a", "b"])
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        metrics.confusion_matrix(TRUE, PRED, sample_weight=[1.0])

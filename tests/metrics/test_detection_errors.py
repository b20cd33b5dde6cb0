"""Mistakes of detectors: their kinds, and what each costs, in scenes where both can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from detection_data import judged, make_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn.metrics import CocoMetrics, DetectionErrors

KINDS = ["classification", "localization", "both", "duplicate", "background", "missed"]
BOX, HALF, FAR = [0.0, 0.0, 40.0, 40.0], [0.0, 0.0, 40.0, 12.0], [200.0, 200.0, 240.0, 240.0]


def errors_of(boxes: list[Any], labels: list[int], truths: list[Any], true_labels: list[int]) -> DetectionErrors:
    """Of one image, the first detection the surest; its id is 5."""
    judge = CocoMetrics(["cat", "dog"])
    judge.update(5, boxes, np.linspace(0.9, 0.1, len(boxes)), labels, truths, true_labels)
    errors = judge.errors()
    assert errors.ap == pytest.approx(judge.result()["AP50"])
    return errors


@pytest.mark.parametrize(
    ("kind", "boxes", "labels", "gain"),
    [
        # A false alarm before the dog, found last: its AP is 1/2, and 1 without the mistake; the cat's is 0 or 1.
        ("classification", [BOX, FAR], [1, 1], 0.75),
        ("localization", [HALF, FAR], [0, 1], 0.5),
        ("both", [HALF, FAR], [1, 1], 0.25),
        ("duplicate", [FAR, FAR], [1, 1], 0.0),
        ("background", [[100, 0, 140, 40], FAR], [1, 1], 0.25),
        ("missed", [FAR], [1], 0.0),
    ],
)
def test_one_mistake(kind: str, boxes: list[Any], labels: list[int], gain: float) -> None:
    errors = errors_of(boxes, labels, [BOX, FAR], [0, 1])
    expected = dict.fromkeys(KINDS, 0) | {kind: 1}
    if kind in ("both", "duplicate", "background"):
        expected["missed"] = 1  # no detection was meant for the cat
    assert errors.counts == expected
    assert errors.gains[kind] == pytest.approx(gain)
    (mistake,) = errors.mistakes(kind)
    assert mistake.image_id == 5
    if kind == "missed":
        assert (mistake.label, mistake.box, mistake.true_label) == (None, None, 0)
    else:
        wrong = 1 if kind == "duplicate" else 0
        assert mistake.label == labels[wrong]
        np.testing.assert_array_equal(mistake.box, boxes[wrong])  # type: ignore[arg-type]
        assert mistake.true_label == {"background": None, "duplicate": 1}.get(kind, 0)


def test_missed_objects_cost_what_their_recall_would_bring() -> None:
    errors = errors_of([BOX], [0], [BOX, FAR], [0, 0])
    assert errors.counts["missed"] == 1
    assert errors.ap == pytest.approx(51 / 101)
    assert errors.gains["missed"] == errors.false_negatives == pytest.approx(50 / 101)
    assert errors.false_positives == 0


def test_of_several_for_one_object_only_the_surest_is_made_right() -> None:
    """Two badly placed ones for one object: the second is taken out, not counted as found again."""
    errors = errors_of([HALF, [0, 0, 12, 40]], [0, 0], [BOX], [0])
    assert errors.counts["localization"] == 2
    assert errors.gains["localization"] == pytest.approx(1.0)


def test_wrong_class_before_found_twice() -> None:
    """A second dog where a cat is as well: it was meant for the cat, and finds it once that is put right."""
    errors = errors_of([BOX, BOX], [1, 1], [BOX, BOX], [1, 0])
    assert errors.counts == dict.fromkeys(KINDS, 0) | {"classification": 1}
    assert errors.mistakes("classification")[0].true_label == 0
    assert errors.gains["classification"] == pytest.approx(0.5)


def test_any_overlap_may_be_meant() -> None:
    """With background=0 only what touches nothing is background."""
    judge = CocoMetrics(["cat"])
    judge.update(1, [[38, 38, 78, 78], FAR], [0.9, 0.8], [0, 0], [BOX], [0])
    assert judge.errors(background=0.0).counts == dict.fromkeys(KINDS, 0) | {"localization": 1, "background": 1}
    assert judge.errors().counts == dict.fromkeys(KINDS, 0) | {"background": 2, "missed": 1}


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), on_grid=st.booleans(), crowds=st.sampled_from([0.0, 0.3]))
def test_every_false_alarm_has_one_kind(seed: int, on_grid: bool, crowds: float) -> None:
    rows = make_rows(seed, 6, 3, 30, 8, on_grid, crowds)
    judge = judged(rows, 3)
    errors = judge.errors()
    assert errors.ap == pytest.approx(judge.result()["AP50"], abs=1e-12)
    curves = [judge.precision_recall(c) for c in range(3)]
    wrong = sum(round(len(c.precision) * (1 - c.precision[-1])) for c in curves if len(c.precision))
    assert sum(errors.counts[kind] for kind in KINDS[:5]) == wrong
    unfound = sum(round(c.objects * (1 - c.recall[-1])) if len(c.recall) else c.objects for c in curves)
    assert errors.counts["missed"] <= unfound
    assert all(0 <= gain <= 1 for gain in errors.gains.values())
    scores = [mistake.score for mistake in errors.mistakes("background", 1000)]
    assert len(scores) == errors.counts["background"]
    assert scores == sorted(scores, reverse=True)


def test_nothing_and_bad_input() -> None:
    errors = CocoMetrics().errors()
    assert set(errors.counts.values()) == {0}
    assert errors.ap == -1.0
    assert errors.mistakes("missed") == []
    with pytest.raises(ValueError, match=r"Unknown kind of mistake .miss.\. Did you mean .missed."):
        errors.mistakes("miss")
    with pytest.raises(ValueError, match=r"background must be a number from 0 to 0\.5, received 0\.6"):
        CocoMetrics().errors(background=0.6)

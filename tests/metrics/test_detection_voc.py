"""VOC's numbers: against its rules written down one by one, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from detection_data import Row, make_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn.metrics import VocMetrics
from fastcnn.reference.judging import overlaps

BOX, NEAR, FAR = [10.0, 10.0, 50.0, 50.0], [12.0, 10.0, 52.0, 50.0], [200.0, 200.0, 240.0, 240.0]


def _sides(boxes: np.ndarray) -> np.ndarray:
    wide = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([wide[:, :2], wide[:, 2:] - wide[:, :2]], 1)


def by_the_rules(rows: list[Row], label: int) -> tuple[float, float]:
    """The two average precisions of one class, detection by detection."""
    hits, count, taken = [], 0, set()
    listed = []
    for image, boxes, scores, labels, true_boxes, true_labels, difficult, _ in sorted(rows, key=lambda row: row[0]):
        mine = true_labels == label
        truths, hard = _sides(true_boxes)[mine], difficult[mine]
        count += int(np.sum(~hard))
        listed += [
            (score, image, box, truths, hard)
            for box, score, its in zip(_sides(boxes), scores, labels) if its == label
        ]  # fmt: skip
    for _, image, box, truths, hard in sorted(listed, key=lambda item: -item[0]):
        share = overlaps(box, truths, np.zeros(len(truths)))[0]
        best = int(np.argmax(share)) if len(share) else -1
        if best < 0 or share[best] < 0.5:
            hits.append(False)
        elif not hard[best]:
            hits.append((image, best) not in taken)
            taken.add((image, best))
    if not count:
        return -1.0, -1.0
    found = np.cumsum(hits)
    precision, recall = found / (np.arange(len(hits)) + 1), found / count
    area = sum(precision[i:].max() / count for i in range(len(hits)) if hits[i])
    eleven = sum(precision[recall >= k / 10].max(initial=0) for k in range(11)) / 11
    return float(area), float(eleven)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), images=st.integers(1, 5), truths=st.integers(0, 8), on_grid=st.booleans())
def test_follows_the_rules(seed: int, images: int, truths: int, on_grid: bool) -> None:
    rows, judge = make_rows(seed, images, 2, 25, truths, on_grid), VocMetrics(["cat", "dog"])
    for row in rows:
        judge.update(*row[:7])
    table = judge.per_class()
    expected = np.array([by_the_rules(rows, label) for label in range(2)])
    ours = np.array([[row["AP50"], row["AP50_11"]] for row in table.values()])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)
    known = expected[expected[:, 0] >= 0]
    means = known.mean(0) if len(known) else np.full(2, -1.0)
    np.testing.assert_allclose(list(judge.result().values()), means, rtol=0, atol=1e-12)


def test_by_hand() -> None:
    """Found, found again, a false alarm, found: recall 1/3 at precision 1, 2/3 at 1/2; one is missed."""
    judge = VocMetrics(["thing"])
    other = [100.0, 10.0, 140.0, 50.0]
    judge.update(1, [BOX, NEAR, FAR, other], [0.9, 0.8, 0.7, 0.6], [0] * 4, [BOX, other, [0, 0, 5, 5]], [0] * 3)
    numbers = judge.result()
    assert numbers["AP50"] == pytest.approx(1 / 3 + 1 / 6)
    assert numbers["AP50_11"] == pytest.approx((4 * 1 + 3 * 0.5) / 11)
    np.testing.assert_allclose(judge.precision_recall("thing").precision, [1, 1 / 2, 1 / 3, 1 / 2])


def test_difficult_objects_count_for_nothing() -> None:
    judge = VocMetrics(["thing"])
    judge.update(1, [BOX, NEAR, FAR], [0.9, 0.8, 0.1], [0] * 3, [BOX, FAR], [0, 0], [True, False])
    assert judge.result() == {"AP50": 1.0, "AP50_11": 1.0}
    assert judge.per_class()["thing"]["objects"] == 1


def test_a_second_object_does_not_help() -> None:
    """Both overlap the same object most: the second is wrong, although the other object would do."""
    judge = VocMetrics(["thing"])
    judge.update(1, [BOX, BOX], [0.9, 0.8], [0, 0], [BOX, [10, 10, 50, 42]], [0, 0])
    assert judge.result()["AP50"] == 0.5


def test_overlaps_are_those_of_boxes_that_name_their_last_pixel() -> None:
    """VOC's own boxes count pixels from 1, and end with the last one: one off at the left and the top, and the same."""
    rng = np.random.default_rng(0)
    first = rng.integers(1, 30, (50, 2))
    named = np.concatenate([first, first + rng.integers(0, 30, (50, 2))], 1)
    wide = np.minimum(named[:, None, 2:], named[None, :, 2:]) - np.maximum(named[:, None, :2], named[None, :, :2]) + 1
    both = np.maximum(wide, 0).prod(-1)
    areas = (named[:, 2:] - named[:, :2] + 1).prod(-1)
    expected = both / (areas[:, None] + areas - both)
    ours = overlaps(_sides(named - [1, 1, 0, 0]), _sides(named - [1, 1, 0, 0]), np.zeros(50))
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    near = int(expected[0, 1:].argmax()) + 1
    judge = VocMetrics(["thing"], iou_threshold=float(expected[0, near]))
    judge.update(1, named[:1] - [1, 1, 0, 0], [0.5], [0], named[near : near + 1] - [1, 1, 0, 0], [0])
    assert next(iter(judge.result().values())) == 1.0


def test_nothing_and_bad_input() -> None:
    judge = VocMetrics(iou_threshold=0.75)
    assert judge.result() == {"AP75": -1.0, "AP75_11": -1.0}
    with pytest.raises(ValueError, match="difficult of image 1 must have a number for each of 1 boxes"):
        judge.update(1, [BOX], [0.5], [0], [BOX], [0], [True, False])
    with pytest.raises(ValueError, match="iou_threshold must be a number above 0"):
        VocMetrics(iou_threshold=0)

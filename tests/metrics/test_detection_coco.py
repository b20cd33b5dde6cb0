"""COCO's numbers: against pycocotools where it is installed, and on what can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from detection_data import as_coco, judged, make_rows, pycocotools_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn.metrics import CocoMetrics

TWELVE = [
    "AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100", "AR_small", "AR_medium",
    "AR_large",
]  # fmt: skip
BOX = [10.0, 10.0, 50.0, 40.0]
EMPTY: list[list[float]] = []


def equal_to_pycocotools(rows: list[Any], classes: int) -> None:
    judge = judged(rows, classes)
    theirs = pycocotools_eval(*as_coco(rows, classes))
    ours = judge.result()
    assert list(ours) == TWELVE
    np.testing.assert_allclose(list(ours.values()), theirs.stats, rtol=0, atol=1e-9)
    table = judge.per_class()
    for c in range(classes):
        every = theirs.eval["precision"][:, :, c, 0, -1]
        assert table[f"class {c}"]["AP"] == pytest.approx(every.mean(), abs=1e-9)
        assert judge.precision_recall(c, 0.5).ap == pytest.approx(every[0].mean(), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31), images=st.integers(1, 6), classes=st.integers(1, 4), found=st.sampled_from([0, 2, 25]),
    truths=st.sampled_from([0, 1, 12]), on_grid=st.booleans(), crowds=st.sampled_from([0.0, 0.15, 1.0]),
)  # fmt: skip
def test_equal_to_pycocotools(
    seed: int, images: int, classes: int, found: int, truths: int, on_grid: bool, crowds: float
) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    rows = make_rows(seed, images, classes, found, truths, on_grid, crowds)
    if not sum(len(row[1]) for row in rows):  # pycocotools can't load results that are empty
        assert set(judged(rows, classes).result().values()) <= {0.0, -1.0}
        return
    equal_to_pycocotools(rows, classes)


@pytest.mark.parametrize("on_grid", [False, True])
def test_more_detections_than_are_looked_at(on_grid: bool) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    rows = make_rows(5, 4, 2, 600, 40, on_grid)
    assert max(len(row[1]) for row in rows) > 300
    equal_to_pycocotools(rows, 2)
    theirs = pycocotools_eval(*as_coco(rows, 2), limits=(2, 5, 20)).eval["recall"][:, :, 0, :]
    ours = judged(rows, 2, max_detections=(5, 20, 2)).result()
    np.testing.assert_allclose([ours["AR2"], ours["AR5"], ours["AR20"]], theirs.mean((0, 1)), rtol=0, atol=1e-9)


def test_by_hand() -> None:
    """One object found of two, between two false alarms: recall 1/2, precision 1/2 up to there."""
    judge = CocoMetrics(["thing"])
    far, other = [200.0, 200.0, 240.0, 240.0], [300.0, 10.0, 340.0, 50.0]
    judge.update("a", [far, BOX, far], [0.9, 0.8, 0.1], [0, 0, 0], [BOX, other], [0, 0])
    numbers = judge.result()
    assert numbers["AP"] == numbers["AP50"] == numbers["AP75"] == pytest.approx(0.5 * 51 / 101)
    assert (numbers["AR1"], numbers["AR10"], numbers["AR100"]) == (0.0, 0.5, 0.5)
    assert (numbers["AP_small"], numbers["AP_large"]) == (-1.0, -1.0)
    curve = judge.precision_recall("thing")
    np.testing.assert_allclose(curve.precision, [0, 1 / 2, 1 / 3])
    np.testing.assert_allclose(curve.recall, [0, 1 / 2, 1 / 2])
    np.testing.assert_array_equal(curve.scores, [0.9, 0.8, 0.1])
    assert judge.per_class()["thing"]["detections"] == 3
    assert judge.per_class()["thing"]["objects"] == 2


def test_an_object_on_the_border_of_two_sizes_counts_in_both() -> None:
    judge = CocoMetrics(["thing"])
    judge.update(1, [[0, 0, 32, 32]], [0.5], [0], [[0, 0, 32, 32]], [0])
    numbers = judge.result()
    assert (numbers["AP_small"], numbers["AP_medium"], numbers["AP_large"]) == (1.0, 1.0, -1.0)


def test_a_crowd_takes_any_number_and_counts_for_nothing() -> None:
    judge = CocoMetrics(["thing"])
    inside = [[0, 0, 20, 20], [20, 20, 60, 60], [5, 5, 30, 30]]
    judge.update(1, [*inside, [200, 0, 240, 40]], [0.9, 0.8, 0.7, 0.1], [0] * 4, [[0, 0, 100, 100]], [0], [True])
    assert set(judge.result().values()) == {-1.0}
    judge.update(2, [BOX], [0.5], [0], [BOX], [0])
    assert judge.result()["AP"] == 1.0  # what lies in the crowd is no false alarm
    assert judge.per_class()["thing"]["objects"] == 1


def test_classes_without_objects_are_left_out() -> None:
    judge = CocoMetrics()
    judge.update(1, [BOX, BOX], [0.9, 0.8], [0, 2], [BOX], [0])
    assert judge.result()["AP"] == 1.0
    assert judge.names == ["0", "1", "2"]
    assert [row["AP"] for row in judge.per_class().values()] == [1.0, -1.0, -1.0]


def test_nothing_taken_in() -> None:
    judge = CocoMetrics()
    assert set(judge.result().values()) == {-1.0}
    assert judge.per_class() == {}
    judge.update(1, EMPTY, [], [], EMPTY, [])
    assert set(judge.result().values()) == {-1.0}
    assert len(judge) == 1


def test_the_order_of_images_does_not_matter_and_more_may_come() -> None:
    rows = make_rows(1, 9, 3, 20, 6, True)
    forward, backward = judged(rows, 3), judged(rows[::-1], 3)
    assert forward.result() == backward.result()
    piecewise = judged(rows[:4], 3)
    assert piecewise.result() != forward.result()
    for row in rows[4:]:
        piecewise.update(*row)
    assert piecewise.result() == forward.result()
    piecewise.reset_state()
    assert len(piecewise) == 0
    assert set(piecewise.result().values()) == {-1.0}


def test_same_bits_for_any_number_of_threads(keep_threads: None) -> None:
    from fastcnn import set_num_threads

    rows, results = make_rows(2, 40, 5, 60, 8, False), []
    for threads in (1, 2, 3):
        set_num_threads(threads)
        results.append(judged(rows, 5).result())
    assert results[0] == results[1] == results[2]


def test_other_thresholds_and_sizes() -> None:
    judge = CocoMetrics(["thing"], iou_thresholds=[0.3, 0.75], area_ranges={"tiny": (0, 100)}, max_detections=[4])
    judge.update(1, [[0, 0, 10, 10]], [0.5], [0], [[0, 0, 10, 5]], [0])
    assert judge.result() == {"AP": 0.5, "AP75": 0.0, "AP_tiny": 0.5, "AR4": 0.5, "AR_tiny": 0.5}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_id": 7}, "image_id must be another for each image, received 7 twice"),
        ({"boxes": [[0, 0, np.nan, 1]]}, r"boxes of image 1 must be finite .* received \[0.0, 0.0, nan, 1.0\]"),
        ({"boxes": [[np.inf, 0, np.inf, 1]]}, r"boxes of image 1 must be finite .* received \[inf, 0.0, inf, 1.0\]"),
        ({"boxes": [[5, 0, 1, 1]]}, r"boxes of image 1 must be finite with left <= right .* \[5, 0, 1, 1\]"),
        ({"true_boxes": [1, 2, 3, 4]}, r"true_boxes of image 1 must be numbers of shape \(k, 4\).*\(4,\)"),
        ({"scores": [np.nan]}, "scores of image 1 must be finite, received nan"),
        ({"scores": [0.5, 0.5]}, r"scores of image 1 must have a number for each of 1 boxes, received shape \(2,\)"),
        ({"labels": [2]}, "labels of image 1 must be from 0 to 1, received 2"),
        ({"true_labels": [-1]}, "true_labels of image 1 must be from 0 to 1, received -1"),
        ({"crowd": [True, False]}, r"crowd of image 1 must have a number for each of 1 boxes"),
        ({"areas": [np.inf]}, r"areas of image 1 must be finite and not negative, received \[inf\]"),
    ],
)
def test_bad_input(change: dict[str, Any], words: str) -> None:
    judge = CocoMetrics(["cat", "dog"])
    judge.update(7, EMPTY, [], [], EMPTY, [])
    given = {"image_id": 1, "boxes": [BOX], "scores": [0.5], "labels": [1], "true_boxes": [BOX], "true_labels": [0]}
    with pytest.raises(ValueError, match=words):
        judge.update(**{**given, **change})
    assert len(judge) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"class_names": ["a", "a"]}, "class_names must be names that differ"),
        ({"class_names": []}, "class_names must be names"),
        ({"iou_thresholds": [0.0]}, "iou_thresholds must be numbers above 0, up to 1"),
        ({"iou_thresholds": [1.5]}, "iou_thresholds must be a number from 0 to 1"),
        ({"max_detections": []}, "max_detections must have at least one number"),
        ({"max_detections": [0]}, "max_detections must be at least 1"),
        ({"area_ranges": {"odd": (5, 1)}}, r"area_ranges must be \(smallest, largest\) areas"),
        ({"area_ranges": {"odd": 3}}, r"area_ranges must be \(smallest, largest\) areas, received 3 for odd"),
        ({"area_ranges": 5}, "area_ranges must be a dict"),
        ({"iou_thresholds": 0.5}, r"iou_thresholds must be a list of numbers, received 0\.5"),
        ({"max_detections": 5}, "max_detections must be a list of numbers, received 5"),
        ({"class_names": 5}, "class_names must be a list of names, received 5"),
    ],
)
def test_bad_settings(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        CocoMetrics(**arguments)


def test_wrong_types() -> None:
    judge = CocoMetrics()
    with pytest.raises(TypeError, match=r"image_id must be an int or a str, received 1\.5"):
        judge.update(1.5, EMPTY, [], [], EMPTY, [])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="labels of image 1 must be class numbers"):
        judge.update(1, [BOX], [0.5], [0.5], EMPTY, [])
    with pytest.raises(ValueError, match="label must be a class's name or number"):
        judge.precision_recall("cat")

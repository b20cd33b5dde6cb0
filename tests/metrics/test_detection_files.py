"""COCO's two JSON files: read, judged and written as pycocotools does, and every kind of broken entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_data import as_coco, judged, make_rows, pycocotools_eval

from fastcnn.metrics import CocoMetrics, save_coco_results

Files = tuple[Path, Path]


def written(folder: Path, truth: Any, results: Any) -> Files:
    paths = folder / "truth.json", folder / "results.json"
    for path, content in zip(paths, (truth, results)):
        path.write_text(json.dumps(content), encoding="utf-8")
    return paths


@pytest.mark.parametrize("on_grid", [False, True])
def test_files_are_judged_as_what_was_taken_in(tmp_path: Path, on_grid: bool) -> None:
    rows = make_rows(3, 12, 4, 30, 8, on_grid)
    judge = judged(rows, 4)
    truth, results = as_coco(rows, 4)
    files = written(tmp_path, truth, results)
    again = CocoMetrics.from_files(*files)
    assert again.names == judge.names
    assert again.result() == judge.result()
    assert again.per_class() == judge.per_class()


def test_boxes_of_files_are_those_that_pycocotools_sees(tmp_path: Path) -> None:
    """With fractions, right = left + width is rounded: overlaps right on a threshold depend on it."""
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    rng = np.random.default_rng(0)
    truth: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 3, "name": "thing"}], "info": {}}
    results = []
    for image in range(60):
        x, y, w, h = (rng.integers(1, 400, 4) / 10).tolist()
        share = rng.choice(np.arange(10, 20) / 20)
        truth["images"].append({"id": image})
        entry = {"image_id": image, "category_id": 3}
        truth["annotations"].append({**entry, "id": image + 1, "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0})
        results.append({**entry, "bbox": [x, y, w * share, h], "score": float(rng.random())})
    ours = CocoMetrics.from_files(*written(tmp_path, truth, results)).result()
    theirs = pycocotools_eval(truth, results)
    np.testing.assert_allclose(list(ours.values()), theirs.stats, rtol=0, atol=1e-9)


@pytest.mark.parametrize("names", [False, True])
def test_what_is_saved_is_read_again(tmp_path: Path, names: bool) -> None:
    rows = [(f"picture {r[0]}", *r[1:]) if names else r for r in make_rows(4, 5, 3, 20, 6, True)]
    judge = judged(rows, 3)
    paths = tmp_path / "a.json", tmp_path / "b.json"
    judge.save_files(*paths)
    again = CocoMetrics.from_files(*paths)
    assert again.names == judge.names
    assert again.per_class() == judge.per_class()
    listed = json.loads(paths[0].read_text())["images"]
    if names:
        assert [i["id"] for i in listed] == [1, 2, 3, 4, 5]
        assert {i["file_name"] for i in listed} == {row[0] for row in rows}
    else:
        assert [i["id"] for i in listed] == sorted(row[0] for row in rows)


def test_results_format(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    boxes = np.array([[1, 2, 11, 22.5], [0, 0, 5, 5]], np.float32)
    save_coco_results(path, [(7, boxes, [0.5, 0.25], [0, 2]), (8, [], [], [])])
    first = {"image_id": 7, "category_id": 1, "bbox": [1.0, 2.0, 10.0, 20.5], "score": 0.5}
    assert json.loads(path.read_text()) == [
        first, {"image_id": 7, "category_id": 3, "bbox": [0.0, 0.0, 5.0, 5.0], "score": 0.25}
    ]  # fmt: skip
    save_coco_results(path, [(np.int64(7), boxes[:1], [0.5], [0])], category_ids=[90])
    assert json.loads(path.read_text()) == [{**first, "category_id": 90}]
    for detections, words in (
        ([(1, boxes, [0.5], [0, 1])], "boxes, scores and labels of image 1 must be equally many, received 2, 1 and 2"),
        ([(1, boxes[:1], [np.nan], [0])], "scores of image 1 must be finite"),
        ([(None, boxes[:1], [0.5], [0])], "image_id must be an int or a str, received None"),
        ([(1, boxes[:1], [0.5])], r"detections must be tuples \(image_id, boxes, scores, labels\)"),
        ([(1, boxes[:1], [0.5], [1])], "category_ids must have one for each class, received 1 for class 1"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            save_coco_results(path, detections, category_ids=[90])
    assert json.loads(path.read_text()) == [{**first, "category_id": 90}]


def good() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    entry = {"image_id": 1, "category_id": 5, "bbox": [0, 0, 10, 10]}
    truth = {
        "images": [{"id": 1}, {"id": 2}], "categories": [{"id": 5, "name": "cat"}],
        "annotations": [{**entry, "id": 1, "area": 100, "iscrowd": 0}, {**entry, "id": 2}],
    }  # fmt: skip
    return truth, [{**entry, "score": 0.5}]


def test_what_may_be_left_out(tmp_path: Path) -> None:
    judge = CocoMetrics.from_files(*written(tmp_path, *good()))
    assert len(judge) == 2
    assert judge.per_class()["cat"]["objects"] == 2
    truth, _ = good()
    truth["categories"] = [{"id": 5}, {"id": 6, "name": "x"}, {"id": 7, "name": "x"}]
    assert CocoMetrics.from_files(*written(tmp_path, truth, [])).names == ["5", "x (6)", "x (7)"]


@pytest.mark.parametrize(
    ("part", "place", "change", "words"),
    [
        ("images", 1, {"id": 1}, "truth.json: image 1 is there twice"),
        ("categories", 0, {"id": None}, "truth.json: each category must have an id"),
        ("annotations", 1, {"id": 1}, "truth.json: annotation 1 must have an integer or a string of its own"),
        ("annotations", 1, {"id": []}, r"truth.json: annotation \[\] must have"),
        ("annotations", 1, {"image_id": 3}, "truth.json: annotation 2: there is no image 3"),
        ("annotations", 1, {"image_id": [3]}, r"truth.json: annotation 2: there is no image \[3\]"),
        ("annotations", 0, {"category_id": "5"}, "truth.json: annotation 1: there is no category '5'"),
        ("annotations", 0, {"bbox": [0, 0, -1, 5]}, r"annotation 1: bbox must be left, top, .* \[0, 0, -1, 5\]"),
        ("annotations", 0, {"area": float("nan")}, "annotation 1: area must be a finite number"),
        ("results", 0, {"image_id": 9}, "results.json: detection 1: there is no image 9"),
        ("results", 0, {"category_id": 1}, "results.json: detection 1: there is no category 1"),
        ("results", 0, {"bbox": [0, 0, float("inf"), 1]}, "results.json: detection 1: bbox must be"),
        ("results", 0, {"bbox": None}, "results.json: detection 1: bbox must be .* received None"),
        ("results", 0, {"score": float("nan")}, "results.json: detection 1: score must be a finite number"),
        ("results", 0, {"score": True}, "results.json: detection 1: score must be a finite number, received True"),
    ],
)
def test_broken_entries(tmp_path: Path, part: str, place: int, change: dict[str, Any], words: str) -> None:
    truth, results = good()
    (results if part == "results" else truth[part])[place].update(change)
    with pytest.raises(ValueError, match=words):
        CocoMetrics.from_files(*written(tmp_path, truth, results))


@pytest.mark.parametrize(
    ("truth", "results", "words"),
    [
        ([], [], "truth.json must have the lists images, annotations, categories"),
        ({"images": [], "annotations": [], "categories": []}, {}, "results.json must be a list of detections"),
        ({"images": [3], "annotations": [], "categories": []}, [], "each image must have an id"),
        ({"images": [], "annotations": [3], "categories": []}, [], "annotation 1 must be an object with"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, truth: Any, results: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CocoMetrics.from_files(*written(tmp_path, truth, results))


def test_no_json(tmp_path: Path) -> None:
    truth, results = written(tmp_path, *good())
    results.write_text('[{"image_id": 1')
    with pytest.raises(ValueError, match=r"results\.json can't be read as JSON"):
        CocoMetrics.from_files(truth, results)
    with pytest.raises(FileNotFoundError):
        CocoMetrics.from_files(tmp_path / "none.json", results)

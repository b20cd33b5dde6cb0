"""Pictures with boxes: YOLO's text files, tables, and boxes as training takes them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boxed_pictures import annotation, picture, voc, yolo

from fastcnn.data import (
    DetectionTargets,
    detection_dataset_from_csv,
    detection_dataset_from_voc,
    detection_dataset_from_yolo,
    detection_targets,
)

# ---------------------------------------------------------------- YOLO


def test_yolo(tmp_path: Path) -> None:
    root = yolo(tmp_path / "set", {
        "train/a": "1 0.5 0.5 0.2 0.4\n0 0.25 0.5 0.5 1\n\n", "train/b": "", "val/c": "1 0.2 0.2 0.6 0.2 0.4 0.8\n",
        "val/d": None,
    })  # fmt: skip
    options: dict[str, Any] = {"image_size": (10, 20), "shuffle": False}
    dataset = detection_dataset_from_yolo(root, details=True, **options)
    assert dataset.class_names == ["0", "1"]
    _, labels, boxes, details = dataset.peek()
    assert [v.tolist() for v in labels] == [[1, 0], [], [1], []]
    np.testing.assert_allclose(boxes[0], [[8, 3, 12, 7], [0, 0, 10, 10]], atol=1e-5)
    np.testing.assert_allclose(boxes[2], [[4, 2, 12, 8]], atol=1e-5)  # around an outline
    np.testing.assert_allclose(details[0].areas, [16, 100])
    assert (details[0].image_id, details[0].size) == ("images/train/a.png", (10, 20))
    (root / "classes.txt").write_text("dog\ncat\nowl\n")
    part = detection_dataset_from_yolo(root, "val", **options)
    assert part.class_names == ["dog", "cat", "owl"]
    assert len(part.peek()[0]) == 2
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in root.rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path))
    packed = detection_dataset_from_yolo(tmp_path / "all.zip" / "set", class_names=["x", "y"], **options)
    assert packed.class_names == ["x", "y"] and len(packed.peek()[0]) == 4
    with pytest.raises(ValueError, match=r"class_names must be the lines of .*classes\.txt.*'cat', 'dog'"):
        detection_dataset_from_yolo(root, class_names=["cat", "dog"], **options)
    beside = tmp_path / "beside"
    picture(beside / "a.jpg", 1)
    (beside / "a.txt").write_text("3 0.5 0.5 1 1")
    found = detection_dataset_from_yolo(beside, **options)
    assert found.class_names == ["0", "1", "2", "3"] and found.peek()[1][0].tolist() == [3]


def test_what_is_wrong_in_yolo_files_is_named_and_counted(tmp_path: Path) -> None:
    root = yolo(tmp_path / "set", {
        "a": "0 0.5 0.5 0 0.4\n0 nan 0.5 0.2 0.4\n0 0.5 0.5 0.2\n2 0.5 0.5 0.2 0.2\n0.5 0.5 0.5 0.2 0.2\n"
             "dog 0.5 0.5 1 1\n-1 0.5 0.5 0.2 0.2\n0 320 200 50 50\n0 0.9 0.5 0.4 0.4\n"
             "1 0.5 0.5 0.2 0.4\n1 0.5 0.5 0.2 0.4",
        "b": "0 0.5 0.5 1.0001 1",
    })  # fmt: skip
    (root / "labels" / "lost.txt").write_text("0 0.5 0.5 1 1")
    (root / "labels" / "b.txt.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"(?s)^12 entries.*a\.txt, line 1: its box.*and 7 more"):
        detection_dataset_from_yolo(root, class_names=["x", "y"], on_error="raise")
    with pytest.warns(UserWarning, match="12 entries"):
        dataset = detection_dataset_from_yolo(root, class_names=["x", "y"], shuffle=False, image_size=(10, 20))
    told = "\n".join(dataset.problems)
    for line, part in {
        1: "its box, in shares of the picture, has no area", 2: "its box is not finite", 3: "expected a class and a",
        4: "the class must be a number from 0 to 1, received '2'", 5: "the class must be a number",
        6: "expected numbers", 7: "the class must be a number",
        8: "its box, in shares of the picture, lies outside of the picture: (295",
        9: "reaches out of the picture and is cut off", 11: "is there twice",
    }.items():  # fmt: skip
        assert any(f"a.txt, line {line}: " in problem and part in problem for problem in dataset.problems), (line, told)
    assert all(any(name in problem for problem in dataset.problems) for name in ("lost.txt", "b.txt.txt"))
    _, labels, boxes = dataset.peek()
    assert [v.tolist() for v in labels] == [[0, 1], [0]]
    assert boxes[1].tolist() == [[0, 0, 20, 10]]
    for image_set, message in (
        ("val", "no text files of its pictures' boxes in folders 'val'"),
        (None, "no text files"),
    ):
        with pytest.raises(ValueError, match=message):
            detection_dataset_from_yolo(root if image_set else root / "images", image_set)
    (root / "images" / "list.txt").write_text("images/a.png")  # no picture's
    with pytest.raises(ValueError, match="no text files"):
        detection_dataset_from_yolo(root / "images")
    with pytest.raises(ValueError, match="class_names must be different names"):
        detection_dataset_from_yolo(root, class_names=["x", "x"])


# ---------------------------------------------------------------- tables with boxes

TABLES = {
    "named": "filename,width,height,class,xmin,ymin,xmax,ymax\n"
             "a.png,20,10,dog,2,1,10,9\nb.png,20,10,,,,,\na.png,20,10,cat,0,0,5,5\n",
    "plain": "a.png,2,1,10,9,dog\nb.png,,,,,\na.png,0,0,5,5,cat\n",
    "detours": "a.png,2,1,10,9,dog\n./b.png,,,,,\n./a.png,0,0,5,5,cat\nb.png,,,,,\n",
    "another order": "label,x1,y1,x2,y2,path\ndog,2,1,10,9,a.png\n,,,,,b.png\ncat,0,0,5,5,a.png\n",
}  # fmt: skip


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_tables_with_boxes(tmp_path: Path, text: str) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png", 9)
    (tmp_path / "list.csv").write_text(text)
    dataset = detection_dataset_from_csv(tmp_path / "list.csv", image_size=(10, 20), shuffle=False, details=True)
    assert dataset.class_names == ["cat", "dog"]
    _, labels, boxes, details = dataset.peek()
    assert [v.tolist() for v in labels] == [[1, 0], []]
    assert boxes[0].tolist() == [[2, 1, 10, 9], [0, 0, 5, 5]]
    assert [one.image_id for one in details] == ["a.png", "b.png"]


def test_tables_with_names_of_their_own(tmp_path: Path) -> None:
    picture(tmp_path / "p" / "a.png", 9)
    (tmp_path / "list.csv").write_text(f"file;l;top;r;bottom;kind\n{tmp_path}/p/a.png;2;1;10;9;dog\n")
    columns = {"left": "l", "right": "r", "label": "kind"}
    options: dict[str, Any] = {"delimiter": ";", "image_size": (10, 20)}
    dataset = detection_dataset_from_csv(tmp_path / "list.csv", columns=columns, **options)
    assert dataset.peek()[2][0].tolist() == [[2, 1, 10, 9]]
    with pytest.raises(ValueError, match=r"has no column for left: one of x1, xmin.*its first row has file, l, top"):
        detection_dataset_from_csv(tmp_path / "list.csv", **options)
    with pytest.raises(ValueError, match=r"has no column 'x'; its first row"):
        detection_dataset_from_csv(tmp_path / "list.csv", columns={"left": "x"}, **options)
    with pytest.raises(ValueError, match=r"columns: expected names for path, left.*, received 'lft'"):
        detection_dataset_from_csv(tmp_path / "list.csv", columns={"lft": "x"}, **options)


def test_tables_whose_first_thing_is_called_as_columns_are(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 9)
    (tmp_path / "list.csv").write_text("a.png,2,1,10,9,left\na.png,0,0,5,5,name\n")
    dataset = detection_dataset_from_csv(tmp_path / "list.csv")
    assert dataset.class_names == ["left", "name"] and len(dataset.peek()[1][0]) == 2
    with pytest.raises(ValueError, match="delimiter must be a single character, and no quote, received 'ab'"):
        detection_dataset_from_csv(tmp_path / "list.csv", delimiter="ab")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(tmp_path / "list.csv", "list.csv")
    with pytest.raises(ValueError, match="only pictures may be in an archive"):
        detection_dataset_from_csv(tmp_path / "all.zip" / "list.csv")


def test_what_is_wrong_in_tables_with_boxes_is_named_and_counted(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png", 9)
    path = tmp_path / "list.csv"
    path.write_text(
        "path,x1,y1,x2,y2,label\na.png,3,3,3,8,dog\na.png,nan,3,4,8,dog\na.png,30,3,40,8,dog\na.png,15,5,25,8,dog\n"
        "a.png,1,1,2,2,owl\nlost.png,1,1,2,2,dog\nlost.png,3,1,4,2,dog\n../b.png,1,1,2,2,dog\na.png,1,,2,2,dog\n"
        "a.png,1,1,2,2\na.png,x,1,2,2,dog\nb.png\n"
    )
    with pytest.raises(ValueError, match=r"(?s)^10 entries.*list.csv, line 2: its box has no area: \(3, 3, 3, 8\)"):
        detection_dataset_from_csv(path, class_names=["dog"], on_error="raise")
    with pytest.warns(UserWarning, match="10 entries"):
        dataset = detection_dataset_from_csv(path, class_names=["dog"], shuffle=False, image_size=(10, 20))
    told = "\n".join(dataset.problems)
    for part in (
        "line 3: its box is not finite", "line 4: its box lies outside of the picture of 20x10", "'owl' (1)",
        "line 5: its box reaches out of the picture of 20x10", "line 7: there is no picture", "line 11: label missing",
        "line 9: '../b.png' is no file below", "line 10: top missing", "line 12: its box must be four numbers",
    ):  # fmt: skip
        assert told.count(part) == 1, (part, told)
    _, labels, boxes = dataset.peek()
    assert [v.tolist() for v in labels] == [[0], []] and boxes[0].tolist() == [[15, 5, 20, 8]]
    for text, message in (
        ("", "lists no pictures"),
        ("path,x1,y1,x2,y2,label\n", "lists no pictures"),
        ('"a', "can't be read as a table"),
        ("\xff", "can't be read as a table"),
        (
            "lost.png,1,1,2,2,dog\n",
            r"(?s)lists no pictures.*1 entry of the listing left out:.*no picture .*lost\.png",
        ),
    ):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(ValueError, match=message):
            detection_dataset_from_csv(path)


# ---------------------------------------------------------------- every format


def test_a_thousand_boxes_on_one_picture(tmp_path: Path) -> None:
    """All are taken, in order; the array that training takes has room for the largest."""
    generator = np.random.default_rng(0)
    corners = np.sort(generator.random((1000, 2, 2)), axis=1).reshape(-1, 4) * [20, 10, 20, 10]
    kinds = generator.integers(0, 2, 1000)
    lines = [f"a.png,{','.join(map(str, box))},{'dc'[kind]}" for box, kind in zip(corners.tolist(), kinds)]
    picture(tmp_path / "a.png", 9)
    (tmp_path / "list.csv").write_text("\n".join(lines))
    dataset = detection_dataset_from_csv(tmp_path / "list.csv", image_size=(10, 20))
    _, labels, boxes = dataset.peek()
    np.testing.assert_allclose(boxes[0], corners, atol=1e-5)
    assert labels[0].tolist() == (1 - kinds).tolist()
    with pytest.warns(UserWarning, match="900 boxes left out, the smallest of images with more than max_boxes=100"):
        targets = detection_targets(labels, boxes, 100)
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    kept = np.sort(np.argsort(-areas)[:100])
    np.testing.assert_array_equal(targets[0], np.column_stack([labels[0][kept], boxes[0][kept]]).astype(np.float32))


def test_targets_as_a_step(tmp_path: Path) -> None:
    things: list[tuple[str, tuple[Any, ...]]] = [("dog", (2, 1, 10, 9)), ("cat", (0, 0, 20, 10)), ("dog", (4, 4, 8, 8))]
    root = voc(tmp_path / "set", {"a": annotation(things, difficult="010"), "b": annotation([])})
    dataset = detection_dataset_from_voc(root, details=True, shuffle=False, image_size=(10, 20))
    images, targets = dataset.map(DetectionTargets(3)).peek()
    assert images.shape == (2, 10, 20, 3) and targets.dtype == np.float32
    nothing = [-1, 0, 0, 0, 0]
    assert targets.tolist() == [[[1, 2, 1, 10, 9], [1, 4, 4, 8, 8], nothing], [nothing] * 3]
    step = DetectionTargets(1)
    with pytest.warns(UserWarning, match="1 box left out"):
        step(*dataset.peek())
    step(*dataset.peek())  # once is enough
    assert step.left_out == 2
    assert detection_targets([], [], 4).shape == (0, 4, 5)
    for labels, boxes, message in (
        ([[0]], [[[0, 0, 1, 1]] * 2], r"labels\[0\] and boxes\[0\] must be .*, received \(1,\) and \(2, 4\)"),
        ([[0.5]], [[[0, 0, 1, 1]]], r"labels\[0\] must be class numbers from 0, received \[0.5\]"),
        ([[0], [-1]], [[[0, 0, 1, 1]]] * 2, r"labels\[1\] must be class numbers from 0"),
        ([[0]], [[[0, 0, 0, 1]]], r"boxes\[0\] must be finite, left < right"),
        ([[0]], [[[0, np.nan, 1, 1]]], r"boxes\[0\] must be finite"),
        ([[0]], [], r"must be of as many images, received \[1, 0\]"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            detection_targets([np.array(one) for one in labels], boxes, 4)


def test_on_error_is_one_of_two() -> None:
    with pytest.raises(ValueError, match=r"Unknown on_error 'ignore'"):
        detection_dataset_from_yolo(".", on_error="ignore")

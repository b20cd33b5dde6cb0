"""Listings of pictures: tables with labels, VOC's and COCO's boxes, and what is wrong in them."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastcnn.data import (
    Dataset,
    PictureError,
    augment,
    detection_dataset_from_coco,
    detection_dataset_from_voc,
    image_dataset_from_csv,
)


def picture(path: Path, value: int, size: tuple[int, int] = (20, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)


# ---------------------------------------------------------------- tables


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for i in range(4):
        picture(tmp_path / "p" / f"{i}.png", 50 * i)
    path = tmp_path / "list.csv"
    rows = ["label,path,more", "dog,p/0.png,1", 'cat,"p/1.png",2', "", "dog,p\\2.png,3", f"ant,{tmp_path}/p/3.png,4"]
    path.write_text("\n".join(rows), encoding="utf-8-sig")
    return path


def content(dataset: Dataset) -> list[tuple[int, Any]]:
    return [(int(x[0, 0, 0]), y.tolist()) for xs, ys in dataset for x, y in zip(xs, ys)]


def test_tables(table: Path) -> None:
    options: dict[str, Any] = {"image_size": 4, "batch_size": 3, "shuffle": False}
    dataset = image_dataset_from_csv(table, **options)
    assert dataset.class_names == ["ant", "cat", "dog"]
    assert content(dataset) == [(0, 2), (50, 1), (100, 2), (150, 0)]
    ordered = image_dataset_from_csv(table, class_names=["dog", "cat", "ant"], label_mode="categorical", **options)
    assert [y.index(1) for _, y in content(ordered)] == [0, 1, 0, 2]
    numbers = image_dataset_from_csv(table, label_column="more", **options)
    assert [y for _, y in content(numbers)] == [1, 2, 3, 4]
    assert image_dataset_from_csv(table, label_column=None, **options).peek().shape == (3, 4, 4, 3)
    plain = table.with_name("plain.csv")
    plain.write_text("p/1.png;0\np/2.png;7\n")
    by_place = image_dataset_from_csv(plain, path_column=0, label_column=1, delimiter=";", **options)
    assert content(by_place) == [(50, 0), (100, 7)]
    with zipfile.ZipFile(table.with_name("a.zip"), "w") as archive:
        archive.write(table.with_name("p") / "1.png", "p/1.png")
    zipped = image_dataset_from_csv(plain, table.with_name("a.zip"), 0, 1, delimiter=";", on_error="skip", **options)
    with pytest.warns(UserWarning, match=r"a\.zip/p/2\.png: no such file"):
        assert content(zipped) == [(50, 0)]
    assert len(zipped.problems) == 1


def test_tables_that_do_not_do(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"list\.csv has no column 'file' in its first row; it has label, path, more"):
        image_dataset_from_csv(table, path_column="file")
    with pytest.raises(ValueError, match=r"list\.csv, line 6: the label 'ant' is none of \['dog', 'cat'\]"):
        image_dataset_from_csv(table, class_names=["dog", "cat"])
    for text, message in (
        ("path,label\n", "lists no pictures"),
        ("path,label\na.png\n", r"line 2: expected at least 2 columns, received \['a.png'\]"),
        ('path,label\n"a.png,1\n', "can't be read as a table"),
        ("path,label\n\xff", "can't be read as a table"),
    ):
        bad = tmp_path / "bad.csv"
        bad.write_bytes(text.encode("latin-1"))
        with pytest.raises(ValueError, match=rf"bad\.csv.*{message}"):
            image_dataset_from_csv(bad)
    for path in ("../a.png", "p/../../a.png", "..\\a.png", "/a.png", "C:/a.png", f"{tmp_path}/../a.png"):
        (tmp_path / "bad.csv").write_text(f"path,label\na.png,1\n{path},1\n")
        with pytest.raises(ValueError, match=r"bad\.csv, line 3: '.*a\.png' leads out of the folder"):
            image_dataset_from_csv(tmp_path / "bad.csv")
    for label in ("30000000", "9" * 20, "9" * 5000):
        (tmp_path / "bad.csv").write_text(f"path,label\na.png,1\na.png,{label}\n")
        with pytest.raises(
            ValueError, match=r"bad\.csv, line 3: the label '9*3?0*.* is no class number that is likely"
        ):
            image_dataset_from_csv(tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("path,label\nnothing.png,1\n")
    with pytest.raises(PictureError, match=r"nothing\.png: No such file"):
        list(image_dataset_from_csv(tmp_path / "bad.csv"))


# ---------------------------------------------------------------- VOC


def annotation(things: list[tuple[str, tuple[Any, ...]]], size: Any = (20, 10)) -> str:
    boxes = "".join(
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{side}>{v}</{side}>" for side, v in zip(("xmin", "ymin", "xmax", "ymax"), box))
        + "</bndbox></object>"
        for name, box in things
    )
    return f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{boxes}</annotation>"


def voc(root: Path, annotations: dict[str, str]) -> Path:
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for i, (name, text) in enumerate(annotations.items()):
        picture(root / "JPEGImages" / f"{name}.png", 10 * i)
        (root / "Annotations" / f"{name}.xml").write_text(text)
    return root


GOOD = {
    "a": annotation([("dog", (2, 1, 10, 9)), ("cat", (0, 0, 20, 10))]),
    "b": annotation([]),
    "c": annotation([("dog", (1, 2, 3, 4))]),
}


@pytest.mark.parametrize("zipped", [False, True])
def test_voc(tmp_path: Path, zipped: bool) -> None:
    place = root = voc(tmp_path / "set", GOOD)
    (root / "ImageSets" / "Main" / "train.txt").write_text("c\na 1\n")
    if zipped:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            for path in root.rglob("*.*"):
                archive.write(path, path.relative_to(tmp_path))
        place = tmp_path / "all.zip" / "set"
    dataset = detection_dataset_from_voc(place, batch_size=2, image_size=(30, 40), shuffle=False)
    assert dataset.class_names == ["cat", "dog"]
    (images, labels, boxes), (_, more, last) = dataset
    assert images.shape == (2, 30, 40, 3)
    assert [v.tolist() for v in labels + more] == [[1, 0], [], [1]]
    assert boxes[0].tolist() == [[4, 3, 20, 27], [0, 0, 40, 30]]  # twice as wide, three times as high
    assert boxes[1].shape == (0, 4)
    assert boxes[0].dtype == np.float32
    assert last[0].tolist() == [[2, 6, 6, 12]]
    with pytest.warns(UserWarning, match=r"1 entry of the listing is.*\n.*a\.xml: box 2 \(cat\) reaches out"):
        subset = detection_dataset_from_voc(place, "train", ["dog"], True, image_size=(10, 20), shuffle=False)
    _, labels, boxes = subset.peek()
    assert [v.tolist() for v in labels] == [[0], [0]]
    assert [v.tolist() for v in boxes] == [[[0, 1, 3, 4]], [[1, 0, 10, 9]]]  # pixels counted from 1


def test_boxes_follow_the_pictures(tmp_path: Path) -> None:
    root = voc(tmp_path / "set", {"a": annotation([("x", (0, 0, 4, 10)), ("y", (6, 0, 14, 5))])})
    options: dict[str, Any] = {"image_size": (20, 20), "shuffle": False}
    _, labels, boxes = detection_dataset_from_voc(root, crop_to_aspect_ratio=True, **options).peek()
    assert labels[0].tolist() == [1]  # the other one is in what was cut off
    assert boxes[0].tolist() == [[2, 0, 18, 10]]
    _, labels, boxes = detection_dataset_from_voc(root, pad_to_aspect_ratio=True, **options).peek()
    assert boxes[0].tolist() == [[0, 5, 4, 15], [6, 5, 14, 10]]


def test_what_is_wrong_in_voc_files_is_named_and_counted(tmp_path: Path) -> None:
    root = voc(tmp_path / "set", {
        **GOOD,
        "none": annotation([("dog", (3, 3, 3, 8)), ("dog", (5, 5, 4, 4))]),
        "out": annotation([("dog", (30, 3, 40, 8)), ("dog", (15, 5, 25, 8)), ("dog", (-5, -5, 5, 5))]),
        "words": annotation([("dog", ("a", 3, 4, 8)), ("dog", ("nan", 3, 4, 8)), ("", (1, 1, 2, 2))], ("x", 0)),
        "broken": "<annotation><object>",
        "bomb": "<!DOCTYPE x [<!ENTITY a 'b'>]><annotation>&a;</annotation>",
    })  # fmt: skip
    (root / "Annotations" / "lost.xml").write_text(GOOD["a"])
    with pytest.warns(UserWarning, match=r"(?s)11 entries.*broken\.xml: can't be read as XML.*and 6 more"):
        dataset = detection_dataset_from_voc(root, image_size=(10, 20), shuffle=False)
    told = "\n".join(dataset.problems)
    for part in (
        r"none.xml: box 1 (dog) has no area: (3, 3, 3, 8)", "none.xml: box 2 (dog) has no area",
        "out.xml: box 1 (dog) lies outside of the picture of 20x10: (30, 3, 40, 8)",
        "out.xml: box 2 (dog) reaches out of the picture of 20x10 and is cut off: (15, 5, 25, 8)",
        "out.xml: box 3 (dog) reaches out", "words.xml: box 1 (dog) must be four numbers", "box 2 (dog) is not finite",
        "words.xml: box 3 () has no name", "bomb.xml: a document type is not expected",
        "lost.xml: there is no picture lost in JPEGImages",
    ):  # fmt: skip
        assert told.count(part) == 1, part
    images, labels, boxes = dataset.peek()
    assert [len(v) for v in labels] == [len(v) for v in boxes] == [2, 0, 1, 0, 2, 0]
    assert boxes[4].tolist() == [[15, 5, 20, 8], [0, 0, 5, 5]]
    assert len(images) == 6
    # In no encoding, and no encoding that there is not.
    bomb = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY a "b">]><annotation>&a;</annotation>'
    (root / "Annotations" / "none.xml").write_bytes(bomb.encode("utf-16"))
    (root / "Annotations" / "out.xml").write_text('<?xml version="1.0" encoding="nothing"?><annotation/>')
    with pytest.warns(UserWarning, match="entries"):
        told = "\n".join(detection_dataset_from_voc(root, image_size=(10, 20), shuffle=False).problems)
    assert "none.xml: a document type is not expected" in told
    assert "out.xml: can't be read as XML: unknown encoding" in told
    with pytest.raises(ValueError, match=r"there is no .*val\.txt; there are none"):
        detection_dataset_from_voc(root, "val")
    with pytest.raises(ValueError, match="no picture with an annotation"):
        detection_dataset_from_voc(root / "JPEGImages")


# ---------------------------------------------------------------- COCO


def coco(path: Path, **changed: Any) -> Path:
    listing: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.png", "width": 20, "height": 10}, {"id": 8, "file_name": "b.png"}],
        "categories": [{"id": 90, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [2, 1, 8, 8]},
            {"id": 2, "image_id": 8, "category_id": 3, "bbox": [0, 0, 1.5, 2]},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [1, 1, 5, 5], "iscrowd": 1},
        ],
    }
    for name in ("a", "b"):
        picture(path.parent / f"{name}.png", 9)
    path.write_text(json.dumps({**listing, **changed}))
    return path


def test_coco(tmp_path: Path) -> None:
    path = coco(tmp_path / "list.json")
    dataset = detection_dataset_from_coco(path, image_size=(20, 40), shuffle=False)
    assert dataset.class_names == ["cat", "dog"]
    images, labels, boxes = dataset.peek()
    assert images.shape == (2, 20, 40, 3)
    assert [v.tolist() for v in labels] == [[1], [0]]
    assert [v.tolist() for v in boxes] == [[[4, 2, 20, 18]], [[0, 0, 3, 4]]]
    _, labels, _ = detection_dataset_from_coco(path, class_names=["cat"], crowds=True, shuffle=False).peek()
    assert [v.tolist() for v in labels] == [[0], [0]]


def test_boxes_and_labels_are_augmented_together(tmp_path: Path) -> None:
    """Different numbers of boxes in the pictures, and one that is pushed out."""
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 90, "bbox": [1, 1, 2, 8]},
        {"id": 2, "image_id": 7, "category_id": 3, "bbox": [15, 1, 5, 8]},
        {"id": 3, "image_id": 8, "category_id": 90, "bbox": [0, 0, 2, 2]},
    ]
    path = coco(tmp_path / "list.json", annotations=annotations)
    dataset = detection_dataset_from_coco(path, image_size=(10, 20), shuffle=False)
    right = augment.RandomTranslation((0, 0), (0.5, 0.5))
    _, labels, boxes = dataset.map(right).peek()
    assert [v.tolist() for v in labels] == [[1], [1]]
    assert [v.tolist() for v in boxes] == [[[11, 1, 13, 9]], [[10, 0, 12, 2]]]
    assert [v.dtype for v in labels] == [np.int64] * 2
    for _, labels, boxes in dataset.map(augment.Mosaic(seed=1)):
        assert [len(v) for v in labels] == [len(v) for v in boxes]


def test_what_is_wrong_in_coco_files_is_named_and_counted(tmp_path: Path) -> None:
    bad: list[Any] = [
        {"id": 1, "image_id": 99, "category_id": 3, "bbox": [0, 0, 1, 1]},
        {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 1, 1]},
        {"id": 3, "image_id": 7, "category_id": 3, "bbox": [0, 0, 0, 1]},
        {"id": 4, "image_id": 7, "category_id": 3, "bbox": [0, 0, 1]},
        {"id": 5, "image_id": 7, "category_id": 3, "bbox": None},
        {"id": 6, "image_id": 7, "category_id": 3, "bbox": [0, 0, 10**400, 1]},
        {"id": 7, "image_id": [], "category_id": 3, "bbox": [0, 0, 1, 1]},
        {"id": 8, "image_id": 8, "category_id": 3, "bbox": [15, 5, 100, 1]},
        "annotation",
        {"id": 9, "image_id": 7, "category_id": 3, "bbox": [18, 8, 4, 4]},
    ]
    images = [{"id": 7, "file_name": "a.png", "width": 20, "height": 10}, {"id": 8, "file_name": "b.png", "width": "x"},
              {"id": 9, "file_name": "../secret.png"}, {"id": 10}, 5, {"id": {}, "file_name": "a.png"}]  # fmt: skip
    path = coco(tmp_path / "list.json", images=images, annotations=bad)
    with pytest.warns(UserWarning, match="13 entries of the listing"):
        dataset = detection_dataset_from_coco(path, image_size=(10, 20), shuffle=False)
    assert all("list.json" in problem for problem in dataset.problems)
    assert sum("a.png, annotation" in problem for problem in dataset.problems) == 6
    boxes = dataset.peek()[2]
    assert [v.tolist() for v in boxes] == [[[18, 8, 20, 10]], [[15, 5, 20, 6]]]
    for text, message in (
        ("{", "can't be read as JSON"),
        ("[" * 100_000, "can't be read as JSON"),
        ("[]", "must have the lists images, annotations, categories"),
        ('{"images": [], "annotations": [], "categories": []}', "lists no pictures"),
    ):
        path.write_text(text)
        with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
            detection_dataset_from_coco(path)
    with pytest.raises(ValueError, match="has no category 'cow'; it has dog, cat"):
        detection_dataset_from_coco(coco(tmp_path / "list.json"), class_names=["cow"])

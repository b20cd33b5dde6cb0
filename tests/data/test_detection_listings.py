"""Pictures with boxes: VOC's and COCO's listings, what is wrong in them, and what else they say."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boxed_pictures import annotation, coco, picture, voc

from fastcnn.data import Details, PictureError, augment, detection_dataset_from_coco, detection_dataset_from_voc

# ---------------------------------------------------------------- VOC


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
    with pytest.warns(UserWarning, match=r"(?s)2 entries.*a\.xml: box 2 \(cat\) reaches out.*classes.*: 'cat' \(1\)"):
        subset = detection_dataset_from_voc(place, "train", ["dog"], True, image_size=(10, 20), shuffle=False)
    _, labels, boxes = subset.peek()
    assert [v.tolist() for v in labels] == [[0], [0]]
    assert [v.tolist() for v in boxes] == [[[0, 1, 3, 4]], [[1, 0, 10, 9]]]  # pixels counted from 1


def test_voc_files_beside_their_pictures(tmp_path: Path) -> None:
    for name, value in (("one/a", 10), ("two/b", 20)):
        picture(tmp_path / f"{name}.png", value)
        (tmp_path / f"{name}.xml").write_text(GOOD["c"])
    dataset = detection_dataset_from_voc(tmp_path, shuffle=False, image_size=(10, 20), details=True)
    _, labels, boxes, details = dataset.peek()
    assert [v.tolist() for v in labels] == [[0], [0]] and boxes[1].tolist() == [[1, 2, 3, 4]]
    assert [(one.name, one.image_id) for one in details] == [("one/a.png", "a"), ("two/b.png", "b")]
    picture(tmp_path / "two/a.png", 30)
    with pytest.warns(UserWarning, match=r"(?s)1 entry.*two/a.png: one/a.png has the same name, and is taken"):
        assert len(detection_dataset_from_voc(tmp_path).file_paths) == 2


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
        "out": annotation([("dog", box) for box in ((30, 3, 40, 8), (15, 5, 25, 8), (-5, -5, 5, 5), (0, 0, 5, 5))]),
        "words": annotation([("dog", ("a", 3, 4, 8)), ("dog", ("nan", 3, 4, 8)), ("", (1, 1, 2, 2))], ("x", 0)),
        "broken": "<annotation><object>",
        "bomb": "<!DOCTYPE x [<!ENTITY a 'b'>]><annotation>&a;</annotation>",
    })  # fmt: skip
    (root / "Annotations" / "lost.xml").write_text(GOOD["a"])
    (root / "Annotations" / "empty.xml").write_text("")
    for name in ("empty", "unknown"):
        picture(root / "JPEGImages" / f"{name}.png", 3)
    with pytest.raises(ValueError, match=r"(?s)^14 entries of the listing can't be taken unchanged.*on_error=\"skip\""):
        detection_dataset_from_voc(root, image_size=(10, 20), on_error="raise")
    with pytest.warns(UserWarning, match=r"(?s)14 entries.*unknown.png: it has no annotation.*and 9 more"):
        dataset = detection_dataset_from_voc(root, image_size=(10, 20), shuffle=False)
    told = "\n".join(dataset.problems)
    for part in (
        r"none.xml: box 1 (dog) has no area: (3, 3, 3, 8)", "none.xml: box 2 (dog) has no area",
        "out.xml: box 1 (dog) lies outside of the picture of 20x10: (30, 3, 40, 8)",
        "out.xml: box 2 (dog) reaches out of the picture of 20x10 and is cut off: (15, 5, 25, 8)",
        "out.xml: box 3 (dog) reaches out", "words.xml: box 1 (dog) must be four numbers", "box 2 (dog) is not finite",
        "words.xml: box 3 () has no name", "bomb.xml: a document type is not expected",
        "lost.xml: there is no picture lost", "empty.xml: the file is empty",
        "box 4 (dog) is there twice",
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
    with pytest.raises(ValueError, match="lists no pictures"):
        detection_dataset_from_voc(root / "JPEGImages")


# ---------------------------------------------------------------- COCO


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
        {"id": 16, "image_id": 7, "category_id": 3, "bbox": [1.5, 0, 10**400, 5]},
        {"id": 26, "image_id": 7, "category_id": 3, "bbox": [5.0, 1, 1e-8, 5]},
        {"id": 7, "image_id": [], "category_id": 3, "bbox": [0, 0, 1, 1]},
        {"id": 8, "image_id": 8, "category_id": 3, "bbox": [15, 5, 100, 1]},
        "annotation",
        {"id": 8, "image_id": 8, "category_id": 3, "bbox": [15, 5, 100, 1]},
        {"id": 9, "image_id": 7, "category_id": 3, "bbox": [18, 8, 4, 4]},
        {"id": 9, "image_id": 7, "category_id": 3, "bbox": [1, 1, 4, 4]},
    ]
    images = [{"id": 7, "file_name": "a.png", "width": 20, "height": 10}, {"id": 8, "file_name": "b.png", "width": "x"},
              {"id": 9, "file_name": "../secret.png"}, {"id": 10}, 5, {"id": {}, "file_name": "a.png"},
              {"id": 7, "file_name": "b.png"}, {"id": 11, "file_name": "c.png"}]  # fmt: skip
    path = coco(tmp_path / "list.json", images=images, annotations=bad)
    with pytest.warns(UserWarning, match="20 entries of the listing"):
        dataset = detection_dataset_from_coco(path, image_size=(10, 20), shuffle=False)
    assert all("list.json" in problem for problem in dataset.problems)
    assert sum("a.png, annotation" in problem for problem in dataset.problems) == 8
    assert sum("has no area" in problem for problem in dataset.problems) == 2
    boxes = dataset.peek()[2]
    assert [v.tolist() for v in boxes] == [[[18, 8, 20, 10], [1, 1, 5, 5]], [[15, 5, 20, 6]]]
    with pytest.raises(ValueError, match=r"(?s)20 entries.*image 9: .*no file below.*and 15 more.*skip"):
        detection_dataset_from_coco(path, on_error="raise")
    for text, message in (
        ("", "can't be read as JSON"),
        ("{", "can't be read as JSON"),
        ("[" * 100_000, "can't be read as JSON"),
        ('{"images": [{"id": ' + "9" * 5000 + "}]}", r"list\.json can't be read as JSON"),
        ("[]", "must have the lists images, annotations, categories"),
        ('{"images": [], "annotations": [], "categories": []}', "lists no pictures"),
    ):
        path.write_text(text)
        with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
            detection_dataset_from_coco(path)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("list.json", "{}")
    with pytest.raises(ValueError, match="only pictures may be in an archive"):
        detection_dataset_from_coco(tmp_path / "all.zip" / "list.json")
    with pytest.raises(ValueError, match="has no category 'cow'; it has dog, cat"):
        detection_dataset_from_coco(coco(tmp_path / "list.json"), class_names=["cow"])


# ---------------------------------------------------------------- what others' programs write


def test_byte_order_marks(tmp_path: Path) -> None:
    path = coco(tmp_path / "list.json")
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert detection_dataset_from_coco(path).class_names == ["cat", "dog"]
    root = voc(tmp_path / "set", GOOD)
    (root / "ImageSets" / "Main" / "train.txt").write_text("c\na\n", encoding="utf-8-sig")
    dataset = detection_dataset_from_voc(root, "train", shuffle=False, details=True)
    assert [one.image_id for one in dataset.peek()[3]] == ["c", "a"]


def test_voc_of_other_programs(tmp_path: Path) -> None:
    """Upper case, and a word for what is difficult."""
    root = voc(tmp_path / "set", {"a": GOOD["a"].replace("<difficult>0<", "<difficult>True<", 1)})
    (root / "Annotations" / "a.xml").rename(root / "Annotations" / "a.XML")
    _, labels, _, (details,) = detection_dataset_from_voc(root, details=True).peek()
    assert details.ignored.tolist() == [True, False] and labels[0].tolist() == [1, 0]


@pytest.mark.parametrize("zipped", [False, True])
def test_coco_files_with_detours(tmp_path: Path, zipped: bool) -> None:
    images = [{"id": 7, "file_name": "./a.png"}, {"id": 8, "file_name": ".//b.png"}]
    path = coco(tmp_path / "list.json", images=images)
    if zipped:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            for name in ("a.png", "b.png"):
                archive.write(tmp_path / name, name)
    dataset = detection_dataset_from_coco(path, tmp_path / "all.zip" if zipped else None, shuffle=False, details=True)
    assert [one.name for one in dataset.peek()[3]] == ["a.png", "b.png"]


def test_sizes_that_are_wrong_cost_no_boxes(tmp_path: Path) -> None:
    things: list[tuple[str, tuple[Any, ...]]] = [("dog", (2, 1, 4, 4)), ("cat", (6, 2, 18, 9)), ("dog", (8, 8, 12, 9))]
    root = voc(tmp_path / "set", {"a": annotation(things, (5, 5))})
    with pytest.warns(UserWarning, match=r"(?s)1 entry.*a\.png is listed as 5x5 and has 20x10 pixels"):
        dataset = detection_dataset_from_voc(root, image_size=(10, 20))
    assert [box.tolist() for box in dataset.peek()[2][0]] == [list(box) for _, box in things]


# ---------------------------------------------------------------- what else is known


def test_details_and_things_to_ignore(tmp_path: Path) -> None:
    things: list[tuple[str, tuple[Any, ...]]] = [("dog", (2, 1, 10, 9)), ("cat", (0, 0, 20, 10)), ("dog", (4, 4, 8, 8))]
    root = voc(tmp_path / "set", {"a": annotation(things, difficult="010"), "b": annotation([])})
    options: dict[str, Any] = {"image_size": (20, 20), "shuffle": False, "pad_to_aspect_ratio": True}
    _, labels, _ = detection_dataset_from_voc(root, **options).peek()
    assert labels[0].tolist() == [1, 1]
    _, labels, _ = detection_dataset_from_voc(root, difficult=True, **options).peek()
    assert labels[0].tolist() == [1, 0, 1]
    dataset = detection_dataset_from_voc(root, details=True, **options)
    _, labels, boxes, (first, second) = dataset.peek()
    assert labels[0].tolist() == [1, 0, 1]
    assert (first.name, first.image_id, first.size) == ("JPEGImages/a.png", "a", (10, 20))
    assert first.ignored.tolist() == [False, True, False]
    assert first.areas.tolist() == [64, 200, 16]
    assert first.placement.inverse(boxes[0]).tolist() == [list(box) for _, box in things]
    assert second.ignored.shape == second.areas.shape == (0,)
    assert isinstance(second, Details)

    listing = json.loads(coco(tmp_path / "list.json").read_text())
    for annotation_, area in zip(listing["annotations"], (40.5, 10**400, "x")):
        annotation_["area"] = area  # of what is no number, the box's is taken
    (tmp_path / "list.json").write_text(json.dumps(listing))
    _, labels, _, found = detection_dataset_from_coco(tmp_path / "list.json", shuffle=False, details=True).peek()
    assert [v.tolist() for v in labels] == [[1, 0], [0]]
    assert [d.image_id for d in found] == [7, 8]
    assert [d.ignored.tolist() for d in found] == [[False, True], [False]]
    assert [d.areas.tolist() for d in found] == [[40.5, 25], [3]]


@pytest.mark.parametrize("on_error", ["skip", "raise"])
def test_pictures_smaller_than_their_listing_says(tmp_path: Path, on_error: str) -> None:
    """Found out where they are read; nothing is taken that doesn't fit."""
    root = voc(tmp_path / "set", {
        "a": annotation([("dog", (2, 1, 10, 9))], (40, 20)),
        "b": annotation([("dog", (2, 11, 10, 19))], (40, 20)),
        "c": annotation([("dog", (2, 11, 10, 19))], (10, 20)),
        "d": annotation([("dog", (2, 1, 21, 11))], (21, 11)),  # by a pixel only
    })  # fmt: skip
    dataset = detection_dataset_from_voc(root, shuffle=False, on_error=on_error)
    message = "b.png: boxes lie outside of the picture of 20x10, which is listed as 40x20"
    if on_error == "raise":
        with pytest.raises(PictureError, match=message):
            list(dataset)
        return
    with pytest.warns(UserWarning, match=rf"(?s)2 files.*{message}.*listed as 10x20; brought upright"):
        ((images, labels, boxes),) = dataset
    assert len(images) == len(labels) == 2
    np.testing.assert_allclose(boxes[1], [[25.6, 25.6, 256, 256]])


def test_details_go_along_with_augmentation(tmp_path: Path) -> None:
    things: list[tuple[str, tuple[Any, ...]]] = [("dog", (0, 0, 4, 10)), ("cat", (12, 0, 19, 10))]
    root = voc(tmp_path / "set", {"a": annotation(things, difficult="01"), "b": annotation([])})
    dataset = detection_dataset_from_voc(root, details=True, shuffle=False, image_size=(10, 20))
    right = augment.RandomTranslation((0, 0), (0.5, 0.5), fill_mode="constant")
    _, labels, boxes, (one, two) = dataset.map(right).peek()
    assert [v.tolist() for v in labels] == [[1], []]
    assert boxes[0].tolist() == [[10, 0, 14, 10]] and boxes[1].shape == (0, 4)
    assert (one.ignored.tolist(), one.areas.tolist(), two.image_id) == ([False], [40], "b")
    # Of an image that is made of several, too: here boxes are known by their areas.
    images, labels, boxes, details = dataset.peek()
    for step in range(20):
        _, kinds, _, more = augment.Mosaic(seed=1)(images, labels, boxes, details, step=step)
        for own, one in zip(kinds, more):
            assert one.areas.tolist() == [{1: 40, 0: 70}[int(v)] for v in own]
            assert one.ignored.tolist() == [v == 0 for v in own]
    _, kinds, _, one = right(images[0], labels[0], boxes[0], details[0])
    assert kinds.tolist() == [1] and one.ignored.tolist() == [False]
    with pytest.raises(ValueError, match=r"details must be of the boxes of each image, which are \[2, 0\], received"):
        right(images, labels, boxes, details[::-1])

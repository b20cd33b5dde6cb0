"""COCO's two JSON files: what there is in images, and what was detected."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import shown
from ...shapes import whole_number
from ...utils.files import atomic_write
from .records import Floats, Image, ImageId, box_sides, checked_id

PathLike = str | os.PathLike[str]
#: One image's detections: its id, boxes (k, 4), scores (k,), labels (k,).
Detected = tuple[ImageId, ArrayLike, ArrayLike, ArrayLike]


def save_coco_results(
    path: PathLike, detections: Iterable[Detected], category_ids: Sequence[int] | None = None
) -> None:
    """Write detections as COCO's results format has them: a list of ``image_id``, ``category_id``, ``bbox``, ``score``.

    Parameters
    ----------
    path : path-like
        The JSON file to write: there whole or not at all.
    detections : iterable of (image_id, boxes, scores, labels)
        Of each image: boxes (k, 4), left, top, right, bottom in its pixels, scores (k,), class numbers (k,).
    category_ids : sequence of int, optional
        The category's id of class 0, 1, …; by default 1, 2, …

    Raises
    ------
    ValueError, TypeError
        A number that is not finite, shapes that don't fit, a class without a category, an id that is none.
    """
    entries: list[dict[str, Any]] = []
    for given in detections:
        if not isinstance(given, (tuple, list)) or len(given) != 4:
            raise TypeError(f"detections must be tuples (image_id, boxes, scores, labels), received {shown(given)}")
        image_id, (boxes, scores, labels) = checked_id(given[0]), given[1:]
        where = f" of image {shown(image_id)}"
        sides, sure, numbers = box_sides(boxes, "boxes", where), np.asarray(scores, np.float64), np.asarray(labels)
        if not len(sides) == sure.size == numbers.size:
            counts = f"{len(sides)}, {sure.size} and {numbers.size}"
            raise ValueError(f"boxes, scores and labels{where} must be equally many, received {counts}")
        if not np.isfinite(sure).all():
            raise ValueError(f"scores{where} must be finite, received {shown(sure.tolist())}")
        entries += [
            {"image_id": image_id, "category_id": _category(label, category_ids), "bbox": box, "score": score}
            for box, score, label in zip(sides.tolist(), sure.ravel().tolist(), numbers.ravel().tolist())
        ]
    write_json(path, entries)


def _category(label: Any, category_ids: Sequence[int] | None) -> int:
    number = whole_number(label, "labels", 0)
    if category_ids is None:
        return number + 1
    if number >= len(category_ids):
        raise ValueError(f"category_ids must have one for each class, received {len(category_ids)} for class {number}")
    return int(category_ids[number])


def write_json(path: PathLike, content: Any) -> None:
    """A JSON file, whole or not at all."""
    with atomic_write(path, "w") as file:
        json.dump(content, file, allow_nan=False)


def read_truth(path: PathLike) -> tuple[dict[ImageId, list[Any]], dict[ImageId, int], list[str]]:
    """What COCO's ground truth says.

    Returns
    -------
    images : dict
        By each image's id its annotations: box (left, top, width, height), class, crowd, area.
    classes : dict
        The class's number by the category's id, in the order of the ids.
    names : list of str
        What the classes are called.

    Raises
    ------
    ValueError
        Names the file and the entry: an id that is there twice, an annotation of an unknown image or category, a box or
        an area that can't be one.
    """
    content, where = _loaded(path), os.fspath(path)
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in parts):
        raise ValueError(f"{where} must have the lists {', '.join(parts)}")
    categories = dict(_by_id(content["categories"], "category", where))
    ids = sorted(categories, key=lambda key: (isinstance(key, str), key))
    images: dict[ImageId, list[Any]] = {key: [] for key, _ in _by_id(content["images"], "image", where)}
    classes = {key: number for number, key in enumerate(ids)}
    seen: set[ImageId] = set()
    for number, item in enumerate(content["annotations"], 1):
        entry = f"{where}: annotation {shown(item.get('id', number)) if isinstance(item, dict) else number}"
        image, label, box = _placed(item, images, classes, entry)
        if "id" in item:
            if not _is_id(item["id"]) or item["id"] in seen:
                raise ValueError(f"{entry} must have an integer or a string of its own as its id")
            seen.add(item["id"])
        area = item.get("area", box[2] * box[3])
        if not _is_number(area) or area < 0:
            raise ValueError(f"{entry}: area must be a finite number, not negative, received {shown(area)}")
        image.append((box, label, bool(item.get("iscrowd", False)), area))
    return images, classes, _names(categories, ids)


def read_results(
    path: PathLike, images: Mapping[ImageId, Any], classes: Mapping[ImageId, int]
) -> dict[ImageId, list[Any]]:
    """What COCO's results format says: by each image's id its detections: box (left, top, width, height), class, score.

    Raises
    ------
    ValueError
        Names the file and the entry, from 1: an unknown image or category, a box or a score that can't be one.
    """
    content, where = _loaded(path), os.fspath(path)
    if not isinstance(content, list):
        raise ValueError(f"{where} must be a list of detections, received {shown(content)}")
    found: dict[ImageId, list[Any]] = {key: [] for key in images}
    for number, item in enumerate(content, 1):
        entry = f"{where}: detection {number}"
        detected, label, box = _placed(item, found, classes, entry)
        if not _is_number(item.get("score")):
            raise ValueError(f"{entry}: score must be a finite number, received {shown(item.get('score'))}")
        detected.append((box, label, item["score"]))
    return found


def joined(detected: list[Any], annotations: list[Any]) -> Image:
    """One image as it is judged."""
    boxes, labels, scores = zip(*detected) if detected else ([], [], [])
    truths, true_labels, crowd, areas = zip(*annotations) if annotations else ([], [], [], [])
    return Image(
        _array(boxes).reshape(-1, 4), _array(scores), np.array(labels, np.int64), _array(truths).reshape(-1, 4),
        np.array(true_labels, np.int64), np.array(crowd, bool), _array(areas),
    )  # fmt: skip


def as_coco(images: Mapping[ImageId, Image], names: Sequence[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The two files' contents. Classes have the ids 1, 2, …, and images numbers, unless their ids are numbers."""
    ids = sorted(images, key=lambda i: (isinstance(i, str), i))
    plain = all(isinstance(i, int) for i in ids)
    numbers = ids if plain else range(1, len(ids) + 1)
    annotations: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for key, number in zip(ids, numbers):
        image = images[key]
        there = zip(*(a.tolist() for a in (image.truth_labels, image.truths, image.areas, image.flags)))
        for label, box, area, crowd in there:
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "bbox": box}
            annotations.append({**entry, "area": area, "iscrowd": int(crowd)})
        found = zip(*(a.tolist() for a in (image.labels, image.boxes, image.scores)))
        detections += [{"image_id": number, "category_id": c + 1, "bbox": box, "score": s} for c, box, s in found]
    listed = [{"id": number} | ({} if plain else {"file_name": str(key)}) for key, number in zip(ids, numbers)]
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    return {"info": {}, "images": listed, "annotations": annotations, "categories": categories}, detections


def _array(values: Any) -> Floats:
    array: NDArray[np.float64] = np.array(values, np.float64)
    return array


def _loaded(path: PathLike) -> Any:
    try:
        with open(path, encoding="utf-8") as text:
            return json.load(text)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{os.fspath(path)} can't be read as JSON: {error}") from None


def _is_number(value: Any) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_id(value: Any) -> TypeGuard[ImageId]:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _by_id(items: list[Any], what: str, where: str) -> list[tuple[ImageId, dict[str, Any]]]:
    """Entries with their ids, each of which must be there once."""
    seen: set[ImageId] = set()
    for item in items:
        key = item.get("id") if isinstance(item, dict) else None
        if not _is_id(key):
            raise ValueError(f"{where}: each {what} must have an id, an integer or a string, received {shown(item)}")
        if key in seen:
            raise ValueError(f"{where}: {what} {shown(key)} is there twice")
        seen.add(key)
    return [(item["id"], item) for item in items]


def _placed(
    item: Any, images: Mapping[ImageId, list[Any]], classes: Mapping[ImageId, int], entry: str
) -> tuple[list[Any], int, list[float]]:
    """Where an entry belongs: what is known of its image; its class; its box."""
    if not isinstance(item, dict):
        raise ValueError(f"{entry} must be an object with image_id, category_id and bbox, received {shown(item)}")
    image, category, box = (item.get(key) for key in ("image_id", "category_id", "bbox"))
    if not _is_id(image) or image not in images:
        raise ValueError(f"{entry}: there is no image {shown(image)}")
    if not _is_id(category) or category not in classes:
        raise ValueError(f"{entry}: there is no category {shown(category)}")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)) or box[2] < 0 or box[3] < 0:
        raise ValueError(f"{entry}: bbox must be left, top, width, height, finite numbers, received {shown(box)}")
    return images[image], classes[category], box


def _names(categories: Mapping[ImageId, dict[str, Any]], ids: list[ImageId]) -> list[str]:
    """The categories' names, with their ids where two are called the same."""
    names = [str(categories[key].get("name", key)) for key in ids]
    return [name if names.count(name) == 1 else f"{name} ({key})" for name, key in zip(names, ids)]

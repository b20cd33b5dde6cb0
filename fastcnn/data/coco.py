"""Pictures with boxes, as COCO lists them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import shown
from .box_listing import BoxListing, check_class_names, given_size
from .dataset import Dataset
from .files import open_tree
from .folders import check_workers, make_decoder


def detection_dataset_from_coco(
    file: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    class_names: Sequence[str] | None = None,
    crowds: bool = False,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    on_error: str = "skip",
    workers: int | None = None,
    details: bool = False,
) -> Dataset:
    """Pictures with boxes, as COCO lists them: one JSON file with ``images``, ``annotations`` and ``categories``.

    Parameters
    ----------
    file : path-like
    directory : path-like, optional
        The folder or zip archive with the pictures; that of the file if not given.
    class_names : list of str, optional
        The categories to take, in the order of their numbers; all, in the order of their ids, if not given.
    crowds : bool
        Whether to take boxes around many things (``iscrowd``) like all others. Else only `details` has them, marked as
        ignored.
    on_error, details
        As for `detection_dataset_from_voc`.
    color_mode, batch_size, image_size, shuffle, seed, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, workers
        As for `image_dataset_from_directory`.

    Returns
    -------
    Dataset
        Batches ``(images, labels, boxes)``, as of `detection_dataset_from_voc`.

    Raises
    ------
    ValueError
        The file is no such listing, or lists no picture that is there; with ``on_error="raise"`` anything wrong in it.

    Warns
    -----
    UserWarning
        What is left out or cut off.
    """
    decoder = make_decoder(image_size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    threads, path, names = check_workers(workers), os.fspath(file), check_class_names(class_names)
    content = _content(path)
    listing = BoxListing(path, open_tree(Path(file).parent if directory is None else directory), on_error)
    for image in content["images"]:
        key, name = image.get("id"), image.get("file_name")
        if not isinstance(key, (int, str)):
            listing.note(path, f"{shown(image)} is no picture with an id and a file_name")
            continue
        listing.picture(key, name, f"{path}: image {key}", key, given_size(image.get("width"), image.get("height")))
    numbers, classes = _categories(content["categories"], names, listing)
    known: dict[Any, dict[str, Any]] = {}
    for annotation in content["annotations"]:
        if _is_new(annotation, known, listing):
            _take(annotation, numbers, crowds, listing)
    return listing.dataset(classes, decoder, threads, batch_size, shuffle, seed, details)


def _content(path: str) -> dict[str, list[dict[str, Any]]]:
    try:
        with open(path, encoding="utf-8-sig") as text:
            content = json.load(text)
    except (ValueError, RecursionError) as error:  # not only JSON's own: also a number of too many digits
        raise ValueError(f"{path} can't be read as JSON: {error}") from None
    except NotADirectoryError:
        raise ValueError(
            f"{path} must be a file of its own: only pictures may be in an archive, named as directory"
        ) from None
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in parts):
        raise ValueError(f"{path} must have the lists {', '.join(parts)}")
    return {part: [item if isinstance(item, dict) else {} for item in content[part]] for part in parts}


def _categories(
    categories: list[dict[str, Any]], class_names: Sequence[str] | None, listing: BoxListing
) -> tuple[dict[Any, int | None], list[str]]:
    """The number of each category's class (None: not wanted), and what the classes are called."""
    names: dict[Any, str] = {}
    for category in categories:
        key = category.get("id")
        if not isinstance(key, (int, str)):
            listing.note(listing.where, f"{shown(category)} is no category with an id")
        elif key in names:
            listing.note(listing.where, f"category {key} is there twice, the first one is taken")
        else:
            names[key] = str(category.get("name", key))
    ordered = sorted(names, key=lambda key: (isinstance(key, str), key))
    classes = list(dict.fromkeys(names[key] for key in ordered))
    if class_names is None and len(classes) < len(names):
        listing.note(listing.where, "categories with the same name are taken for one")
    if class_names is not None:
        classes = list(class_names)
    if missing := [name for name in classes if name not in names.values()]:
        there = f"{listing.where} has no category {missing[0]!r}; it has {', '.join(names.values())}"
        if len(missing) == len(classes):
            raise ValueError(f"class_names: {there}")
        listing.note(listing.where, f"class_names: {there}")
    places = {name: i for i, name in enumerate(classes)}
    return {key: places.get(name) for key, name in names.items()}, classes


def _is_new(annotation: dict[str, Any], known: dict[Any, dict[str, Any]], listing: BoxListing) -> bool:
    """Whether an annotation is to be looked at. One of another's id is, unless it is the same once more."""
    key = annotation.get("id")
    if not isinstance(key, (int, str)):
        return True
    before = known.setdefault(key, annotation)
    if before is annotation:
        return True
    again = before == annotation
    listing.note(
        listing.where, f"annotation {key} is there twice" + ("" if again else ", and not the same: both are taken")
    )
    return not again


def _take(annotation: dict[str, Any], numbers: dict[Any, int | None], crowds: bool, listing: BoxListing) -> None:
    """Add one annotation to its picture, or a note on what is wrong with it."""
    image, category, box = (annotation.get(key) for key in ("image_id", "category_id", "bbox"))
    where = f"{listing.where}: annotation {annotation.get('id')}"
    if not isinstance(image, (int, str)) or image not in listing.pictures:
        if not isinstance(image, (int, str)) or image not in listing.refused:
            listing.note(where, f"is of a picture that isn't listed: {shown(image)}")
        return
    picture = listing.pictures[image]
    where = f"{listing.where}: {picture.name}, annotation {annotation.get('id')}"
    if not isinstance(category, (int, str)) or category not in numbers:
        listing.note(where, f"its category isn't listed: {shown(category)}")
        return
    number = numbers[category]
    if number is None:
        return
    corners = _corners(box)
    if corners is None:
        listing.note(where, f"its box must be four numbers: left, top, width, height, received {shown(box)}")
        return
    ignored = bool(annotation.get("iscrowd")) and not crowds
    listing.add(picture, number, corners, f"{where}: its box", ignored, _area(annotation.get("area")))


def _corners(box: Any) -> list[float] | None:
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(v, (int, float)) for v in box):
        return None
    try:
        left, top, width, height = (float(v) for v in box)
    except OverflowError:
        return None
    return [left, top, left + width, top + height]


def _area(given: Any) -> float | None:
    if not isinstance(given, (int, float)):
        return None
    try:
        area = float(given)
    except OverflowError:
        return None
    return area if math.isfinite(area) and area > 0 else None

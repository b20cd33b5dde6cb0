"""Pictures with boxes, listed as Pascal VOC and COCO list them."""

from __future__ import annotations

import json
import os
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import shown
from .boxes import Annotated, BoxRows, checked_box, leads_out
from .dataset import Dataset
from .files import Tree, open_tree
from .folders import batches, check_workers, make_decoder
from .given import listed


def detection_dataset_from_voc(
    directory: str | os.PathLike[str],
    image_set: str | None = None,
    class_names: Sequence[str] | None = None,
    one_based: bool = False,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    on_error: str = "raise",
    workers: int | None = None,
) -> Dataset:
    """Pictures with boxes, as Pascal VOC has them: ``JPEGImages``, ``Annotations`` with an XML file for each picture.

    Parameters
    ----------
    directory : path-like
        The folder, or zip archive, or folder in one, with these folders.
    image_set : str, optional
        Only the pictures that ``ImageSets/Main/<image_set>.txt`` names, in its order.
    class_names : list of str, optional
        The things to take, in the order of their numbers; all that there are, in alphabetical order, if not given.
    one_based : bool
        Whether a picture's first pixel is called 1, as in VOC's own data; most programs that write such files say 0.
    color_mode, batch_size, image_size, shuffle, seed, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, \
on_error, workers
        As for `image_dataset_from_directory`.

    Returns
    -------
    Dataset
        Batches ``(images, labels, boxes)``: uint8 (n, height, width, channels), and lists with int64 (k,) and float32
        (k, 4) of each picture: left, top, right, bottom, in the pixels of the resized pictures.

    Raises
    ------
    FileNotFoundError, ValueError
        No such folder or set, or no picture with an annotation.

    Warns
    -----
    UserWarning
        Files and boxes that are left out (no area, outside of the picture) or cut off, each with its file's name; all
        of them are in `Dataset.problems`.
    """
    decoder = make_decoder(image_size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    threads = check_workers(workers)
    tree = open_tree(directory)
    notes: list[str] = []
    names = tree.names()
    pictures = {Path(n).stem: n for n in names if n.startswith("JPEGImages/")}
    found: list[tuple[Annotated, list[str]]] = []
    for stem in _stems(tree, names, image_set):
        annotation = f"Annotations/{stem}.xml"
        if stem not in pictures:
            notes.append(f"{tree.path(annotation)}: there is no picture {stem} in JPEGImages")
            continue
        try:
            boxes = list(_voc_boxes(tree.read(annotation), tree.path(annotation), 1.0 if one_based else 0.0, notes))
        except (OSError, ValueError) as error:
            notes.append(f"{tree.path(annotation)}: {getattr(error, 'strerror', None) or error}; it is left out")
            continue
        found.append((Annotated(pictures[stem], boxes=[b for _, b in boxes]), [name for name, _ in boxes]))
    if not found:
        raise ValueError(f"{os.fspath(directory)} has no picture with an annotation that can be read")
    classes = sorted({w for _, words in found for w in words}) if class_names is None else list(class_names)
    numbers = {name: i for i, name in enumerate(classes)}
    for picture, words in found:
        taken = [i for i, word in enumerate(words) if word in numbers]
        picture.labels = [numbers[words[i]] for i in taken]
        picture.boxes = [picture.boxes[i] for i in taken]
    _warn(notes)
    rows = BoxRows(tree, [picture for picture, _ in found], decoder, notes, threads, on_error)
    return batches(rows, batch_size, shuffle, seed, classes)


def _stems(tree: Tree, names: list[str], image_set: str | None) -> list[str]:
    """The names, without extension, of the pictures to take."""
    if image_set is None:
        return [Path(name).stem for name in names if name.startswith("Annotations/") and name.endswith(".xml")]
    place = f"ImageSets/Main/{image_set}.txt"
    if place not in names:
        sets = [Path(n).stem for n in names if n.startswith("ImageSets/Main/") and n.endswith(".txt")]
        raise ValueError(f"image_set: there is no {tree.path(place)}; there are {', '.join(sets) or 'none'}")
    lines = tree.read(place).decode("utf-8", "replace").splitlines()
    return [line.split()[0] for line in lines if line.strip()]


class _NoDoctype(ET.TreeBuilder):
    """What is made of XML without a document type, in whatever encoding it comes."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("a document type is not expected here, and could be made to fill the memory")


def _voc_boxes(
    content: bytes, path: str, first: float, notes: list[str]
) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """The things in an annotation: what they are, and where."""
    try:
        root = ET.fromstring(content, parser=ET.XMLParser(target=_NoDoctype()))
    except (ET.ParseError, LookupError) as error:
        raise ValueError(f"can't be read as XML: {error}") from None
    size = _size(root.findtext("size/width"), root.findtext("size/height"))
    for number, thing in enumerate(root.iter("object"), 1):
        name = (thing.findtext("name") or "").strip()
        box = [thing.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
        good, problem = checked_box(box, None)
        if good is not None:
            good, problem = checked_box([good[0] - first, good[1] - first, *good[2:]], size)
        if not name:
            good, problem = None, "has no name"
        if problem:
            notes.append(f"{path}: box {number} ({name}) {problem}")
        if good is not None:
            yield name, (good[0], good[1], good[2], good[3])


def _size(width: Any, height: Any) -> tuple[float, float] | None:
    """A picture's width and height as a listing has them; None where that can't be."""
    try:
        sides = float(width), float(height)
    except (TypeError, ValueError, OverflowError):
        return None
    return sides if all(0 < side < 1e6 for side in sides) else None


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
    on_error: str = "raise",
    workers: int | None = None,
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
        Whether to take boxes around many things (``iscrowd``).
    color_mode, batch_size, image_size, shuffle, seed, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, \
on_error, workers
        As for `image_dataset_from_directory`.

    Returns
    -------
    Dataset
        Batches ``(images, labels, boxes)``, as of `detection_dataset_from_voc`.

    Raises
    ------
    ValueError
        The file is no such listing, or lists no picture.

    Warns
    -----
    UserWarning
        Boxes that are left out or cut off, each with its picture's name; all of them are in `Dataset.problems`.
    """
    decoder = make_decoder(image_size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    threads, path = check_workers(workers), os.fspath(file)
    content = _coco(path)
    tree = open_tree(Path(file).parent if directory is None else directory)
    notes: list[str] = []
    pictures: dict[Any, tuple[Annotated, tuple[float, float] | None]] = {}
    for image in content["images"]:
        name = image.get("file_name")
        if not isinstance(name, str) or leads_out(name) or not isinstance(image.get("id"), (int, str)):
            notes.append(f"{path}: {shown(image)} is no picture with an id and a file_name below the folder")
            continue
        pictures[image["id"]] = Annotated(name), _size(image.get("width"), image.get("height"))
    if not pictures:
        raise ValueError(f"{path} lists no pictures")
    numbers, classes = _categories(content["categories"], class_names, path)
    for annotation in content["annotations"]:
        _take(annotation, pictures, numbers, crowds, path, notes)
    _warn(notes)
    rows = BoxRows(tree, [picture for picture, _ in pictures.values()], decoder, notes, threads, on_error)
    return batches(rows, batch_size, shuffle, seed, classes)


def _coco(path: str) -> dict[str, list[dict[str, Any]]]:
    try:
        with open(path, encoding="utf-8") as text:
            content = json.load(text)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} can't be read as JSON: {error}") from None
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in parts):
        raise ValueError(f"{path} must have the lists {', '.join(parts)}")
    return {part: [item if isinstance(item, dict) else {} for item in content[part]] for part in parts}


def _categories(
    categories: list[dict[str, Any]], class_names: Sequence[str] | None, path: str
) -> tuple[dict[Any, int | None], list[str]]:
    """The number of each category's class (None: not wanted), and what the classes are called."""
    names = {c["id"]: str(c.get("name", c["id"])) for c in categories if isinstance(c.get("id"), (int, str))}
    ordered = sorted(names, key=lambda key: (isinstance(key, str), key))
    classes = [names[key] for key in ordered] if class_names is None else list(class_names)
    if missing := [name for name in classes if name not in names.values()]:
        raise ValueError(f"class_names: {path} has no category {missing[0]!r}; it has {', '.join(names.values())}")
    places = {name: i for i, name in enumerate(classes)}
    return {key: places.get(name) for key, name in names.items()}, classes


def _take(
    annotation: dict[str, Any],
    pictures: dict[Any, tuple[Annotated, tuple[float, float] | None]],
    numbers: dict[Any, int | None],
    crowds: bool,
    path: str,
    notes: list[str],
) -> None:
    """Add one annotation to its picture, or a note on what is wrong with it."""
    picture, category, box = (annotation.get(key) for key in ("image_id", "category_id", "bbox"))
    if not isinstance(picture, (int, str)) or picture not in pictures:
        notes.append(f"{path}: annotation {annotation.get('id')} is of a picture that isn't listed: {shown(picture)}")
        return
    found, size = pictures[picture]
    where = f"{path}: {found.name}, annotation {annotation.get('id')}"
    if not isinstance(category, (int, str)) or category not in numbers:
        notes.append(f"{where}: its category isn't listed: {shown(category)}")
        return
    number = numbers[category]
    if number is None or (annotation.get("iscrowd") and not crowds):
        return
    if isinstance(box, list) and len(box) == 4 and all(isinstance(v, (int, float)) for v in box):
        good, problem = checked_box([box[0], box[1], box[0] + box[2], box[1] + box[3]], size)
    else:
        good, problem = None, f"must be four numbers: left, top, width, height, received {shown(box)}"
    if problem:
        notes.append(f"{where}: its box {problem}")
    if good is not None:
        found.labels.append(number)
        found.boxes.append((good[0], good[1], good[2], good[3]))


def _warn(notes: list[str]) -> None:
    if notes:
        which = "1 entry of the listing is" if len(notes) == 1 else f"{len(notes)} entries of the listing are"
        warnings.warn(listed(f"{which} left out or changed:", notes), stacklevel=3)

"""Pictures with boxes, as Pascal VOC lists them."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from .box_listing import BoxListing, check_class_names, given_size
from .dataset import Dataset
from .files import Tree, open_tree, pictures
from .folders import check_workers, make_decoder

_SIDES = ("xmin", "ymin", "xmax", "ymax")
#: What says that a thing is difficult: VOC's own files have 1.
_YES = ("1", "true", "yes")


def detection_dataset_from_voc(
    directory: str | os.PathLike[str],
    image_set: str | None = None,
    class_names: Sequence[str] | None = None,
    one_based: bool = False,
    difficult: bool = False,
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
    """Pictures with boxes, as Pascal VOC has them: ``JPEGImages``, ``Annotations`` with an XML file for each picture.

    Parameters
    ----------
    directory : path-like
        The folder, or zip archive, or folder in one, with these folders; or with pictures and XML files of the same
        names anywhere in it.
    image_set : str, optional
        Only the pictures that ``ImageSets/Main/<image_set>.txt`` names, in its order.
    class_names : list of str, optional
        The classes in the order of their numbers; things of others are left out. All that there are, in alphabetical
        order, if not given.
    one_based : bool
        Whether a picture's first pixel is called 1, as in VOC's own data; most programs that write such files say 0.
    difficult : bool
        Whether to take things marked as difficult like all others. Else only `details` has them, marked as ignored.
    on_error : {"raise", "skip"}
        What becomes of annotations and files that can't be used as they are: an error that names the first ones, or a
        warning that does. Boxes without area or outside of their picture are left out, what reaches out of it is cut
        off, and files that can't be read are left out. `Dataset.problems` lists all of them.
    details : bool
        Whether batches have `Details` of each picture: its name, size, and which boxes are ignored.
    color_mode, batch_size, image_size, shuffle, seed, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, workers
        As for `image_dataset_from_directory`.

    Returns
    -------
    Dataset
        Batches ``(images, labels, boxes)``: uint8 (n, height, width, channels), and lists with int64 (k,) and float32
        (k, 4) of each picture: left, top, right, bottom, in the pixels of the resized pictures; with `details` a list
        of `Details` behind them. Pictures without things have k = 0. Boxes of which ``crop_to_aspect_ratio`` leaves
        less than a tenth aren't there.

    Raises
    ------
    FileNotFoundError, ValueError
        No such folder or set, or no picture with an annotation; with ``on_error="raise"`` anything wrong in the
        listing, and when it is read, a `PictureError`.

    Warns
    -----
    UserWarning
        What is left out or cut off.
    """
    decoder = make_decoder(image_size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    threads, names = check_workers(workers), check_class_names(class_names)
    tree = open_tree(directory)
    listing = BoxListing(os.fspath(directory), tree, on_error)
    for stem, place, annotation in _wanted(listing, image_set):
        try:
            root = _root(tree.read(annotation))
        except (OSError, ValueError) as error:
            listing.note(tree.path(annotation), f"{getattr(error, 'strerror', None) or error}; it is left out")
            continue
        _take(root, stem, place, tree.path(annotation), 1.0 if one_based else 0.0, difficult, listing)
    classes = listing.number(names)
    return listing.dataset(classes, decoder, threads, batch_size, shuffle, seed, details)


def _wanted(listing: BoxListing, image_set: str | None) -> list[tuple[str, str, str]]:
    """The pictures to take: what they are called, their files, and their annotations'. What lacks one is noted."""
    tree = listing.tree
    found = _by_stem(listing, "JPEGImages/", pictures(listing.files))
    annotations = _by_stem(listing, "Annotations/", [name for name in listing.files if name.lower().endswith(".xml")])
    if image_set is not None:
        stems = _in_set(tree, listing.files, image_set)
    else:
        stems = list(annotations)
        for stem, name in found.items():
            if stem not in annotations:
                listing.note(tree.path(name), "it has no annotation")
    wanted = []
    for stem in stems:
        annotation = annotations.get(stem, f"Annotations/{stem}.xml")
        if stem in found:
            wanted.append((stem, found[stem], annotation))
        else:
            listing.note(tree.path(annotation), f"there is no picture {stem}")
    return wanted


def _by_stem(listing: BoxListing, folder: str, names: list[str]) -> dict[str, str]:
    """Files by their names without extension: those in a folder as VOC calls it, or all where there is none."""
    inside = [name for name in names if name.startswith(folder)]
    found: dict[str, str] = {}
    for name in inside or names:
        path = PurePosixPath(name)
        stem = path.relative_to(folder).with_suffix("").as_posix() if inside else path.stem
        if stem in found:
            listing.note(listing.tree.path(name), f"{found[stem]} has the same name, and is taken")
        found.setdefault(stem, name)
    return found


def _in_set(tree: Tree, names: list[str], image_set: str) -> list[str]:
    place = f"ImageSets/Main/{image_set}.txt"
    if place not in names:
        sets = [Path(n).stem for n in names if n.startswith("ImageSets/Main/") and n.endswith(".txt")]
        raise ValueError(f"image_set: there is no {tree.path(place)}; there are {', '.join(sets) or 'none'}")
    lines = tree.read(place).decode("utf-8-sig", "replace").splitlines()
    return [line.split()[0] for line in lines if line.strip()]


class _NoDoctype(ET.TreeBuilder):
    """What is made of XML without a document type, in whatever encoding it comes."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("a document type is not expected here, and could be made to fill the memory")


def _root(content: bytes) -> ET.Element:
    if not content.strip():
        raise ValueError("the file is empty")
    try:
        return ET.fromstring(content, parser=ET.XMLParser(target=_NoDoctype()))
    except (ET.ParseError, LookupError) as error:
        raise ValueError(f"can't be read as XML: {error}") from None


def _take(
    root: ET.Element, stem: str, name: str, path: str, first: float, difficult: bool, listing: BoxListing
) -> None:
    """A picture and the things in it."""
    size = given_size(root.findtext("size/width"), root.findtext("size/height"))
    picture = listing.picture(stem, name, path, stem, size)
    if picture is None:
        return
    for number, thing in enumerate(root.iter("object"), 1):
        label = (thing.findtext("name") or "").strip()
        where = f"{path}: box {number} ({label})"
        box: list[Any] = [thing.findtext(f"bndbox/{side}") for side in _SIDES]
        if not label:
            listing.notes.append(f"{where} has no name")
            continue
        try:
            box[:2] = [float(box[0]) - first, float(box[1]) - first]
        except (TypeError, ValueError):
            pass  # it is checked with the others
        hard = (thing.findtext("difficult") or "").strip().lower() in _YES
        listing.add(picture, label, box, where, hard and not difficult)

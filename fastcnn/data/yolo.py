"""Pictures with boxes, as YOLO's programs list them: a text file for each picture."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from ..errors import shown
from .box_listing import MOST_CLASSES, BoxListing, check_class_names
from .dataset import Dataset
from .files import Tree, open_tree, pictures
from .folders import check_workers, make_decoder

_CLASSES = "classes.txt"


def detection_dataset_from_yolo(
    directory: str | os.PathLike[str],
    image_set: str | None = None,
    class_names: Sequence[str] | None = None,
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
    """Pictures with boxes, as YOLO's programs have them: ``images/a.jpg`` and ``labels/a.txt``.

    A line of a text file is one thing: its class' number, then the box's centre, width and height as shares of the
    picture's width and height; or after the number the corners of its outline, of which the box around it is taken. A
    picture without a text file, or with an empty one, has no things.

    Parameters
    ----------
    directory : path-like
        The folder, or zip archive, or folder in one. Text files may also lie beside their pictures.
    image_set : str, optional
        Only pictures below a folder of this name: ``images/train`` or ``train/images`` for ``"train"``.
    class_names : list of str, optional
        What the numbers stand for. Else the lines of ``classes.txt`` in the folder or in ``labels``; else the numbers.
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
    FileNotFoundError, ValueError
        No such folder, no pictures in it, or no text file of any of them; with ``on_error="raise"`` anything wrong.

    Warns
    -----
    UserWarning
        What is left out or cut off.
    """
    decoder = make_decoder(image_size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    threads, names = check_workers(workers), check_class_names(class_names)
    where, tree = os.fspath(directory), open_tree(directory)
    listing = BoxListing(where, tree, on_error, relative=True)
    files = [name for name in listing.files if _is_in(name, image_set)]
    texts = {name for name in files if name.endswith(".txt") and PurePosixPath(name).name != _CLASSES}
    written = _class_names(tree, listing.files)
    # Other names for the same classes are welcome, the same names for other numbers are a mistake.
    if any(name in (names or ())[:i] or name in (names or ())[i + 1 :] for i, name in enumerate(written or ())):
        raise ValueError(
            f"class_names must be the lines of {where}'s {_CLASSES}, which the numbers in its files mean: "
            f"{shown(written)}, received {shown(names)}"
        )
    names = written if names is None else names
    most = MOST_CLASSES if names is None else len(names)
    used: set[str] = set()
    for name in pictures(files):
        picture = listing.picture(name, name, where, name)
        text = _text_of(name, texts)
        if picture is None or text is None:
            continue
        used.add(text)
        for place, line in _lines(tree, text, listing):
            _add(line, most, place, picture, listing)
    if not used:  # rather another form than nothing but pictures without things
        among = "" if image_set is None else f" in folders {image_set!r}"
        raise ValueError(f"{where} has no text files of its pictures' boxes{among}")
    for text in sorted(texts - used):
        if _has_boxes(text, tree):
            listing.note(tree.path(text), "there is no picture of this name")
    if names is None:
        found = [label for picture in listing.pictures.values() for label in picture.labels]
        names = [str(i) for i in range(max(found, default=-1) + 1)]
    return listing.dataset(names, decoder, threads, batch_size, shuffle, seed, details)


def _is_in(name: str, image_set: str | None) -> bool:
    return image_set is None or image_set in name.split("/")[:-1]


def _class_names(tree: Tree, files: list[str]) -> list[str] | None:
    for name in (_CLASSES, f"labels/{_CLASSES}"):
        if name in files:
            lines = tree.read(name).decode("utf-8-sig", "replace").splitlines()
            return check_class_names([line.strip() for line in lines if line.strip()])
    return None


def _text_of(name: str, texts: set[str]) -> str | None:
    """The text file of a picture: in a folder labels where the picture's is called images, or beside it."""
    folders = name.split("/")[:-1]
    own = PurePosixPath(name).with_suffix(".txt")
    for i in reversed(range(len(folders))):
        if folders[i] == "images":
            other = "/".join([*folders[:i], "labels", *folders[i + 1 :], own.name])
            if other in texts:
                return other
            break
    return str(own) if str(own) in texts else None


def _lines(tree: Tree, text: str, listing: BoxListing) -> Iterator[tuple[str, list[str]]]:
    """The lines with something on them, each with its place."""
    try:
        content = tree.read(text).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        listing.note(tree.path(text), f"can't be read as text: {getattr(error, 'strerror', None) or error}")
        return
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield f"{tree.path(text)}, line {number}:", line.split()


def _add(words: list[str], most: int, where: str, picture: Any, listing: BoxListing) -> None:
    """One thing of a picture."""
    try:
        kind, *numbers = (float(word) for word in words)
    except ValueError:
        listing.notes.append(f"{where} expected numbers, received {shown(' '.join(words))}")
        return
    if not all(map(math.isfinite, numbers)):
        listing.notes.append(f"{where} its box is not finite, received {shown(' '.join(words))}")
        return
    if len(numbers) != 4 and (len(numbers) < 6 or len(numbers) % 2):
        listing.notes.append(
            f"{where} expected a class and a box's 4 numbers, or an outline of 3 corners or more, received "
            f"{shown(' '.join(words))}"
        )
        return
    if not (math.isfinite(kind) and kind == int(kind) and 0 <= kind < most):
        listing.notes.append(f"{where} the class must be a number from 0 to {most - 1}, received {shown(words[0])}")
        return
    if len(numbers) == 4:
        x, y, width, height = numbers
        box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    else:
        box = [min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])]
    listing.add(picture, int(kind), box, f"{where} its box, in shares of the picture,")


def _has_boxes(text: str, tree: Tree) -> bool:
    """Whether a text file is meant to have a picture's boxes."""
    if "labels" in text.split("/")[:-1]:
        return True
    try:
        words = tree.read(text).split(b"\n", 1)[0].split()
        return len(words) >= 5 and all(math.isfinite(float(word)) for word in words)
    except (OSError, ValueError):
        return False

"""Pictures with boxes, as tables list them: a row for each box."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import shown
from .box_listing import BoxListing, check_class_names, given_size
from .boxes import plain_name
from .dataset import Dataset
from .files import open_tree
from .folders import check_workers, make_decoder

#: What columns are called, by what is in them; the first that a table has is taken.
_NAMES = {
    "path": ("path", "filename", "file_name", "file", "image", "image_path"),
    "left": ("x1", "xmin", "x_min", "left"),
    "top": ("y1", "ymin", "y_min", "top"),
    "right": ("x2", "xmax", "x_max", "right"),
    "bottom": ("y2", "ymax", "y_max", "bottom"),
    "label": ("label", "class", "class_name", "name"),
    "width": ("width", "image_width"),
    "height": ("height", "image_height"),
}
#: Where they are in tables without names.
_PLACES = {"path": 0, "left": 1, "top": 2, "right": 3, "bottom": 4, "label": 5}
_BOX = ("left", "top", "right", "bottom")


def detection_dataset_from_csv(
    file: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    class_names: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    delimiter: str = ",",
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
    """Pictures with boxes listed in a CSV file, a row for each box: path, x1, y1, x2, y2, label.

    Columns have these names in the first row, or ``filename``, ``xmin``, ``ymin``, ``xmax``, ``ymax``, ``class`` and
    such, in any order, ``width`` and ``height`` being the picture's; in a table without names they have this order. A
    row whose box and label are empty lists a picture without things.

    Parameters
    ----------
    file : path-like
        UTF-8 text.
    directory : path-like, optional
        The folder or zip archive that the paths are relative to; that of the file if not given. No path may lead out
        of it; absolute ones must be below it.
    class_names : list of str, optional
        The labels in the order of their numbers; things of others are left out. All that there are, in alphabetical
        order, if not given.
    columns : dict, optional
        What columns are called, where they have other names: ``{"left": "box_x0", ...}`` for any of path, left, top,
        right, bottom, label, width, height.
    delimiter : str
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
        The file is no such table, a column is missing, or no picture is there; with ``on_error="raise"`` anything wrong
        in a row.

    Warns
    -----
    UserWarning
        What is left out or cut off, by file and line.
    """
    decoder = make_decoder(image_size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    threads, names, path = check_workers(workers), check_class_names(class_names), os.fspath(file)
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"delimiter must be a single character, and no quote, received {shown(delimiter)}")
    root = Path(file).parent if directory is None else directory
    listing = BoxListing(path, open_tree(root), on_error)
    above = os.path.abspath(root).replace("\\", "/").rstrip("/") + "/"
    for where, row in _rows(path, delimiter, columns, listing):
        name = plain_name(row["path"].replace("\\", "/").removeprefix(above))
        if name in listing.refused:
            continue
        picture = listing.pictures.get(name)
        if picture is None:
            size = given_size(row.get("width"), row.get("height"))
            picture = listing.picture(name, name, where, name, size)
        if picture is not None and any(row[key] for key in (*_BOX, "label")):
            _add(row, where, picture, listing)
    classes = listing.number(names)
    return listing.dataset(classes, decoder, threads, batch_size, shuffle, seed, details)


def _rows(
    file: str, delimiter: str, columns: Mapping[str, str] | None, listing: BoxListing
) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows with what is in them by what it is, and their places."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            places: dict[str, int] | None = None
            for words in reader:
                if not any(word.strip() for word in words):
                    continue
                if places is None:
                    places, named = _places(words, columns or {}, file)
                    if named:
                        continue
                where = f"{file}, line {reader.line_num}"
                if len(words) <= places["path"]:
                    listing.note(where, f"expected {len(places)} columns, received {shown(words)}")
                    continue
                # Who leaves out empty columns at the end means the same.
                yield where, {k: words[i].strip() if i < len(words) else "" for k, i in places.items()}
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} can't be read as a table: {error}") from None
    except NotADirectoryError:
        raise ValueError(
            f"{file} must be a file of its own: only pictures may be in an archive, named as directory"
        ) from None


def _places(words: list[str], columns: Mapping[str, str], file: str) -> tuple[dict[str, int], bool]:
    """Where each column is, and whether the first row has their names."""
    if wrong := [key for key in columns if key not in _NAMES]:
        raise ValueError(f"columns: expected names for {', '.join(_NAMES)}, received {shown(wrong[0])}")
    given = [word.strip() for word in words]
    plain = [word.lower() for word in given]
    # A thing may be called "left", and a picture "file": in a row with numbers these are no names of columns.
    known = {name for key in ("path", "left", "label") for name in _NAMES[key]}
    if not columns and (known.isdisjoint(plain) or any(map(_is_number, plain))):
        return dict(_PLACES), False
    places: dict[str, int] = {}
    for key, names in _NAMES.items():
        if key in columns:
            found = [given.index(columns[key])] if columns[key] in given else []
        else:
            found = [plain.index(name) for name in names if name in plain]
        if found:
            places[key] = found[0]
        elif key in columns or key not in ("width", "height"):
            wanted = repr(columns[key]) if key in columns else f"for {key}: one of {', '.join(names)}"
            raise ValueError(f"{file} has no column {wanted}; its first row has {', '.join(given)}")
    return places, True


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _add(row: dict[str, str], where: str, picture: Any, listing: BoxListing) -> None:
    """A row's box."""
    if not all(row[key] for key in (*_BOX, "label")):
        missing = [key for key in (*_BOX, "label") if not row[key]]
        listing.note(where, f"{', '.join(missing)} missing: a box needs all of them, a picture without things none")
        return
    listing.add(picture, row["label"], [row[key] for key in _BOX], f"{where}: its box")

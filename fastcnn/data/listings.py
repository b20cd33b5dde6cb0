"""Pictures that a table lists, with a label each."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import shown
from .boxes import leads_out
from .dataset import Dataset
from .files import open_tree
from .folders import batches, check_label_mode, check_workers, encoded, make_decoder
from .picture_rows import PictureRows

#: Class numbers up to so many, and so many more for each row, are believed: a mistaken one makes as many classes.
_NUMBERS, _NUMBERS_PER_ROW = 100_000, 10


def image_dataset_from_csv(
    file: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    path_column: str | int = "path",
    label_column: str | int | None = "label",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    delimiter: str = ",",
    on_error: str = "raise",
    workers: int | None = None,
) -> Dataset:
    """Pictures listed in a CSV file, each with its label.

    Parameters
    ----------
    file : path-like
        UTF-8 text.
    directory : path-like, optional
        The folder or zip archive that the paths are relative to; that of the file if not given. No path may lead out
        of it; absolute ones must be below it.
    path_column, label_column : str or int
        Columns by their names in the first row, or by their places, counted from 0, where there is no such row. Without
        a label column batches are arrays.
    class_names : list of str, optional
        Labels in the order of their numbers. Where not given, whole numbers are taken as they are, and words in
        alphabetical order.
    delimiter : str
    label_mode, color_mode, batch_size, image_size, shuffle, seed, interpolation, crop_to_aspect_ratio, \
pad_to_aspect_ratio, on_error, workers
        As for `image_dataset_from_directory`.

    Returns
    -------
    Dataset
        Batches ``(x, y)``.

    Raises
    ------
    ValueError
        No such column, a row that is too short, a path out of the folder, a label that is none of the class names: the
        message has the file and the line.
    """
    check_label_mode(label_mode)
    decoder = make_decoder(image_size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    threads = check_workers(workers)
    wanted = None if label_mode is None else label_column
    root = Path(file).parent if directory is None else directory
    tree = open_tree(root, "directory")
    paths, labels = _columns(os.fspath(file), os.fspath(root), path_column, wanted, delimiter)
    if labels is None:
        return batches(PictureRows(tree, paths, decoder, (), threads, on_error), batch_size, shuffle, seed, None)
    numbers, names = _numbered(labels, class_names, os.fspath(file))
    columns = (encoded(numbers, str(label_mode), len(names)),)
    return batches(PictureRows(tree, paths, decoder, columns, threads, on_error), batch_size, shuffle, seed, names)


def _columns(
    file: str, root: str, path_column: str | int, label_column: str | int | None, delimiter: str
) -> tuple[list[str], list[tuple[int, str]] | None]:
    """The paths below `root`, and the labels with their lines."""
    above = os.path.abspath(root).replace("\\", "/").rstrip("/") + "/"
    paths, labels = [], []
    places: list[int] | None = None
    wanted = [path_column] if label_column is None else [path_column, label_column]
    try:
        with open(file, encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            for row in reader:
                if not row:
                    continue
                if places is None:
                    places = [_place(column, row, file) for column in wanted]
                    if any(isinstance(column, str) for column in wanted):
                        continue
                if max(places) >= len(row):
                    raise ValueError(f"{file}, line {reader.line_num}: expected at least {max(places) + 1} columns, "
                                     f"received {shown(row)}")  # fmt: skip
                path = row[places[0]].replace("\\", "/").removeprefix(above)
                if leads_out(path):
                    raise ValueError(f"{file}, line {reader.line_num}: {shown(path)} leads out of the folder {root}; "
                                     "directory may be one above it")  # fmt: skip
                paths.append(path)
                labels.append((reader.line_num, row[places[-1]].strip()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} can't be read as a table: {error}") from None
    if not paths:
        raise ValueError(f"{file} lists no pictures")
    return paths, None if label_column is None else labels


def _place(column: str | int, header: list[str], file: str) -> int:
    if isinstance(column, int) and not isinstance(column, bool) and column >= 0:
        return column
    names = [name.strip() for name in header]
    if column not in names:
        raise ValueError(f"{file} has no column {column!r} in its first row; it has {', '.join(names)}")
    return names.index(str(column))


def _numbered(
    labels: list[tuple[int, str]], class_names: Sequence[str] | None, file: str
) -> tuple[np.ndarray, list[str]]:
    """Class numbers, and what the classes are called."""
    words = [word for _, word in labels]
    if class_names is None and all(word.isdecimal() for word in words):
        most = _NUMBERS + _NUMBERS_PER_ROW * len(words)
        for line, word in labels:
            if len(word.lstrip("0")) > len(str(most)) or int(word) > most:
                raise ValueError(
                    f"{file}, line {line}: the label {shown(word)} is no class number that is likely among "
                    f"{len(words)} rows, at most {most} is taken; give class_names if labels are names"
                )
        numbers = np.array([int(word) for word in words], np.int64)
        return numbers, [str(i) for i in range(int(numbers.max()) + 1)]
    names = sorted(set(words)) if class_names is None else list(class_names)
    known = {name: i for i, name in enumerate(names)}
    for line, word in labels:
        if word not in known:
            raise ValueError(f"{file}, line {line}: the label {word!r} is none of {shown(names)}")
    return np.array([known[word] for word in words], np.int64), names

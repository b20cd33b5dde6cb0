"""Pictures in folders, one for each class, as a dataset of batches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import random
from ..errors import shown, unknown_name
from ..shapes import pair, real_number, whole_number
from .dataset import Dataset
from .decoding import Decoder
from .files import open_tree, pictures
from .picture_rows import PictureRows

COLORS = {"grayscale": 1, "rgb": 3, "rgba": 4}
LABEL_MODES = ("int", "categorical", "binary", None)
SUBSETS = ("training", "validation", "both")


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    stratified: bool = True,
    on_error: str = "raise",
    workers: int | None = None,
) -> Any:
    """Pictures in the folders of a folder, one for each class.

    They are decoded by threads and wait in the background, two batches at most. Those of other sizes are resized by
    Pillow, which takes the mean over all pixels between where they become smaller.

    Parameters
    ----------
    directory : path-like
        A folder, a zip archive, or a folder in one: ``"pictures.zip/train"``.
    labels : "inferred", None or list of int
        By the folders' names in alphabetical order; none, of pictures anywhere below the folder; or one for each
        picture, in the order of their paths.
    label_mode : "int", "categorical", "binary" or None
        (n,) int64; (n, classes) float32 of one 1 each; (n, 1) float32 of 0 and 1; no labels: batches are arrays.
    class_names : list of str, optional
        The folders to take, in the order of their numbers.
    color_mode : "rgb", "rgba" or "grayscale"
    batch_size : int or None
        None: single samples, to be chosen from, shuffled and batched by steps of one's own.
    image_size : int or (int, int)
        Height and width.
    shuffle : bool
        Every epoch in another order; else sorted by path.
    seed : int, optional
        Of the order and of the split.
    validation_split : float, optional
        The share of pictures that is kept for validation, the same ones whenever the seed is the same.
    subset : "training", "validation" or "both"
        What to return of a split; "both": a pair, of which the second isn't shuffled.
    interpolation : "bilinear", "nearest", "bicubic", "area" or "lanczos"
    follow_links : bool
        Whether to look into folders behind symbolic links.
    crop_to_aspect_ratio, pad_to_aspect_ratio : bool
        Cut off, or fill with black, what another ratio of height to width leaves over, instead of stretching.
    stratified : bool
        Whether a split takes the same share of each class.
    on_error : {"raise", "skip"}
        What becomes of files that can't be read as pictures: a `PictureError` that names the file, or a warning, and
        smaller batches. `Dataset.problems` lists them.
    workers : int, optional
        Threads that decode. Where not given, as many as fastcnn uses, or a single one for very small files.

    Returns
    -------
    Dataset, or two of them
        Batches ``(x, y)``, x uint8 (n, height, width, channels). `class_names` and `file_paths` are known.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such folder, or no picture in it; fewer folders than two; an argument that is none of those above.

    Notes
    -----
    Pixels are uint8, where Keras gives float32: models take them as they are, and memory holds four times as many.
    """
    split = _check_split(validation_split, subset)
    seed = None if seed is None else random.check_seed(seed)
    check_label_mode(label_mode)
    decoder = make_decoder(image_size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    threads = check_workers(workers)
    tree = open_tree(directory, "directory", follow_links)
    found = find_labelled(tree.names(), labels if label_mode is not None else None, class_names, os.fspath(directory))
    columns = () if found.labels is None else (encoded(found.labels, str(label_mode), len(found.class_names)),)
    if shuffle and seed is None:
        drawn: int | None = random.next_seed()  # the same for both parts
    else:
        drawn = seed

    def dataset(chosen: np.ndarray, mixed: bool) -> Dataset:
        names = [found.names[i] for i in chosen]
        rows = PictureRows(tree, names, decoder, tuple(c[chosen] for c in columns), threads, on_error)
        return batches(rows, batch_size, mixed, drawn, found.class_names if columns else None)

    everything = np.arange(len(found.names))
    if split is None:
        return dataset(everything, shuffle)
    held = held_out(found.labels if stratified else None, len(everything), split, 0 if seed is None else seed)
    if not held.any() or held.all():
        raise ValueError(f"validation_split={split:g} of {len(held)} pictures leaves one part empty")
    parts = {"training": lambda: dataset(everything[~held], shuffle),
             "validation": lambda: dataset(everything[held], shuffle and subset != "both")}  # fmt: skip
    return (parts["training"](), parts["validation"]()) if subset == "both" else parts[str(subset)]()


def _check_split(share: float | None, subset: str | None) -> float | None:
    if (share is None or share == 0) and subset is None:
        return None
    if subset not in SUBSETS or share is None:
        raise ValueError(
            f'validation_split and subset ("training", "validation" or "both") go together, received '
            f"validation_split={shown(share)}, subset={shown(subset)}"
        )
    return real_number(share, "validation_split", 0.0, 1.0, closed=False)


def check_label_mode(label_mode: str | None) -> None:
    if label_mode not in LABEL_MODES:
        raise unknown_name("label_mode", label_mode, [str(k) for k in LABEL_MODES])


def check_workers(workers: int | None) -> int | None:
    """How many threads decode; None is left to `PictureRows`."""
    return None if workers is None else whole_number(workers, "workers")


def make_decoder(size: Any, color_mode: str, interpolation: str, crop: bool, pad: bool) -> Decoder:
    """From the arguments that all functions have which make datasets of pictures."""
    if color_mode not in COLORS:
        raise unknown_name("color_mode", color_mode, COLORS)
    if crop and pad:
        raise ValueError("crop_to_aspect_ratio and pad_to_aspect_ratio can't both be True")
    fit = "crop" if crop else "pad" if pad else "stretch"
    return Decoder(*pair(size, "image_size"), COLORS[color_mode], interpolation, fit)


def batches(
    pictures: PictureRows, batch_size: int | None, shuffle: bool, seed: int | None, class_names: list[str] | None
) -> Dataset:
    """Pictures as a dataset of batches that reads ahead, or of single samples, which other steps may follow."""
    dataset = Dataset(pictures, class_names, [pictures.tree.path(name) for name in pictures.names])
    if shuffle:
        dataset = dataset.shuffle(seed=seed)
    return dataset if batch_size is None else dataset.batch(batch_size).prefetch()


@dataclass(frozen=True)
class Labelled:
    """Files and their classes.

    Attributes
    ----------
    names : list of str
        Sorted.
    labels : (n,) int64, or None
    class_names : list of str
    """

    names: list[str]
    labels: np.ndarray | None
    class_names: list[str]


def find_labelled(names: Sequence[str], labels: Any, class_names: Sequence[str] | None, where: str) -> Labelled:
    """The pictures among files, with their classes: see `image_dataset_from_directory`."""
    found = pictures(names)
    if isinstance(labels, str) and labels != "inferred":
        raise ValueError(f'labels must be "inferred", None or a list of class numbers, received {labels!r}')
    if not isinstance(labels, str):
        if not found:
            raise ValueError(f"there are no pictures in {where}")
        if labels is None:
            return Labelled(found, None, [])
        return _with_labels(found, labels, class_names)
    folders = sorted({name.split("/")[0] for name in found if "/" in name})
    if class_names is not None:
        if len(set(class_names)) != len(class_names):
            raise ValueError(f"class_names must differ, received {shown(list(class_names))}")
        missing = [name for name in class_names if name not in folders]
        if missing:
            raise ValueError(f"class_names: {where} has no folder {missing[0]!r} with pictures; it has {_few(folders)}")
        folders = list(class_names)
    if len(folders) < 2:
        raise ValueError(
            f"{where} must hold at least two folders of pictures, one for each class; found {_few(folders)}"
        )
    numbers = {folder: i for i, folder in enumerate(folders)}
    taken = [name for name in found if "/" in name and name.split("/")[0] in numbers]
    return Labelled(taken, np.array([numbers[n.split("/")[0]] for n in taken], np.int64), folders)


def _few(folders: Sequence[str], most: int = 10) -> str:
    listed = ", ".join(folders[:most])
    return (listed + (f" and {len(folders) - most} more" if len(folders) > most else "")) or "none"


def _with_labels(names: list[str], labels: Any, class_names: Sequence[str] | None) -> Labelled:
    array = np.asarray(labels)
    if array.dtype.kind not in "iu" or array.shape != (len(names),):
        raise ValueError(
            f"labels must be {len(names)} class numbers, one for each picture, received {array.dtype} of shape "
            f"{array.shape}"
        )
    count = int(array.max()) + 1 if class_names is None else len(class_names)
    if array.min() < 0 or array.max() >= count:
        raise ValueError(f"labels must be class numbers from 0 to {count - 1}, received {array.min()} to {array.max()}")
    known = [str(i) for i in range(count)] if class_names is None else list(class_names)
    return Labelled(names, array.astype(np.int64), known)


def encoded(labels: np.ndarray, mode: str, classes: int) -> np.ndarray:
    """Class numbers as losses want them: see `label_mode` of `image_dataset_from_directory`."""
    if mode == "categorical":
        return np.eye(classes, dtype=np.float32)[labels]
    if mode == "binary":
        if classes != 2:
            raise ValueError(f'label_mode="binary" needs two classes, received {classes}')
        return labels[:, None].astype(np.float32)
    return labels


def held_out(labels: np.ndarray | None, count: int, share: float, seed: int) -> np.ndarray:
    """Which of so many samples are kept for validation, bool (count,); with labels, the same share of each class."""
    generator = np.random.default_rng(seed)
    held = np.zeros(count, dtype=bool)
    groups = [np.arange(count)] if labels is None else [np.flatnonzero(labels == c) for c in np.unique(labels)]
    for places in groups:
        held[generator.permutation(places)[: round(share * len(places))]] = True
    return held

"""What the command line trains and evaluates on: a dataset by name, or a folder of pictures."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import datasets
from ..errors import unknown_name
from . import pictures

NAMES = ("fashion_mnist", "mnist", "sample")
_TITLES = {"fashion_mnist": "Fashion-MNIST", "mnist": "MNIST", "sample": "Fashion-MNIST (sample)"}


#: Pictures and their classes.
Labelled = tuple[np.ndarray, np.ndarray]


@dataclass
class Data:
    """Pictures with their labels.

    Attributes
    ----------
    source : str
        Where the data came from, for people.
    train, test : (x, y)
        uint8 (n, height, width, channels) and integers (n,); `test` is None where a folder has no test pictures.
    notes : list of str
        What went otherwise than asked for, for people.
    """

    name: str
    title: str
    source: str
    class_names: list[str]
    train: Labelled
    test: Labelled | None
    notes: list[str] = field(default_factory=list)


def load(name: str, size: tuple[int, int] | None = None, channels: int | None = None) -> Data:
    """The dataset or folder called `name`; `size` and `channels` (1 or 3) are for pictures of a folder.

    Raises
    ------
    ValueError
        `name` is neither, or the folder's pictures can't be trained on.
    """
    if name in NAMES:
        return _dataset(name)
    folder = Path(name)
    if folder.is_dir():
        return _folder(folder, size, channels)
    if folder.exists():
        raise ValueError(f"{name} is a file; DATA must be a folder of pictures, or one of {', '.join(NAMES)}")
    raise ValueError(f"there is no folder {name!r}. {unknown_name('dataset', name, NAMES)}")


def _dataset(name: str) -> Data:
    if name == "sample":
        found = datasets.Loaded(
            datasets.fashion_mnist.load_sample(),
            datasets.fashion_mnist.CLASS_NAMES,
            "the sample of Fashion-MNIST that comes with fastcnn",
        )
    else:
        found = datasets.load(name, sample_instead=True)
    notes = [f"{found.missing}\nGoing on with the sample that comes with fastcnn."] if found.missing else []
    name = "sample" if found.missing else name
    (x_train, y_train), (x_test, y_test) = found.arrays
    train, test = (x_train[..., None], y_train), (x_test[..., None], y_test)
    return Data(name, _TITLES[name], found.source, list(found.class_names), train, test, notes)


def _folder(folder: Path, size: tuple[int, int] | None, channels: int | None) -> Data:
    parts = {p.name.lower(): p for p in folder.iterdir() if p.is_dir()}
    train = parts.get("train") or parts.get("training")
    test = parts.get("test") or parts.get("val") or parts.get("validation")
    if train is None or test is None:
        train, test = folder, None
    classes = pictures.class_folders(train)
    if len(classes) < 2:
        raise ValueError(
            f"{train} must hold at least two folders of pictures, one for each class; found {len(classes)}"
        )
    first = pictures.first_picture(classes)
    if size is None:
        limit = pictures.LARGEST_AUTOMATIC_SIZE
        size = (min(first.height, limit), min(first.width, limit))
    if channels is None:
        channels = 1 if first.mode == "L" else 3
    trained_on, problems = _load(classes, size, channels)
    tested_on = None
    if test is not None:
        found = pictures.class_folders(test)
        extra = set(found) - set(classes)
        if extra:
            raise ValueError(f"{test} has classes that {train} hasn't: {', '.join(sorted(extra))}")
        tested_on, more = _load({name: found.get(name, []) for name in classes}, size, channels)
        if not len(tested_on[0]):
            raise ValueError(f"{test} has no pictures that can be read")
        problems += more
    notes = [f"left out: {problem}" for problem in problems]
    source = f"pictures in {folder.resolve()} (as {size[0]}x{size[1]}, {'gray' if channels == 1 else 'colour'})"
    return Data(str(folder), folder.resolve().name, source, list(classes), trained_on, tested_on, notes)


def _load(classes: dict[str, list[Path]], size: tuple[int, int], channels: int) -> tuple[Labelled, list[str]]:
    print(f"reading {sum(map(len, classes.values()))} pictures of {len(classes)} classes ...", file=sys.stderr)
    x, y, problems = pictures.load_classes(classes, size, channels)
    return (x, y), problems


def split(data: Data, share: float, seed: int | None) -> tuple[Labelled, Labelled]:
    """Training pictures in two parts, each class in the same proportion: to train on, and to validate on."""
    x, y = data.train
    generator = np.random.default_rng(0 if seed is None else seed)
    held = np.zeros(len(y), dtype=bool)
    for label in range(len(data.class_names)):
        places = generator.permutation(np.flatnonzero(y == label))
        held[places[: round(share * len(places))]] = True
    if not held.any() or held.all():
        raise ValueError(
            f"--validation-split {share:g} of {len(held)} pictures leaves nothing to train on or to validate on"
        )
    return (x[~held], y[~held]), (x[held], y[held])

"""What the command line trains and evaluates on: a dataset by name, or pictures in folders."""

from __future__ import annotations

import sys
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL.Image import Image

from .. import datasets
from ..data import Dataset, PictureError, open_picture
from ..data.decoding import Decoder
from ..data.files import Tree, open_tree, pictures
from ..data.folders import Labelled, find_labelled, held_out
from ..data.picture_rows import PictureRows
from ..data.structure import joined
from ..errors import unknown_name

NAMES = ("cifar10", "fashion_mnist", "mnist", "sample")
_TITLES = {
    "cifar10": "CIFAR-10", "fashion_mnist": "Fashion-MNIST", "mnist": "MNIST", "sample": "Fashion-MNIST (sample)",
}  # fmt: skip
#: Where pictures of any size may set the size of a dataset: the classic CNN on larger ones is slow and learns little.
LARGEST_AUTOMATIC_SIZE = 96
#: Pictures are read so many at a time.
_AT_ONCE = 256

#: Pictures and their classes.
Pair = tuple[np.ndarray, np.ndarray]


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
    train: Pair
    test: Pair | None
    notes: list[str] = field(default_factory=list)


def load(name: str, size: tuple[int, int] | None = None, channels: int | None = None) -> Data:
    """The dataset, folder or archive called `name`; `size` and `channels` (1 or 3) are for pictures of the latter.

    Raises
    ------
    ValueError
        `name` is neither, or the folder's pictures can't be trained on.
    """
    if name in NAMES:
        return _dataset(name)
    path = Path(name)
    if path.is_dir() or any(zipfile.is_zipfile(p) for p in (path, *path.parents) if p.is_file()):
        return _pictures(name, size, channels)
    if path.exists():
        raise ValueError(
            f"{name} is a file; DATA must be a folder or a zip archive of pictures, or one of {', '.join(NAMES)}"
        )
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
    train, test = ((x if x.ndim == 4 else x[..., None], y.ravel()) for x, y in ((x_train, y_train), (x_test, y_test)))
    return Data(name, _TITLES[name], found.source, list(found.class_names), train, test, notes)


def _pictures(place: str, size: tuple[int, int] | None, channels: int | None) -> Data:
    """Pictures in the folders of a folder or an archive: of one with `train` and `test`, in the folders of these."""
    tree = open_tree(place, "DATA")
    names = pictures(tree.names())
    parts = {name.split("/")[0].lower(): name.split("/")[0] for name in names if name.count("/") > 1}
    train = parts.get("train") or parts.get("training")
    test = parts.get("test") or parts.get("val") or parts.get("validation")
    if train is None or test is None:
        train = test = None
    trained = _labelled(tree, names, train, place)
    if size is None or channels is None:
        first = _first_picture(tree, trained)
        size = size or (min(first.height, LARGEST_AUTOMATIC_SIZE), min(first.width, LARGEST_AUTOMATIC_SIZE))
        channels = channels or (1 if first.mode == "L" else 3)
    decoder = Decoder(*size, channels)
    trained_on, notes = _read(tree, trained, decoder)
    tested_on = None
    if test is not None:
        tested = _labelled(tree, names, test, place, trained.class_names)
        tested_on, more = _read(tree, tested, decoder)
        if not len(tested_on[0]):
            raise ValueError(f"{tree.path(test)} has no pictures that can be read")
        notes += more
    colours = "gray" if channels == 1 else "colour"
    source = f"pictures in {Path(place).resolve()} (as {size[0]}x{size[1]}, {colours})"
    return Data(place, Path(place).resolve().name, source, trained.class_names, trained_on, tested_on, notes)


def _labelled(tree: Tree, names: list[str], part: str | None, place: str, classes: list[str] | None = None) -> Labelled:
    """The pictures of a part, with the classes found there or with those of another part."""
    prefix = "" if part is None else f"{part}/"
    inside = [name[len(prefix) :] for name in names if name.startswith(prefix)]
    where = place if part is None else tree.path(part)
    if classes is not None:
        found = {name.split("/")[0] for name in inside if "/" in name}
        if extra := sorted(found - set(classes)):
            raise ValueError(f"{where} has classes that the training pictures haven't: {', '.join(extra)}")
        taken = [name for name in inside if "/" in name]
        numbers = np.array([classes.index(name.split("/")[0]) for name in taken], np.int64)
        return Labelled([prefix + name for name in taken], numbers, classes)
    trained = find_labelled(inside, "inferred", None, where)
    return Labelled([prefix + name for name in trained.names], trained.labels, trained.class_names)


def _read(tree: Tree, found: Labelled, decoder: Decoder) -> tuple[Pair, list[str]]:
    """All pictures, decoded, and what is wrong with those that are left out."""
    print(f"reading {len(found.names)} pictures of {len(found.class_names)} classes ...", file=sys.stderr)
    rows = PictureRows(tree, found.names, decoder, (found.labels,), None, on_error="skip")
    dataset = Dataset(rows).batch(_AT_ONCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said as notes
        parts = list(dataset)
    notes = [f"left out: {problem}" for problem in dataset.problems]
    if not parts:
        return (np.empty((0, *decoder.shape), np.uint8), np.empty(0, np.int64)), notes
    return joined(parts), notes


def _first_picture(tree: Tree, found: Labelled) -> Image:
    """The first picture that can be read.

    Raises
    ------
    PictureError
        There is none; the message is about the last file.
    """
    problem = ""
    for name in found.names:
        try:
            return open_picture(tree.read(name), tree.path(name))
        except (OSError, ValueError) as error:
            problem = str(error)
    raise PictureError(f"none of the files can be read as a picture; the last: {problem}")


def split(data: Data, share: float, seed: int | None) -> tuple[Pair, Pair]:
    """Training pictures in two parts, each class in the same proportion: to train on, and to validate on."""
    x, y = data.train
    held = held_out(y, len(y), share, 0 if seed is None else seed)
    if not held.any() or held.all():
        raise ValueError(
            f"--validation-split {share:g} of {len(held)} pictures leaves nothing to train on or to validate on"
        )
    return (x[~held], y[~held]), (x[held], y[held])

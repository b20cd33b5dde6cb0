"""What ``fastcnn detect`` trains and judges on: pictures with boxes, in whichever form they are listed."""

from __future__ import annotations

import csv
import itertools
import posixpath
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import data as sources
from ..data import Dataset
from ..data.files import Folder, Tree, open_tree, pictures

#: What reads each form.
READERS: dict[str, Callable[..., Dataset]] = {
    "voc": sources.detection_dataset_from_voc,
    "coco": sources.detection_dataset_from_coco,
    "yolo": sources.detection_dataset_from_yolo,
    "csv": sources.detection_dataset_from_csv,
}
#: By a part's name, the arguments to read it with.
Parts = dict[str, dict[str, Any]]
#: What parts are called, by people and programs.
_PARTS = {"train": ("train", "training", "trainval"), "val": ("val", "valid", "validation"), "test": ("test",)}
#: So much of a listing is read to find its first picture.
_BEGINNING = 1 << 20
#: So many problems are printed one by one.
_PRINTED = 10


@dataclass(frozen=True)
class Source:
    """Pictures with boxes, in parts.

    Attributes
    ----------
    place : str
        As it was given.
    form : str
        One of `READERS`.
    parts : dict
        The reader's own arguments for "train", "val" and "test", as far as there are such; else for "all".
    """

    place: str
    form: str
    parts: Parts

    def load(
        self, part: str, image_size: tuple[int, int], class_names: list[str] | None = None, strict: bool = False
    ) -> Dataset:
        """A part: ``(image, labels, boxes, details)`` one by one, which can be had in any order. What is wrong with it
        is printed, or an error where `strict`.

        Raises
        ------
        ValueError, OSError
            It can't be read.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said as notes
            dataset = READERS[self.form](
                **self.parts[part], class_names=class_names, image_size=image_size, pad_to_aspect_ratio=True,
                batch_size=None, shuffle=False, on_error="raise" if strict else "skip", details=True,
            )  # fmt: skip
        _say_problems(dataset)
        return dataset


def split(dataset: Dataset, share: float, seed: int | None) -> tuple[Dataset, Dataset]:
    """A part in two: to train on, and to validate on.

    Raises
    ------
    ValueError
        One of them would be empty.
    """
    count = len(dataset)
    held = round(share * count)
    if not 0 < held < count:
        raise ValueError(f"--validation-split {share:g} of {count} pictures leaves nothing to train or to validate on")
    mixed = dataset.shuffle(seed=0 if seed is None else seed, reshuffle_each_iteration=False)
    return mixed.skip(held), mixed.take(held)


def _say_problems(dataset: Dataset) -> None:
    """Print what is left out of a dataset or was changed in it."""
    problems = dataset.problems
    for problem in problems[:_PRINTED]:
        print(f"fastcnn: {problem}", file=sys.stderr)
    if len(problems) > _PRINTED:
        print(f"fastcnn: and {len(problems) - _PRINTED} more like these", file=sys.stderr)


def find(place: str, form: str | None = None, images: str | None = None) -> Source:
    """The pictures with boxes in a folder, an archive or a listing.

    Parameters
    ----------
    form : str, optional
        One of `READERS`; what is there decides if not given.
    images : str, optional
        Where the pictures of a COCO or CSV listing are.

    Raises
    ------
    ValueError, OSError
        There is no such place; nothing of this form, or of several, is there.
    """
    path = Path(place)
    if path.is_file() and path.suffix.lower() in (".json", ".csv"):
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
        found = {"coco" if path.suffix.lower() == ".json" else "csv": {"all": _listing(path, root, images)}}
    else:
        tree = open_tree(place, "DATA")
        names = tree.names()
        found = {"voc": _voc(place, tree, names), "yolo": _yolo(place, names)}
        for name, ending in (("coco", ".json"), ("csv", ".csv")):
            found[name] = _listings(tree, names, ending, images) if isinstance(tree, Folder) else {}
    there = [name for name, parts in found.items() if parts]
    if images is not None and not {"coco", "csv"} & set(there):
        raise ValueError("--images is for COCO and CSV listings: in other forms pictures lie beside their boxes")
    if form is not None:
        if not found.get(form):
            raise ValueError(f"{place} has no listing of boxes in the form {form}")
        return Source(place, form, found[form])
    if len(there) != 1:
        what = f"lists boxes in several forms, {', '.join(there)}: choose with --format" if there else _NOTHING
        raise ValueError(f"{place} {what}")
    return Source(place, there[0], found[there[0]])


_NOTHING = (
    "has no pictures with boxes: expected Annotations/*.xml (VOC), labels/*.txt (YOLO), or in a folder .json (COCO) or "
    ".csv files"
)


def _part(words: str) -> str | None:
    """Which part a file's or folder's name speaks of."""
    found = re.split(r"[^a-z]+", words.lower())
    return next((part for part, names in _PARTS.items() for name in names if name in found), None)


def _parted(found: Parts) -> Parts:
    """Listings by their names as parts: those that names speak of, or else the only one."""
    parts: Parts = {}
    for name in sorted(found):
        part = _part(name)
        if part is not None and part not in parts:
            parts[part] = found[name]
    if "train" not in parts and len(found) == 1:
        return {"all": next(iter(found.values()))}
    return parts


def _voc(place: str, tree: Tree, names: list[str]) -> Parts:
    xml = [name for name in names if name.lower().endswith(".xml")]
    roots = {
        name.rpartition("Annotations/")[0]
        for name in xml
        if posixpath.basename(posixpath.dirname(name)) == "Annotations"
    }
    if not roots:  # beside the pictures, as labelling programs write them
        stems = {posixpath.splitext(name)[0] for name in pictures(names)}
        return {"all": {"directory": place}} if any(name[:-4] in stems for name in xml) else {}
    if len(roots) > 1:
        raise ValueError(f"{place} has several folders in VOC's form, name one of them: {', '.join(sorted(roots))}")
    (root,) = roots
    lists = f"{root}ImageSets/Main/"
    sets = {Path(name).stem for name in names if posixpath.dirname(name) + "/" == lists and name.endswith(".txt")}
    directory = str(Path(place, root))
    parts: Parts = {}
    for part, called in _PARTS.items():
        name = next((name for name in called if name in sets), None)
        if name is not None:
            parts[part] = {"directory": directory, "image_set": name}
    return parts if "train" in parts else {"all": {"directory": directory}}


def _yolo(place: str, names: list[str]) -> Parts:
    """``labels/train/a.txt``, ``train/labels/a.txt``, ``labels/a.txt``, or text files beside their pictures."""
    stems = {posixpath.splitext(name)[0] for name in pictures(names)}
    root: list[str] | None = None
    sets: dict[str, str] = {}
    for name in names:
        folders = name.split("/")[:-1]
        if not name.endswith(".txt") or not ("labels" in folders or name[:-4] in stems):
            continue
        marks = [i for i, folder in enumerate(folders) if folder == "labels" or _part(folder)]
        above = folders[: marks[0]] if marks else folders
        root = above if root is None or len(above) < len(root) else root
        sets |= {part: folder for folder in folders if (part := _part(folder))}
    if root is None:
        return {}
    directory = str(Path(place, *root))
    if "train" not in sets:
        return {"all": {"directory": directory}}
    return {part: {"directory": directory, "image_set": sets[part]} for part in _PARTS if part in sets}


def _listings(tree: Folder, names: list[str], ending: str, images: str | None) -> Parts:
    """Listings beside the pictures' folders, or in a folder of their own."""
    root = Path(tree.root)
    files = [name for name in names if name.lower().endswith(ending) and name.count("/") <= 1]
    # COCO has other things than boxes beside them.
    files = [name for name in files if "instances" in name] or files
    return _parted({name: _listing(root / name, root, images) for name in files})


def _listing(file: Path, root: Path, images: str | None) -> dict[str, Any]:
    """The arguments to read a listing with: its file, and where its pictures are."""
    return {"file": str(file), "directory": images if images is not None else str(_pictures_of(file, root))}


def _pictures_of(file: Path, root: Path) -> Path:
    """The folder in which the first picture of a listing is: that of the listing, or one whose name suits."""
    name = _first_picture(file)
    if name is None:
        return file.parent
    part = _part(file.stem)
    folders = [file.parent, root, root / "images"]
    folders += [p for base in (root, root / "images") if base.is_dir() for p in sorted(base.iterdir()) if p.is_dir()]
    folders.sort(key=lambda folder: part is not None and _part(folder.name) not in (None, part))
    return next((folder for folder in folders if (folder / name).is_file()), file.parent)


def _first_picture(file: Path) -> str | None:
    """The first picture that a listing names."""
    with open(file, encoding="utf-8-sig", errors="replace", newline="") as text:
        if file.suffix.lower() == ".json":
            match = re.search(r'"file_name"\s*:\s*"([^"]+)"', text.read(_BEGINNING))
            return match[1] if match else None
        rows = itertools.islice(csv.reader(text), 2)  # the first may be a header
        return next((cell.strip() for row in rows for cell in row if pictures([cell.strip()])), None)

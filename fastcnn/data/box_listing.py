"""What readers of listings with boxes share: pictures that are there, boxes that are right, notes on all others."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..errors import shown
from .boxes import Annotated, Box, BoxRows, checked_box, leads_out, plain_name
from .dataset import Dataset
from .decoding import Decoder, PictureError, picture_size
from .files import Tree
from .folders import batches
from .given import listed
from .picture_rows import check_on_error

#: Class numbers up to so many are believed where nothing says how many there are: a mistaken one makes as many classes.
MOST_CLASSES = 100_000


class BoxListing:
    """The pictures of a listing as a reader finds them, and what is wrong with the listing.

    Parameters
    ----------
    where : str
        The listing, for people.
    tree : Tree
        The pictures.
    on_error : {"raise", "skip"}
    relative : bool
        Whether boxes are shares of the pictures' sizes, not pixels.
    """

    def __init__(self, where: str, tree: Tree, on_error: str, relative: bool = False) -> None:
        self.where, self.tree, self.on_error, self.relative = where, tree, check_on_error(on_error), relative
        self.files = tree.names()
        self._there = set(self.files)
        self.pictures: dict[Any, Annotated] = {}
        #: Those that can't be taken, so that their boxes needn't be noted as well.
        self.refused: set[Any] = set()
        #: The pictures whose sizes come from their files.
        self.measured: set[str] = set()
        #: What is left out or changed.
        self.notes: list[str] = []

    def note(self, where: str, problem: str) -> None:
        self.notes.append(f"{where}: {problem}")

    def has(self, name: str) -> bool:
        """Whether there is a file of this name below the folder, be it a hidden one."""
        return name in self._there or (not leads_out(name) and os.path.isfile(self.tree.path(name)))

    def picture(
        self, key: Any, name: Any, where: str, image_id: int | str, size: tuple[float, float] | None = None
    ) -> Annotated | None:
        """A picture that the listing has; None, and a note, where it can't be taken."""
        problem = ""
        if not isinstance(name, str) or not name:
            problem = f"expected a picture's file, received {shown(name)}"
        elif leads_out(name):
            problem = f"{shown(name)} is no file below the folder"
        elif key in self.pictures:
            problem = f"{shown(key)} is there twice, the first one is taken"
        elif not self.has(name := plain_name(name)):
            problem = f"there is no picture {self.tree.path(name)}"
        if problem:
            self.note(where, problem)
            if key not in self.pictures:
                self.refused.add(key)
            return None
        self.pictures[key] = Annotated(name, image_id, size)
        return self.pictures[key]

    def add(
        self,
        picture: Annotated,
        label: Any,
        box: Sequence[Any],
        where: str,
        ignored: bool = False,
        area: float | None = None,
    ) -> None:
        """A picture's next box as far as it lies in it; a note on what is wrong with it."""
        good, problem = checked_box(box, self._size(picture))
        if problem and self._was_mistaken(picture):
            good, problem = checked_box(box, picture.size)
        if good is not None and (label, good) in picture.known:
            good, problem = None, f"is there twice: {shown(good)}"
        if problem:
            self.notes.append(f"{where} {problem}")
        if good is not None:
            picture.known.add((label, good))
            picture.labels.append(label)
            picture.boxes.append(good)
            picture.ignored.append(ignored)
            picture.areas.append(_area(good) if area is None else area)

    def _size(self, picture: Annotated) -> tuple[float, float] | None:
        """Width and height, from the file where the listing doesn't have them."""
        if self.relative:
            return 1.0, 1.0
        if picture.size is None:
            picture.size = self._measured(picture)
        return picture.size

    def _measured(self, picture: Annotated) -> tuple[float, float] | None:
        self.measured.add(picture.name)
        try:
            rows, columns = picture_size(self.tree.read(picture.name), picture.name)
        except (OSError, ValueError, PictureError):
            return None  # of that is told where the picture is read
        return float(columns), float(rows)

    def _was_mistaken(self, picture: Annotated) -> bool:
        """Whether the listing has another size than a picture's file, which then counts."""
        if self.relative or picture.name in self.measured:
            return False
        listed, size = picture.size, self._measured(picture)
        if listed is None or size is None or size == listed:
            return False
        of = self.tree.path(picture.name)
        self.note(self.where, f"{of} is listed as {listed[0]:g}x{listed[1]:g} and has {size[0]:g}x{size[1]:g} pixels")
        picture.size = size
        return True

    def number(self, class_names: Sequence[str] | None) -> list[str]:
        """Names of classes become numbers: all that there are, in alphabetical order, or those given."""
        found = Counter(label for picture in self.pictures.values() for label in picture.labels)
        classes = sorted(found) if class_names is None else list(class_names)
        numbers = {name: i for i, name in enumerate(classes)}
        if unknown := [f"{shown(name)} ({count})" for name, count in found.items() if name not in numbers]:
            self.note(self.where, f"things of other classes than class_names are left out: {', '.join(unknown)}")
        for picture in self.pictures.values():
            picture.keep([i for i, label in enumerate(picture.labels) if label in numbers])
            picture.labels = [numbers[label] for label in picture.labels]
        return classes

    def dataset(
        self,
        classes: list[str],
        decoder: Decoder,
        workers: int | None,
        batch_size: int | None,
        shuffle: bool,
        seed: int | None,
        details: bool,
    ) -> Dataset:
        """The pictures as batches; an error or a warning where something is left out."""
        if self.notes and self.on_error == "raise":
            raise ValueError(self._told("can't be taken unchanged") + '\non_error="skip" goes on without')
        if not self.pictures:
            told = "\n" + self._told("left out") if self.notes else ""
            raise ValueError(f"{self.where} lists no pictures{told}")
        if self.notes:
            warnings.warn(self._told("left out or changed"), stacklevel=3)
        pictures = list(self.pictures.values())
        rows = BoxRows(self.tree, pictures, decoder, self.notes, workers, self.on_error, self.relative, details)
        return batches(rows, batch_size, shuffle, seed, classes)

    def _told(self, what: str) -> str:
        count = "1 entry" if len(self.notes) == 1 else f"{len(self.notes)} entries"
        return listed(f"{count} of the listing {what}:", self.notes)


def check_class_names(class_names: Any) -> list[str] | None:
    """Names of classes as given, all different."""
    if class_names is None:
        return None
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in class_names):
        raise TypeError(f"class_names must be a list of names, received {shown(class_names)}")
    names = list(class_names)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"class_names must be different names, at least one, received {shown(names)}")
    return names


def given_size(width: Any, height: Any) -> tuple[float, float] | None:
    """A picture's width and height as a listing has them; None where that can't be."""
    try:
        sides = float(width), float(height)
    except (TypeError, ValueError, OverflowError):
        return None
    return sides if all(0 < side < 1e6 for side in sides) else None


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])

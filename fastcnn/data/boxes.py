"""Boxes around things in pictures: checked, and moved along with the pictures."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import shown
from .augment.annotations import LEAST_VISIBLE
from .decoding import Decoder, PictureError
from .details import Details
from .files import Tree
from .picture_rows import PictureRows
from .placing import Placement
from .structure import Element

Box = tuple[float, float, float, float]
#: Boxes that reach out of their picture by no more than this share of its size were rounded: they are cut off silently.
_ROUNDED = 1e-3


@dataclass
class Annotated:
    """One picture of a listing.

    Attributes
    ----------
    name : str
        The picture's file.
    image_id : int or str
    size : (float, float), optional
        Width and height, as the listing has them.
    labels : list
        Class numbers in the end; before, whatever the listing calls classes.
    boxes : list of (left, top, right, bottom)
        In its pixels, or as shares of its size.
    ignored : list of bool
    areas : list of float
        In the boxes' unit.
    known : set
        The labels with their boxes, to find what is there twice.
    """

    name: str
    image_id: int | str
    size: tuple[float, float] | None = None
    labels: list[Any] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    ignored: list[bool] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    known: set[tuple[Any, Box]] = field(default_factory=set)

    def keep(self, kept: Sequence[int]) -> None:
        """Leave out all boxes but those with these numbers."""
        self.labels = [self.labels[i] for i in kept]
        self.boxes = [self.boxes[i] for i in kept]
        self.ignored = [self.ignored[i] for i in kept]
        self.areas = [self.areas[i] for i in kept]


def checked_box(box: Sequence[Any], size: tuple[float, float] | None) -> tuple[Box | None, str]:
    """A box (left, top, right, bottom) as far as it lies in a picture of (width, height), and what is wrong with it: ""
    where nothing is. None in its place: nothing of it is left.
    """
    try:
        left, top, right, bottom = (float(v) for v in box)
    except (TypeError, ValueError, OverflowError):
        return None, f"must be four numbers, received {shown(list(box))}"
    where = f"({left:g}, {top:g}, {right:g}, {bottom:g})"
    if not all(map(math.isfinite, (left, top, right, bottom))):
        return None, f"is not finite: {where}"
    if not _has_area(left, top, right, bottom):
        return None, f"has no area: {where}"
    if size is None:
        return (left, top, right, bottom), ""
    width, height = size
    picture = f"the picture of {width:g}x{height:g}" if size != (1, 1) else "the picture"
    inside = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
    if not _has_area(*inside):
        return None, f"lies outside of {picture}: {where}"
    out = max(inside[0] - left, right - inside[2]) / width, max(inside[1] - top, bottom - inside[3]) / height
    return inside, f"reaches out of {picture} and is cut off: {where}" if max(out) > _ROUNDED else ""


def _has_area(left: float, top: float, right: float, bottom: float) -> bool:
    """Whether a box has an area once it is float32, as boxes are in batches."""
    with np.errstate(all="ignore"):  # what is too large for it becomes infinity
        x1, y1, x2, y2 = np.array([left, top, right, bottom]).astype(np.float32)
        return bool(x2 > x1 and y2 > y1 and (x2 - x1) * (y2 - y1) > 0)


def leads_out(name: str) -> bool:
    """Whether a file's name in a listing is that of a file elsewhere."""
    return name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in name.replace("\\", "/").split("/")


def plain_name(name: str) -> str:
    """A file's name in a listing without detours such as ``./``, so that it is the same however it is written."""
    return posixpath.normpath(name) if name and not leads_out(name) else name


class BoxRows(PictureRows):
    """Pictures with boxes: batches are ``(images, labels, boxes)``, the last two lists with an array for each picture,
    and with `details` also a list of `Details`.

    Parameters
    ----------
    pictures : list of Annotated
    notes : list of str
        What was wrong with the listing.
    relative : bool
        Whether boxes are shares of the pictures' sizes, not pixels.
    details : bool
        Without them, boxes that are to be ignored are left out: nobody could tell them from others.
    tree, decoder, workers, on_error
        As for `PictureRows`.
    """

    def __init__(
        self,
        tree: Tree,
        pictures: Sequence[Annotated],
        decoder: Decoder,
        notes: list[str],
        workers: int | None,
        on_error: str,
        relative: bool = False,
        details: bool = False,
    ) -> None:
        super().__init__(tree, [p.name for p in pictures], decoder, (), workers, on_error)
        self.notes, self.relative, self.details = notes, relative, details
        self.ids = [p.image_id for p in pictures]
        self.sizes = [p.size for p in pictures]
        self.labels = [np.array(p.labels, np.int64) for p in pictures]
        self.boxes = [np.array(p.boxes, np.float64).reshape(-1, 4) for p in pictures]
        self.ignored = [np.array(p.ignored, bool) for p in pictures]
        self.areas = [np.array(p.areas, np.float64) for p in pictures]

    def _decoded(self, number: int, out: np.ndarray) -> Placement | None:
        placement = super()._decoded(number, out)
        if placement is None or not (problem := self._misfit(number, placement)):
            return placement
        problem = f"{self.tree.path(self.names[number])}: {problem}"
        if not self.skip:
            raise PictureError(problem)
        self.problems[number] = problem
        return None

    def _misfit(self, number: int, placement: Placement) -> str:
        """What is wrong with a picture that is smaller than its listing says, where that matters."""
        boxes, size = self.boxes[number], placement.size
        if self.relative or size is None or not len(boxes):
            return ""
        right, bottom = boxes[:, 2:].max(axis=0)
        # Programs that write such files are off by a pixel, too.
        left, top = boxes[:, :2].max(axis=0)
        sides = ((left, right, size[1]), (top, bottom, size[0]))
        if all(first < side and last <= side + max(_ROUNDED * side, 1) for first, last, side in sides):
            return ""
        listed = self.sizes[number]
        said = "" if listed is None else f", which is listed as {listed[0]:g}x{listed[1]:g}"
        turned = "; brought upright, as its EXIF data say, it is turned" if listed == size else ""
        return f"boxes lie outside of the picture of {size[1]}x{size[0]}{said}{turned}"

    def element(self, images: np.ndarray, index: np.ndarray, placements: list[Placement]) -> Element:
        found = [self._placed(int(number), placement) for number, placement in zip(index, placements)]
        parts = images, [labels for labels, _, _ in found], [boxes for _, boxes, _ in found]
        return (*parts, [details for _, _, details in found]) if self.details else parts

    def _placed(self, number: int, placement: Placement) -> tuple[np.ndarray, np.ndarray, Details]:
        """The labels and boxes of a picture as it lies in its batch."""
        height, width = placement.size or (1, 1)
        unit = np.array([width, height] * 2, np.float64) if self.relative else np.ones(4)
        inside = np.clip(self.boxes[number] * unit, 0, [width, height] * 2) if placement.size else self.boxes[number]
        whole = placement.boxes(inside)
        limits = np.array([self.decoder.width, self.decoder.height] * 2, np.float32)
        boxes = np.clip(whole, 0, limits)
        # Of a picture that was cropped, boxes may lie in what is gone.
        left, before = ((b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, whole))
        kept = (left > 0) & (left >= LEAST_VISIBLE * before)
        if not self.details:
            kept &= ~self.ignored[number]
        details = Details(
            self.names[number], self.ids[number], (height, width), placement, self.ignored[number],
            self.areas[number] * unit[0] * unit[1],
        )  # fmt: skip
        return self.labels[number][kept], boxes[kept], details.of_boxes(kept)

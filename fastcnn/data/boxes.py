"""Boxes around things in pictures: checked, and moved along with the pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import shown
from .decoding import Decoder
from .files import Tree
from .picture_rows import PictureRows
from .placing import Placement
from .structure import Element


@dataclass
class Annotated:
    """One picture of a listing.

    Attributes
    ----------
    name : str
        The picture's file.
    labels : list of int
    boxes : list of (left, top, right, bottom)
        In its pixels.
    """

    name: str
    labels: list[int] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)


def checked_box(box: Sequence[Any], size: tuple[float, float] | None) -> tuple[list[float] | None, str]:
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
    if right <= left or bottom <= top:
        return None, f"has no area: {where}"
    if size is None:
        return [left, top, right, bottom], ""
    width, height = size
    inside = [max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)]
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        return None, f"lies outside of the picture of {width:g}x{height:g}: {where}"
    clipped = inside != [left, top, right, bottom]
    return inside, f"reaches out of the picture of {width:g}x{height:g} and is cut off: {where}" if clipped else ""


def leads_out(name: str) -> bool:
    """Whether a file's name in a listing is that of a file elsewhere."""
    return name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in name.replace("\\", "/").split("/")


class BoxRows(PictureRows):
    """Pictures with boxes: batches are ``(images, labels, boxes)``, the last two lists with an array for each picture.

    Parameters
    ----------
    pictures : list of Annotated
    notes : list of str
        What was wrong with the listing.
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
    ) -> None:
        super().__init__(tree, [p.name for p in pictures], decoder, (), workers, on_error)
        self.notes = notes
        self.labels = [np.array(p.labels, np.int64) for p in pictures]
        self.boxes = [np.array(p.boxes, np.float32).reshape(-1, 4) for p in pictures]

    def element(self, images: np.ndarray, index: np.ndarray, placements: list[Placement]) -> Element:
        labels, boxes = [], []
        limits = np.array([self.decoder.width, self.decoder.height] * 2, np.float32)
        for number, placement in zip(index, placements):
            moved = np.clip(placement.boxes(self.boxes[number]), 0, limits)
            # Of a picture that was cropped, boxes may lie in what is gone.
            there = (moved[:, 2] > moved[:, 0]) & (moved[:, 3] > moved[:, 1])
            boxes.append(moved[there])
            labels.append(self.labels[number][there])
        return images, labels, boxes

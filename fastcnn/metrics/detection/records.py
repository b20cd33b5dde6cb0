"""What detectors are judged by: detections and true objects, collected image by image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import shown

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: What images are told apart by: COCO's numbers, or names.
ImageId = int | str


@dataclass
class Image:
    """One image. Boxes are (left, top, width, height), as COCO's files and rules have them."""

    boxes: Floats
    scores: Floats
    labels: Ints
    truths: Floats
    truth_labels: Ints
    flags: NDArray[np.bool_]
    areas: Floats


@dataclass(frozen=True)
class Groups:
    """All boxes, sorted by class, then image; a group is what there is of one class in one image.

    Attributes
    ----------
    boxes, scores, labels, images, ranks
        Of detections, of a group the surest first; `ranks` count within it from 0. `images` are places in `ids`.
    truths, truth_labels, truth_images, flags, areas
        Of objects, in the order in which they came.
    starts, truth_starts : arrays of shape (groups + 1,)
        Where each group begins.
    ids : list
        The images' ids, sorted: among equal scores, what is of an earlier image stands first.
    classes : int
    """

    boxes: Floats
    scores: Floats
    labels: Ints
    images: Ints
    ranks: Ints
    truths: Floats
    truth_labels: Ints
    truth_images: Ints
    flags: NDArray[np.bool_]
    areas: Floats
    starts: Ints
    truth_starts: Ints
    ids: list[ImageId]
    classes: int

    def cut(self, most: int) -> Groups:
        """With at most so many detections of a group, the surest."""
        keep = self.ranks < most
        if keep.all():
            return self
        before = np.concatenate([[0], np.cumsum(keep)])
        return replace(
            self, boxes=self.boxes[keep], scores=self.scores[keep], labels=self.labels[keep], images=self.images[keep],
            ranks=self.ranks[keep], starts=before[self.starts],
        )  # fmt: skip

    @cached_property
    def ranking(self) -> tuple[Ints, Ints]:
        """The detections class by class, each class's from the surest on, and where each class begins."""
        starts = np.searchsorted(self.labels, np.arange(self.classes + 1))
        order = np.arange(len(self.labels))
        for begin, end in itertools.pairwise(starts):
            order[begin:end] = begin + np.argsort(-self.scores[begin:end], kind="stable")
        return order, starts


class Records:
    """Base of what judges detectors: takes in images, and works something out when it is asked.

    Parameters
    ----------
    class_names : sequence of str, optional
        Of class 0, 1, …; without names there are as many classes as have been seen.
    """

    #: What the flag of an object is called.
    _flag = "crowd"

    def __init__(self, class_names: Sequence[str] | None = None) -> None:
        self.class_names = _checked_names(class_names)
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all images."""
        self._images: dict[ImageId, Image] = {}
        self._kept: dict[Any, Any] = {}

    def __len__(self) -> int:
        """How many images have been taken in."""
        return len(self._images)

    @property
    def names(self) -> list[str]:
        """The classes' names; their numbers, where none are given."""
        if self.class_names is not None:
            return self.class_names
        largest = max((int(max(a.max(initial=-1) for a in (i.labels, i.truth_labels))) for i in self._images.values()),
                      default=-1)  # fmt: skip
        return [str(number) for number in range(largest + 1)]

    def _take(self, image_id: Any, image: Image) -> None:
        image_id = checked_id(image_id)
        if image_id in self._images:
            raise ValueError(f"image_id must be another for each image, received {shown(image_id)} twice")
        self._images[image_id] = image
        self._kept.clear()

    def _checked(
        self,
        image_id: Any,
        boxes: ArrayLike,
        scores: ArrayLike,
        labels: ArrayLike,
        true_boxes: ArrayLike,
        true_labels: ArrayLike,
        flags: ArrayLike | None,
        areas: ArrayLike | None,
    ) -> Image:
        where = f" of image {shown(image_id)}"
        found, truths = box_sides(boxes, "boxes", where), box_sides(true_boxes, "true_boxes", where)
        sure = _column(scores, "scores", len(found), where).astype(np.float64)
        if not np.isfinite(sure).all():
            raise ValueError(f"scores{where} must be finite, received {shown(sure[~np.isfinite(sure)][0].item())}")
        flagged = np.zeros(len(truths), bool) if flags is None else _column(flags, self._flag, len(truths), where)
        sizes = truths[:, 2] * truths[:, 3] if areas is None else _column(areas, "areas", len(truths), where)
        if not (np.isfinite(sizes).all() and (sizes >= 0).all()):
            raise ValueError(f"areas{where} must be finite and not negative, received {shown(sizes.tolist())}")
        return Image(
            found, sure, self._classes(labels, "labels", len(found), where),
            truths, self._classes(true_labels, "true_labels", len(truths), where),
            flagged.astype(bool), sizes.astype(np.float64),
        )  # fmt: skip

    def _classes(self, labels: ArrayLike, name: str, count: int, where: str) -> Ints:
        given = _column(labels, name, count, where)
        if given.size and given.dtype.kind not in "iu":
            raise TypeError(f"{name}{where} must be class numbers (integers), received {given.dtype}")
        limit = None if self.class_names is None else len(self.class_names)
        if given.size and (given.min() < 0 or given.max() >= (limit or _MOST_CLASSES)):
            wrong = given[(given < 0) | (given >= (limit or _MOST_CLASSES))][0].item()
            raise ValueError(f"{name}{where} must be from 0 to {(limit or _MOST_CLASSES) - 1}, received {wrong}")
        return given.astype(np.int64)

    def _groups(self) -> Groups:
        if "groups" not in self._kept:
            self._kept["groups"] = _grouped(self._images, len(self.names))
        groups: Groups = self._kept["groups"]
        return groups

    def class_number(self, label: int | str) -> int:
        """A class's number, from that or from its name.

        Raises
        ------
        ValueError
            There is no such class.
        """
        names = self.names
        if isinstance(label, str) and label in names:
            return names.index(label)
        if isinstance(label, (int, np.integer)) and 0 <= label < len(names):
            return int(label)
        raise ValueError(f"label must be a class's name or number ({len(names)} classes), received {shown(label)}")


#: More classes than anybody tells apart: a larger number is no class.
_MOST_CLASSES = 10_000


def checked_id(image_id: Any) -> ImageId:
    """An image's id as Python's own int or str."""
    if isinstance(image_id, (str, np.str_)):
        return str(image_id)
    if isinstance(image_id, (int, np.integer)) and not isinstance(image_id, bool):
        return int(image_id)
    raise TypeError(f"image_id must be an int or a str, received {shown(image_id)}")


def _checked_names(names: Sequence[str] | None) -> list[str] | None:
    if names is None:
        return None
    if isinstance(names, str) or not np.iterable(names):
        raise TypeError(f"class_names must be a list of names, received {shown(names)}")
    known = [str(name) for name in names]
    twice = {name for name in known if known.count(name) > 1}
    if not known or twice:
        raise ValueError(f"class_names must be names that differ, received {shown(sorted(twice) or known)}")
    return known


def box_sides(value: ArrayLike, name: str, where: str) -> Floats:
    """Boxes (left, top, right, bottom) as (left, top, width, height)."""
    given = np.asarray(value)
    if given.size == 0:
        return np.zeros((0, 4))
    if given.ndim != 2 or given.shape[1] != 4 or given.dtype.kind not in "fiu":
        raise ValueError(
            f"{name}{where} must be numbers of shape (k, 4): left, top, right, bottom, "
            f"received shape {given.shape} of {given.dtype}"
        )
    boxes = given.astype(np.float64)  # a copy, which becomes the result
    if np.isfinite(boxes).all():
        boxes[:, 2:] -= boxes[:, :2]
        if (boxes[:, 2:] >= 0).all():
            return boxes
        fine = (boxes[:, 2:] >= 0).all(1)
    else:
        fine = np.isfinite(boxes).all(1)
    wrong = given[~fine][0].tolist()
    raise ValueError(f"{name}{where} must be finite with left <= right and top <= bottom, received {shown(wrong)}")


def _column(value: ArrayLike, name: str, count: int, where: str) -> NDArray[Any]:
    given = np.asarray(value)
    if given.size == 0 == count:
        return np.zeros(0, given.dtype if given.dtype.kind in "iub" else np.int64)
    if given.shape != (count,) or given.dtype.kind not in "fiub":
        raise ValueError(
            f"{name}{where} must have a number for each of {count} boxes, received shape {given.shape} of {given.dtype}"
        )
    return given


def _grouped(images: dict[ImageId, Image], classes: int) -> Groups:
    ids = sorted(images, key=lambda i: (isinstance(i, str), i))
    rows = [images[i] for i in ids]

    def joined(name: str, empty: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([empty, *(getattr(row, name) for row in rows)])

    none, whole = np.zeros(0), np.zeros(0, np.int64)
    scores, labels, truth_labels = joined("scores", none), joined("labels", whole), joined("truth_labels", whole)
    numbers = np.arange(len(rows))
    at = np.repeat(numbers, [len(row.labels) for row in rows])
    truth_at = np.repeat(numbers, [len(row.truth_labels) for row in rows])
    key, truth_key = labels * len(rows) + at, truth_labels * len(rows) + truth_at
    order, truth_order = np.lexsort((-scores, key)), np.argsort(truth_key, kind="stable")
    key, truth_key = key[order], truth_key[truth_order]
    groups = np.union1d(key, truth_key)
    starts = np.append(np.searchsorted(key, groups), len(key))
    truth_starts = np.append(np.searchsorted(truth_key, groups), len(truth_key))
    ranks = np.arange(len(key)) - np.repeat(starts[:-1], np.diff(starts))
    return Groups(
        joined("boxes", np.zeros((0, 4)))[order], scores[order], labels[order], at[order], ranks,
        joined("truths", np.zeros((0, 4)))[truth_order], truth_labels[truth_order], truth_at[truth_order],
        joined("flags", np.zeros(0, bool))[truth_order], joined("areas", none)[truth_order],
        starts, truth_starts, ids, classes,
    )  # fmt: skip

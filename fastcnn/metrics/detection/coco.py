"""Detectors judged as COCO judges them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import shown
from ...shapes import real_number, whole_number
from . import files
from .errors import DetectionErrors
from .matching import FOUND, IGNORED, curves, known_mean, match, positives
from .records import Floats, Groups, ImageId, Records
from .table import class_table

#: Smallest and largest area of small, medium and large objects, in pixels: sides of 32 and 96.
AREA_RANGES: dict[str, tuple[float, float]] = {
    "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e5**2)
}  # fmt: skip
_EVERY_AREA = (0.0, 1e5**2)
#: What COCO's rules have: ten thresholds, precision at 101 recalls.
_THRESHOLDS, _RECALLS = np.linspace(0.5, 0.95, 10), np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class PrecisionRecall:
    """How precision and recall of one class change with the score that is asked for.

    Attributes
    ----------
    precision, recall, scores : arrays, shape (detections,)
        Of all detections of at least ``scores[i]``, which fall; those that are ignored are left out.
    ap : float
        Average precision; -1 where there is no object of the class.
    objects : int
        How many there are to find.
    """

    precision: Floats
    recall: Floats
    scores: Floats
    ap: float
    objects: int


class CocoMetrics(Records):
    """COCO's twelve numbers, and what stands behind them, of detections taken in image by image.

    They are those of the dataset's own program: to each image and class up to 100 detections, the surest; each takes
    the object that it overlaps most, of those that are left. Average precision (AP) is the mean precision at 101
    recalls, over ten thresholds of the overlap and over classes; average recall (AR) the mean recall reached.

    Parameters
    ----------
    class_names : sequence of str, optional
        Of class 0, 1, …; without names there are as many classes as have been seen.
    iou_thresholds : sequence of float, optional
        From above 0 to 1; by default 0.5, 0.55, … 0.95.
    max_detections : sequence of int
        For how many detections of a class in an image recall is told. More than the largest are not looked at.
    area_ranges : mapping of str to (float, float), optional
        Smallest and largest area, in pixels, of objects of a size; by default "small" (to 32²), "medium" (to 96²) and
        "large". An object right on a border belongs to both.

    References
    ----------
    T.-Y. Lin et al., "Microsoft COCO: Common objects in context", ECCV 2014.

    Examples
    --------
    >>> judge = CocoMetrics(["cat", "dog"])
    >>> judge.update(1, [[10, 10, 60, 50]], [0.9], [0], [[12, 10, 60, 52]], [0])
    >>> judge.result()["AP50"]
    1.0
    """

    def __init__(
        self,
        class_names: Sequence[str] | None = None,
        *,
        iou_thresholds: Sequence[float] | None = None,
        max_detections: Sequence[int] = (1, 10, 100),
        area_ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.iou_thresholds = _checked_thresholds(iou_thresholds)
        limits = _several(max_detections, "max_detections")
        self.max_detections = sorted({whole_number(limit, "max_detections") for limit in limits})
        if not self.max_detections:
            raise ValueError("max_detections must have at least one number, received none")
        self.area_ranges = dict(AREA_RANGES) if area_ranges is None else _checked_ranges(area_ranges)
        super().__init__(class_names)

    @classmethod
    def from_files(cls, truth: str | os.PathLike[str], results: str | os.PathLike[str], **settings: Any) -> CocoMetrics:
        """Judge what COCO's files say. Classes are the categories, in the order of their ids.

        Parameters
        ----------
        truth : path-like
            JSON with ``images``, ``annotations`` (``image_id``, ``category_id``, ``bbox``, ``area``, ``iscrowd``) and
            ``categories``. All images count, those without an annotation as well.
        results : path-like
            JSON with a list of detections: ``image_id``, ``category_id``, ``bbox`` and ``score``.
        **settings
            As of `CocoMetrics`, but for `class_names`.

        Raises
        ------
        ValueError
            Names the file and the entry: an id that is there twice, an unknown image or category, a box, an area or a
            score that can't be one.
        """
        if "class_names" in settings:
            raise TypeError("from_files takes no class_names: classes are called as the categories in the file")
        images, classes, names = files.read_truth(truth)
        found = files.read_results(results, images, classes)
        judge = cls(names or None, **settings)
        for image_id, objects in images.items():
            judge._take(image_id, files.joined(found[image_id], objects))
        return judge

    def save_files(self, truth: str | os.PathLike[str], results: str | os.PathLike[str]) -> None:
        """Write what was taken in as COCO's two files, as `from_files` and other programs read them.

        Parameters
        ----------
        truth, results : path-like
            JSON files to write. Categories have the ids 1, 2, …; images whose ids are strings are numbered in their
            order, 1, 2, …, and have them as ``file_name``.
        """
        there, found = files.as_coco(self._images, self.names)
        files.write_json(truth, there)
        files.write_json(results, found)

    def update(
        self,
        image_id: ImageId,
        boxes: ArrayLike,
        scores: ArrayLike,
        labels: ArrayLike,
        true_boxes: ArrayLike,
        true_labels: ArrayLike,
        crowd: ArrayLike | None = None,
        areas: ArrayLike | None = None,
    ) -> None:
        """Take in one image.

        Parameters
        ----------
        image_id : int or str
            Another for each image. Among detections with equal scores, those of the smaller id come first.
        boxes : array, shape (k, 4)
            What was detected: left, top, right, bottom in pixels.
        scores : array, shape (k,)
        labels : array of int, shape (k,)
        true_boxes, true_labels : arrays, shapes (m, 4) and (m,)
            What there is.
        crowd : array of bool, shape (m,), optional
            Boxes around many objects: what lies in one is neither right nor wrong.
        areas : array, shape (m,), optional
            Of the objects, by which they are small, medium or large; those of the boxes if not given.

        Raises
        ------
        ValueError, TypeError
            The same image again, NaN or infinity, shapes that don't fit, boxes turned inside out, labels that no class
            has: says which.
        """
        image = self._checked(image_id, boxes, scores, labels, true_boxes, true_labels, crowd, areas)
        self._take(image_id, image)

    def result(self) -> dict[str, float]:
        """The numbers by name, from 0 to 1, or -1 where there is no object to judge by.

        Returns
        -------
        dict
            "AP", "AP50" and "AP75" (where these thresholds are asked for), "AP_small", "AP_medium", "AP_large",
            "AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large".
        """
        precision, recall = self._curves()
        numbers = {"AP": known_mean(precision[:, 0])}
        for t, threshold in enumerate(self.iou_thresholds):
            if round(threshold * 100, 9) in (50, 75):
                numbers[f"AP{round(threshold * 100)}"] = known_mean(precision[:, 0, t])
        for r, size in enumerate(self.area_ranges, 1):
            numbers[f"AP_{size}"] = known_mean(precision[:, r])
        for m, most in enumerate(self.max_detections):
            numbers[f"AR{most}"] = known_mean(recall[:, 0, :, m])
        for r, size in enumerate(self.area_ranges, 1):
            numbers[f"AR_{size}"] = known_mean(recall[:, r, :, -1])
        return numbers

    def per_class(self) -> dict[str, dict[str, float]]:
        """The numbers of each class by its name: AP, AP50, AP75, AP of each size, AR of the most detections, and how
        many objects (crowds left out) and detections there are.
        """
        precision, recall = self._curves()
        counts = positives(self._groups(), self._ranges()[:1])[:, 0]
        detections = np.bincount(self._groups().labels, minlength=len(counts))
        table: dict[str, dict[str, float]] = {}
        for k, name in enumerate(self.names):
            row = {"AP": known_mean(precision[k, 0])}
            for t, threshold in enumerate(self.iou_thresholds):
                if round(threshold * 100, 9) in (50, 75):
                    row[f"AP{round(threshold * 100)}"] = known_mean(precision[k, 0, t])
            row |= {f"AP_{size}": known_mean(precision[k, r]) for r, size in enumerate(self.area_ranges, 1)}
            row[f"AR{self.max_detections[-1]}"] = known_mean(recall[k, 0, :, -1])
            table[name] = row | {"objects": int(counts[k]), "detections": int(detections[k])}
        return table

    def table(self, digits: int = 3) -> str:
        """`per_class` and the means as text, a line each; a dash where there is no object."""
        return class_table(self.per_class(), self.result(), digits)

    def summary(self, digits: int = 3) -> str:
        """`result` as text, a line for each number."""
        numbers = self.result()
        width = max(map(len, numbers))
        return "".join(f"{key:<{width}}  {'-' if v < 0 else f'{v:.{digits}f}'}\n" for key, v in numbers.items())

    def precision_recall(self, label: int | str, iou: float = 0.5) -> PrecisionRecall:
        """Precision and recall of one class, objects of all sizes, at one threshold of the overlap.

        Parameters
        ----------
        label : int or str
            The class's number or name.
        iou : float
        """
        k, threshold = self.class_number(label), _checked_thresholds([iou])
        groups, states, average = self._at(float(threshold[0]))
        order, starts = groups.ranking
        mine = order[starts[k] : starts[k + 1]]
        mine = mine[states[mine] != IGNORED]
        found = np.cumsum(states[mine] == FOUND)
        count = int(positives(groups, self._ranges()[:1])[k, 0])
        return PrecisionRecall(
            found / np.arange(1, len(mine) + 1), found / max(count, 1), groups.scores[mine], float(average[k]), count
        )

    def errors(self, iou: float = 0.5, background: float = 0.1) -> DetectionErrors:
        """The mistakes by kind, as TIDE sorts them, and what each kind costs; see `DetectionErrors`.

        Parameters
        ----------
        iou : float
            The overlap that it takes to find an object.
        background : float
            What overlaps everything by less is meant for nothing.
        """
        threshold = _checked_thresholds([iou])
        low = real_number(background, "background", 0.0, iou)
        groups = self._cut()
        states, taken = match(groups, self._ranges()[:1], threshold, taken=True)
        assert taken is not None
        return DetectionErrors(groups, states[:, 0, 0], taken[:, 0, 0], _RECALLS, float(threshold[0]), low)

    def _ranges(self) -> Floats:
        return np.array([_EVERY_AREA, *self.area_ranges.values()], np.float64)

    def _cut(self) -> Groups:
        return self._groups().cut(self.max_detections[-1])

    def _curves(self) -> tuple[Floats, Floats]:
        """Precision (classes, 1 + sizes, thresholds, recalls) and recall (…, limits)."""
        if "curves" not in self._kept:
            groups, ranges = self._cut(), self._ranges()
            states, _ = match(groups, ranges, self.iou_thresholds)
            limits = np.array(self.max_detections, np.int64)
            self._kept["curves"] = curves(groups, states, positives(groups, ranges), _RECALLS, limits)
        kept: tuple[Floats, Floats] = self._kept["curves"]
        return kept

    def _at(self, threshold: float) -> tuple[Groups, NDArray[np.uint8], Floats]:
        """Detections, what each counts as, and each class's average precision, at one threshold."""
        if threshold not in self._kept:
            groups, every = self._cut(), self._ranges()[:1]
            states, _ = match(groups, every, np.array([threshold]))
            average, _ = curves(groups, states, positives(groups, every), _RECALLS, np.array([1], np.int64))
            self._kept[threshold] = groups, states[:, 0, 0], average[:, 0, 0].mean(-1)
        kept: tuple[Groups, NDArray[np.uint8], Floats] = self._kept[threshold]
        return kept


def _checked_thresholds(thresholds: Any) -> Floats:
    if thresholds is None:
        return _THRESHOLDS
    numbers = [real_number(t, "iou_thresholds", 0.0, 1.0) for t in _several(thresholds, "iou_thresholds")]
    if not numbers or min(numbers) <= 0:
        raise ValueError(f"iou_thresholds must be numbers above 0, up to 1, received {shown(list(thresholds))}")
    return np.array(numbers)


def _several(values: Any, name: str) -> list[Any]:
    if isinstance(values, str) or not np.iterable(values):
        raise TypeError(f"{name} must be a list of numbers, received {shown(values)}")
    return list(values)


def _checked_ranges(ranges: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    if not isinstance(ranges, Mapping):
        raise TypeError(f'area_ranges must be a dict such as {{"small": (0, 1024)}}, received {shown(ranges)}')
    checked = {}
    for name, given in ranges.items():
        limits = [real_number(v, "area_ranges") for v in given] if np.iterable(given) else []
        if len(limits) != 2 or limits[0] > limits[1]:
            raise ValueError(f"area_ranges must be (smallest, largest) areas, received {shown(given)} for {name}")
        checked[str(name)] = limits[0], limits[1]
    return checked

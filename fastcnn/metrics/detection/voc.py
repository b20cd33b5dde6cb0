"""Detectors judged as Pascal VOC judges them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...shapes import real_number
from .coco import PrecisionRecall
from .matching import FOUND, IGNORED, WRONG, known_mean
from .pairs import closest
from .records import Floats, Groups, ImageId, Records
from .table import class_table

#: The recalls of VOC 2007.
_ELEVEN = np.arange(11) / 10


class VocMetrics(Records):
    """Pascal VOC's average precision, of detections taken in image by image.

    A detection is meant for the object of its class that it overlaps most. It is right if that overlap is large enough
    and no surer detection was meant for the same one; neither right nor wrong if the object is difficult; and wrong
    otherwise, also where a second object nearby is free, unlike with COCO.

    Parameters
    ----------
    class_names : sequence of str, optional
        Of class 0, 1, …; without names there are as many classes as have been seen.
    iou_threshold : float
        Smallest intersection over union, from above 0 to 1.

    Notes
    -----
    Boxes end where their last pixel ends (area = width times height), as everywhere here. VOC's own files name the last
    pixel itself, the first one being 1; `detection_dataset_from_voc` with ``one_based=True`` brings them into this
    form, and overlaps are those of VOC's own program.

    References
    ----------
    M. Everingham, L. Van Gool, C. K. I. Williams, J. Winn and A. Zisserman, "The Pascal visual object classes (VOC)
    challenge", International Journal of Computer Vision 88, 2010, section 4.2.

    Examples
    --------
    >>> judge = VocMetrics(["cat", "dog"])
    >>> judge.update("000001", [[10, 10, 60, 50]], [0.9], [0], [[12, 10, 60, 52]], [0])
    >>> judge.result()
    {'AP50': 1.0, 'AP50_11': 1.0}
    """

    _flag = "difficult"

    def __init__(self, class_names: Sequence[str] | None = None, *, iou_threshold: float = 0.5) -> None:
        self.iou_threshold = real_number(iou_threshold, "iou_threshold", 0.0, 1.0)
        if not self.iou_threshold:
            raise ValueError("iou_threshold must be a number above 0, up to 1, received 0")
        super().__init__(class_names)

    def update(
        self,
        image_id: ImageId,
        boxes: ArrayLike,
        scores: ArrayLike,
        labels: ArrayLike,
        true_boxes: ArrayLike,
        true_labels: ArrayLike,
        difficult: ArrayLike | None = None,
    ) -> None:
        """Take in one image.

        Parameters
        ----------
        image_id, boxes, scores, labels, true_boxes, true_labels
            As of `CocoMetrics.update`.
        difficult : array of bool, shape (m,), optional
            Objects that need not be found, and that it is no mistake to find.

        Raises
        ------
        ValueError, TypeError
            As of `CocoMetrics.update`.
        """
        image = self._checked(image_id, boxes, scores, labels, true_boxes, true_labels, difficult, None)
        self._take(image_id, image)

    def result(self) -> dict[str, float]:
        """Mean average precision, from 0 to 1; -1 where there is no object to judge by.

        Returns
        -------
        dict
            "AP50" by the area under the curve, as since VOC 2010, and "AP50_11" by eleven recalls, as in VOC 2007:
            means over the classes that have objects. 50 is the threshold in percent.
        """
        rows = self.per_class().values()
        return {name: known_mean(np.array([row[name] for row in rows])) for name in (self._name, f"{self._name}_11")}

    def per_class(self) -> dict[str, dict[str, float]]:
        """Each class's numbers by its name: "AP50", "AP50_11", and how many objects (difficult ones left out) and
        detections there are.
        """
        detections = np.bincount(self._groups().labels, minlength=len(self.names))
        table: dict[str, dict[str, float]] = {}
        for k, name in enumerate(self.names):
            curve = self.precision_recall(k)
            eleven = _at_eleven(curve.precision, curve.recall) if curve.objects else -1.0
            counts = {"objects": curve.objects, "detections": int(detections[k])}
            table[name] = {self._name: curve.ap, f"{self._name}_11": eleven, **counts}
        return table

    def table(self, digits: int = 3) -> str:
        """`per_class` and the mean as text, a line each; a dash where there is no object."""
        return class_table(self.per_class(), self.result(), digits)

    def precision_recall(self, label: int | str) -> PrecisionRecall:
        """Precision and recall of one class; `ap` is the area under the curve.

        Parameters
        ----------
        label : int or str
            The class's number or name.
        """
        k = self.class_number(label)
        groups, states = self._groups(), self._states()
        order, starts = groups.ranking
        mine = order[starts[k] : starts[k + 1]]
        mine = mine[states[mine] != IGNORED]
        found = np.cumsum(states[mine] == FOUND)
        count = int(np.sum((groups.truth_labels == k) & ~groups.flags))
        precision, recall = found / np.arange(1, len(mine) + 1), found / max(count, 1)
        return PrecisionRecall(
            precision, recall, groups.scores[mine], _area(precision, recall) if count else -1.0, count
        )

    @property
    def _name(self) -> str:
        return f"AP{round(100 * self.iou_threshold)}"

    def _states(self) -> NDArray[np.uint8]:
        """What each detection counts as."""
        if "states" not in self._kept:
            groups = self._groups()
            self._kept["states"] = _judged(groups, self.iou_threshold)
        states: NDArray[np.uint8] = self._kept["states"]
        return states


def _judged(groups: Groups, threshold: float) -> NDArray[np.uint8]:
    every = np.arange(len(groups.labels))
    overlap, meant = closest(groups, every, np.ones(len(groups.truths), bool), same_class=True)
    states = np.full(len(every), WRONG, np.uint8)
    near = np.flatnonzero(overlap >= threshold)
    difficult = groups.flags[meant[near]]
    states[near[difficult]] = IGNORED
    near = near[~difficult]
    # Detections of an image and class stand in the order of their scores: the first one takes the object.
    _, first = np.unique(meant[near], return_index=True)
    states[near[first]] = FOUND
    return states


def _area(precision: Floats, recall: Floats) -> float:
    """The area under the highest precision that is had at each recall or a higher one."""
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * highest))


def _at_eleven(precision: Floats, recall: Floats) -> float:
    """The mean over eleven recalls of that."""
    return float(np.mean([precision[recall >= r].max(initial=0.0) for r in _ELEVEN]))

"""What a detector does wrong, sorted as TIDE does it, and what each kind of mistake costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import unknown_name
from ...shapes import whole_number
from .matching import FOUND, IGNORED, WRONG, average_precision
from .pairs import closest
from .records import Floats, Groups, ImageId, Ints

#: Kinds of mistakes, those of detections first.
KINDS = ("classification", "localization", "both", "duplicate", "background", "missed")
CLASSIFICATION, LOCALIZATION, BOTH, DUPLICATE, BACKGROUND, MISSED = range(6)


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes
    ----------
    kind : str
    image_id : int or str
    label, score, box : int, float, array (4,)
        What was detected: left, top, right, bottom. None, NaN and None of an object that was missed.
    true_label, true_box : int, array (4,)
        The object that was meant, or missed; None if there is none.
    """

    kind: str
    image_id: ImageId
    label: int | None
    score: float
    box: Floats | None
    true_label: int | None
    true_box: Floats | None


class DetectionErrors:
    """Which mistakes there are, and how much average precision would be gained without those of one kind.

    A false alarm is

    - "localization" if it overlaps an object of its class by 0.1 or more, but not by as much as it takes;
    - "classification" if it overlaps an object of another class by as much as it takes;
    - "duplicate" if it fits an object of its class that a surer detection has taken;
    - "background" if it overlaps nothing by more than 0.1;
    - "both" otherwise: wrong class, and badly placed.

    "missed" are the objects that were not found, and that no detection with wrong class or place was meant for.

    Attributes
    ----------
    ap : float
        Average precision as it is, at the threshold `iou`.
    counts : dict of str to int
        How many mistakes of each kind there are.
    gains : dict of str to float
        What fixing all of a kind adds to `ap`: a detection is given the class or the place of its object, if no better
        one has that already; false alarms of other kinds are taken out, and missed objects not counted.
    false_positives, false_negatives : float
        What is gained without any false alarm; and without any object that wasn't found.
    not_found : int
        How many those are, whatever was meant for them.

    References
    ----------
    D. Bolya, S. Foley, J. Hays and J. Hoffman, "TIDE: A general toolbox for identifying object detection errors",
    ECCV 2020.
    """

    def __init__(
        self, groups: Groups, states: NDArray[np.uint8], taken: Ints, recalls: Floats, iou: float, background: float
    ) -> None:
        self.iou, self._groups = iou, groups
        real = ~groups.flags
        used = np.zeros(len(real), bool)
        used[taken[states == FOUND]] = True
        self._kind = np.full(len(states), -1, np.int64)
        self._meant = np.full(len(states), -1, np.int64)
        self._sort_out(np.flatnonzero(states == WRONG), real, background)
        meant = self._meant[np.isin(self._kind, (CLASSIFICATION, LOCALIZATION))]
        hoped = np.zeros(len(real), bool)
        hoped[meant] = True
        self._missed = np.flatnonzero(real & ~used & ~hoped)
        self.counts = {kind: int((self._kind == number).sum()) for number, kind in enumerate(KINDS)}
        self.counts["missed"] = len(self._missed)
        self.not_found = int(np.sum(real & ~used))
        self._costs(states, real, used, recalls)

    def _sort_out(self, wrong: Ints, real: NDArray[np.bool_], low: float) -> None:
        """Give each false alarm its kind, and the object that it was meant for."""
        mine, my_object = closest(self._groups, wrong, real, same_class=True)
        other, other_object = closest(self._groups, wrong, real, same_class=False)
        badly_placed = (mine >= low) & (mine > 0) & (mine < self.iou)
        wrong_class, twice = other >= self.iou, mine >= self.iou
        nothing = np.maximum(mine, other) <= low
        self._kind[wrong] = np.select(
            [badly_placed, wrong_class, twice, nothing], [LOCALIZATION, CLASSIFICATION, DUPLICATE, BACKGROUND], BOTH
        )
        self._meant[wrong] = np.select(
            [badly_placed, wrong_class, twice, nothing], [my_object, other_object, my_object, -1],
            np.where(mine >= other, my_object, other_object),
        )  # fmt: skip

    def _costs(
        self, states: NDArray[np.uint8], real: NDArray[np.bool_], used: NDArray[np.bool_], recalls: Floats
    ) -> None:
        groups = self._groups
        objects = np.bincount(groups.truth_labels[real], minlength=groups.classes)
        known = objects > 0

        def ap(
            states: NDArray[np.uint8], keep: NDArray[np.bool_], labels: Ints = groups.labels, counts: Ints = objects
        ) -> float:
            scores, images = groups.scores[keep], groups.images[keep]
            values = average_precision(labels[keep], scores, images, states[keep], counts, recalls)
            # A class all of whose objects are taken out has none left to find: it counts, as 0, as it did before.
            return float(np.maximum(values[known], 0).mean()) if known.any() else -1.0

        everything = states != IGNORED
        self.ap = ap(states, everything)
        fixable = self._fixable(used)
        self.gains: dict[str, float] = {}
        for number, kind in enumerate(KINDS[:MISSED]):
            mine = self._kind == number
            fixed = mine & fixable if number in (CLASSIFICATION, LOCALIZATION) else np.zeros(len(mine), bool)
            labels = groups.labels.copy()
            labels[fixed] = groups.truth_labels[self._meant[fixed]]
            gained = ap(np.where(fixed, FOUND, states).astype(np.uint8), everything & (~mine | fixed), labels)
            self.gains[kind] = max(gained - self.ap, 0.0)
        missing = np.bincount(groups.truth_labels[self._missed], minlength=groups.classes)
        self.gains["missed"] = max(ap(states, everything, counts=objects - missing) - self.ap, 0.0)
        self.false_positives = ap(states, states == FOUND) - self.ap
        lost = np.bincount(groups.truth_labels[real & ~used], minlength=groups.classes)
        self.false_negatives = ap(states, everything, counts=objects - lost) - self.ap

    def _fixable(self, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of the detections with wrong class or place, the surest for each object that nothing else has found."""
        fixable = np.zeros(len(self._kind), bool)
        tried = np.flatnonzero(np.isin(self._kind, (CLASSIFICATION, LOCALIZATION)))
        tried = tried[~used[self._meant[tried]]]
        tried = tried[np.argsort(-self._groups.scores[tried], kind="stable")]
        _, first = np.unique(self._meant[tried], return_index=True)
        fixable[tried[first]] = True
        return fixable

    def mistakes(self, kind: str, count: int = 20) -> list[Mistake]:
        """The mistakes of a kind, the detector's surest first; objects that were missed from the largest on.

        Parameters
        ----------
        kind : {"classification", "localization", "both", "duplicate", "background", "missed"}
        count : int
            As many of them at most.
        """
        if kind not in KINDS:
            raise unknown_name("kind of mistake", kind, KINDS)
        groups, number = self._groups, whole_number(count, "count", 0)
        if kind == "missed":
            order = self._missed[np.argsort(-groups.areas[self._missed], kind="stable")]
            return [self._mistake(kind, None, int(t)) for t in order[:number]]
        mine = np.flatnonzero(self._kind == KINDS.index(kind))
        mine = mine[np.argsort(-groups.scores[mine], kind="stable")][:number]
        return [self._mistake(kind, int(d), int(self._meant[d])) for d in mine]

    def _mistake(self, kind: str, detection: int | None, truth: int) -> Mistake:
        g = self._groups
        true_label, true_box = (int(g.truth_labels[truth]), _corners(g.truths[truth])) if truth >= 0 else (None, None)
        if detection is None:
            return Mistake(kind, g.ids[g.truth_images[truth]], None, float("nan"), None, true_label, true_box)
        return Mistake(
            kind, g.ids[g.images[detection]], int(g.labels[detection]), float(g.scores[detection]),
            _corners(g.boxes[detection]), true_label, true_box,
        )  # fmt: skip


def _corners(box: Floats) -> Floats:
    return np.concatenate([box[:2], box[:2] + box[2:]])

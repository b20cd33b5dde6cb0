"""Non-maximum suppression: of boxes around one thing, the best."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, empty, real_array
from .._ops.kinds import NMS
from ..errors import unknown_name
from ..shapes import real_number, whole_number
from .boxes import as_boxes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .._ops.arrays import Floats

_KINDS = {"hard": "hard", "diou": "diou", "soft": "linear", "soft-gaussian": "gaussian"}


def nms(
    boxes: ArrayLike,
    scores: ArrayLike,
    iou_threshold: float = 0.5,
    *,
    labels: ArrayLike | None = None,
    score_threshold: float = 0.0,
    max_boxes: int | None = None,
    kind: str = "hard",
    sigma: float = 0.5,
) -> tuple[NDArray[np.int64], Floats]:
    """Of boxes that overlap, those with the best scores.

    The best box is kept, and what overlaps it goes or loses some of its score; then the best of the rest, and so on.

    Parameters
    ----------
    boxes : array_like, (k, 4)
        Left, top, right, bottom.
    scores : array_like, (k,)
    iou_threshold : float, 0 to 1
        Boxes whose intersection over union with one that is kept is larger than this are affected.
    labels : array_like of int, (k,), optional
        Boxes only affect those of the same label. For several images at once: image * classes + class.
    score_threshold : float
        Only boxes with larger scores are kept, soft ones after the loss; -inf keeps all.
    max_boxes : int, optional
        Keep at most so many, the best ones.
    kind : {"hard", "diou", "soft", "soft-gaussian"}
        "hard": overlapping boxes go. "diou": where the DIoU is above the threshold, which spares boxes with another
        centre (Zheng et al., AAAI 2020). "soft": their scores become (1 - IoU) times as large; "soft-gaussian": all
        scores become exp(-IoU^2 / sigma) times as large, whatever the threshold (Bodla et al., "Soft-NMS", ICCV 2017).
    sigma : float
        Of "soft-gaussian".

    Returns
    -------
    index : ndarray of int64
        The boxes that are kept, the best first, of equal scores the first in order. Boxes that aren't finite and scores
        of NaN are never kept. The same for any number of threads.
    scores : ndarray of float32
        Theirs; of the soft kinds, what has become of them.

    Raises
    ------
    TypeError, ValueError
        Shapes that don't fit, labels that aren't whole numbers, numbers out of range, an unknown kind.

    Examples
    --------
    >>> index, scores = ops.nms([[0, 0, 9, 9], [1, 0, 9, 9], [20, 20, 30, 30]], [0.6, 0.9, 0.8])
    >>> index
    array([1, 2])
    """
    corners = as_boxes(boxes, "boxes")
    values = as_float32(scores, "scores")
    count = len(corners)
    if values.shape != (count,):
        raise ValueError(f"scores must have shape ({count},), one for each box; received {values.shape}")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise unknown_name("kind of NMS", kind, _KINDS)
    numbers = {
        "kind": NMS[_KINDS[kind]],
        "limit": count if max_boxes is None else whole_number(max_boxes, "max_boxes", 0),
        "iou_threshold": real_number(iou_threshold, "iou_threshold", 0.0, 1.0),
        "sigma": real_number(sigma, "sigma"),
        "score_threshold": -math.inf
        if score_threshold == -math.inf
        else real_number(score_threshold, "score_threshold", -math.inf),
    }
    if numbers["sigma"] <= 0:
        raise ValueError(f"sigma must be above 0, received {sigma!r}")
    groups, group = (1, None) if labels is None else _groups(labels, count)
    order, grouped = np.empty(count, np.int32), np.empty(count, np.int32)
    starts = np.empty(groups + 1, np.int32)
    core.call(
        "nms_order", boxes=corners, scores=values, group=group, order=order, grouped=grouped, starts=starts,
        count=count, groups=groups, threshold=numbers["score_threshold"],
    )  # fmt: skip
    kept = empty((count,), "nms: scores")
    core.call(
        "nms", boxes=corners, scores=values, grouped=grouped, starts=starts, kept=kept, count=count, groups=groups,
        **numbers,
    )  # fmt: skip
    good = int(starts[-1])
    final = np.empty(count, np.float32)
    final[grouped[:good]] = kept[:good]
    index = order[:good]
    index = index[~np.isnan(final[index])]
    if kind.startswith("soft"):
        index = index[np.lexsort((index, -final[index]))]
    index = index[: numbers["limit"]]
    return index.astype(np.int64), final[index]


def _groups(labels: ArrayLike, count: int) -> tuple[int, NDArray[np.int32]]:
    """How many groups there are, and each box's."""
    given = real_array(labels, "labels")
    if given.shape != (count,):
        raise ValueError(f"labels must have shape ({count},), one for each box; received {given.shape}")
    if given.dtype.kind == "f" and not (given == np.floor(given)).all():
        raise ValueError("labels must be whole numbers")
    if count == 0:
        return 1, np.empty(0, np.int32)
    low, high = given.min(), given.max()
    if low >= 0 and high <= 4 * count + 1000:
        return int(high) + 1, np.ascontiguousarray(given, np.int32)
    known, numbers = np.unique(given, return_inverse=True)
    return len(known), numbers.astype(np.int32)

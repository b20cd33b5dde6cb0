"""Detection: losses of boxes, which place of a detector finds which object, and the loss of its output.

Boxes are (left, top, right, bottom). What the names of losses and assignments mean is said where the kernels'
contracts are, at ``box_loss``, ``detection_assign`` and ``detection_loss`` in csrc/kernels.def.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastcnn.errors import unknown_name

from ._arrays import Array, real, same_shape
from .activations import sigmoid, softplus

#: In the order of csrc/fastcnn.h's fc_overlap, fc_assignment and fc_class_loss.
OVERLAPS = ("iou", "giou", "diou", "ciou")
ASSIGNMENTS = ("task_aligned", "simota")
CLASS_LOSSES = ("bce", "quality_focal", "varifocal", "focal")


class _Sloped:
    """Numbers (rows,) that depend on a box each, with their derivatives (rows, 4) in its four sides."""

    def __init__(self, value: Array, slope: Array) -> None:
        self.value, self.slope = value, slope

    def _where(self, mask: NDArray[np.bool_], other: Array | float) -> _Sloped:
        """Itself where `mask`, elsewhere what doesn't depend on the box."""
        return _Sloped(np.where(mask, self.value, other), np.where(mask[:, None], self.slope, 0.0))

    def positive(self) -> _Sloped:
        return self._where(~(self.value <= 0), 0.0)

    def least(self, other: Array) -> _Sloped:
        return self._where(self.value < other, other)

    def most(self, other: Array) -> _Sloped:
        return self._where(self.value > other, other)

    def __add__(self, other: _Sloped) -> _Sloped:
        return _Sloped(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other: _Sloped) -> _Sloped:
        return _Sloped(self.value - other.value, self.slope - other.slope)

    def __mul__(self, other: _Sloped) -> _Sloped:
        slope = self.slope * other.value[:, None] + other.slope * self.value[:, None]
        return _Sloped(self.value * other.value, slope)

    def __truediv__(self, other: _Sloped) -> _Sloped:
        """The ratio; 0 where `other` is 0."""
        by = np.where(other.value == 0, 1.0, other.value)
        ratio = self.value / by
        slope = (self.slope - ratio[:, None] * other.slope) / by[:, None]
        return _Sloped(ratio, slope)._where(other.value != 0, 0.0)

    def angle(self, other: _Sloped) -> _Sloped:
        """atan(self / other)."""
        square = self.value**2 + other.value**2
        square = np.where(square == 0, 1.0, square)
        slope = self.slope * other.value[:, None] - other.slope * self.value[:, None]
        return _Sloped(np.arctan2(self.value, other.value), slope / square[:, None])


def _fixed(value: Array) -> _Sloped:
    return _Sloped(value, np.zeros((len(value), 4)))


def _overlap(p: Array, t: Array, kind: str, factor: Array | None = None) -> tuple[_Sloped, Array]:
    """The overlap of boxes (rows, 4), and CIoU's factor v / (1 - IoU + v), which may also be given."""
    if kind not in OVERLAPS:
        raise unknown_name("overlap", kind, OVERLAPS)
    left, top, right, bottom = (_Sloped(p[:, i], np.tile(np.eye(4)[i], (len(p), 1))) for i in range(4))
    width, height = (right - left).positive(), (bottom - top).positive()
    wide, high = np.maximum(t[:, 2] - t[:, 0], 0), np.maximum(t[:, 3] - t[:, 1], 0)
    across = (right.least(t[:, 2]) - left.most(t[:, 0])).positive()
    down = (bottom.least(t[:, 3]) - top.most(t[:, 1])).positive()
    common = across * down
    union = width * height + _fixed(wide * high) - common
    iou, none = common / union, np.zeros(len(p))
    if kind == "iou":
        return iou, none
    hull_width, hull_height = right.most(t[:, 2]) - left.least(t[:, 0]), bottom.most(t[:, 3]) - top.least(t[:, 1])
    if kind == "giou":
        hull = hull_width * hull_height
        return iou - (hull - union) / hull, none
    half = _fixed(np.full(len(p), 0.5))
    x = half * (left + right - _fixed(t[:, 0] + t[:, 2]))
    y = half * (top + bottom - _fixed(t[:, 1] + t[:, 3]))
    diou = iou - (x * x + y * y) / (hull_width * hull_width + hull_height * hull_height)
    if kind == "diou":
        return diou, none
    turn = _fixed(np.arctan2(t[:, 2] - t[:, 0], t[:, 3] - t[:, 1])) - width.angle(height)
    v = _fixed(np.full(len(p), 4 / np.pi**2)) * turn * turn
    if factor is None:
        factor = (v / _fixed(1.0 - iou.value + v.value)).value
    return diou - _fixed(factor) * v, factor


def box_overlap(p: ArrayLike, t: ArrayLike, kind: str, factor: ArrayLike | None = None) -> Array:
    """Intersection over union of each row of p with the same row of t, or GIoU, DIoU, CIoU.

    Parameters
    ----------
    p, t : array (rows, 4)
    kind : one of `OVERLAPS`
    factor : array (rows,), optional
        CIoU's v / (1 - IoU + v), if it is not to depend on p.
    """
    p, t = _two_boxes(p, t)
    return _overlap(p, t, kind, None if factor is None else real(factor, "factor", 1))[0].value


def ciou_factor(p: ArrayLike, t: ArrayLike) -> Array:
    """v / (1 - IoU + v), which counts as a constant in CIoU's gradient."""
    return _overlap(*_two_boxes(p, t), "ciou")[1]


def _two_boxes(p: ArrayLike, t: ArrayLike) -> tuple[Array, Array]:
    p, t = real(p, "p", 2), real(t, "t", 2)
    same_shape(p, (len(p), 4), "p")
    same_shape(t, p.shape, "t")
    return p, t


def box_loss(p: ArrayLike, t: ArrayLike, kind: str, weight: ArrayLike | None = None) -> Array:
    """weight (1 - overlap), a number a row."""
    losses = 1.0 - box_overlap(p, t, kind)
    return losses if weight is None else real(weight, "weight", 1) * losses


def box_loss_backward(
    p: ArrayLike, t: ArrayLike, kind: str, weight: ArrayLike | None = None, scale: float = 1.0
) -> Array:
    """Gradient with respect to p of scale times the sum of `box_loss`, CIoU's factor taken as a constant."""
    p, t = _two_boxes(p, t)
    rows = np.ones(len(p)) if weight is None else real(weight, "weight", 1)
    return -scale * rows[:, None] * _overlap(p, t, kind)[0].slope


def predicted_boxes(raw: ArrayLike, places: ArrayLike) -> Array:
    """Boxes (n, p, 4) from a detector's output (n, p, 4 + c) and its places (3, p): x, y and stride."""
    raw, (x, y, stride) = real(raw, "raw", 3), real(places, "places", 2)
    far = raw[:, :, :4] * stride[:, None]
    return np.stack([x - far[..., 0], y - far[..., 1], x + far[..., 2], y + far[..., 3]], axis=-1)


def is_object(targets: Array, classes: int) -> NDArray[np.bool_]:
    """Which rows (…, 5) are objects: a class number and a box with an area."""
    label, left, top, right, bottom = np.moveaxis(targets, -1, 0)
    area = (right - left) * (bottom - top)
    return (label >= 0) & (label < classes) & (right > left) & (bottom > top) & (area < np.inf)


@np.errstate(invalid="ignore")
def detection_assign(
    raw: ArrayLike, places: ArrayLike, targets: ArrayLike, method: str, top: int, alpha: float, beta: float
) -> tuple[NDArray[np.int32], Array]:
    """Which object each place is to find, -1 for none, and its score: both (n, p).

    Parameters
    ----------
    raw : array (n, p, 4 + c)
        Distances to the left, top, right and bottom, in strides, then the classes' logits.
    places : array (3, p)
        x, y and stride of the places, in pixels.
    targets : array (n, m, 5)
        Class number and box.
    method : one of `ASSIGNMENTS`
    top, alpha, beta
        Task-aligned: how many places an object has, the powers of the class's probability and of the IoU. SimOTA: how
        many IoUs make the number of places, the weight of -log(IoU), the radius in strides of what is near the middle.
    """
    if method not in ASSIGNMENTS:
        raise unknown_name("assignment", method, ASSIGNMENTS)
    logits, boxes = real(raw, "raw", 3)[:, :, 4:], predicted_boxes(raw, places)
    spots, wanted = real(places, "places", 2), real(targets, "targets", 3)
    assigned = np.full(boxes.shape[:2], -1, np.int32)
    scores = np.zeros(boxes.shape[:2])
    for i, rows in enumerate(wanted):
        image = _Image(spots, boxes[i], logits[i], method, (top, alpha, beta))
        for j in np.flatnonzero(is_object(rows, logits.shape[2])):
            image.claim(int(j), int(rows[j, 0]), rows[j, 1:])
        assigned[i], scores[i] = image.assigned, image.scores()
    return assigned, scores


class _Image:
    """The places of an image while objects take theirs."""

    def __init__(
        self, places: Array, boxes: Array, logits: Array, method: str, numbers: tuple[int, float, float]
    ) -> None:
        self.x, self.y, self.stride = places
        self.boxes, self.logits, self.method = boxes, logits, method
        self.top, self.alpha, self.beta = numbers
        count = len(self.x)
        self.assigned = np.full(count, -1, np.int32)
        self._strength, self._log_t, self._u, self._forced = (np.zeros(count) for _ in range(4))

    def claim(self, number: int, label: int, box: Array) -> None:
        """The object takes its places, from others where it is the stronger one."""
        left, top, right, bottom = box
        inside = np.flatnonzero((self.x > left) & (self.x < right) & (self.y > top) & (self.y < bottom))
        if not len(inside) and len(self.x):
            self._force(number, box)
            return
        u = np.nan_to_num(box_overlap(self.boxes[inside], np.tile(box, (len(inside), 1)), "iou"))
        taken, log_t, strength = self._choose(inside, label, box, u)
        for i in taken:
            place = inside[i]
            if self.assigned[place] < 0 or strength[i] > self._strength[place]:
                self.assigned[place], self._strength[place] = number, strength[i]
                self._log_t[place], self._u[place] = log_t[i], u[i]

    def _choose(
        self, inside: NDArray[np.intp], label: int, box: Array, u: Array
    ) -> tuple[NDArray[np.intp], Array, Array]:
        """Which candidates the object wants, the logarithms of their t, and how strong it is there."""
        logits = self.logits[inside]
        if self.method == "task_aligned":
            # By its logarithm: u^beta may be less than any number but 0.
            log_u = np.log(u, out=np.full(len(u), -np.inf), where=u > 0)
            log_t = self.beta * log_u - self.alpha * softplus(-logits[:, label])
            log_t = np.where(np.isnan(log_t), -np.inf, log_t)
            return np.argsort(-log_t, kind="stable")[: self.top], log_t, u
        middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        reach = self.beta * self.stride[inside]
        near = (np.abs(self.x[inside] - middle_x) < reach) & (np.abs(self.y[inside] - middle_y) < reach)
        entropy = softplus(logits).sum(axis=1) - logits[:, label]
        cost = entropy - self.alpha * np.log(u + 1e-8) + np.where(near, 0.0, 1e5)
        cost = np.where(np.isnan(cost), np.inf, cost)
        count = max(1, int(np.sort(u)[::-1][: self.top].sum()))
        return np.argsort(cost, kind="stable")[:count], u, -cost

    def _force(self, number: int, box: Array) -> None:
        """An object with no place within takes the one next to its middle."""
        left, top, right, bottom = box
        place = int(np.argmin((self.x - (left + right) / 2) ** 2 + (self.y - (top + bottom) / 2) ** 2))
        if self._forced[place]:
            return
        x, y = self.x[place], self.y[place]
        around = (max(x, right) - min(x, left)) * (max(y, bottom) - min(y, top))
        self._forced[place] = (right - left) * (bottom - top) / around
        self._strength[place], self.assigned[place] = np.inf, number

    def scores(self) -> Array:
        scores = self._forced.copy()
        for number in np.unique(self.assigned[self.assigned >= 0]):
            mine = (self.assigned == number) & (self._forced == 0)
            if self.method == "simota":
                scores[mine] = self._u[mine]
            elif mine.any():
                peak = self._log_t[mine].max()
                share = np.exp(self._log_t[mine] - peak) if peak > -np.inf else 1.0
                scores[mine] = share * self._u[mine].max()
        return scores


@np.errstate(invalid="ignore")
def class_loss(
    z: ArrayLike, t: ArrayLike, own: ArrayLike, kind: str, gamma: float, alpha: float
) -> tuple[Array, Array]:
    """The loss of each logit z with the target t, and its derivative in z; own: where a place's own class is."""
    if kind not in CLASS_LOSSES:
        raise unknown_name("class loss", kind, CLASS_LOSSES)
    z, t = real(z, "z"), real(t, "t")
    mine, p, n = np.asarray(own, bool), sigmoid(z), sigmoid(-z)
    loss, slope = softplus(z) - z * t, p - t
    easy, easy_slope = p**gamma * softplus(z), p**gamma * (p + gamma * n * softplus(z))
    if kind == "quality_focal":
        d = p - t
        turn = np.where(d == 0, 0.0, gamma * np.abs(d) ** gamma / np.where(d == 0, 1.0, d))
        return np.abs(d) ** gamma * loss, np.abs(d) ** gamma * slope + turn * p * n * loss
    if kind == "varifocal":
        return np.where(mine, t * loss, alpha * easy), np.where(mine, t * slope, alpha * easy_slope)
    if kind == "focal":
        hard, hard_slope = n**gamma * softplus(-z), -(n**gamma) * (n + gamma * p * softplus(-z))
        return (
            np.where(mine, alpha * hard, (1 - alpha) * easy),
            np.where(mine, alpha * hard_slope, (1 - alpha) * easy_slope),
        )
    return loss, slope


def detection_loss(
    raw: ArrayLike,
    places: ArrayLike,
    targets: ArrayLike,
    assigned: ArrayLike,
    scores: ArrayLike,
    kinds: tuple[str, str] = ("bce", "ciou"),
    weights: tuple[float, float] = (1.0, 1.0),
    focus: tuple[float, float] = (2.0, 0.75),
    weight: ArrayLike | None = None,
    normalize: bool = True,
    scale: float = 1.0,
) -> tuple[Array, Array]:
    """Each image's loss of classes and of boxes, (n, 2), and the gradient of scale times the sum of all, as raw.

    Parameters
    ----------
    raw, places, targets
        As for `detection_assign`, which gives `assigned` and `scores`; scores count as constants.
    kinds : (str, str)
        One of `CLASS_LOSSES`, one of `OVERLAPS`.
    weights : (float, float)
        Of the classes' and of the boxes' loss.
    focus : (float, float)
        gamma and alpha of `class_loss`.
    weight : array (n,), optional
        Of each image.
    normalize : bool
        Whether all is divided by the sum of scores, or by 1 if that is less.
    """
    raw, wanted, scores = real(raw, "raw", 3), real(targets, "targets", 3), real(scores, "scores", 2)
    assigned = np.asarray(assigned)
    images = np.ones(len(raw)) if weight is None else real(weight, "weight", 1)
    images = images / (max(1.0, scores.sum()) if normalize else 1.0)
    objects = np.take_along_axis(wanted, np.maximum(assigned, 0)[:, :, None], axis=1)
    found = assigned >= 0
    own = found[:, :, None] & (objects[:, :, :1] == np.arange(raw.shape[2] - 4))
    classes, class_slope = class_loss(raw[:, :, 4:], own * scores[:, :, None], own, kinds[0], *focus)
    overlap, _ = _overlap(predicted_boxes(raw, places)[found], objects[found][:, 1:], kinds[1])
    stride = np.broadcast_to(real(places, "places", 2)[2], found.shape)
    boxes, box_slope = np.zeros(found.shape), np.zeros((*found.shape, 4))
    boxes[found] = scores[found] * (1.0 - overlap.value)
    box_slope[found] = (scores * stride)[found][:, None] * overlap.slope * np.array([1.0, 1.0, -1.0, -1.0])
    parts = np.stack([weights[0] * classes.sum(axis=(1, 2)), weights[1] * boxes.sum(axis=1)], axis=1)
    gradient = np.concatenate([weights[1] * box_slope, weights[0] * class_slope], axis=2)
    return images[:, None] * parts, scale * images[:, None, None] * gradient

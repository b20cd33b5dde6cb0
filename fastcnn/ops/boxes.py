"""Boxes: how far they agree, the forms they are written in, and as distances from places and anchors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._ops import core
from .._ops.arrays import as_float32, empty, real_array, same_shape
from .._ops.kinds import OVERLAP
from ..errors import shown, unknown_name
from ..shapes import pair, real_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats

#: The order of a box's numbers, by Keras' names; "w" and "h" are width and height, "c" the centre.
_FORMATS = {
    "xyxy": ("left", "top", "right", "bottom"),
    "yxyx": ("top", "left", "bottom", "right"),
    "xywh": ("left", "top", "width", "height"),
    "center_xywh": ("x", "y", "width", "height"),
    "center_yxhw": ("y", "x", "height", "width"),
}
_OTHER_NAMES = {"cxcywh": "center_xywh"}
#: Wider and higher than this many times its anchor no box is decoded.
_LARGEST = 1000 / 16


def as_boxes(boxes: ArrayLike, name: str) -> Floats:
    """Boxes (k, 4) as the kernels want them; an empty list is no boxes."""
    array = as_float32(boxes, name)
    if array.size == 0 and array.ndim == 1:
        return empty((0, 4), name)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"{name} must have shape (k, 4): left, top, right, bottom; received shape {array.shape}")
    return array


def box_iou(a: ArrayLike, b: ArrayLike, kind: str = "iou", crowd: ArrayLike | None = None) -> Floats:
    """How far each of some boxes agrees with each of others.

    Parameters
    ----------
    a, b : array_like, (n, 4) and (m, 4)
        Left, top, right, bottom. A box whose right is left of its left, or whose bottom above its top, has no area.
    kind : {"iou", "giou", "diou", "ciou"}
        Intersection over union, or one of its kin that also tell boxes apart which don't meet: GIoU subtracts the share
        of the least box around both that neither covers (Rezatofighi et al., CVPR 2019); DIoU the squared distance of
        the centres by the squared diagonal of that box, CIoU a term for different shapes as well (Zheng et al., AAAI
        2020).
    crowd : array_like of bool, (m,), optional
        Which of b are crowds: for these, and only with "iou", the share of a's own area that lies within, as COCO has
        it.

    Returns
    -------
    ndarray, (n, m)
        IoU 0 where there is no area to divide by; NaN where a box is.

    Raises
    ------
    TypeError, ValueError
        Shapes that don't fit, an unknown kind, crowd with another kind than "iou".

    Examples
    --------
    >>> ops.box_iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [4, 4, 5, 5]])
    array([[0.33333334, 0.        ]], dtype=float32)
    """
    if not isinstance(kind, str) or kind not in OVERLAP:
        raise unknown_name("kind of overlap", kind, OVERLAP)
    p, q = as_boxes(a, "a"), as_boxes(b, "b")
    flags = None
    if crowd is not None:
        if kind != "iou":
            raise ValueError(f'crowd needs kind="iou", received {kind!r}')
        flags = real_array(crowd, "crowd")
        if flags.shape != (len(q),):
            raise ValueError(f"crowd must have shape ({len(q)},), one for each box of b; received {flags.shape}")
        flags = np.ascontiguousarray(flags != 0).view(np.uint8)
    y = empty((len(p), len(q)), "box_iou: the result")
    core.call("box_iou", p=p, q=q, crowd=flags, y=y, rows=len(p), cols=len(q), kind=OVERLAP[kind])
    return y


def _format(name: str, argument: str) -> tuple[tuple[str, ...], bool]:
    """The order of the numbers, and whether they are shares of the image."""
    short = name.removeprefix("rel_") if isinstance(name, str) else ""
    relative = short != name
    plain = _OTHER_NAMES.get(short, short)
    if plain not in _FORMATS:
        known = [*_FORMATS, *_OTHER_NAMES]
        raise unknown_name(argument, name, [*known, *("rel_" + k for k in known)])
    return _FORMATS[plain], relative


def convert_boxes(boxes: ArrayLike, source: str, target: str, image_shape: Sequence[int] | None = None) -> Floats:
    """Boxes from one form into another.

    Parameters
    ----------
    boxes : array_like, (..., 4)
    source, target : str
        "xyxy" (left, top, right, bottom), "yxyx", "xywh" (left, top, width, height), "center_xywh" (also "cxcywh"),
        "center_yxhw"; each with "rel_" before it for shares of the image's width and height instead of pixels.
    image_shape : (int, int) or (int, int, int), optional
        Height and width of the image, and maybe its channels. Needed between pixels and shares.

    Returns
    -------
    ndarray, (..., 4)
        New, float32.

    Raises
    ------
    TypeError, ValueError
        An unknown form, another last axis than 4, no image_shape where one is needed.

    Examples
    --------
    >>> ops.convert_boxes([[10, 20, 30, 60]], "xyxy", "rel_cxcywh", image_shape=(100, 200))
    array([[0.1, 0.4, 0.1, 0.4]], dtype=float32)
    """
    given = as_float32(boxes, "boxes")
    if given.shape == (0,):  # an empty list
        given = given.reshape(0, 4)
    if given.ndim == 0 or given.shape[-1] != 4:
        raise ValueError(f"boxes must have shape (..., 4), received {given.shape}")
    (order, relative), (wanted, shares) = _format(source, "source"), _format(target, "target")
    # In float64, so that there and back is what it was.
    at = {name: given[..., k].astype(np.float64) for k, name in enumerate(order)}
    for low, high, middle, length in (("left", "right", "x", "width"), ("top", "bottom", "y", "height")):
        if middle in at:
            at[low] = at[middle] - at[length] / 2
        if high not in at:
            at[high] = at[low] + at[length]
        if length not in at:
            at[length] = at[high] - at[low]
        at.setdefault(middle, at[low] + at[length] / 2)
    made = np.stack([at[name] for name in wanted], -1)
    if relative != shares:
        height, width = _image_size(image_shape)
        sizes = [width if name in ("left", "right", "x", "width") else height for name in wanted]
        made = made * sizes if relative else made / sizes
    return made.astype(np.float32)


def _image_size(shape: Sequence[int] | None) -> tuple[int, int]:
    if shape is None:
        raise ValueError(
            "image_shape must be (height, width) to go between pixels and shares of an image; received None"
        )
    if not hasattr(shape, "__len__") or len(shape) not in (2, 3):
        raise ValueError(f"image_shape must be (height, width) or (height, width, channels), received {shown(shape)}")
    return pair(tuple(shape)[:2], "image_shape")


def _centres(boxes: Floats) -> tuple[np.ndarray, np.ndarray]:
    """Centres and sizes, float64."""
    corners = boxes.astype(np.float64)
    return (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]


def _variances(variances: Sequence[float]) -> np.ndarray:
    if not hasattr(variances, "__len__") or len(variances) != 4:
        raise ValueError(f"variances must be four numbers, received {shown(variances)}")
    numbers = [real_number(v, "variances") for v in variances]
    if min(numbers) <= 0:
        raise ValueError(f"variances must be above 0, received {shown(variances)}")
    return np.array(numbers)


def encode_boxes(boxes: ArrayLike, anchors: ArrayLike, variances: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> Floats:
    """Boxes as what an anchor-based detector predicts for them (Girshick et al., "R-CNN", CVPR 2014, appendix C).

    Parameters
    ----------
    boxes, anchors : array_like, (k, 4)
        Left, top, right, bottom; each box with its anchor. All of them must have an area.
    variances : four floats
        What the numbers are divided by, so that all are about as large: often (0.1, 0.1, 0.2, 0.2).

    Returns
    -------
    ndarray, (k, 4)
        The distance between the centres along x and y, by the anchor's width and height; log(width / the anchor's
        width), and that of the heights.

    Raises
    ------
    TypeError, ValueError
        Shapes that don't fit, a box or anchor without an area, variances that aren't four numbers above 0.
    """
    corners, scale = as_boxes(boxes, "boxes"), _variances(variances)
    middle, size = _centres(corners)
    anchor_middle, anchor_size = _centres(same_shape(anchors, "anchors", corners.shape, "boxes"))
    for name, sizes in (("boxes", size), ("anchors", anchor_size)):
        bad = np.flatnonzero(~(sizes > 0).all(1))
        if bad.size:
            raise ValueError(f"{name} must have right > left and bottom > top, received none of that at {int(bad[0])}")
    deltas = np.concatenate([(middle - anchor_middle) / anchor_size, np.log(size / anchor_size)], 1) / scale
    return deltas.astype(np.float32)


def decode_boxes(deltas: ArrayLike, anchors: ArrayLike, variances: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> Floats:
    """What `encode_boxes` made of boxes, or a detector predicts, as boxes again.

    Parameters
    ----------
    deltas, anchors : array_like, (k, 4)
    variances : four floats
        As given to `encode_boxes`.

    Returns
    -------
    ndarray, (k, 4)
        Left, top, right, bottom. No box is more than 62.5 times as wide or high as its anchor.

    Raises
    ------
    TypeError, ValueError
        Shapes that don't fit, variances that aren't four numbers above 0.
    """
    given, scale = as_boxes(deltas, "deltas"), _variances(variances)
    middle, size = _centres(same_shape(anchors, "anchors", given.shape, "deltas"))
    scaled = given * scale
    middle = middle + scaled[:, :2] * size
    half = np.exp(np.minimum(scaled[:, 2:], math.log(_LARGEST))) * size / 2
    return np.concatenate([middle - half, middle + half], 1).astype(np.float32)


def _points(points: ArrayLike, stride: ArrayLike, count: int) -> tuple[np.ndarray, np.ndarray]:
    at = same_shape(points, "points", (count, 2), "places, one for each box").astype(np.float64)
    steps = as_float32(stride, "stride")
    if steps.shape not in ((), (count,)):
        raise ValueError(f"stride must be a number or have shape ({count},), received {steps.shape}")
    if not (steps > 0).all():
        raise ValueError("stride must be above 0")
    return at, steps.astype(np.float64).reshape(-1, 1)


def encode_distances(boxes: ArrayLike, points: ArrayLike, stride: ArrayLike = 1.0) -> Floats:
    """Boxes as the distances of their sides from places (Tian et al., "FCOS", ICCV 2019).

    Parameters
    ----------
    boxes : array_like, (k, 4)
        Left, top, right, bottom.
    points : array_like, (k, 2)
        x and y of each one's place; see `anchor_points`.
    stride : float or array_like, (k,)
        The unit of the distances, in pixels.

    Returns
    -------
    ndarray, (k, 4)
        To the left, up, to the right and down; none is negative where the place lies in the box.

    Raises
    ------
    TypeError, ValueError
        Shapes that don't fit, a stride that isn't above 0.
    """
    corners = as_boxes(boxes, "boxes")
    at, steps = _points(points, stride, len(corners))
    return (np.concatenate([at - corners[:, :2], corners[:, 2:] - at], 1) / steps).astype(np.float32)


def decode_distances(distances: ArrayLike, points: ArrayLike, stride: ArrayLike = 1.0) -> Floats:
    """Boxes from the distances of their sides: what `encode_distances` made of them.

    Parameters
    ----------
    distances : array_like, (k, 4)
        To the left, up, to the right and down.
    points, stride
        As given to `encode_distances`.

    Returns
    -------
    ndarray, (k, 4)
        Left, top, right, bottom.

    Raises
    ------
    TypeError, ValueError
        Shapes that don't fit, a stride that isn't above 0.
    """
    given = as_boxes(distances, "distances")
    at, steps = _points(points, stride, len(given))
    return np.concatenate([at - given[:, :2] * steps, at + given[:, 2:] * steps], 1).astype(np.float32)

"""What belongs to images, and moves with them: labels, boxes, keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import shown
from ..details import Details

Boxes = Sequence[Any]
Keypoints = Sequence[Any]
Rows = list[NDArray[np.float32]]

#: Boxes of which less than this share is left are dropped.
LEAST_VISIBLE = 0.1


def check_labels(labels: Any, count: int) -> Any:
    """Labels as an array, one for each image."""
    if labels is None:
        return None
    try:
        array = np.asarray(labels)
    except ValueError:
        raise ValueError(
            f"labels must be an array with one row for each of {count} images, or with boxes a list with one array for "
            f"each image and one entry for each box, received {shown(labels)}"
        ) from None
    if array.ndim < 1 or len(array) != count:
        raise ValueError(f"labels must have one row for each of {count} images, received shape {array.shape}")
    return array


def _rows(given: Any, count: int, name: str, least: int, what: str) -> Rows | None:
    if given is None:
        return None
    if len(given) != count:
        raise ValueError(f"{name} must be a list with one array for each of {count} images, received {len(given)}")
    found = []
    for i, one in enumerate(given):
        array = np.asarray(one, np.float32)
        if array.size == 0:
            array = array.reshape(0, max(least, array.shape[-1] if array.ndim == 2 else 0))
        if array.ndim != 2 or array.shape[1] < least:
            raise ValueError(f"{name}[{i}] must be {what}, received shape {array.shape}")
        found.append(array)
    widths = {array.shape[1] for array in found if len(array)} or {max((a.shape[1] for a in found), default=least)}
    if len(widths) > 1:
        raise ValueError(f"{name} must have as many columns in all images, received {sorted(widths)}")
    # Nothing has as many columns as the others, so that it can be joined with them.
    return [array if len(array) else array.reshape(0, *widths) for array in found]


def check_boxes(boxes: Any, count: int) -> Rows | None:
    """Boxes as arrays (boxes, 4 or more) of left, top, right, bottom and anything."""
    found = _rows(boxes, count, "boxes", 4, "(boxes, 4 or more): left, top, right, bottom")
    for i, array in enumerate(found or []):
        if not np.isfinite(array[:, :4]).all() or (array[:, 2:4] < array[:, :2]).any():
            raise ValueError(f"boxes[{i}] must have left <= right and top <= bottom, received {shown(array.tolist())}")
    return found


def check_keypoints(keypoints: Any, count: int) -> Rows | None:
    """Keypoints as arrays (points, 2 or more) of x, y and anything."""
    return _rows(keypoints, count, "keypoints", 2, "(points, 2 or more): x, y")


def are_weights(given: Any, shape: tuple[int, ...]) -> bool:
    """Whether what stands in the boxes' place is a number for each image of a batch of this shape: (count,) or ()."""
    if not isinstance(given, (np.ndarray, np.generic, float, int)):
        return False
    array = np.asarray(given)
    return array.shape == shape and array.dtype.kind in "buif"


def labels_of_boxes(labels: Any, boxes: Rows | None) -> NDArray[Any] | None:
    """The labels of all boxes, image by image; None where labels are of whole images.

    A list with an array for each image, beside boxes, has one entry for each box.
    """
    if boxes is None or not boxes or not isinstance(labels, (list, tuple)) or len(labels) != len(boxes):
        return None
    arrays = [np.asarray(one) for one in labels]
    if any(array.ndim == 0 for array in arrays):
        return None
    for i, (array, rows) in enumerate(zip(arrays, boxes)):
        if len(array) != len(rows):
            raise ValueError(
                f"labels[{i}] must have one entry for each of {len(rows)} boxes, received shape {array.shape}; labels "
                f"of whole images are one array"
            )
    # What is empty has no say in the others' dtype: np.asarray([]) is float64.
    filled = [array for array in arrays if len(array)] or arrays[:1]
    if len({array.shape[1:] for array in filled}) > 1:
        raise ValueError(f"labels must have entries of one shape, received {[array.shape for array in filled]}")
    return np.concatenate(filled)


def numbered(boxes: Rows) -> Rows:
    """The boxes with their numbers in the batch as a last column, which goes where they go (exact to 2^24)."""
    ends = np.cumsum([len(rows) for rows in boxes])
    return [
        np.concatenate([rows, np.arange(end - len(rows), end, dtype=np.float32)[:, None]], axis=1)
        for rows, end in zip(boxes, ends)
    ]


def without_numbers(boxes: Rows) -> tuple[list[NDArray[np.intp]], Rows]:
    """The numbers of the boxes that are left, and these without them."""
    return [rows[:, -1].astype(np.intp) for rows in boxes], [rows[:, :-1].copy() for rows in boxes]


def are_details(given: Any) -> bool:
    """Whether what stands in the keypoints' place is `Details`, of one image or of each."""
    return isinstance(given, Details) or (
        isinstance(given, (list, tuple)) and bool(given) and all(isinstance(one, Details) for one in given)
    )


def check_details(details: Sequence[Details] | None, boxes: Rows | None) -> None:
    """An error where they are not of these boxes."""
    if details is None:
        return
    counts = [len(rows) for rows in boxes or []]
    if [len(one.ignored) for one in details] != counts:
        raise ValueError(
            f"details must be of the boxes of each image, which are {shown(counts)}, received some of "
            f"{shown([len(one.ignored) for one in details])}"
        )


def details_of(details: Sequence[Details], numbers: Sequence[NDArray[np.intp]]) -> list[Details]:
    """The details of each image, with what is known of the boxes that it has now, whichever image they come from."""
    ignored = np.concatenate([one.ignored for one in details]) if details else np.empty(0, bool)
    areas = np.concatenate([one.areas for one in details]) if details else np.empty(0)
    return [replace(one, ignored=ignored[own], areas=areas[own]) for one, own in zip(details, numbers)]


def _forward(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """From edges of the image to edges of the result: a pixel's edges lie half a pixel around its centre."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.asarray(np.linalg.inv(half @ matrix @ np.linalg.inv(half)), np.float64)


def _mapped(forward: NDArray[np.float64], points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    found = np.concatenate([points.astype(np.float64), np.ones((len(points), 1))], axis=1) @ forward.T
    return np.asarray(found[:, :2] / found[:, 2:], np.float64)


def move_points(keypoints: Rows, matrices: NDArray[np.float64]) -> Rows:
    """Where the points of the images lie in the results."""
    moved = []
    for points, matrix in zip(keypoints, matrices):
        new = points.copy()
        new[:, :2] = _mapped(_forward(matrix), points[:, :2])
        moved.append(new)
    return moved


def move_boxes(boxes: Rows, matrices: NDArray[np.float64], size: tuple[int, int]) -> Rows:
    """The boxes around where the boxes' corners lie in results of `size`; those hardly visible are left out."""
    moved = []
    for rows, matrix in zip(boxes, matrices):
        corners = _mapped(_forward(matrix), rows[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)).reshape(-1, 4, 2)
        around = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        moved.append(clip_boxes(np.concatenate([around, rows[:, 4:]], axis=1).astype(np.float32), (0, 0, *size)))
    return moved


def clip_boxes(rows: NDArray[np.float32], part: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Boxes clipped to a part (top, left, bottom, right) of an image; those hardly visible are left out."""
    top, left, bottom, right = part
    low, high = np.array([left, top, left, top]), np.array([right, bottom, right, bottom])
    clipped = rows.copy()
    clipped[:, :4] = np.clip(rows[:, :4], low, high)
    areas = [(r[:, 2] - r[:, 0]) * (r[:, 3] - r[:, 1]) for r in (rows, clipped)]
    visible = (areas[1] > 0) & (areas[1] >= LEAST_VISIBLE * areas[0])
    return np.asarray(clipped[visible])

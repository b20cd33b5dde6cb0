"""Augmentation of pictures with boxes, and pictures made of scattered things."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn.data import Dataset, DetectionTargets, augment, scattered_objects

# Things that can be told from the ground, and from each other, by their pixels: a white square in four shades.
SHADES = np.array([110, 150, 190, 230], np.uint8)
SQUARES = np.zeros((4, 12, 12), np.uint8)
SQUARES[:, 2:10, 2:10] = SHADES[:, None, None]


def squares(count: int = 8, **options: Any) -> Dataset:
    given = {"size": (48, 64), "channels": 1, "objects": (0, 5), "scale": (1, 2), "shuffle": False, **options}
    return scattered_objects(SQUARES, np.arange(4), count, **given)


def in_mask(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for left, top, right, bottom in boxes.astype(int):
        mask[top:bottom, left:right] = True
    return mask


# ---------------------------------------------------------------- scattered things


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32), overlap=st.sampled_from([0.0, 0.3, 1.0]), height=st.integers(10, 60),
    width=st.integers(10, 60), low=st.floats(0.1, 3), factor=st.floats(1, 3),
)  # fmt: skip
def test_boxes_lie_close_around_things(
    seed: int, overlap: float, height: int, width: int, low: float, factor: float
) -> None:
    limits: dict[str, Any] = {"size": (height, width), "scale": (low, low * factor), "seed": seed, "overlap": overlap}
    images, labels, boxes = squares(4, batch_size=4, **limits).peek()
    for image, kinds, own in zip(images, labels, boxes):
        assert len(kinds) == len(own) <= 5
        # Smoothing darkens the squares' rims: what is bright is in a box, and all of a box but its rim is bright.
        assert not ((image[..., 0] > 140) & ~in_mask(own, (height, width))).any()
        inner = np.clip(own + np.array([2, 2, -2, -2]), 0, [width, height] * 2)
        assert not ((image[..., 0] < 105) & in_mask(inner, (height, width))).any()
        for i in range(len(own)):
            mine, later = in_mask(own[i : i + 1], (height, width)), in_mask(own[i + 1 :], (height, width))
            assert (mine & later).sum() <= overlap * mine.sum()
            seen = image[mine & ~later][:, 0]
            if not later.any() and seen.size:
                assert abs(int(seen.max()) - int(SHADES[kinds[i]])) <= 1 or own[i, 2] - own[i, 0] < 8


def test_scattered_pictures_follow_from_the_seed_and_their_numbers() -> None:
    images, labels, boxes = squares(9).to_arrays()
    again = squares(20, batch_size=7)
    for _ in range(2):  # every epoch
        more, _, others = again.to_arrays()
        np.testing.assert_array_equal(more[:9], images)
        assert all(np.array_equal(a, b) for a, b in zip(boxes, others))
    shuffled = squares(9, shuffle=True, details=True)
    mixed, kinds, _, details = shuffled.to_arrays()
    order = [int(one.image_id) for one in details]
    assert sorted(order) == list(range(9)) != order
    np.testing.assert_array_equal(mixed, images[order])
    assert [v.tolist() for v in kinds] == [labels[i].tolist() for i in order]
    kept, _, _, _ = shuffled.cache().to_arrays()
    assert sorted(kept.sum(axis=(1, 2, 3))) == sorted(images.sum(axis=(1, 2, 3)))
    assert not np.array_equal(squares(9, seed=1).to_arrays()[0], images)
    colored = scattered_objects(SQUARES, np.arange(4), 3, class_names=["a", "b", "c", "d"])
    assert colored.class_names == ["a", "b", "c", "d"] and colored.peek()[0].shape == (3, 128, 128, 3)


def test_scattered_things_that_can_not_be() -> None:
    for options, message in (
        ({"images": SQUARES.astype(float)}, "images must be uint8"),
        ({"images": SQUARES * 0}, r"images\[0\] is black"),
        ({"labels": [0, 1]}, "labels must be 4 class numbers from 0, received int64 of shape"),
        ({"objects": (5, 2)}, r"objects and scale must be \(least, most\), received \(5, 2\)"),
        ({"objects": 3}, "objects must be two numbers, the least and the most, received 3"),
        ({"scale": (0, 1)}, "scale"), ({"overlap": 2}, "overlap"), ({"channels": 2}, "channels must be 1 or 3"),
        ({"images": np.zeros((2, 0, 5), np.uint8)}, r"images must be uint8 .* received uint8 of shape \(2, 0, 5\)"),
        ({"class_names": ["a"]}, "class_names must be 4 names at least"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            scattered_objects(**{"images": SQUARES, "labels": np.arange(4), "count": 2, **options})


# ---------------------------------------------------------------- augmentation

GROUND = {"fill_mode": "constant", "fill_value": 0}
AUGMENTATIONS: dict[str, augment.Augmentation] = {
    "flip": augment.RandomFlip(), "shift": augment.RandomTranslation(0.3, 0.3, **GROUND),
    "zoom": augment.RandomZoom((-0.4, 0.5), **GROUND), "crop": augment.RandomCrop(40, 40),
    "resized crop": augment.RandomResizedCrop(40, 60, scale=(0.3, 1.0)), "mosaic": augment.Mosaic(),
    "mosaic in some": augment.Compose([augment.RandomFlip(), augment.Mosaic(0.5), augment.RandomZoom(0.2, **GROUND)]),
    "colours": augment.Compose([augment.RandomBrightness(0.05), augment.Mosaic()]),
    "rotation": augment.RandomRotation(0.12, **GROUND), "shear": augment.RandomShear(0.2, 0.2, **GROUND),
    "perspective": augment.RandomPerspective(1.0, 0.3),
}  # fmt: skip
#: Of a box around what was turned, the middle is not always its own.
TURNING = ("rotation", "shear", "perspective")


@pytest.mark.parametrize("name", AUGMENTATIONS)
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 6))
def test_boxes_stay_with_what_they_are_around(name: str, seed: int, count: int) -> None:
    """What is bright is in a box, or is less than a tenth of a thing; labels and details are of the same boxes."""
    dataset = squares(count, seed=seed, overlap=0.0, details=True, objects=(0, 3))
    before = dict(enumerate(dataset.peek()[3]))
    step = AUGMENTATIONS[name]
    images, labels, boxes, details = dataset.map(lambda *batch: step(*batch, step=seed % 1000)).peek()
    assert len(images) == len(labels) == len(boxes) == len(details) == count
    known = {float(area) for one in before.values() for area in one.areas}
    for image, kinds, own, one in zip(images, labels, boxes, details):
        assert kinds.dtype == np.int64 and own.dtype == np.float32
        assert len(kinds) == len(own) == len(one.ignored) == len(one.areas)
        assert set(one.areas) <= known and one.size == (48, 64)
        assert (own[:, 2:] > own[:, :2]).all() and (own >= 0).all()
        height, width = image.shape[:2]
        assert (own <= [width, height] * 2).all()
        around = np.concatenate([np.floor(own[:, :2]) - 1, np.ceil(own[:, 2:]) + 1], axis=1).clip(0)
        stray = (image[..., 0] > 130) & ~in_mask(around, (height, width))
        largest = max((float(a) for o in before.values() for a in o.areas), default=0.0)
        assert stray.sum() <= 12 * 0.1 * largest * 3  # a tenth of each thing, which zooming makes 2.8 times as large
        for kind, box in zip(kinds, own):
            left, top, right, bottom = box
            if min(right - left, bottom - top) > 6 and name not in TURNING:  # the shade in its middle is its label's
                seen = image[int((top + bottom) / 2), int((left + right) / 2), 0]
                assert abs(int(seen) - int(SHADES[kind])) <= 15
    assert dataset.map(step).map(DetectionTargets(64)).peek()[1].shape == (count, 64, 5)


def test_mixup_shows_the_things_of_both_images() -> None:
    images, labels, boxes, details = squares(6, details=True, objects=(1, 3)).peek()
    mixed, kinds, moved, more = augment.MixUp(alpha=50, seed=3)(images, labels, boxes, details)
    alone = 0
    for i in range(6):
        own = len(labels[i])
        assert kinds[i][:own].tolist() == labels[i].tolist()
        assert moved[i][:own].tolist() == boxes[i].tolist()
        assert len(more[i].areas) == len(moved[i]) == len(kinds[i])
        if len(moved[i]) == own:  # mixed with itself
            alone += 1
            np.testing.assert_array_equal(mixed[i], images[i])
            continue
        others = [j for j in range(6) if moved[i][own:].tolist() == boxes[j].tolist()]
        assert len(others) == 1 and kinds[i][own:].tolist() == labels[others[0]].tolist()
        assert np.abs(mixed[i] - images[[i, others[0]]].mean(axis=0)).max() < 40
    assert alone < 3
    # Of which less than a tenth is left, nothing can be seen.
    _, kinds, _ = augment.MixUp(alpha=0.01, seed=3)(images, labels, boxes)
    assert sorted(map(len, kinds)) != [] and all(len(k) in {len(v) for v in labels} for k in kinds)


def test_images_without_boxes_may_say_so_in_any_way() -> None:
    images = np.zeros((4, 20, 20, 3), np.uint8)
    boxes: list[Any] = [np.array([[2, 2, 9, 9, 5.0]]), [], np.zeros((0, 4)), np.zeros((0, 5))]
    for step in (augment.Mosaic(seed=1), augment.MixUp(8, seed=1), augment.RandomFlip(seed=1)):
        _, moved = step(images, boxes=boxes)
        assert all(rows.shape[1] == 5 for rows in moved)
        _, labels, moved = step(images, [[1], [], [], []], boxes)
        assert all(len(a) == len(b) for a, b in zip(labels, moved))
    _, moved = augment.Mosaic(seed=1)(images, boxes=[[]] * 4)
    assert [rows.shape for rows in moved] == [(0, 4)] * 4
    with pytest.raises(ValueError, match=r"boxes must have as many columns in all images, received \[4, 5\]"):
        augment.Mosaic()(images, boxes=[*boxes[:3], [[1, 1, 2, 2]]])

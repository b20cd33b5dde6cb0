"""Augmentation of batches: what each does, that it repeats, and that boxes, keypoints and labels come along."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastcnn
from fastcnn.data import Dataset
from fastcnn.data import augment as A  # noqa: N812
from fastcnn.data.augment.recipe import stages_of
from fastcnn.data.augment.steps import BORDERS, DRAWS, KINDS, STEP_SIZE, table
from fastcnn.reference import augment as ref

X = np.random.default_rng(0).integers(0, 256, (12, 10, 14, 3), dtype=np.uint8)
F = (X / 255).astype(np.float32)

EVERY: list[A.Augmentation] = [
    A.RandomFlip(), A.RandomRotation(0.2), A.RandomTranslation(0.3, 0.2), A.RandomZoom(0.3), A.RandomShear(0.2, 0.3),
    A.RandomPerspective(), A.RandomCrop(10, 14, padding=3), A.RandomResizedCrop(10, 14), A.RandomBrightness(0.3),
    A.RandomContrast(0.4), A.RandomSaturation(0.9), A.RandomHue(0.6), A.RandomGrayscale(), A.RandomInvert(),
    A.RandomColorJitter((0, 255), 0.2, 0.2, 0.7, 0.2), A.RandomColorDegeneration(0.7), A.RandomPosterization((2, 4)),
    A.Solarization(0.2, 0.6), A.AutoContrast(), A.Equalization(), A.RandomGaussianNoise(0.1),
    A.RandomSaltAndPepper(0.2), A.RandomGaussianBlur(), A.RandomSharpness(0.9), A.RandomErasing(), A.Cutout(4),
    A.MixUp(), A.CutMix(), A.Mosaic(),
    A.RandAugment(), A.TrivialAugment(), A.RandomChoice([A.RandomRotation(0.1), A.RandomInvert()]),
]  # fmt: skip
every = pytest.mark.parametrize("one", EVERY, ids=lambda one: type(one).__name__)


def expected(one: A.Augmentation, x: np.ndarray, seed: int, step: int) -> np.ndarray:
    """Steps done one pass after another by the reference, in float64."""
    n = len(x)
    ends = (0.0, 255.0)
    y = x.astype(np.float64)
    for stage in stages_of(one.steps(*x.shape[1:3])):
        h, w, c = y.shape[1:]
        rows = table(stage.steps, stage.lanes, h, w)
        drawn = ref.draw(rows, n, seed, step).astype(np.float32)
        if stage.kind == "warp":
            view, size = stage.steps[0].view, rows[-1, 32:34].astype(int)
            bilinear = view.interpolation == "bilinear"
            y = ref.warp(y, ref.geometry(rows, drawn), tuple(size), bilinear, view.border, view.fill)
        elif stage.kind == "points":
            lists = ref.colors(rows, drawn, ref.statistics(y.reshape(n, -1, c)), ends)
            y = ref.points(y.reshape(n, -1, c), lists, ends, seed, step).reshape(y.shape)
        else:
            (only,) = stage.steps
            for i in np.flatnonzero(drawn[:, 0, 0]):
                v = drawn[i, 0, 1:].astype(float)
                if only.kind in ("blur", "sharpen"):
                    y[i] = ref.blur(y[i], v[0], only.window) if only.kind == "blur" else ref.sharpen(y[i], v[0])
                elif only.kind == "equalize":
                    y[i] = ref.equalize(y[i].reshape(-1, c), ends).reshape(h, w, c)
                else:
                    top, left, bottom, right = ref.erased(rows[0], v, h, w)
                    noise = 127.5 + 63.75 * ref.noise(h * w * c, i, seed, stage.lanes[0], step).reshape(h, w, c)
                    filled = np.clip(noise if only.constants[0] else np.full((h, w, c), only.constants[1]), *ends)
                    y[i, top:bottom, left:right] = filled[top:bottom, left:right]
            y = np.clip(y, *ends)
        y = np.round(y) if x.dtype == np.uint8 else y
    return y


def test_names_are_those_of_the_reference() -> None:
    assert (KINDS, DRAWS, BORDERS, STEP_SIZE) == (ref.KINDS, ref.DRAWS, ref.BORDERS, ref.STEP_SIZE)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@every
def test_does_what_the_reference_does(one: A.Augmentation, dtype: Any) -> None:
    if isinstance(one, (A.MixUp, A.CutMix, A.Mosaic)):
        pytest.skip("it has no steps; its kernel is tested with the others")
    one.load_state_dict({"seed": 77, "step": 3})
    x = np.tile(X.astype(dtype), (1, 2, 2, 1))
    y = one(x)
    assert y.dtype == dtype and not np.array_equal(x, y)
    # Bytes next to a tie, and places next to a pixel's edge where the nearest one is seen, may come out as the other.
    off = np.abs(y.astype(np.float64) - expected(one, x, 77, 3)) > (1.0 if dtype == np.uint8 else 0.01)
    assert off.mean() < 0.002


@every
def test_repeats_by_its_seed_for_any_number_of_threads(one: A.Augmentation, keep_threads: None) -> None:
    found = []
    for threads in (1, 2, 3):
        fastcnn.set_num_threads(threads)
        one.load_state_dict({"seed": 5, "step": 0})
        found.append([one(X), one(X)])
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    if not isinstance(one, (A.AutoContrast, A.Equalization, A.RandomInvert)):
        assert not np.array_equal(*found[0])
    state = one.state_dict()
    third = one(X)
    one.load_state_dict(state)
    np.testing.assert_array_equal(one(X), third)
    np.testing.assert_array_equal(one(X, step=2), third)
    copy = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(copy(X, step=2), third)


@every
def test_outside_training_nothing_changes(one: A.Augmentation) -> None:
    np.testing.assert_array_equal(one(F, training=False), F)


@every
def test_no_images(one: A.Augmentation) -> None:
    assert one(X[:0]).shape == (0, 10, 14, 3)


@settings(max_examples=25, deadline=None)
@given(
    h=st.integers(1, 9), w=st.integers(1, 9), c=st.sampled_from([1, 3]), n=st.integers(1, 3), seed=st.integers(0, 99)
)
def test_any_size(h: int, w: int, c: int, n: int, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(0, 255, (n, h, w, c)).astype(np.float32)
    for one in (
        A.Compose([A.RandomRotation(0.3, "constant"), A.RandomZoom(0.9), A.RandomFlip(), A.RandomHue(0.4)]),
        A.Compose([A.Cutout(3), A.RandomGaussianBlur(kernel_size=(5, 3)), A.RandomResizedCrop(4, 7)]),
        A.TrivialAugment(),
    ):
        one.load_state_dict({"seed": seed, "step": 1})
        close = np.abs(one(x) - expected(one, x, seed, 1)) < 0.05
        assert close.mean() > 0.9  # of few pixels, one that is next to an edge or a threshold counts much


def test_composed_geometry_is_one_look() -> None:
    """Turned and turned back, nothing is lost: no pixel was interpolated twice."""
    there, back = A.RandomRotation((0.1, 0.1)), A.RandomRotation((-0.1, -0.1))
    np.testing.assert_allclose(A.Compose([there, back])(F), F, atol=1e-5)
    assert np.abs(back(there(F)) - F).max() > 0.1
    many = A.Compose(
        [A.RandomFlip(), A.RandomRotation(0.1), A.RandomZoom(0.1), A.RandomBrightness(0.1), A.RandomContrast(0.1)]
    )
    assert [stage.kind for stage in stages_of(many.steps(10, 14))] == ["warp", "points"]


def test_flips_and_crops_copy_pixels() -> None:
    """Bits that no arithmetic would leave alone."""
    odd = np.full((64, 6, 6, 1), np.nan, np.float32)
    odd.view(np.uint32)[:] = 0x7FC00000 + np.arange(36).reshape(6, 6, 1)
    one = A.Compose([A.RandomCrop(6, 6, padding=2, fill_mode="wrap"), A.RandomFlip()], seed=0)
    assert set(one(odd).view(np.uint32).flat) == set(odd.view(np.uint32).flat)


def test_boxes_and_keypoints_move_along() -> None:
    """A white rectangle and what is said of it, after anything geometric."""
    x = np.zeros((32, 40, 60, 1), np.float32)
    x[:, 12:20, 25:41] = 255
    boxes = [np.array([[25.0, 12, 41, 20, 7]])] * 32
    points = [np.array([[33.0, 16, 1]])] * 32
    one = A.Compose(
        [A.RandomFlip(), A.RandomTranslation(0.2, 0.2, "constant"), A.RandomZoom(0.2, None, "constant"),
         A.RandomRotation(0.05, "constant"), A.RandomResizedCrop(50, 70, (0.6, 1.0))], seed=3,
    )  # fmt: skip
    y, moved, found = one(x, boxes=boxes, keypoints=points)
    assert y.shape == (32, 50, 70, 1)
    whole = 0
    for image, rows, marks in zip(y, moved, found):
        assert len(rows) == 1 and rows[0, 4] == 7 and marks.shape == (1, 3)
        left, top, right, bottom = rows[0, :4]
        if min(left, top) > 0 and right < 70 and bottom < 50:
            whole += 1
            ys, xs = np.nonzero(image[..., 0] > 127)
            # A turned rectangle's box is the box around it, so it is met on all sides.
            seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            np.testing.assert_allclose([left, top, right, bottom], seen, atol=1.5)
            np.testing.assert_allclose(marks[0, :2], [xs.mean() + 0.5, ys.mean() + 0.5], atol=0.5)
    assert whole > 15


def test_boxes_out_of_sight_are_dropped() -> None:
    x = np.zeros((1, 20, 20, 1), np.uint8)
    boxes = [np.array([[0, 0, 2, 2], [8, 8, 12, 12], [9.5, 0, 20, 20]])]
    right = A.RandomTranslation((0, 0), (0.5, 0.5))
    _, moved = right(x, boxes=boxes)
    np.testing.assert_allclose(moved[0], [[10, 0, 12, 2], [18, 8, 20, 12]])


def test_mixup_mixes_labels_as_images() -> None:
    one = A.MixUp(alpha=1.0, seed=1)
    values = np.arange(8, dtype=np.float32)
    x = np.tile(values[:, None, None, None], (1, 5, 3, 2)) * 10
    y, labels = one(x, np.eye(8, dtype=np.float32))
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(y[:, 0, 0, 0], labels @ values * 10, rtol=1e-5)
    assert ((labels > 0).sum(1) == 2).any()


@pytest.mark.parametrize(
    "one", [A.CutMix(seed=2, num_classes=8), A.Mosaic(seed=2, num_classes=8)], ids=["cutmix", "mosaic"]
)
def test_parts_and_labels_agree(one: A.Augmentation) -> None:
    x = np.tile(np.arange(8, dtype=np.uint8)[:, None, None, None], (1, 9, 13, 1))
    y, labels = one(x, np.arange(8))
    shares = np.stack([(y == k).mean((1, 2, 3)) for k in range(8)], axis=1)
    np.testing.assert_allclose(labels, shares, atol=1e-6)
    assert (np.count_nonzero(labels, axis=1) > 1).any()


def test_mosaic_takes_boxes_along() -> None:
    """Each image is a colour with a bright square in it; boxes lie where the squares are."""
    rng = np.random.default_rng(0)
    x, boxes = np.zeros((9, 40, 40, 1), np.float32), []
    for i in range(9):
        top, left = rng.integers(0, 32, 2)
        x[i, top : top + 8, left : left + 8] = 1
        boxes.append(np.array([[left, top, left + 8, top + 8, i]], np.float32))
    y, moved = A.Mosaic(seed=4)(x, boxes=boxes)
    for image, rows in zip(y[..., 0], moved):
        covered = np.zeros((40, 40))
        for left, top, right, bottom, _ in rows.astype(int):
            covered[top:bottom, left:right] = 1
        # All of a box is bright; what is bright without one is less than a tenth of a square.
        assert (image[covered == 1] == 1).all()
        assert image.sum() - covered.sum() <= 4 * 0.1 * 64


@pytest.mark.parametrize(
    "one",
    [A.RandomTranslation(0.6, 0.6, seed=3), A.Mosaic(seed=3), A.Compose([A.Mosaic(), A.RandomFlip()], seed=3)],
    ids=["translation", "mosaic", "both"],
)
def test_labels_of_boxes_stay_with_their_boxes(one: A.Augmentation) -> None:
    for counts in ([3, 0, 1, 2, 5, 0], [2] * 6):
        labels = [10 * i + np.arange(k) if k else np.array([]) for i, k in enumerate(counts)]
        boxes = [[[4 * j, 2, 4 * j + 3, 9, v] for j, v in enumerate(own)] for own in labels]
        boxes = [np.reshape(b, (-1, 5)) for b in boxes]
        y, kept, moved = one(np.zeros((6, 20, 24, 3), np.uint8), labels, boxes)
        assert len(y) == len(kept) == len(moved) == 6
        assert [k.dtype.kind for k in kept] == ["i"] * 6 and [m.shape[1] for m in moved] == [5] * 6
        # Each box has its label as its fifth number.
        assert [k.tolist() for k in kept] == [m[:, 4].tolist() for m in moved]
        assert [len(k) for k in kept] != counts and any(len(k) for k in kept)


def test_labels_of_boxes_of_one_image_and_outside_training() -> None:
    right = A.RandomTranslation((0, 0), (0.5, 0.5))
    boxes, labels = np.array([[0, 0, 5, 9], [10, 0, 12, 9]]), np.eye(2)
    _, kept, moved = right(X[0], labels, boxes)
    assert kept.tolist() == [[1, 0]] and moved.tolist() == [[7, 0, 12, 9]]
    _, kept, moved = right(X[:1], [labels], [boxes], training=False)
    assert kept[0].tolist() == labels.tolist() and moved[0].tolist() == boxes.tolist()
    # An array is of whole images, whatever its shape.
    _, kept, _ = right(X[:1], labels[None], [boxes])
    assert kept.tolist() == [labels.tolist()]


def test_weights_of_samples_come_back() -> None:
    weights = np.linspace(0, 1, 12)
    data = Dataset.from_arrays(X, np.arange(12), weights)
    for dataset in (data.batch(6).map(A.RandomFlip()), data.map(A.RandomFlip()).batch(6)):
        _, labels, back = dataset.to_arrays()
        np.testing.assert_array_equal(labels, np.arange(12))
        np.testing.assert_array_equal(back, weights)
    # Points after them are moved, and what is returned is new.
    _, back, points = A.RandomTranslation((0, 0), (0.5, 0.5))(X, None, weights, [[[1, 2]]] * 12)
    assert points[3].tolist() == [[8, 2]] and not np.shares_memory(back, weights)
    cut = A.Compose([A.RandomFlip(), A.CutMix(num_classes=12)])
    assert cut(X, np.arange(12), weights, training=False)[2].tolist() == weights.tolist()
    with pytest.raises(ValueError, match="CutMix doesn't mix weights of samples"):
        cut(X, np.arange(12), weights)


def test_choices_are_exclusive_and_all_taken() -> None:
    one = A.TrivialAugment(seed=0)
    done = np.concatenate([p["done"] for p in one.params((3000, 8, 8, 3), step=0)], axis=1)
    assert done.sum(1).max() == 1
    shares = np.append(done.mean(0), (done.sum(1) == 0).mean())
    assert len(shares) == 14 and np.abs(shares - 1 / 14).max() < 0.02
    twice = A.RandAugment(num_ops=2, seed=0).params((3000, 8, 8, 3), step=0)
    assert np.concatenate([p["done"] for p in twice], axis=1).sum(1).max() == 2


def test_params_are_what_was_done() -> None:
    one = A.Compose([A.RandomFlip("horizontal"), A.RandomBrightness(0.2, (0, 1))], seed=9)
    y = one(F)
    flips, colors = one.params(F.shape)
    turned = np.where(flips["done"][:, 0, None, None, None], F[:, :, ::-1], F)
    np.testing.assert_allclose(y, np.clip(turned + colors["values"][:, 0, 0, None, None, None], 0, 1), atol=1e-6)
    assert one.params(F.shape, step=0)[0]["matrix"].shape == (12, 3, 3)


def test_images_in_other_forms() -> None:
    one = A.RandomFlip(seed=1)
    single = one(X[0], step=0)
    np.testing.assert_array_equal(single, one(X[:1], step=0)[0])
    np.testing.assert_array_equal(one(X[:, ::-1], step=0), one(X[:, ::-1].copy(), step=0))
    assert one(X.astype(np.float64)).dtype == np.float32
    both = one({"images": X, "labels": np.arange(12)}, step=0)
    np.testing.assert_array_equal(both["images"], one(X, step=0))
    _, labels = one(X, np.arange(12))
    np.testing.assert_array_equal(labels, np.arange(12))
    before = X.copy()
    one(X)[:] = 0
    A.Cutout(3)(X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: A.RandomFlip()(X[0, 0]), r"images must be an array of numbers .*received ndarray of shape \(14, 3\)"),
        (lambda: A.RandomFlip()(X, np.arange(3)), "labels must have one row for each of 12 images"),
        (lambda: A.RandomFlip()(X, boxes=[[[0, 0, 1]]] * 12), r"boxes\[0\] must be \(boxes, 4 or more\)"),
        (lambda: A.RandomFlip()(X, boxes=[[[5, 0, 1, 1]]] * 12), r"boxes\[0\] must have left <= right"),
        (lambda: A.RandomFlip()(X, [[1], *[[]] * 11], [[]] * 12), r"labels\[0\] must have one entry for each"),
        (lambda: A.RandomFlip()(X, [[1], *[[]] * 11]), "labels must be an array with one row for each of 12 images"),
        (lambda: A.RandomFlip()({"image": X}), 'images must be a dict with "images"'),
        (lambda: A.RandomHue(0.1)(X[..., :2]), "RandomHue: images must have 1 or 3 channels, received 2"),
        (lambda: A.MixUp()(X, np.arange(12)), "labels must be one-hot for MixUp"),
        (lambda: A.CutMix()(X, boxes=[[]] * 12), "CutMix doesn't mix boxes"),
        (lambda: A.RandomCrop(0, 5), "height must be at least 1"),
        (lambda: A.RandomZoom(-1.5), "height_factor must be a finite number of at least -0.99"),
        (lambda: A.RandomRotation(0.1, fill_mode="mirror"), "Unknown fill_mode 'mirror'"),
        (lambda: A.RandomGaussianBlur(kernel_size=4), "kernel_size must be odd"),
        (lambda: A.RandomBrightness(0.1, value_range=(1, 0)), "value_range must be a pair"),
        (lambda: A.RandAugment(magnitude=31), "magnitude must be below num_magnitude_bins"),
        (lambda: A.RandomFlip().load_state_dict({"seed": 1}), "state must be a dict"),
    ],
)
def test_bad_arguments(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_compose_takes_augmentations_alone() -> None:
    with pytest.raises(TypeError, match="augmentations must be a list of augmentations"):
        A.Compose([lambda x: x])  # type: ignore[list-item]


def test_preview_shows_what_is_done(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from PIL import Image

    from fastcnn.viz import augmentation_preview

    path = tmp_path / "preview.png"
    white = np.full((16, 16, 3), 255, np.uint8)
    black = A.Compose([A.RandomBrightness((-1, -1)), A.RandomFlip()])
    augmentation_preview({"nothing": A.RandomFlip(), "black": black}, white, path, count=3, boxes=[[[2, 3, 9, 12]]])
    with Image.open(path) as picture:
        dark = (np.asarray(picture.convert("L")) < 10).mean()
    # Three black images of the eight in two rows, of the picture's width a share beside the labels.
    assert 0.15 < dark < 0.375
    with pytest.raises(ValueError, match="images must be one image or a batch"):
        augmentation_preview(A.RandomFlip(), white[0], path)
    with pytest.raises(ValueError, match="augmentations must be functions of batches, received 3"):
        augmentation_preview(3, white, path)


def test_the_page_about_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[2] / "docs" / "augmentation.md"
    if not page.exists():
        pytest.skip("the page is not beside the tests")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, page.name, "exec"), names)
    assert names["soft"].shape == (128, 10) and names["more"].shape == (128, 32, 32, 3)
    for x, y in names["dataset"]:
        assert x.shape == (32, 32, 32, 3) and y.shape == (32,)
    assert np.abs(names["angles"]).max() < 0.2 * np.pi + 1e-6
    assert (tmp_path / "preview.png").stat().st_size > 10_000


@pytest.mark.parametrize("one", [A.RandomHue(0.5, seed=1), A.RandomSaturation((0.9, 1.0), seed=1)], ids=["hue", "gray"])
def test_colours_end_inside_the_range(one: A.Augmentation) -> None:
    beyond = np.random.default_rng(0).uniform(-150, 450, (4, 8, 8, 3)).astype(np.float32)
    found = one(beyond)
    assert found.min() >= 0
    assert found.max() <= 255

"""Functions on images: against Pillow, float64 and plain NumPy, and the same as the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fastcnn import data, layers, reference
from fastcnn.data import Dataset
from fastcnn.models import Sequential

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (3, 13, 10, 3), dtype=np.uint8)


def through(layer: Any, x: np.ndarray) -> np.ndarray:
    """What a layer makes of images as the first of a model."""
    model = Sequential([layers.Input(x.shape[1:]), layer])
    found: np.ndarray = model.predict(x)
    return found


sizes = st.integers(1, 17)


@settings(max_examples=60, deadline=None)
@given(st.tuples(sizes, sizes), st.tuples(sizes, sizes), st.sampled_from(["bilinear", "bicubic", "nearest", "area"]),
       st.booleans())  # fmt: skip
def test_resize_against_pillow_and_float64(before: Any, after: Any, interpolation: str, antialias: bool) -> None:
    x = RNG.random((*before, 2), dtype=np.float32) * 255
    y = data.resize(x, after, interpolation, antialias)
    assert y.dtype == np.float32
    how: dict[str, Any] = {"bilinear": {}, "nearest": {"mode": "nearest", "rounding": "round_prefer_ceil"},
                           "bicubic": {"mode": "cubic", "cubic_a": -0.5, "exclude_outside": True},
                           "area": {"mode": "area"}}[interpolation]  # fmt: skip
    smooth = antialias and interpolation in ("bilinear", "bicubic")
    how = {**how, "antialias": True, "exclude_outside": True} if smooth else how
    matrices = [reference.resize_matrix(a, b, **how) for a, b in zip(before, after)]
    np.testing.assert_allclose(y, reference.resize(x[None], *matrices)[0], rtol=1e-5, atol=1e-4 * 255)
    larger = all(b >= a for a, b in zip(before, after))
    if smooth or (larger and interpolation in ("bilinear", "bicubic")):
        # Not the nearest pixel: where two are as near, which one Pillow takes hangs on its rounding.
        filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
        for c in range(2):
            theirs = Image.fromarray(x[..., c]).resize((after[1], after[0]), filters[interpolation])
            np.testing.assert_allclose(y[..., c], np.asarray(theirs), atol=1e-4 * 255)


def test_areas_are_means() -> None:
    x = RNG.random((2, 12, 9, 3), dtype=np.float32)
    expected = x.astype(float).reshape(2, 4, 3, 3, 3, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(data.resize(x, (4, 3), "area"), expected, rtol=1e-6)
    np.testing.assert_array_equal(data.resize(x[0], (12, 9), "area"), x[0])


@pytest.mark.parametrize("size", [(5, 6), (20, 7), (13, 10), (4, 21), (1, 1)])
@pytest.mark.parametrize(
    "options",
    [{}, {"antialias": True}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 7.5},
     {"interpolation": "area"}, {"interpolation": "bicubic", "antialias": True}, {"interpolation": "nearest"}],
)  # fmt: skip
def test_resizing_is_the_layer(size: tuple[int, int], options: dict[str, Any]) -> None:
    layer = layers.Resizing(*size, **options)
    np.testing.assert_array_equal(data.resize(X, size, **options), through(layer, X))
    np.testing.assert_array_equal(data.resize(X[1], size, **options), through(layer, X)[1])
    again = layers.deserialize(layers.serialize(layer))
    np.testing.assert_array_equal(through(again, X), through(layer, X))


@pytest.mark.parametrize("size", [(5, 6), (13, 10), (12, 9), (20, 7), (14, 30)])
def test_center_crop_is_the_layer(size: tuple[int, int]) -> None:
    y = data.center_crop(X, size)
    np.testing.assert_array_equal(y, through(layers.CenterCrop(*size), X))
    if size[0] <= 13 and size[1] <= 10:
        top, left = (13 - size[0]) // 2, (10 - size[1]) // 2
        np.testing.assert_array_equal(y, X[:, top : top + size[0], left : left + size[1]])
        assert y.dtype == np.uint8


def test_ratios_are_kept() -> None:
    """A wide picture: what is cut off is left and right, what is added above and below, by turns."""
    x = np.arange(4 * 10, dtype=np.float32).reshape(4, 10, 1)
    np.testing.assert_array_equal(data.resize(x, 4, crop_to_aspect_ratio=True), x[:, 3:7])
    padded = data.resize(x, 10, pad_to_aspect_ratio=True, fill_value=-1)
    np.testing.assert_array_equal(padded[3:7], x)
    assert (padded[:3] == -1).all()
    assert (padded[7:] == -1).all()


@settings(max_examples=40, deadline=None)
@given(sizes, sizes, sizes, sizes, st.booleans(), st.sampled_from([1, 2]))
def test_letterbox_and_boxes(rows: int, columns: int, height: int, width: int, center: bool, count: int) -> None:
    x = np.ones((count, rows, columns, 3), np.uint8)
    y, place = data.letterbox(x, (height, width), fill_value=5, center=center)
    again = np.full_like(y, np.nan)
    assert data.letterbox(x, (height, width), fill_value=5, center=center, out=again)[0] is again
    np.testing.assert_array_equal(again, y)
    assert y.shape == (count, height, width, 3)
    left, top, right, bottom = place.boxes([0, 0, columns, rows])[0]
    odd = max(abs(left - (width - right)), abs(top - (height - bottom)))
    assert odd < 1.001 if center else (left, top) == (0, 0)
    inside = np.zeros((height, width), bool)
    inside[round(top) : round(bottom), round(left) : round(right)] = True
    np.testing.assert_allclose(y[0, ..., 0], np.where(inside, 1, 5), rtol=1e-6)
    assert inside.any(0).all() or inside.any(1).all()  # it touches two sides
    boxes = RNG.random((4, 4)) * 10
    np.testing.assert_allclose(place.inverse(place.boxes(boxes)), boxes, rtol=1e-5, atol=1e-4)


def test_crops_and_margins() -> None:
    many = data.random_crop(np.repeat(X, 50, axis=0), (4, 4), seed=1)
    np.testing.assert_array_equal(many, data.random_crop(np.repeat(X, 50, axis=0), (4, 4), seed=1))
    parts = {X[0, i : i + 4, j : j + 4].tobytes() for i in range(10) for j in range(7)}
    found = {crop.tobytes() for crop in many[:50]}
    assert found <= parts
    assert len(found) > 20
    np.testing.assert_array_equal(data.random_crop(X, (13, 10)), X)
    corners = data.corner_crops(X, (4, 3))
    assert corners.shape == (3, 5, 4, 3, 3)
    for i, (top, left) in enumerate([(0, 0), (0, 7), (9, 0), (9, 7), (4, 3)]):
        np.testing.assert_array_equal(corners[:, i], X[:, top : top + 4, left : left + 3])
    np.testing.assert_array_equal(data.corner_crops(X[0], (4, 3)), corners[0])
    np.testing.assert_array_equal(data.pad(X, ((1, 2), (3, 0)), fill_value=9)[:, 1:-2, 3:], X)
    assert (data.pad(X, 2, fill_value=9)[:, :2] == 9).all()
    for dtype in (np.float16, np.float64):
        assert (data.pad(X.astype(dtype), 2, fill_value=0.1)[:, :2] == dtype(0.1)).all()
    for mode, rows in (("nearest", [0, 0, 0, 1]), ("reflect", [1, 0, 0, 1]), ("wrap", [11, 12, 0, 1])):
        np.testing.assert_array_equal(data.pad(X, ((2, 0), (0, 0)), mode)[:, :4], X[:, rows])


def test_normalization() -> None:
    mean, std = np.array([1.0, 2, 3]), np.array([4.0, 5, 6])
    expected = (X.astype(float) - mean) / std
    np.testing.assert_allclose(data.normalize(X, mean=mean, std=std), expected, rtol=1e-5, atol=1e-5)
    layer = layers.Normalization(mean=mean, variance=std**2)
    np.testing.assert_allclose(data.normalize(X, mean=mean, std=std), through(layer, X), rtol=1e-6)
    for preset, low, high in (("-1..1", -1, 1), ("0..1", 0, 1)):
        layer = layers.Rescaling((high - low) / 255, low)
        np.testing.assert_allclose(data.normalize(X, preset), through(layer, X), atol=1e-6)
    for per, axes in (("image", (1, 2, 3)), ("channel", (1, 2))):
        y = data.standardize(X, per).astype(float)
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-6)
        np.testing.assert_allclose(y.std(axes), 1, rtol=1e-5)
    assert (data.standardize(np.full((1, 4, 4, 3), 77, np.uint8)) == 0).all()


def test_colours_order_and_types() -> None:
    expected = X @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(data.grayscale(X)[..., 0], expected, rtol=1e-6)
    assert data.grayscale(X[0], 3).shape == (13, 10, 3)
    np.testing.assert_array_equal(data.reverse_channels(X)[..., 0], X[..., 2])
    np.testing.assert_array_equal(data.channels_first(X), X.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(data.channels_last(data.channels_first(X)), X)
    given = np.array([-3.0, 0.4, 0.5, 1.5, 254.6, 300, np.inf, -np.inf])
    assert data.convert_dtype(given, "uint8").tolist() == [0, 0, 0, 2, 255, 255, 255, 0]
    assert data.convert_dtype(np.array([-1, 70000]), "int16").tolist() == [-1, 32767]
    assert data.convert_dtype(np.array([1e30, -1e30]), "int64").tolist() == [2**63 - 1, -(2**63)]
    assert data.convert_dtype(np.array([2**64 - 1], np.uint64), "int64").tolist() == [2**63 - 1]
    assert data.convert_dtype(X, "float32").dtype == np.float32


def test_adapting_to_a_dataset() -> None:
    whole, parts = layers.Normalization(), layers.Normalization()
    whole.adapt(X)
    parts.adapt(Dataset.from_arrays(X, np.arange(3)).batch(2))
    for one, two in zip(whole.get_weights(), parts.get_weights()):
        np.testing.assert_allclose(one, two, rtol=1e-6)
    np.testing.assert_allclose(parts.get_weights()[0], X.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(parts.get_weights()[1], X.var(axis=(0, 1, 2)), rtol=1e-6)
    with pytest.raises(ValueError, match="at least one sample"):
        layers.Normalization().adapt(Dataset.from_arrays(X[:0]).batch(2))


def test_bad_arguments() -> None:
    for make, message in (
        (lambda: data.resize(X[0, 0], 4), r"x must be \(height, width, channels\)"),
        (lambda: data.resize(X, 0), "size must be at least 1"),
        (lambda: data.resize(X, 4, "cubic"), "Unknown interpolation 'cubic'. Did you mean 'bicubic'"),
        (lambda: data.resize(X, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "can't both be True"),
        (lambda: data.letterbox(X[:, :0], 4), "x must have pixels"),
        (lambda: data.random_crop(X, 14), "size must be at most that of the images, 13x10, received 14x14"),
        (lambda: data.pad(X, 1, "mirror"), "Unknown fill_mode 'mirror'"),
        (lambda: data.pad(X, 1, fill_value=300), "fill_value must be a number that pixels of uint8 can be"),
        (lambda: data.pad(X, 1, fill_value=0.5), "fill_value must be a number that pixels of uint8 can be"),
        (lambda: data.pad(X.astype(np.float16), 1, fill_value=1e6), "that pixels of float16 can be"),
        (lambda: data.pad(X, "same"), "padding must be an int or"),
        (lambda: data.normalize(X, "torch"), "Unknown preset 'torch'"),
        (lambda: data.normalize(X), "either preset or both of mean and std"),
        (lambda: data.normalize(X, "tf", mean=1), "either preset or both of mean and std"),
        (lambda: data.normalize(X, mean=[1, 2], std=1), "mean must be a number or one for each"),
        (lambda: data.normalize(X, mean=1, std=[1, 0, 1]), "std must be above 0"),
        (lambda: data.standardize(X, "batch"), "Unknown per 'batch'"),
        (lambda: data.grayscale(X[..., :2]), r"x must be \(\.\.\., 3\)"),
        (lambda: data.convert_dtype(np.array([np.nan]), "uint8"), "x must not have NaN"),
        (lambda: layers.Resizing(4, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "can't both be True"),
        (lambda: layers.Resizing(4, 4, fill_mode="reflect"), 'fill_mode must be "constant"'),
        (lambda: layers.CenterCrop(0, 4, name="bad"), "layer 'bad': height must be at least 1"),
        (lambda: layers.CenterCrop(4, 4)(layers.Input((None, 8, 3))), "must know the images' size"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            make()

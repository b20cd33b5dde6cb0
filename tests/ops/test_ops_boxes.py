"""Boxes as functions: known answers, wrong arguments, and what must hold for any boxes."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from layouts import VARIANTS

import fastcnn._ops as _ops
from fastcnn import ops
from fastcnn import reference as ref

FORMATS = [r + name for r in ("", "rel_") for name in ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "cxcywh")]
#: Any float32, whole ones often, so that boxes touch, coincide and have equal scores.
NUMBERS = st.one_of(st.integers(-3, 12).map(float), st.floats(width=32))


def boxes_around(rng: np.random.Generator, count: int, clusters: int = 12) -> np.ndarray:
    middle = rng.uniform(0, 300, (clusters, 2))[rng.integers(0, clusters, count)] + rng.normal(0, 4, (count, 2))
    half = rng.uniform(8, 30, (count, 2))
    return np.concatenate([middle - half, middle + half], 1).astype(np.float32)


def test_known_overlaps() -> None:
    a, b = [[0, 0, 2, 2]], [[1, 0, 3, 2], [4, 0, 6, 2], [0, 0, 2, 2], [0, 0, 4, 4]]
    np.testing.assert_allclose(ops.box_iou(a, b), [[1 / 3, 0, 1, 1 / 4]], rtol=1e-6)
    np.testing.assert_allclose(ops.box_iou(a, b, "giou"), [[1 / 3, -1 / 3, 1, 1 / 4]], rtol=1e-6)
    np.testing.assert_allclose(ops.box_iou(a, b, "diou"), [[1 / 3 - 1 / 13, -16 / 40, 1, 1 / 4 - 2 / 32]], rtol=1e-6)
    np.testing.assert_allclose(ops.box_iou(a, b, "ciou"), ops.box_iou(a, b, "diou"))  # all squares
    np.testing.assert_allclose(ops.box_iou(a, b, crowd=[1, 0, 0, True]), [[1 / 2, 0, 1, 1]], rtol=1e-6)
    assert ops.box_iou([], b).shape == (0, 4)
    assert ops.box_iou(a, np.zeros((0, 4))).shape == (1, 0)


@pytest.mark.parametrize(("kind", "expected"), [
    ("hard", ([1, 3, 2], [0.9, 0.8, 0.5])),
    ("soft", ([1, 3, 2, 0], [0.9, 0.8, 0.5, 0.6 * (1 - 0.8)])),
    ("soft-gaussian", ([1, 3, 2, 0], [0.9, 0.8, 0.5, 0.6 * math.exp(-(0.8**2) / 0.5)])),
])  # fmt: skip
def test_known_suppression(kind: str, expected: tuple[list[int], list[float]]) -> None:
    boxes = [[0, 0, 10, 10], [0, 0, 10, 8], [20, 20, 30, 30], [5, 50, 9, 60], [np.nan, 0, 9, 9], [0, 0, 9, np.inf]]
    index, scores = ops.nms(boxes, [0.6, 0.9, 0.5, 0.8, 1.0, 1.0], kind=kind)
    assert index.tolist() == expected[0]
    np.testing.assert_allclose(scores, expected[1], rtol=1e-6)
    assert index.dtype == np.int64
    assert scores.dtype == np.float32


def test_a_threshold_is_exceeded_not_reached() -> None:
    boxes, scores = [[0, 0, 2, 2], [0, 0, 2, 1]], [1.0, 0.5]
    assert ops.nms(boxes, scores, 0.5)[0].tolist() == [0, 1]
    assert ops.nms(boxes, scores, 0.499)[0].tolist() == [0]
    assert ops.nms(boxes, scores, score_threshold=0.5)[0].tolist() == [0]
    assert ops.nms(boxes, [0.0, -1.0])[0].size == 0
    assert ops.nms(boxes, [0.0, -1.0], score_threshold=-math.inf)[0].tolist() == [0, 1]


def test_equal_scores_keep_their_order_and_zeros_are_equal() -> None:
    boxes = np.arange(40.0)[:, None] * 10 + np.array([0, 0, 5, 5])
    scores = np.tile([0.0, -0.0], 20)
    assert ops.nms(boxes, scores, score_threshold=-1)[0].tolist() == list(range(40))
    same = np.tile([0.0, 0.0, 5.0, 5.0], (40, 1))
    assert ops.nms(same, np.ones(40))[0].tolist() == [0]


@pytest.mark.parametrize("variant", ["strided", "negative strides", "fortran", "unaligned", "float64", "big-endian"])
def test_suppression_of_any_layout_and_dtype(variant: str) -> None:
    rng = np.random.default_rng(0)
    boxes, scores = boxes_around(rng, 60), rng.random(60, np.float32)
    index, values = ops.nms(boxes, scores)
    other, same = ops.nms(VARIANTS[variant](boxes), VARIANTS[variant](scores))
    assert 5 < len(index) < 60
    np.testing.assert_array_equal(other, index)
    np.testing.assert_array_equal(same, values)


def test_diou_spares_a_box_with_another_centre() -> None:
    boxes, scores = [[0, 0, 10, 10], [0, 0, 10, 6]], [0.9, 0.8]
    assert ops.nms(boxes, scores, 0.59)[0].tolist() == [0]
    assert ops.nms(boxes, scores, 0.59, kind="diou")[0].tolist() == [0, 1]


@pytest.mark.parametrize("labels", [[3, 3, 7, 7], [-5, -5, 2**40, 2**40], [0.0, 0.0, 1.0, 1.0]])
def test_labels_keep_boxes_apart(labels: list[Any]) -> None:
    boxes = [[0, 0, 9, 9]] * 4
    index, scores = ops.nms(boxes, [0.1, 0.4, 0.3, 0.2], labels=labels)
    assert index.tolist() == [1, 2]
    np.testing.assert_array_equal(scores, np.float32([0.4, 0.3]))
    assert ops.nms(boxes, [0.1, 0.4, 0.3, 0.2], labels=labels, max_boxes=1)[0].tolist() == [1]


def expected_nms(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, kind: str, threshold: float) -> list[int]:
    found: list[tuple[float, int]] = []
    for label in np.unique(labels):
        good = np.isfinite(boxes).all(1) & (scores > threshold) & (labels == label)
        member = np.array(sorted(np.flatnonzero(good), key=lambda i: (-scores[i], i)), int)
        kept = ref.nms(boxes[member], scores[member], kind, 0.5, 0.5, threshold)
        found += [(-s, i) for s, i in zip(kept, member) if not np.isnan(s)]
    return [i for _, i in sorted(found)]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 40))
def test_hard_suppression_of_any_boxes(data: st.DataObject, count: int) -> None:
    """Whole corners, whose areas are exact, and anything else; equal scores, infinities, NaN."""
    whole = st.integers(-3, 12).map(float)
    corner = st.one_of(whole, whole, whole, st.sampled_from([math.nan, math.inf, -math.inf, 0.5]))
    boxes = data.draw(arrays(np.float32, (count, 4), elements=corner))
    scores = data.draw(
        arrays(np.float32, count, elements=st.sampled_from([0.1, 0.5, 0.5, 0.9, math.nan, math.inf, -1]))
    )
    labels = data.draw(arrays(np.int64, count, elements=st.integers(0, 2)))
    index, values = ops.nms(boxes, scores, 0.5, labels=labels)
    assert index.tolist() == expected_nms(boxes, scores, labels, "hard", 0.0)
    np.testing.assert_array_equal(values, scores[index])


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(0, 30), st.sampled_from(["hard", "diou", "soft", "soft-gaussian"]))
def test_whatever_the_boxes_are(data: st.DataObject, count: int, kind: str) -> None:
    boxes = data.draw(arrays(np.float32, (count, 4), elements=NUMBERS))
    scores = data.draw(arrays(np.float32, count, elements=NUMBERS))
    index, values = ops.nms(boxes, scores, kind=kind, max_boxes=count // 2)
    assert len(index) <= count // 2
    assert len(set(index.tolist())) == len(index)
    assert (values[1:] <= values[:-1]).all()  # also of infinite ones
    assert (values > 0).all()
    assert np.isfinite(boxes[index]).all()


@pytest.mark.parametrize("kind", ["hard", "diou", "soft", "soft-gaussian"])
def test_many_boxes_any_threads(kind: str) -> None:
    rng = np.random.default_rng(3)
    boxes, scores, labels = boxes_around(rng, 900), rng.random(900, np.float32), rng.integers(0, 4, 900)
    before, found = _ops.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            _ops.set_num_threads(threads)
            found.append(ops.nms(boxes, scores, labels=labels, kind=kind, score_threshold=0.05))
    finally:
        _ops.set_num_threads(before)
    wanted = expected_nms(boxes, scores, labels, {"soft": "linear", "soft-gaussian": "gaussian"}.get(kind, kind), 0.05)
    assert 20 < len(wanted) < 900
    for index, values in found:
        assert index.tolist() == wanted
        np.testing.assert_array_equal(values, found[0][1])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_forms_of_boxes_there_and_back(data: st.DataObject, source: str, target: str) -> None:
    size = data.draw(st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
    scale = 1.0 if source.startswith("rel_") else 4000.0
    boxes = data.draw(arrays(np.float32, (2, 3, 4), elements=st.floats(0, scale, width=32)))
    there = ops.convert_boxes(boxes, source, target, image_shape=size)
    back = ops.convert_boxes(there, target, source, image_shape=(*size, 3))
    np.testing.assert_allclose(back, boxes, rtol=1e-5, atol=1e-5 * scale)


def test_known_forms() -> None:
    box = np.array([10, 20, 30, 60], np.float32)
    for name, wanted in {
        "yxyx": [20, 10, 60, 30], "xywh": [10, 20, 20, 40], "center_xywh": [20, 40, 20, 40],
        "center_yxhw": [40, 20, 40, 20], "rel_yxyx": [0.2, 0.05, 0.6, 0.15], "rel_cxcywh": [0.1, 0.4, 0.1, 0.4],
    }.items():  # fmt: skip
        np.testing.assert_allclose(ops.convert_boxes(box, "xyxy", name, image_shape=(100, 200)), wanted, rtol=1e-6)


def test_boxes_by_anchors_and_by_places() -> None:
    rng = np.random.default_rng(0)
    boxes, anchors = boxes_around(rng, 50), boxes_around(rng, 50)
    for variances in ((1, 1, 1, 1), (0.1, 0.1, 0.2, 0.2)):
        deltas = ops.encode_boxes(boxes, anchors, variances)
        np.testing.assert_allclose(ops.decode_boxes(deltas, anchors, variances), boxes, atol=1e-3)
    known = ops.encode_boxes([[0, 0, 20, 10]], [[0, 0, 10, 10]], (0.5, 1, 1, 2))
    np.testing.assert_allclose(known, [[1, 0, math.log(2), 0]], atol=1e-6)
    np.testing.assert_allclose(ops.decode_boxes([[0, 0, 9e9, -9e9]], [[0, 0, 10, 10]]), [[-307.5, 5, 317.5, 5]])
    points, stride = ops.anchor_points(64, (32, 16))
    near = np.concatenate([points - 3, points + 5], 1)
    distances = ops.encode_distances(near, points, stride)
    np.testing.assert_allclose(distances[:, [0, 2]] * stride[:, None], [[3, 5]] * len(points), rtol=1e-6)
    np.testing.assert_allclose(ops.decode_distances(distances, points, stride), near, rtol=1e-5)


def test_no_boxes_may_be_an_empty_list() -> None:
    assert ops.convert_boxes([], "xyxy", "xywh").shape == (0, 4)
    assert ops.encode_boxes([], []).shape == ops.decode_boxes([], []).shape == (0, 4)
    assert ops.encode_distances([], []).shape == ops.decode_distances([], []).shape == (0, 4)


def test_places_and_anchors() -> None:
    points, stride = ops.anchor_points((20, 33), (16, 8))
    assert stride.tolist() == [8] * (3 * 5) + [16] * (2 * 3)
    assert points[:6].tolist() == [[4, 4], [12, 4], [20, 4], [28, 4], [36, 4], [4, 12]]
    assert points[-1].tolist() == [40, 24]
    anchors = ops.generate_anchors((20, 33), (16, 8), scales=(1, 2), aspect_ratios=(4, 1, 0.25))
    assert anchors.shape == (len(points) * 6, 4)
    np.testing.assert_allclose((anchors[:, :2] + anchors[:, 2:]) / 2, np.repeat(points, 6, 0), atol=1e-4)
    size = anchors[:, 2:] - anchors[:, :2]
    np.testing.assert_allclose(size[:6], [[16, 64], [32, 32], [64, 16], [32, 128], [64, 64], [128, 32]])
    np.testing.assert_allclose(size[-1], [256, 64])


@pytest.mark.parametrize("aligned", [True, False])
def test_regions_of_a_plane(aligned: bool) -> None:
    """The mean of a linear function is its value in the middle, wherever a bin lies in the image."""
    rows, columns = np.mgrid[:20, :30] + 0.5
    maps = np.stack([rows, columns], -1)[None].astype(np.float32)
    boxes = np.array([[4, 6, 20, 14], [2.5, 3.25, 9.5, 17.75], [8, 4, 8.5, 18]], np.float32)
    found = ops.roi_align(maps, 2 * boxes, (2, 3), spatial_scale=0.5, aligned=aligned, sampling_ratio=2)
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0 if aligned else 1)
    for i in range(2):
        for j in range(3):
            x = boxes[:, 0] + (j + 0.5) / 3 * size[:, 0]
            y = boxes[:, 1] + (i + 0.5) / 2 * size[:, 1]
            wanted = np.stack([y, x], 1) + (0 if aligned else 0.5)
            np.testing.assert_allclose(found[:, i, j], wanted, rtol=1e-5)


def test_gradient_of_regions_is_their_adjoint() -> None:
    rng = np.random.default_rng(1)
    maps = rng.standard_normal((3, 12, 14, 5)).astype(np.float32)
    boxes, image = boxes_around(rng, 20) / 10, rng.integers(0, 3, 20)
    how: dict[str, Any] = {"output_size": (3, 4), "image": image, "spatial_scale": 0.4}
    dy = rng.standard_normal((20, 3, 4, 5)).astype(np.float32)
    forward = np.sum(ops.roi_align(maps, boxes, **how).astype(np.float64) * dy)
    backward = np.sum(ops.roi_align_backward(dy, maps, boxes, **how).astype(np.float64) * maps)
    assert forward == pytest.approx(backward, rel=1e-5)


def test_huge_regions_come_to_an_end() -> None:
    maps = np.ones((1, 5, 6, 2), np.float32)
    for size in (1e5, 1e17, 1e30, 3e38):
        found = ops.roi_align(maps, [[-size, -size, size, size], [size, 0, size, 9]], 3)
        assert np.isfinite(found).all()
        assert np.isfinite(ops.roi_align_backward(found, maps, [[-size, -size, size, size]] * 2, 3)).all()


DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "detection.md"


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the tests")
def test_the_section_about_boxes_runs() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## Boxes as functions\n")[1].split("\n## ")[0]
    block = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[0]
    names: dict[str, Any] = {}
    told: list[tuple[Any, str]] = []
    for line in block.splitlines():
        exec(compile(line, str(DOCUMENT), "exec"), names)
        code, _, comment = line.partition("#")
        if comment.lstrip().startswith("["):
            told.append((eval(code, names), comment.split("]:")[0].split(";")[0]))
    assert len(told) == 3
    for found, wanted in told:
        numbers = [float(n) for n in re.findall(r"[\d.]+", wanted)]
        np.testing.assert_allclose(np.ravel(found), numbers, atol=5e-4)
    assert len(names["points"]) == 2100
    assert names["regions"].shape == (4, 7, 7, 64)
    assert names["gradient"].shape == names["features"].shape
    np.testing.assert_allclose(names["again"], names["near"], atol=1e-3)


BOX, MAP = np.array([[0, 0, 4, 4]]), np.zeros((2, 4, 4, 1))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: ops.box_iou([[1, 2, 3]], BOX), r"a must have shape \(k, 4\).*\(1, 3\)"),
    (lambda: ops.box_iou(BOX, BOX, "gious"), "Did you mean 'giou'"),
    (lambda: ops.box_iou(BOX, BOX, ["iou"]), r"Unknown kind of overlap \['iou'\]"),
    (lambda: ops.box_iou(BOX, BOX, "giou", [1]), 'crowd needs kind="iou"'),
    (lambda: ops.box_iou(BOX, BOX, crowd=[1, 0]), r"crowd must have shape \(1,\)"),
    (lambda: ops.nms(BOX, [1, 2]), r"scores must have shape \(1,\).*\(2,\)"),
    (lambda: ops.nms(BOX, [1], 1.5), "iou_threshold must be a number from 0 to 1, received 1.5"),
    (lambda: ops.nms(BOX, [1], labels=[0.5]), "labels must be whole numbers"),
    (lambda: ops.nms(BOX, [1], labels=[math.nan]), "labels must be whole numbers"),
    (lambda: ops.nms(BOX, [1], labels=[[1]]), r"labels must have shape \(1,\)"),
    (lambda: ops.nms(BOX, [1], kind="weighted"), "Unknown kind of NMS 'weighted'"),
    (lambda: ops.nms(BOX, [1], max_boxes=-1), "max_boxes must be at least 0"),
    (lambda: ops.nms(BOX, [1], sigma=0), "sigma must be above 0"),
    (lambda: ops.nms(BOX, [1], score_threshold=math.nan), "score_threshold must be a finite number"),
    (lambda: ops.nms(BOX, [1], kind=["hard"]), r"Unknown kind of NMS \['hard'\]"),
    (lambda: ops.convert_boxes(BOX, ["xyxy"], "xyhw"), r"Unknown source \['xyxy'\]"),
    (lambda: ops.convert_boxes(BOX, "xyxy", "xyhw"), "Unknown target 'xyhw'. Did you mean"),
    (lambda: ops.convert_boxes(BOX, "xyxy", "rel_xyxy"), r"image_shape must be \(height, width\)"),
    (lambda: ops.convert_boxes(BOX, "xyxy", "rel_xyxy", (0, 4)), "image_shape must be at least 1"),
    (lambda: ops.convert_boxes([1, 2, 3], "xyxy", "xywh"), r"boxes must have shape \(..., 4\)"),
    (lambda: ops.encode_boxes([[0, 0, 0, 4]], BOX), "boxes must have right > left"),
    (lambda: ops.encode_boxes(BOX, [[0, 4, 4, 4]]), "anchors must have right > left"),
    (lambda: ops.encode_boxes(BOX, BOX, (1, 1, 0, 1)), "variances must be above 0"),
    (lambda: ops.decode_boxes(BOX, BOX, 0.1), "variances must be four numbers"),
    (lambda: ops.decode_boxes(BOX, np.zeros((2, 4))), "anchors must have the shape"),
    (lambda: ops.decode_distances(BOX, [[1, 2]], 0), "stride must be above 0"),
    (lambda: ops.encode_distances(BOX, [[1, 2, 3]]), "points must have the shape"),
    (lambda: ops.anchor_points(32, ()), "strides must name at least one"),
    (lambda: ops.anchor_points(32, (8, 0)), "strides must be at least 1"),
    (lambda: ops.generate_anchors(32, aspect_ratios=[]), "aspect_ratios must be numbers above 0"),
    (lambda: ops.roi_align(MAP, BOX, 2), "image must say which of the 2"),
    (lambda: ops.roi_align(MAP, BOX, 2, image=[2]), "image must be whole numbers from 0 to 1"),
    (lambda: ops.roi_align(MAP[:1], [[0, 0, math.nan, 1]], 2), "boxes must be finite.* at 0"),
    (lambda: ops.roi_align(MAP[:1, :0], BOX, 2), "features must be at least 1x1"),
    (lambda: ops.roi_align(MAP[:1], BOX, 0), "output_size must be at least 1"),
    (lambda: ops.roi_align_backward(np.zeros((1, 2, 2, 1)), MAP[:1], BOX, 3), "dy must have the shape"),
])  # fmt: skip
def test_wrong_arguments(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()

"""The reference of detection: gradients against finite differences, overlaps and assignments worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.detection import METHODS, places_of
from test_reference import check_gradient

from fastcnn import reference as ref
from fastcnn._ops import kinds

Array = Any


def boxes(rng: np.random.Generator, rows: int) -> Array:
    corner = rng.uniform(0, 8, (rows, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 9, (rows, 2))], axis=1)


@pytest.mark.parametrize("kind", ref.OVERLAPS)
def test_gradients_of_box_losses(kind: str) -> None:
    """CIoU's factor is held fast, as its gradient has it."""
    rng = np.random.default_rng(3)
    p, t = boxes(rng, 40), boxes(rng, 40)
    factor = ref.ciou_factor(p, t) if kind == "ciou" else None

    def loss(p: Array) -> Array:
        return 1.0 - ref.box_overlap(p, t, kind, factor)

    check_gradient(loss, lambda weight: ref.box_loss_backward(p, t, kind, weight), p)


def test_overlaps_by_hand() -> None:
    """A square of 4 and one of the same size moved by 2: 8 in common, 24 in both, the least box around is 6 x 4."""
    p, t = [[0, 0, 4, 4]], [[2, 0, 6, 4]]
    expected = {"iou": 8 / 24, "giou": 8 / 24, "diou": 8 / 24 - 4 / (36 + 16), "ciou": 8 / 24 - 4 / (36 + 16)}
    assert {kind: ref.box_overlap(p, t, kind)[0] for kind in ref.OVERLAPS} == pytest.approx(expected)
    # Apart: the gap counts; another shape: so does that. 0 .. 2 x 0 .. 1 against a square from 3 on.
    p, t = [[0, 0, 2, 1]], [[3, 0, 4, 1]]
    v = 4 / np.pi**2 * (np.arctan(2) - np.arctan(1)) ** 2
    diou = -(2.5**2) / (16 + 1)
    expected = {"iou": 0.0, "giou": -1 / 4, "diou": diou, "ciou": diou - v * v / (1 + v)}
    assert {kind: ref.box_overlap(p, t, kind)[0] for kind in ref.OVERLAPS} == pytest.approx(expected)


@pytest.mark.parametrize("kind", ref.CLASS_LOSSES)
def test_gradients_of_class_losses(kind: str) -> None:
    rng = np.random.default_rng(4)
    z, own = rng.standard_normal((30, 5)) * 3, rng.random((30, 5)) < 0.3
    t = own * rng.random((30, 5))
    check_gradient(
        lambda z: ref.class_loss(z, t, own, kind, 2.0, 0.25)[0],
        lambda p: p * ref.class_loss(z, t, own, kind, 2.0, 0.25)[1],
        z,
    )


@pytest.mark.parametrize("normalize", [True, False])
def test_gradient_of_a_detector_s_loss(normalize: bool) -> None:
    """Through the distances, with weights of images; GIoU, in which nothing is held fast."""
    rng = np.random.default_rng(5)
    places = places_of(64, (16, 32)).astype(np.float64)
    raw = rng.standard_normal((2, 20, 7))
    raw[:, :, :4] = np.abs(raw[:, :, :4]) + 0.2
    targets = np.concatenate([rng.integers(0, 3, (2, 6, 1)), 4 * boxes(rng, 12).reshape(2, 6, 4)], axis=2)
    assigned = rng.integers(-1, 6, (2, 20))
    scores = np.where(assigned < 0, 0.0, rng.random((2, 20)))
    how: Any = (("quality_focal", "giou"), (0.5, 2.0), (2.0, 0.25), [0.5, 1.5], normalize)

    def loss(raw: Array) -> Array:
        return ref.detection_loss(raw, places, targets, assigned, scores, *how)[0].sum()

    check_gradient(loss, lambda p: p * ref.detection_loss(raw, places, targets, assigned, scores, *how)[1], raw)


def one_image(targets: list[list[float]], method: str, raw: Array = None, top: int = 2) -> tuple[Array, Array]:
    """On a picture of 32 x 32 with four places 16 apart: (8, 8), (24, 8), (8, 24), (24, 24); two classes."""
    raw = np.tile([0.5, 0.5, 0.5, 0.5, 0.0, 0.0], (1, 4, 1)) if raw is None else raw
    _, alpha, beta = METHODS[method]
    assigned, scores = ref.detection_assign(raw, places_of(32, (16,)), [targets], method, top, alpha, beta)
    return assigned[0].tolist(), scores[0]


@pytest.mark.parametrize("method", METHODS)
def test_assignments_by_hand(method: str) -> None:
    # Each place predicts the 16 x 16 pixels about it: the object's box exactly, at the second place.
    assigned, scores = one_image([[1, 16, 0, 32, 16]], method)
    assert assigned == [-1, 0, -1, -1]
    np.testing.assert_allclose(scores, [0, 1, 0, 0])
    # The whole picture: IoU 1 / 4 everywhere. SimOTA takes as many as two IoUs sum up to, but at least one.
    assigned, scores = one_image([[0, 0, 0, 32, 32]], method)
    taken = 2 if method == "task_aligned" else 1
    assert assigned == [0] * taken + [-1] * (4 - taken)
    np.testing.assert_allclose(scores, [0.25] * taken + [0.0] * (4 - taken))
    # Of two objects that want the first place, the one that fits it has it; padding and what has no area are none.
    assigned, scores = one_image([[-1, 0, 0, 16, 16], [0, 0, 0, 16, 20], [1, 0, 0, 16, 16], [1, 9, 9, 9, 30]], method)
    assert assigned == [2, -1, -1, -1]
    # Within the cross of four places, none inside: the first of the nearest, with 4 / (9 x 9) the IoU possible there.
    assigned, scores = one_image([[0, 15, 15, 17, 17], [0, 0, 0, 16, 16]], method)
    assert assigned == [0, -1, -1, -1]
    np.testing.assert_allclose(scores, [4 / 81, 0, 0, 0])


def test_task_alignment_weighs_class_and_box() -> None:
    """t = p^0.5 IoU^6: the surer place is the first one; its score is the larger IoU, the other's in proportion."""
    raw = np.tile([0.5, 0.5, 0.5, 0.5, 0.0, 0.0], (1, 4, 1))
    raw[0, 0, 4], raw[0, 1, 2] = 3.0, 0.75
    _, scores = one_image([[0, 0, 0, 32, 16]], "task_aligned", raw)
    u = np.array([0.5, 16 * 16 / (32 * 16 + 16 * 4)])
    t = (1 / (1 + np.exp([-3.0, 0.0]))) ** 0.5 * u**6
    np.testing.assert_allclose(scores[:2], t / t.max() * u.max())


def test_numbers_of_names() -> None:
    assert tuple(kinds.OVERLAP) == ref.OVERLAPS
    assert tuple(kinds.ASSIGNMENT) == ref.ASSIGNMENTS
    assert tuple(kinds.CLASS_LOSS) == ref.CLASS_LOSSES
    assert all(list(numbers.values()) == list(range(len(numbers))) for numbers in (kinds.OVERLAP, kinds.CLASS_LOSS))


def test_unknown_names() -> None:
    p = np.zeros((1, 4))
    with pytest.raises(ValueError, match=r"Unknown overlap 'cious'\. Did you mean 'ciou'"):
        ref.box_loss(p, p, "cious")
    with pytest.raises(ValueError, match="Unknown assignment 'sim'"):
        ref.detection_assign(np.zeros((1, 1, 5)), np.zeros((3, 1)), np.zeros((1, 1, 5)), "sim", 1, 1.0, 1.0)
    with pytest.raises(ValueError, match="Unknown class loss 'ce'"):
        ref.class_loss(p, p, p, "ce", 2.0, 0.25)

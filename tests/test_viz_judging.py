"""Pictures of how good a model is, of its mistakes, its filters, and boxes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from fastcnn import metrics, viz
from fastcnn.layers import Conv2D, Dense, Flatten, Input
from fastcnn.models import Model, Sequential

RNG = np.random.default_rng(4)
N, C = 120, 4
Y = RNG.integers(0, C, N)
P = RNG.dirichlet(np.ones(C), N) * 0.6 + 0.4 * np.eye(C)[np.where(RNG.random(N) < 0.7, Y, RNG.integers(0, C, N))]
X = RNG.integers(0, 256, (N, 9, 7), dtype=np.uint8)
NAMES = ["T-shirt/top", "cost $5 or $6", "<b>Bag</b>", "d"]

PLOTS: dict[str, Callable[[Any], None]] = {
    "confusion": lambda path: viz.plot_confusion_matrix(Y, P, path, NAMES),
    "shares": lambda path: viz.plot_confusion_matrix(Y, P, path, normalize=True, sample_weight=np.ones(N) / 3),
    "reliability": lambda path: viz.plot_reliability(Y, P, path, num_bins=10),
    "roc": lambda path: viz.plot_roc(Y, P, path, NAMES),
    "precision": lambda path: viz.plot_precision_recall(Y, P, path, NAMES),
    "two classes": lambda path: viz.plot_roc(Y > 1, P[:, 2] + P[:, 3], path, ["no", "yes"]),
    "mistakes": lambda path: viz.plot_mistakes(X, Y, P, path, NAMES),
    "pairs": lambda path: viz.plot_confused_pairs(X, Y, P, path, NAMES),
}


@pytest.fixture
def readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text in .svg files is text."""
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")


@pytest.mark.parametrize("name", PLOTS)
def test_pictures(name: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    PLOTS[name](file)
    PLOTS[name](tmp_path / "a.png")
    with Image.open(file) as one, Image.open(tmp_path / "a.png") as other:
        assert one.format == "PNG"
        pixels = np.asarray(one.convert("RGB"))
        np.testing.assert_array_equal(pixels, np.asarray(other.convert("RGB")))
    assert min(pixels.shape[:2]) > 150
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(ValueError, match=r"path must end in \.png"):
        PLOTS[name](tmp_path / "a.gif")


@pytest.mark.usefixtures("readable")
def test_what_they_say(tmp_path: Path) -> None:
    def text(name: str) -> str:
        PLOTS[name](tmp_path / "a.svg")
        return (tmp_path / "a.svg").read_text(encoding="utf-8")

    matrix = metrics.confusion_matrix(Y, P)
    drawn = text("confusion")
    for value in matrix[matrix > 0]:
        assert f">{value}<" in drawn
    assert f"accuracy {matrix.trace() / N:.4f}" in drawn
    assert "cost $5 or $6" in drawn  # no formula
    assert "&lt;b&gt;Bag" in drawn
    assert f"{metrics.expected_calibration_error(Y, P, 10):.4f}" in text("reliability")
    areas = metrics.roc_auc_score(Y, P, average=None)
    drawn = text("roc")
    for name, area in zip(("T-shirt/top", "d"), areas[[0, 3]]):
        assert f"{name}: {area:.3f}" in drawn
    assert f"mean average precision {metrics.average_precision_score(Y, P):.4f}" in text("precision")
    assert f"yes: {metrics.roc_auc_score(Y > 1, P[:, 2] + P[:, 3]):.3f}" in text("two classes")
    wrong = np.flatnonzero(P.argmax(1) != Y)
    drawn = text("mistakes")
    assert f"{len(wrong)} of {N} are wrong" in drawn
    assert f" {P.max(1)[wrong].max():.2f}<" in drawn
    off = matrix - np.diag(matrix.diagonal())
    assert f">{off.max()} times<" in text("pairs")


@pytest.mark.usefixtures("readable")
def test_many_classes_and_absent_ones(tmp_path: Path) -> None:
    def text(plot: Callable[..., None], *arguments: Any) -> str:
        plot(*arguments, tmp_path / "a.svg")
        return (tmp_path / "a.svg").read_text(encoding="utf-8")

    y = RNG.integers(0, 40, 400)
    y[y == 7] = 8
    p = RNG.dirichlet(np.ones(41), 400)
    areas = metrics.roc_auc_score(y, p, average=None)
    present = np.unique(y)
    assert len(present) == 39
    drawn = text(viz.plot_confusion_matrix, y, p)
    assert drawn.count(">40<") == drawn.count(">7<") == 2  # a row and a column each; too many for numbers in cells
    drawn = text(viz.plot_roc, y, p)
    assert f"ROC, mean area {areas[present].mean():.4f}" in drawn
    assert ">area" not in drawn  # nor a line a class in the legend
    each = [metrics.average_precision_score(y == c, p[:, c]) for c in present]
    assert f"mean average precision {np.mean(each):.4f}" in text(viz.plot_precision_recall, y, p)
    for plot in (viz.plot_mistakes, viz.plot_confused_pairs):  # nothing is wrong
        drawn = text(plot, X[:3], [0, 1, 2], np.eye(3))
        assert "0 of 3 are wrong" in drawn
        assert "<image" not in drawn


def test_pictures_of_all_rows_are_stretched_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the limits of all images, also of those that aren't drawn."""
    from fastcnn.viz import mistakes

    seen: list[int] = []
    monkeypatch.setattr(mistakes, "_show", lambda axes, picture: seen.append(int(picture[0, 0, 0])))
    grey = np.array([0.5, 0.5, -0.5, 1.0, -1.0])
    x = np.broadcast_to(grey[:, None, None], (5, 4, 4))
    said = np.eye(4)[[1, 1, 3, 3, 0]]
    viz.plot_confused_pairs(x, [0, 0, 2, 3, 0], said, tmp_path / "a.png")
    viz.plot_mistakes(x, [0, 0, 2, 3, 0], said, tmp_path / "b.png")
    assert seen == [191, 191, 64] * 2
    with pytest.raises(ValueError, match=r"x must hold images, .* received shape \(5, 4, 4\) of <U4"):
        viz.plot_mistakes(np.full((5, 4, 4), "grey"), [0, 0, 2, 3, 0], said, tmp_path / "c.png")


def test_pictures_of_any_range() -> None:
    from fastcnn.viz.figures import as_pictures

    grey = X[..., None]
    expected = np.broadcast_to(grey, (*X.shape, 3))
    for same in (X, grey, grey.astype(float), grey / 255, (grey / 255).astype(np.float32)):
        np.testing.assert_array_equal(as_pictures(same), expected)
    standard = as_pictures((X - X.mean()) / X.std())
    assert standard.min() == 0
    assert standard.max() == 255
    np.testing.assert_array_equal(as_pictures(np.full((1, 2, 2), np.nan)), 0)
    assert as_pictures(np.zeros((2, 3, 4, 4))).shape == (2, 3, 4, 3)


@pytest.mark.usefixtures("readable")
def test_filters(tmp_path: Path) -> None:
    inner = Sequential([Input((8, 8, 3)), Conv2D(6, 3, name="first"), Conv2D(2, 3, name="second")])
    inputs = Input((8, 8, 3))
    model = Model(inputs, Dense(2)(Flatten()(inner(inputs))))
    viz.plot_filters(model, tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert "first: 3x3, 3 channels" in drawn
    assert drawn.count("<image") == 6
    viz.plot_filters(model, tmp_path / "b.svg", "second", count=9)
    drawn = (tmp_path / "b.svg").read_text()
    assert "second: 3x3, 6 channels" in drawn
    assert drawn.count("<image") == 9
    with pytest.raises(ValueError, match=r"convolution with weights \(first, second\), received 'third'"):
        viz.plot_filters(model, tmp_path / "c.png", "third")
    with pytest.raises(TypeError, match="model must be a Model"):
        viz.plot_filters("model", tmp_path / "c.png")


def test_boxes() -> None:
    image = np.full((60, 80, 3), 200, np.uint8)
    boxes = [[10, 20, 40, 50], [-5, -5, 200, 12.5]]
    drawn = viz.draw_boxes(image, boxes, [0, 2], line_width=1)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 200).all()
    first, third = viz.figures.colour(0), viz.figures.colour(2)
    for row, column in ((20, 39), (49, 10), (49, 39), (35, 10), (35, 39)):
        assert tuple(drawn[row, column]) == first
    assert tuple(drawn[5, 79]) == third  # cut off at the image's edge
    assert (drawn[45, 20:35] == 200).all()  # nothing within
    plain = viz.draw_boxes(image, boxes[:1], line_width=2)
    assert (plain != 200).any(axis=-1).sum() == 30 * 30 - 26 * 26  # the frame and no plate
    named = viz.draw_boxes(image[..., 0] / 255, boxes, [0, 2], [0.5, 0.25], ["cat", "dog", "ä" * 40])
    assert (named != viz.draw_boxes(image, boxes, [0, 2])).any()
    np.testing.assert_array_equal(viz.draw_boxes(image, []), image)
    np.testing.assert_array_equal(viz.draw_boxes(image, [[100, 10, 120, 30], [-9, 0, 0, 9]], [0, 1]), image)  # outside
    with pytest.raises(ValueError, match="line_width"):
        viz.draw_boxes(image, boxes, line_width=0)
    tiny = viz.draw_boxes(image[:1, :1], [[0, 0, 1, 1]], [3], [1.0])
    assert tiny.shape == (1, 1, 3)


def test_the_surest_box_is_on_top() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    box = [5, 5, 30, 30]
    for scores, top in (([0.9, 0.1], 0), ([0.1, 0.9], 1)):
        drawn = viz.draw_boxes(image, [box, box], [0, 1], scores)
        assert tuple(drawn[29, 29]) == viz.figures.colour(top)


def test_colours_differ() -> None:
    assert len({viz.figures.colour(i) for i in range(80)}) == 80


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: viz.plot_confusion_matrix([], [], "a.png"), "must not be empty"),
        (lambda: viz.plot_confusion_matrix(Y, P, "a.png", ["a", "b"]), "num_classes=2"),
        (lambda: viz.plot_roc(Y, P, "a.png", ["a", "b"]), "a name for each of 4 classes"),
        (lambda: viz.plot_roc(np.zeros(N), P, "a.png"), "samples of at least two classes"),
        (lambda: viz.plot_reliability(Y, P * 3, "a.png"), "probabilities from 0 to 1"),
        (lambda: viz.plot_mistakes(X[:5], Y, P, "a.png"), r"as many as there are labels \(120\)"),
        (lambda: viz.plot_mistakes(np.zeros((N, 3, 3, 2)), Y, P, "a.png"), "x must hold images"),
        (lambda: viz.plot_mistakes(X, Y, P, "a.png", count=0), "count must be at least 1"),
        (lambda: viz.draw_boxes(np.zeros(5), []), "image must have shape"),
        (lambda: viz.draw_boxes(X[0], [[1, 2, 3]]), r"boxes must have shape \(boxes, 4\)"),
        (lambda: viz.draw_boxes(X[0], [[5, 5, 2, 9]]), r"received \[5.0, 5.0, 2.0, 9.0\]"),
        (lambda: viz.draw_boxes(X[0], [[0, 0, np.nan, 9]]), "finite"),
        (lambda: viz.draw_boxes(X[0], [[0, 0, 2, 2]], [0, 1]), "labels must have one entry for each of 1 boxes"),
        (lambda: viz.draw_boxes(X[0], [[0, 0, 2, 2]], [3], class_names=["a"]), "a name for class 3"),
        (lambda: viz.draw_boxes(X[0], [[0, 0, 2, 2]], [-1]), "labels must hold class numbers"),
    ],
)
def test_bad_values(make: Callable[[], Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        make()
    assert not list(tmp_path.iterdir())

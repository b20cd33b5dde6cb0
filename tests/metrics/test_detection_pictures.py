"""Tables and pictures of how good a detector is: what stands in them, and what they refuse."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from detection_data import judged, make_rows

from fastcnn.metrics import CocoMetrics, VocMetrics

BOX = [10.0, 10.0, 50.0, 40.0]


def one_found() -> CocoMetrics:
    """The cat is found, the dog is not; there is no such thing as a bird."""
    judge = CocoMetrics(["cat", "dog", "bird"])
    judge.update(1, [BOX], [0.9], [0], [BOX, BOX], [0, 1])
    return judge


def test_tables() -> None:
    judge = one_found()
    lines = judge.table(2).splitlines()
    assert lines[0].split() == [
        "AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR100", "objects", "detections"
    ]  # fmt: skip
    assert lines[1].split() == ["cat", "1.00", "1.00", "1.00", "-", "1.00", "-", "1.00", "1", "1"]
    assert lines[3].split() == ["bird", "-", "-", "-", "-", "-", "-", "-", "0", "0"]
    assert lines[4].split() == ["all", "0.50", "0.50", "0.50", "-", "0.50", "-", "0.50", "2", "1"]
    assert len({len(line) for line in lines}) == 1  # columns are straight
    summary = dict(line.split() for line in judge.summary().splitlines())
    assert len(summary) == 12
    assert (summary["AP50"], summary["AP_small"]) == ("0.500", "-")
    voc = VocMetrics(["cat"])
    voc.update(1, [BOX], [0.9], [0], [BOX], [0])
    assert [line.split() for line in voc.table().splitlines()[1:]] == [
        ["cat", "1.000", "1.000", "1", "1"], ["all", "1.000", "1.000", "1", "1"]
    ]  # fmt: skip
    assert CocoMetrics().table().splitlines()[-1].split()[0] == "all"


def test_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    from PIL import Image

    from fastcnn.viz import plot_detection_curves, plot_detection_errors

    few, many = judged(make_rows(1, 20, 3, 20, 8, False), 3), judged(make_rows(1, 20, 15, 20, 8, False), 15)
    sizes = set()
    for name, judge in (("few", few), ("many", many)):
        plot_detection_curves(judge, tmp_path / f"{name}.png", iou=0.75)
        plot_detection_errors(judge.errors(), tmp_path / f"{name}-errors.svg", title="costs $5")
        picture = np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB"))
        sizes.add(picture.shape)
        assert (picture < 250).any(-1).mean() > 0.01
        text, errors = (tmp_path / f"{name}-errors.svg").read_text(), judge.errors()
        for kind, count in errors.counts.items():
            assert f">{kind}<" in text
            assert f"+{100 * errors.gains[kind]:.1f}  ({count:,})" in text
        assert ">costs $5<" in text
    assert len(sizes) == 1
    whole = io.BytesIO()
    plot_detection_curves(few, whole, labels=["class 1"])
    assert whole.getvalue()[1:4] == b"PNG"


def test_curve_of_many_classes_has_their_mean() -> None:
    from fastcnn.viz.detection import _highest, _outline

    judge = judged(make_rows(2, 20, 2, 20, 8, False), 2)
    recalls = np.linspace(0, 1, 101)
    for label in range(2):
        curve = judge.precision_recall(label)
        assert _highest(curve, recalls).mean() == pytest.approx(curve.ap, abs=1e-12)
        x, y = _outline(curve)
        area = np.sum(np.diff(x) * y[:-1])
        assert area == pytest.approx(curve.ap, abs=0.02)  # by 101 recalls, or all of them


def test_bad_input(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from fastcnn.viz import plot_detection_curves, plot_detection_errors

    judge = one_found()
    with pytest.raises(ValueError, match=r"path must end in \.png"):
        plot_detection_curves(judge, tmp_path / "a.txt")
    with pytest.raises(ValueError, match="label must be a class's name or number"):
        plot_detection_curves(judge, tmp_path / "a.png", labels=["fish"])
    with pytest.raises(ValueError, match="must have taken in an object of at least one of the classes"):
        plot_detection_curves(judge, tmp_path / "a.png", labels=["bird"])
    with pytest.raises(TypeError, match="metrics must be CocoMetrics or VocMetrics, received 3"):
        plot_detection_curves(3, tmp_path / "a.png")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="errors must be DetectionErrors"):
        plot_detection_errors(judge, tmp_path / "a.png")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="errors must be of images with at least one object"):
        plot_detection_errors(CocoMetrics().errors(), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())

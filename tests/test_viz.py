"""Pictures of learning curves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from fastcnn.callbacks import History
from fastcnn.viz import plot_history

HISTORY = {
    "accuracy": [0.8, 0.85, 0.9],
    "loss": [0.5, 0.4, 0.3],
    "val_accuracy": [0.79, 0.84, 0.86],
    "val_loss": [0.52, 0.45, 0.43],
    "learning_rate": [0.001, 0.001, 0.0005],
}


def test_png(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    plot_history(HISTORY, path, "A title")
    with Image.open(path) as image:
        assert image.format == "PNG"
        width, height = image.size
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert width > 1.5 * height  # two panels side by side
    for colour in ((0x1F, 0x6F, 0xEB), (0xD9, 0x48, 0x0F)):  # training and validation are both drawn
        assert (pixels == colour).all(axis=1).sum() > 100
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]


def test_svg_says_what_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")  # text as text
    plot_history(SimpleNamespace(history=HISTORY, epoch=[4, 5, 6]), tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    for word in ("loss", "accuracy", "training", "validation", "epoch", ">5<", ">7<"):
        assert word in text
    assert "learning" not in text


def test_other_metrics_and_the_rate_alone(tmp_path: Path) -> None:
    plot_history({"mae": [2.0]}, tmp_path / "one.png")
    plot_history({"learning_rate": [0.1, 0.01]}, tmp_path / "rate.pdf")
    assert (tmp_path / "rate.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("history", "name", "error", "match"),
    [
        ({}, "a.png", ValueError, "no epoch"),
        ({"loss": []}, "a.png", ValueError, "no epoch"),
        ([1, 2], "a.png", TypeError, "history must be"),
        (HISTORY, "a.jpeg2", ValueError, r"path must end in .png"),
        (HISTORY, "missing/a.png", OSError, "missing"),
    ],
)
def test_errors(tmp_path: Path, history: object, name: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        plot_history(history, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_validations_stand_at_their_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    drawn: dict[str, list[int]] = {}
    monkeypatch.setattr(Axes, "plot", lambda axes, x, y, label, **_: drawn.update({label: list(x)}))
    monkeypatch.setattr(Axes, "legend", lambda axes, **_: None)
    history = History()
    for epoch in range(6):
        history.on_epoch_end(epoch, {"loss": 1.0} | ({"val_loss": 2.0} if epoch in (2, 5) else {}))
    again = History()
    again.load_state_dict(history.state_dict())
    plot_history(again, tmp_path / "curves.png")
    assert drawn == {"training": [1, 2, 3, 4, 5, 6], "validation": [3, 6]}

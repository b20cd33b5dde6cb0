"""The README's programs run as they stand there, on less data."""

from __future__ import annotations

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastcnn.datasets import fashion_mnist

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"

pytestmark = pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")

TRAIN, TEST = 320, 100


@pytest.fixture
def little_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """`load_data` gives a few pictures of the sample."""
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_sample()
    little = (x_train[:TRAIN], y_train[:TRAIN]), (x_test[:TEST], y_test[:TEST])
    monkeypatch.setattr(fashion_mnist, "load_data", lambda: little)


def python_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_classic_program(little_data: None, capsys: pytest.CaptureFixture[str]) -> None:
    program = python_blocks()[0]
    assert program.count("model.add(") == 8
    names: dict[str, object] = {}
    exec(compile(program, "README.md", "exec"), names)
    history = names["history"].history  # type: ignore[attr-defined]
    assert set(history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert all(len(values) == 10 for values in history.values())
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["val_accuracy"][-1] > 0.4  # ten classes: guessing gives 0.1
    assert "Epoch 10/10" in capsys.readouterr().out


def test_the_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the README, as one reader would type them in."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = python_blocks()[1:]
    assert len(blocks) >= 3
    for block in blocks:
        if "onnx" in block and importlib.util.find_spec("onnx") is None:
            continue
        exec(compile(block, "README.md", "exec"), names)
    probabilities = names["probabilities"]
    assert isinstance(probabilities, np.ndarray)
    assert probabilities.shape == (5, 4)
    np.testing.assert_array_equal(names["same"].predict(names["pictures"][:5]), probabilities)  # type: ignore[attr-defined,index]
    if "loaded" in names:
        now = names["model"].predict(names["pictures"][:5])  # type: ignore[attr-defined,index]
        np.testing.assert_array_equal(names["loaded"].predict(names["pictures"][:5]), now)  # type: ignore[attr-defined,index]
    assert names["classifier"].output_shape == (None, 4)  # type: ignore[attr-defined]
    assert names["z"].shape == (8, 14, 14, 128)  # type: ignore[attr-defined]


def test_imports_that_the_readme_promises() -> None:
    line = next(s for s in README.read_text(encoding="utf-8").split("`") if s.startswith("from fastcnn import"))
    program = f"{line}\nimport fastcnn as keras\nkeras.layers.Dense, keras.Sequential, keras.datasets.mnist.load_data"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_example(little_data: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["classic_cnn.py", "--epochs", "2", "--images", "100"])
    names = runpy.run_path(str(ROOT / "examples" / "classic_cnn.py"))
    assert len(names["history"].history["loss"]) == 2


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (ROOT / t).exists()]
    assert targets
    assert not missing

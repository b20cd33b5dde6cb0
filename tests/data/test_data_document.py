"""The program in docs/data.md runs, on a folder of pictures made of the sample."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fastcnn.datasets import fashion_mnist

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "data.md"


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the tests")
def test_the_document_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (x, y), _ = fashion_mnist.load_sample()
    for i in range(150):
        path = tmp_path / "pictures" / fashion_mnist.CLASS_NAMES[y[i]].replace("/", "-") / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[i]).save(path)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    assert capsys.readouterr().out.startswith("['Ankle boot', 'Bag',")
    history = names["model"].history.history
    assert len(history["val_accuracy"]) == 3
    assert history["loss"][-1] < history["loss"][0]
    assert names["boxed"].shape == (64, 48, 1)

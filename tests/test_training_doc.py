"""The programs of docs/training.md run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastcnn.datasets import fashion_mnist

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "training.md"

pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="the document is not beside the tests")


def test_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    (x, y), (x_test, y_test) = fashion_mnist.load_sample()
    little = (x[:320], y[:320]), (x_test[:50], y_test[:50])
    monkeypatch.setattr(fashion_mnist, "load_sample", lambda: little)
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    # Ten batches an epoch: fewer learning rates are tried than in the document.
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block.replace("steps=60", "steps=20"), "training.md", "exec"), names)
    left = [path.name for path in tmp_path.iterdir()]
    assert sorted(left)[2:] == ["learning-rates.png", "log.csv"]
    assert sum(name.startswith("best-") for name in left) == 2
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 6

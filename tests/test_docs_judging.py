"""The programs of docs/judging.md run as they stand there, on fewer pictures, and give the numbers that it tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from fastcnn.datasets import fashion_mnist

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "judging.md"

pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the tests")


def test_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (x, y), rest = fashion_mnist.load_sample()
    monkeypatch.setattr(fashion_mnist, "load_sample", lambda: ((x[:500], y[:500]), rest))
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, Any] = {}
    told = 0
    for block in blocks:
        exec(compile(block, "judging.md", "exec"), names)
        for code, number in re.findall(r"^(metrics\.\S.*?) +# ([\d.]+)$", block, re.MULTILINE):
            assert eval(code, names) == pytest.approx(float(number), abs=5e-5), code
            told += 1
    assert told == 4
    assert names["found"].predictions.shape == (500, 10)
    assert np.isin(names["search"].predict(names["x"][400:403]), names["names"]).all()
    assert len(list(tmp_path.glob("*.png"))) == 6
    assert "coat" in capsys.readouterr().out


def test_its_pictures_are_there_and_small() -> None:
    found = re.findall(r"\]\(([\w-]+\.png)\)", DOCUMENT.read_text(encoding="utf-8"))
    assert len(found) == 3
    assert all((DOCUMENT.parent / name).stat().st_size < 100_000 for name in found)

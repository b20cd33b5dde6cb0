"""What docs/detection.md says of judging: its program runs as it stands there, and gives the numbers that it tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "detection.md"

pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the tests")


def test_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## Judging\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "detection.md", "exec"), names)
    told = re.findall(r"^(\S.*?) +# ([\d.]+)$", block, re.MULTILINE)
    assert len(told) == 4
    for code, number in told:
        assert eval(code, names) == pytest.approx(float(number), abs=5e-5), code
    assert names["worst"].true_label == 1
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert "objects  detections" in capsys.readouterr().out

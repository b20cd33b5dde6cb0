"""The first program of docs/detection.md runs as it stands there, but for one epoch only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastcnn.detection import DetectionModel

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "detection.md"
ANNOTATION = """<annotation><size><width>80</width><height>60</height></size><object><name>{}</name>
<bndbox><xmin>20</xmin><ymin>10</ymin><xmax>60</xmax><ymax>50</ymax></bndbox></object></annotation>"""


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the tests")
def test_the_first_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / "cells" / folder).mkdir(parents=True)
    for i in range(6):
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(tmp_path / f"cells/JPEGImages/{i}.jpg")
        (tmp_path / f"cells/Annotations/{i}.xml").write_text(ANNOTATION.format(("red", "white")[i % 2]))
    (tmp_path / "cells/ImageSets/Main/train.txt").write_text("0\n1\n2\n3\n")
    (tmp_path / "cells/ImageSets/Main/val.txt").write_text("4\n5\n")
    Image.fromarray(rng.integers(0, 256, (300, 200, 3), dtype=np.uint8)).save(tmp_path / "smear.jpg")
    monkeypatch.chdir(tmp_path)
    program = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[0]
    assert "epochs=100)" in program and "size = (256, 320)" in program
    names: dict[str, Any] = {}
    program = program.replace("epochs=100)", "epochs=1, verbose=0)").replace("(256, 320)", "(64, 96)")
    exec(compile(program, "detection.md", "exec"), names)
    model = names["model"]
    assert isinstance(model, DetectionModel) and model.class_names == ["red", "white"]
    assert set(names["history"].history) == {"loss", "val_loss", "val_AP", "val_AP50"}
    assert "'AP50': " in capsys.readouterr().out and (tmp_path / "detector.safetensors").exists()

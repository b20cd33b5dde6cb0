"""The section about data in docs/detection.md: its programs run, on pictures of scattered things written as VOC's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from boxed_pictures import annotation
from PIL import Image

from fastcnn.data import scattered_objects
from fastcnn.datasets import fashion_mnist

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "detection.md"


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the tests")
def test_the_section_about_data_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (x, y), _ = fashion_mnist.load_sample()
    images, labels, boxes = scattered_objects(x, y, 40, size=(48, 64), shuffle=False).to_arrays()
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / "cells" / folder).mkdir(parents=True)
    for i, (image, kinds, own) in enumerate(zip(images, labels, boxes)):
        Image.fromarray(image).save(tmp_path / f"cells/JPEGImages/{i}.jpg")
        things = [(fashion_mnist.CLASS_NAMES[kind], tuple(box)) for kind, box in zip(kinds, own.tolist())]
        if i == 3:
            things.append((fashion_mnist.CLASS_NAMES[0], (5, 5, 5, 9)))
        (tmp_path / f"cells/Annotations/{i}.xml").write_text(annotation(things, (64, 48)))
    (tmp_path / "cells/ImageSets/Main/train.txt").write_text("\n".join(map(str, range(40))))
    monkeypatch.chdir(tmp_path)
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## Data\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    names: dict[str, Any] = {}
    with pytest.warns(UserWarning, match=r"1 entry of the listing left out.*\n.*3\.xml: box .* has no area"):
        exec(compile("\n".join(blocks), str(DOCUMENT), "exec"), names)
    assert names["targets"].shape == (16, 200, 5) and (names["targets"][:, :, 0] >= 0).any()
    assert len(names["train"].problems) == 1
    assert names["toys"].class_names == list(fashion_mnist.CLASS_NAMES)

"""The section about the loss in docs/detection.md: its program runs as it stands there, and learns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "detection.md"


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the tests")
def test_the_section_about_the_loss_runs() -> None:
    fastcnn.set_seed(0)
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## The loss\n")[1].split("\n## ")[0]
    (program,) = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(program, str(DOCUMENT), "exec"), names)
    logs = names["detector"].history.history
    assert logs["box_loss"][-1] < 0.9 * logs["box_loss"][0]
    np.testing.assert_allclose(np.add(logs["class_loss"], logs["box_loss"]), logs["loss"], rtol=1e-5)
    assert names["detector"].output_shape == (None, len(names["points"]), 14)

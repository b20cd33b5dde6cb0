"""Tests of models run on one thread, where they don't say otherwise: on a machine that is busy, threads that wait for
each other cost more than they bring, and results are the same bits anyway (test_model_training.py holds that).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from model_tools import LABELS, X, small

from fastcnn._ops import core


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = core.threads()
    core.set_threads(1)
    yield
    core.set_threads(before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A saved model with a past."""
    model = small("adam")
    model.fit(X, LABELS, verbose=0)
    model.save(tmp_path / "model.fastcnn")
    return tmp_path / "model.fastcnn"

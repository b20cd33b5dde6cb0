"""Tests of models run on one thread, where they don't say otherwise: on a machine that is busy, threads that wait for
each other cost more than they bring, and results are the same bits anyway (test_model_training.py holds that).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastcnn._ops import core


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = core.threads()
    core.set_threads(1)
    yield
    core.set_threads(before)

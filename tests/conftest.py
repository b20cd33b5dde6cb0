"""Fixtures that every test file may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from fastcnn._ops import core

# Started in the background of a shell, this process ignores Ctrl-C, and so would the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=core.usable_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this processor runs, in use during the test."""
    before = core.isa()
    core.set_isa(request.param)
    yield request.param
    core.set_isa(before)


@pytest.fixture
def keep_threads() -> Iterator[None]:
    """Whatever number of threads the test sets, the next one finds what was there."""
    before = core.threads()
    yield
    core.set_threads(before)

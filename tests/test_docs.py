"""What docs/adding-an-op.md shows and names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "adding-an-op.md"

pytestmark = pytest.mark.skipif(
    not (DOCUMENT.exists() and (ROOT / "fastcnn").exists()), reason="the sources are not beside the tests"
)


def text() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def excerpts() -> list[tuple[str, str]]:
    """(file, code) of each block that a line with the file's name stands before."""
    return re.findall(r"^ *`([\w/.]+)`\n *```\w+\n(.*?)^ *```$", text(), re.DOTALL | re.MULTILINE)


def squeezed(code: str) -> list[str]:
    return [" ".join(line.split()) for line in code.splitlines() if line.strip()]


def test_excerpts_are_the_code() -> None:
    found = excerpts()
    assert len(found) >= 15
    for name, code in found:
        lines = squeezed((ROOT / name).read_text(encoding="utf-8"))
        missing = [line for line in squeezed(code) if not any(line in real for real in lines)]
        assert not missing, f"{name} has no longer what the document shows: {missing}"


def test_files_exist() -> None:
    names = set(re.findall(r"`((?:csrc|fastcnn|tests)/[\w/.*]*)`", text()))
    assert len(names) >= 20
    missing = [name for name in sorted(names) if not list(ROOT.glob(name.rstrip("/")))]
    assert not missing

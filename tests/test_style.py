"""The tools that `make lint` runs, as tests; each is skipped where it isn't installed (`pip install fastcnn[lint]`)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: Another release of clang-format breaks lines differently.
CLANG_FORMAT = "14."

pytestmark = pytest.mark.skipif(
    not (ROOT / "fastcnn" / "__init__.py").exists(), reason="the sources are not beside the tests"
)


def tool(name: str) -> str:
    """Path of a tool: of this environment first, then of the system."""
    here = shutil.which(name, path=str(Path(sys.executable).parent))
    found = here or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def check(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:3])}\n{done.stdout}\n{done.stderr}"


def test_ruff_check() -> None:
    check(tool("ruff"), "check", ".")


def test_ruff_format() -> None:
    check(tool("ruff"), "format", "--check", ".")


def test_mypy() -> None:
    check(tool("mypy"), "--python-executable", sys.executable)


def test_clang_format() -> None:
    program = tool("clang-format")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if f"version {CLANG_FORMAT}" not in version:
        pytest.skip(f"clang-format {CLANG_FORMAT}x is needed, this is {version.strip()}")
    files = [str(p.relative_to(ROOT)) for top in ("csrc", "tests") for p in sorted((ROOT / top).rglob("*.[ch]"))]
    assert files
    check(program, "--dry-run", "--Werror", *files)

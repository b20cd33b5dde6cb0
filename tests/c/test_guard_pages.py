"""The kernels in C alone: between guard pages, under sanitizers, and for Arm under an emulator (run_cases.c)."""

from __future__ import annotations

from pathlib import Path

import pytest
from run import BUILD, ROOT, SKIPPED, Build, aarch64, native, native_isas, run
from write_cases import write_cases

if not (ROOT / "setup.py").exists():
    pytest.skip("the sources are not beside the tests", allow_module_level=True)

BUILDS = [*(native(isa, sanitize=True) for isa in native_isas()), *(aarch64(isa) for isa in ("neon", "portable"))]


@pytest.fixture(scope="module")
def cases() -> tuple[Path, Path]:
    return write_cases(BUILD)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_every_case(build: Build, cases: tuple[Path, Path]) -> None:
    if obstacle := build.obstacle():
        pytest.skip(obstacle)
    code = run(build, cases)
    if code == SKIPPED:
        pytest.skip(f"this processor does not run {build.isa}")
    assert code == 0

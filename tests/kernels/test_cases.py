"""Every kernel, on every instruction set, against the reference, on every case."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, Case
from cases.optimizers import HYPER
from cases.running import check, numbers_of, run

from fastcnn import reference as ref
from fastcnn._ops import core

HEADER = Path(__file__).parents[2] / "csrc" / "fastcnn.h"

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_large_case = pytest.mark.parametrize("case", [c for c in CASES if c.large], ids=lambda case: case.name)


@every_case
def test_kernel_agrees_with_the_reference(case: Case, isa: str) -> None:
    check(case.problem, run(case.problem))


@every_large_case
def test_same_bits_for_any_number_of_threads(case: Case, isa: str, keep_threads: None) -> None:
    results = []
    for threads in (1, 2, 3):
        core.set_threads(threads)
        results.append(run(case.problem))
    for other in results[1:]:
        for name, array in results[0].items():
            np.testing.assert_array_equal(array.view(np.uint8), other[name].view(np.uint8), err_msg=name)


def test_every_kernel_has_cases() -> None:
    """Whoever adds a kernel adds its cases, one of them large enough for three threads."""
    covered, shared = set(), set()
    for case in CASES:
        assert {step.kernel for step in case.problem.steps} == set(case.kernels), case.name
        assert case.problem.expected, case.name
        covered |= set(case.kernels)
        for step in case.problem.steps if case.large else ():
            call = core.Call(step.kernel, numbers_of(step))
            # What core.workers_for asks before it lets a third thread in.
            if call.flops / 40 + call.bytes / 10 >= 3 * 5000:
                shared.add(step.kernel)
    assert covered == set(core.KERNELS)
    assert shared == set(core.KERNELS)


def test_case_names_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("prefix", "last", "names"),
    [
        ("FC_", "UNARY_COUNT", list(ref.UNARY)),
        ("FC_", "BINARY_COUNT", list(ref.BINARY)),
        ("FC_", "LOSS_COUNT", list(ref.POINTWISE)),
        ("FC_REDUCE_", "COUNT", ["sum", "mean", "max"]),
        ("FC_NMS_", "COUNT", list(ref.NMS)),
        ("FC_HYPER_", "COUNT", list(HYPER)),
        ("FC_", "OVERLAP_COUNT", list(ref.OVERLAPS)),
        ("FC_", "ASSIGNMENT_COUNT", list(ref.ASSIGNMENTS)),
        ("FC_", "CLASS_LOSS_COUNT", list(ref.CLASS_LOSSES)),
    ],
)
def test_the_header_numbers_as_the_reference_does(prefix: str, last: str, names: list[str]) -> None:
    """Cases give the kernels these numbers by the names' places in the reference's tables."""
    enums = re.findall(r"enum \{(.*?)\}", HEADER.read_text(encoding="utf-8"), re.DOTALL)
    body = next(text for text in enums if re.search(rf"\b{prefix}{last}\b", text))
    listed = re.findall(rf"^\s*{prefix}(\w+)", re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL).replace(",", "\n"), re.M)
    assert [name.lower() for name in listed] == [*names, last.lower()]

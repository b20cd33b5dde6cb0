"""ONNX's own conformance tests: what passes, passes; what doesn't is listed with its reason."""

from __future__ import annotations

import conformance


def test_conformance() -> None:
    outcomes = conformance.run()
    print(conformance.table(outcomes))
    assert conformance.unforeseen(outcomes) == {}
    counted = [o for o in outcomes if o.group == "node" and not o.excluded]
    assert len(counted) > 900  # with the oldest release of ONNX
    assert sum(not o.error for o in counted) >= 0.98 * len(counted)
    assert sum(o.on_kernels for o in counted) > 0.4 * len(counted)
    names = {o.name for o in outcomes}
    assert set(conformance.exceptions()) <= names, "listed, but there is no such case"


def test_families_have_each_operator_once() -> None:
    assert sum(len(ops.split()) for ops in conformance.FAMILIES.values()) == len(conformance.FAMILY)
    assert set(conformance.FAMILY) == conformance.OPERATORS

"""Shapes that nobody thought of: drawn at random (always the same ones), on every instruction set."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from cases.case import Problem, generator
from cases.convolution import problems as convolution_problems
from cases.convolution import winograd_problem, winograd_weights_problem
from cases.convolution_shapes import Conv
from cases.elementwise import binary_numbers
from cases.group_normalization import problem as group_norm_problem
from cases.matmul import matmul_problem
from cases.pooling import Pool
from cases.pooling import problems as pooling_problems
from cases.running import check, run
from cases.strided import permutation as copy_problem
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fastcnn import reference as ref
from fastcnn._ops import core

# The fixture sets the instruction set once for all examples, as it should.
drawn = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
small = st.integers(1, 4)
pads = st.one_of(st.sampled_from(["valid", "same"]), st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2))


@st.composite
def convolutions(draw: Any, depthwise: bool) -> Conv:
    groups = draw(st.integers(1, 40)) if depthwise else draw(small)
    c = groups if depthwise else groups * draw(st.integers(1, 20))
    k = groups * draw(st.integers(1, 3)) if depthwise else groups * draw(st.integers(1, 70))
    conv = Conv(
        "drawn",
        (draw(st.integers(0, 3)), draw(st.integers(1, 12)), draw(st.integers(1, 20)), c),
        k,
        draw(st.tuples(small, small)),
        draw(st.tuples(small, small)),
        draw(pads),
        draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        groups,
        draw(st.sampled_from(["linear", "relu", "leaky_relu", "relu6", "hard_silu", "silu"])),
        draw(st.booleans()),
        draw(st.integers(1, 5)),
        apart=draw(st.sampled_from([0, 0, 1, 16])),
    )
    assume(_fits(conv))
    return conv


def _fits(window: Conv | Pool) -> bool:
    try:
        return min(window.out[1:]) > 0
    except ValueError:  # larger than the padded image
        return False


@pytest.mark.parametrize("depthwise", [False, True], ids=["conv2d", "depthwise"])
@drawn
@given(data=st.data(), exact=st.booleans())
def test_convolution(data: st.DataObject, exact: bool, depthwise: bool, isa: str) -> None:
    for problem in convolution_problems(data.draw(convolutions(depthwise)), depthwise, exact):
        check(problem, run(problem))


@drawn
@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 15), st.integers(1, 15), st.integers(1, 70)),
    k=st.integers(1, 140),
    padding=pads,
    act=st.sampled_from(["linear", "relu", "leaky_relu", "relu6", "hard_silu"]),
    m=st.sampled_from([3, 4]),
    adjoint=st.booleans(),
    gap=st.sampled_from([0, 1, 16]),
    kernel=st.one_of(st.just((3, 3)), st.tuples(st.integers(3, 10), st.integers(3, 10))),
    groups=st.sampled_from([1, 1, 2, 3]),
)
def test_winograd(
    shape: Any, k: int, padding: Any, act: str, m: int, adjoint: bool, gap: int, kernel: Any, groups: int, isa: str
) -> None:
    shape = (*shape[:3], shape[3] * groups)
    conv = Conv("drawn", shape, k * groups, kernel, (1, 1), padding, groups=groups, act=act, bias=k % 3 > 0, apart=gap)
    assume(_fits(conv))
    for problem in (winograd_problem(conv, m, adjoint), winograd_weights_problem(conv, m)):
        check(problem, run(problem))
    if not adjoint and m == 4 and kernel == (3, 3) and groups == 1:
        problem = winograd_problem(dataclasses.replace(conv, strides=(2, 2)), m, adjoint)
        check(problem, run(problem))


@st.composite
def pools(draw: Any) -> Pool:
    shape = (draw(st.integers(0, 3)), draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 40)))
    window = st.tuples(small, small)
    pool = Pool("drawn", shape, draw(window), draw(window), draw(pads))
    assume(_fits(pool))
    return pool


@drawn
@given(pool=pools())
def test_pooling(pool: Pool, isa: str) -> None:
    for problem in pooling_problems(pool):
        check(problem, run(problem))


@drawn
@given(data=st.data(), kind=st.sampled_from(list(ref.BINARY)))
def test_broadcasting(data: st.DataObject, kind: str, isa: str) -> None:
    full = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5).map(tuple))
    shapes = []
    for _ in range(2):
        kept = data.draw(st.lists(st.booleans(), min_size=len(full), max_size=len(full)))
        shapes.append(tuple(size if keep else 1 for size, keep in zip(full, kept)))
    rng = generator("broadcasting")
    p, q = (rng.uniform(0.5, 2, shape).astype(np.float32) for shape in shapes)
    problem = Problem().add("binary", {"p": p, "q": q}, {"y": ref.binary(p, q, kind)}, **binary_numbers(*shapes, kind))
    check(problem, run(problem))


@drawn
@given(outer=st.integers(0, 5), count=st.integers(1, 200), inner=st.integers(1, 70), kind=st.sampled_from([0, 1, 2]))
def test_reduction(outer: int, count: int, inner: int, kind: int, isa: str) -> None:
    x = generator("reduction").standard_normal((outer, count, inner)).astype(np.float32)
    y = np.full((outer, inner), np.nan, np.float32)
    core.call("reduce", x=x, y=y, outer=outer, count=count, inner=inner, kind=kind, scale=1.0)
    np.testing.assert_allclose(y, ref.reduce(x, 1, ("sum", "mean", "max")[kind]), rtol=1e-4, atol=1e-5)


@drawn
@given(rows=st.integers(0, 9), cols=st.integers(1, 150))
def test_softmax_rows(rows: int, cols: int, isa: str) -> None:
    x = generator("softmax").standard_normal((rows, cols)).astype(np.float32) * np.float32(5)
    y = np.full_like(x, np.nan)
    core.call("softmax_forward", x=x, y=y, rows=rows, cols=cols)
    np.testing.assert_allclose(y, ref.softmax(x), rtol=1e-4, atol=1e-5)


@drawn
@given(data=st.data())
def test_permutations(data: st.DataObject, isa: str) -> None:
    shape = data.draw(st.lists(st.integers(1, 40), min_size=5, max_size=5).filter(lambda s: np.prod(s) < 50_000))
    axes = data.draw(st.permutations(range(5)))
    problem = copy_problem(generator("permutation").standard_normal(shape).astype(np.float32), axes)
    check(problem, run(problem))


@drawn
@given(
    shape=st.tuples(st.integers(0, 4), st.integers(1, 30), st.integers(1, 90), st.integers(0, 40)),
    turned=st.tuples(st.booleans(), st.booleans()),
    shared=st.sampled_from([(False, False), (True, False), (False, True)]),
)
def test_matrix_products(shape: Any, turned: Any, shared: Any, isa: str) -> None:
    assume(shape[0] > 0 or shared == (False, False))
    problem = matmul_problem(generator("products"), shape, turned, shared, exact=True)
    check(problem, run(problem))


@drawn
@given(
    shape=st.tuples(*[st.integers(0, 4), st.integers(1, 70), st.integers(1, 9), st.integers(1, 20), st.integers(1, 5)])
)
def test_group_norm(shape: Any, isa: str) -> None:
    problem = group_norm_problem(generator("group_norm"), shape)
    check(problem, run(problem))


@pytest.mark.parametrize("offset", [1, 3, 5])
def test_any_alignment_gives_the_same_bits(offset: int, isa: str) -> None:
    """Arrays from outside are aligned to four bytes, no more."""
    memory = generator("alignment").standard_normal((2, 8192)).astype(np.float32)
    base = core.aligned_empty(4 * 8192).view(np.float32)
    base[:4001] = memory[0, :4001]
    shifted = core.aligned_empty(4 * 8192).view(np.float32)[offset : offset + 4001]
    shifted[:] = base[:4001]
    results = []
    for x in (base[:4001], shifted):
        y, total = np.empty_like(x), np.empty(1, np.float32)
        core.call("unary_forward", x=x, y=y, count=4001, kind=list(ref.UNARY).index("tanh"), alpha=0.0, beta=0.0)
        core.call("reduce", x=x, y=total, outer=1, count=4001, inner=1, kind=0, scale=1.0)
        results.append((y.tobytes(), total.tobytes()))
    assert results[0] == results[1]


def test_no_channels_are_nothing_to_do(isa: str) -> None:
    """Neither do searches over blocks of channels go on for ever."""
    sizes = {"n": 1, "h": 4, "w": 4, "c": 0, "oh": 2, "ow": 2, "k": 1, "kh": 3, "kw": 3, "sh": 1, "sw": 1}
    numbers = sizes | {"dh": 1, "dw": 1, "pt": 0, "pl": 0, "groups": 1}
    nothing = np.empty(0, np.float32)
    core.call("conv2d_pack_transposed", weights=nothing, packed=nothing, **numbers)
    dy = np.ones((1, 2, 2, 1), np.float32)
    core.call("conv2d_backward_data", dy=dy, packed=nothing, dx=nothing, act=0, alpha=0.0, **numbers)

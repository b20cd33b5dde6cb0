"""NaN goes through at every lane, and nowhere else: a network that went wrong must show it."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import reference as ref
from fastcnn._ops import core
from fastcnn._ops.resampling import Resampling, taps

COUNT = 67  # four vectors of the widest set and a tail
UNARY = list(ref.UNARY)


@pytest.mark.parametrize("kind", UNARY)
def test_unary(kind: str, isa: str) -> None:
    for place in range(COUNT):
        x = np.linspace(0.5, 5.0, COUNT, dtype=np.float32)
        x[place] = np.nan
        y = np.zeros_like(x)
        core.call("unary_forward", x=x, y=y, count=COUNT, kind=UNARY.index(kind), alpha=0.25, beta=0.75)
        assert np.flatnonzero(np.isnan(y)).tolist() == [place]


@pytest.mark.parametrize("kind", UNARY)
def test_unary_backward(kind: str, isa: str) -> None:
    for place in range(COUNT):
        dy = np.ones(COUNT, np.float32)
        dy[place] = np.nan
        saved, dx = np.full(COUNT, 0.5, np.float32), np.zeros(COUNT, np.float32)
        core.call(
            "unary_backward", dy=dy, saved=saved, dx=dx, count=COUNT, kind=UNARY.index(kind), alpha=0.25, beta=0.75
        )
        assert np.flatnonzero(np.isnan(dx)).tolist() == [place]


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("channels", [1, 3, 21, 67])
def test_pool(kind: str, channels: int, isa: str) -> None:
    """A NaN at each place of the window and in each channel reaches that one output."""
    numbers = {"n": 1, "h": 2, "w": 3, "c": channels, "oh": 1, "ow": 1, "ph": 2, "pw": 3, "sh": 1, "sw": 1}
    rest = {"include_pad": 0} if kind == "avg" else {"index8": np.zeros(channels, np.uint8)}
    rest["y_step"] = channels
    for row, column in np.ndindex(2, 3):
        for channel in range(channels):
            x = np.ones((2, 3, channels), np.float32)
            x[row, column, channel] = np.nan
            y = np.zeros(channels, np.float32)
            core.call(f"{kind}_pool_forward", x=x, y=y, **numbers, pt=0, pl=0, **rest)
            assert np.flatnonzero(np.isnan(y)).tolist() == [channel]
            if kind == "max":
                assert rest["index8"][channel] == row * 3 + column


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 21, 67])
def test_max_pool_of_windows_that_share_rows(channels: int, indexed: bool, isa: str) -> None:
    """A NaN reaches the windows around it, and wins over another one that comes later in the window."""
    numbers = {"n": 1, "h": 6, "w": 7, "c": channels, "oh": 6, "ow": 7, "ph": 5, "pw": 5, "sh": 1, "sw": 1}
    numbers |= {"pt": 2, "pl": 2, "y_step": channels}
    index = {"index8": np.zeros((6, 7, channels), np.uint8)} if indexed else {}
    for row, column in np.ndindex(6, 7):
        x = np.ones((6, 7, channels), np.float32)
        x[row, column, channels // 2] = x[5, 6, channels // 2] = np.nan
        y = np.zeros_like(x)
        core.call("max_pool_forward", x=x, y=y, **numbers, **index)
        around = np.zeros((6, 7, channels), bool)
        for i, j in ((5, 6), (row, column)):
            around[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3, channels // 2] = True
        assert np.array_equal(np.isnan(y), around)
        if indexed:
            assert index["index8"][row, column, channels // 2] == 12


@pytest.mark.parametrize("act", ["linear", "relu", "leaky_relu", "relu6", "hard_silu", "silu"])
def test_convolution_epilogue(act: str, isa: str) -> None:
    """Through bias and activation: a NaN in one filter's bias reaches that filter's outputs alone."""
    k = 67
    numbers = {"n": 1, "h": 3, "w": 3, "c": 2, "oh": 3, "ow": 3, "k": k, "kh": 1, "kw": 1, "sh": 1, "sw": 1}
    numbers |= {"dh": 1, "dw": 1, "pt": 0, "pl": 0, "groups": 1}
    packed = core.aligned_empty(core.Call("conv2d_pack", numbers).needed()["packed"]).view(np.float32)
    core.call("conv2d_pack", weights=np.ones((2, k), np.float32), packed=packed, **numbers)
    x = np.ones((3, 3, 2), np.float32)
    for place in range(k):
        bias, y = np.zeros(k, np.float32), np.zeros((9, k), np.float32)
        bias[place] = np.nan
        core.call("conv2d_forward", x=x, packed=packed, bias=bias, y=y, **numbers, y_step=k, pool=0,
                  act=UNARY.index(act), alpha=0.25, beta=0.0)  # fmt: skip
        assert np.isnan(y[:, place]).all()
        assert np.isnan(y).sum() == 9


@pytest.mark.parametrize("kind", ["sum", "mean", "max"])
@pytest.mark.parametrize("inner", [1, 19])
def test_reduce(kind: str, inner: int, isa: str) -> None:
    for place in range(COUNT):
        x, y = np.ones((COUNT, inner), np.float32), np.zeros(inner, np.float32)
        x[place, place % inner] = np.nan
        code = ("sum", "mean", "max").index(kind)
        core.call("reduce", x=x, y=y, outer=1, count=COUNT, inner=inner, kind=code, scale=1.0)
        assert np.flatnonzero(np.isnan(y)).tolist() == [place % inner]


@pytest.mark.parametrize("pixels", [1, 3])
@pytest.mark.parametrize(("groups", "c"), [(1, 67), (67, 1), (4, 7)])
def test_group_norm(groups: int, c: int, pixels: int, isa: str) -> None:
    """A NaN reaches its image's group, all of it, and no other."""
    numbers = {"n": 2, "pixels": pixels, "groups": groups, "c": c}
    for place in range(groups * c):
        x = np.ones((2, pixels, groups, c), np.float32)
        x[1, pixels - 1, place // c, place % c] = np.nan
        y = np.zeros_like(x)
        core.call("group_norm_forward", x=x, y=y, epsilon=1e-3, **numbers)
        assert np.isnan(y[1, :, place // c]).all()
        assert np.isnan(y).sum() == pixels * c


@pytest.mark.parametrize("turned", [0, 1])
def test_matmul(turned: int, isa: str) -> None:
    """One in a reaches its row of the product, one in b its column."""
    for place in range(COUNT):
        a, b, y = np.ones((COUNT, 3), np.float32), np.ones((3, COUNT), np.float32), np.zeros((COUNT, COUNT), np.float32)
        a[place, 1], b[2, COUNT - 1 - place] = np.nan, np.nan
        p, q = (np.ascontiguousarray(v.T) if turned else v for v in (a, b))
        numbers = {"batch": 1, "m": COUNT, "n": COUNT, "k": 3, "a_step": 0, "b_step": 0}
        core.call("matmul", a=p, b=q, y=y, a_transposed=turned, b_transposed=turned, **numbers)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(a @ b))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("channels", [1, 3, 67])
def test_resize(mode: str, channels: int, isa: str) -> None:
    """A NaN reaches the pixels that have a part of it, and those that lie right on its neighbours not."""
    lists = [taps(4, 8, Resampling(mode)), taps(3, 3, Resampling(mode))]
    matrix = [ref.resize_matrix(4, 8, mode), ref.resize_matrix(3, 3, mode)]
    arrays = {**lists[0].arrays("row"), **lists[1].arrays("col")}
    numbers = {"n": 1, "h": 4, "w": 3, "c": channels, "oh": 8, "ow": 3}
    numbers |= {"row_taps": lists[0].index.size, "col_taps": lists[1].index.size}
    for row, column in np.ndindex(4, 3):
        x, y = np.ones((4, 3, channels), np.float32), np.zeros((8, 3, channels), np.float32)
        x[row, column, channels // 2] = np.nan
        core.call("resize", x=x, y=y, **arrays, **numbers)
        reached = np.zeros(y.shape, bool)
        reached[..., channels // 2] = np.outer(matrix[0][:, row] != 0, matrix[1][:, column] != 0)
        np.testing.assert_array_equal(np.isnan(y), reached)

"""Geometries: the kernels' numbers, and what follows from them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcnn._ops import core, kinds
from fastcnn._ops.geometry import ConvGeometry, PoolGeometry

CSRC = Path(__file__).resolve().parents[2] / "csrc"


def test_the_kernels_take_exactly_these_integers():
    conv = ConvGeometry.of((2, 8, 9, 4), (3, 2, 2, 6), 2, "same", groups=2)
    call = core.Call("conv2d_pack", conv.fields())
    assert call.needed() == {"weights": 4 * 3 * 2 * 2 * 6, "packed": 4 * conv.packed_size}
    call = core.Call("conv2d_pack_transposed", conv.fields())
    assert call.needed()["packed"] == 4 * conv.packed_transposed_size
    call = core.Call("conv2d_backward_weights", {**conv.fields(), "parts": conv.weight_parts})
    assert call.flops == conv.flops
    pool = PoolGeometry.of((2, 8, 9, 4), 3, 2)
    call = core.Call("avg_pool_forward", {**pool.fields(), "y_step": 4, "include_pad": 0})
    assert call.flops == pool.flops
    assert call.needed() == {"x": 4 * 2 * 8 * 9 * 4, "y": 4 * 2 * 3 * 4 * 4}


@pytest.mark.parametrize(
    ("x", "w", "arguments", "y", "above_and_left"),
    [
        ((2, 5, 6, 3), (3, 3, 3, 8), {}, (2, 3, 4, 8), (0, 0)),
        ((2, 5, 6, 3), (3, 3, 3, 8), {"padding": "same", "strides": 2}, (2, 3, 3, 8), (1, 0)),
        ((0, 5, 6, 3), (2, 4, 3, 8), {"padding": "SAME"}, (0, 5, 6, 8), (0, 1)),
        ((1, 5, 6, 3), (3, 3, 3, 8), {"dilation": (2, 1)}, (1, 1, 4, 8), (0, 0)),
        ((1, 5, 6, 4), (3, 3, 2, 8), {"groups": 2, "padding": 1}, (1, 5, 6, 8), (1, 1)),
        ((1, 1, 1, 1), (3, 3, 1, 1), {"padding": ((2, 0), (0, 2))}, (1, 1, 1, 1), (2, 0)),
    ],
)
def test_shapes(x, w, arguments, y, above_and_left):
    g = ConvGeometry.of(x, w, **arguments)
    assert g.y_shape == g.output_shape == y
    assert g.x_shape == x
    assert g.w_shape == w
    assert (g.pt, g.pl) == above_and_left


def test_depthwise_and_pointwise_are_told_apart():
    assert ConvGeometry.of((1, 5, 5, 4), (3, 3, 1, 8), groups=4).is_depthwise
    assert not ConvGeometry.of((1, 5, 5, 1), (3, 3, 1, 8)).is_depthwise
    assert not ConvGeometry.of((1, 5, 5, 4), (3, 3, 2, 8), groups=2).is_depthwise
    point = ConvGeometry.of((2, 3, 5, 4), (1, 1, 4, 8))
    assert point.flat() == ConvGeometry.dense(30, 4, 8)
    assert point.flat().flops == point.flops
    assert point.flat().weight_parts == point.weight_parts
    for arguments in ({"strides": 2}, {"padding": 1}, {"padding": ((0, 1), (0, 0))}):
        assert not ConvGeometry.of((2, 3, 5, 4), (1, 1, 4, 8), **arguments).is_pointwise
    assert not ConvGeometry.of((2, 3, 5, 4), (1, 1, 2, 8), groups=2).is_pointwise


@given(n=st.integers(0, 200), hw=st.integers(3, 60), c=st.integers(1, 600), k=st.integers(1, 600))
def test_the_weight_gradient_is_split_by_the_shapes_alone_and_within_bounds(n, hw, c, k):
    g = ConvGeometry.of((n, hw, hw, c), (3, 3, c, k))
    pixels = n * g.oh * g.ow
    assert 1 <= g.weight_parts <= 16
    if g.weight_parts > 1:
        assert pixels // g.weight_parts >= 256
        assert (g.weight_parts - 1) * 9 * c * k <= 2**18


@pytest.mark.parametrize(
    ("x", "w", "arguments", "words"),
    [
        ((1, 2, 2, 3), (3, 3, 3, 8), {}, "layer: the window 3x3 is larger than the padded input 2x2"),
        ((1, 8, 8, 3), (3, 3, 4, 8), {}, "take 4 input channels, received x of shape .* with 3"),
        (
            (1, 8, 8, 4),
            (3, 3, 2, 8),
            {"groups": 3},
            r"groups must divide the channels in \(4\) and out \(8\), received 3",
        ),
        ((1, 8, 8, 4), (3, 3, 4, 8), {"groups": 0}, "layer: groups must be at least 1"),
        ((1, 8, 8, 4), (3, 3, 4, 8), {"strides": 0}, "layer: strides must be at least 1"),
        ((1, 8, 8, 4), (3, 3, 4, 8), {"strides": (1, 2, 3)}, "layer: strides must be an int or a pair"),
        ((1, 8, 8, 4), (3, 3, 4, 8), {"dilation": -1}, "layer: dilation must be at least 1"),
        ((1, 8, 8, 4), (3, 3, 4, 8), {"padding": "full"}, "layer: padding must be .*received 'full'"),
        ((1, 8, 8, 4), (3, 3, 4, 8), {"padding": -1}, "layer: padding must be at least 0"),
        (
            (1, 0, 8, 4),
            (3, 3, 4, 8),
            {"padding": "same"},
            r"x must be at least 1x1 .*received the shape \(1, 0, 8, 4\)",
        ),
        ((1, 8, 8, 0), (3, 3, 0, 8), {}, "x must be at least 1x1 with 1 channel"),
        ((1, 8, 8, 4), (3, 0, 4, 8), {}, r"weights' axes must be at least 1, received the shape \(3, 0, 4, 8\)"),
        ((1, 8, 8, 4), (3, 3, 4, 8), {"padding": 2**30}, "more than can be addressed"),
        ((2**31, 2**31, 1, 4), (1, 1, 4, 8), {}, "more than can be addressed"),
    ],
)
def test_bad_arguments_name_the_layer_and_what_came(x, w, arguments, words):
    with pytest.raises(ValueError, match=words):
        ConvGeometry.of(x, w, **arguments, where="layer")


def test_a_pool_of_nothing_and_a_dense_layer_of_nothing():
    with pytest.raises(ValueError, match=r"pool: the window 3x3 is larger than the padded input 2x2"):
        PoolGeometry.of((1, 2, 2, 3), 3, where="pool")
    with pytest.raises(ValueError, match="pool: pool_size must be at least 1"):
        PoolGeometry.of((1, 2, 2, 3), 0, where="pool")
    with pytest.raises(ValueError, match=r"head: the weights' axes must be at least 1, received the shape \(0, 3\)"):
        ConvGeometry.dense(1, 0, 3, "head")


def test_the_index_is_as_wide_as_the_window_needs():
    assert PoolGeometry.of((1, 16, 17, 1), 16).index_name == "index8"
    assert PoolGeometry.of((1, 16, 17, 1), (16, 17)).index_name == "index32"


@pytest.mark.parametrize(
    ("names", "enum"),
    [(kinds.UNARY, "fc_unary"), (kinds.BINARY, "fc_binary"), (kinds.LOSS, "fc_loss"), (kinds.REDUCE, "fc_reduce")],
)
def test_the_numbers_are_those_of_the_header(names, enum):
    text = re.sub(r"/\*.*?\*/", "", (CSRC / "fastcnn.h").read_text(), flags=re.DOTALL)
    body = re.search(r"typedef enum \{([^}]*)\} " + enum + ";", text).group(1)
    listed = [name.strip().removeprefix("FC_").removeprefix("REDUCE_").lower() for name in body.split(",")]
    assert {name: number for number, name in enumerate(listed[:-1])} == names
    assert listed[-1].endswith("count")


def test_the_places_of_hyperparameters_are_those_of_the_header():
    text = re.sub(r"/\*.*?\*/", "", (CSRC / "fastcnn.h").read_text(), flags=re.DOTALL)
    listed = re.findall(r"^ *FC_HYPER_(\w+)", text, re.MULTILINE)
    assert {name.lower(): place for place, name in enumerate(listed)} == {**kinds.HYPER, "count": core.HYPER_COUNT}

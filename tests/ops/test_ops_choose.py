"""Which method computes a convolution, and what may be said about that."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import fastcnn
from fastcnn import layers, models, ops
from fastcnn import reference as ref
from fastcnn._ops import choose, core
from fastcnn._ops.geometry import ConvGeometry

LARGE = ConvGeometry.of((8, 30, 30, 64), (3, 3, 64, 64), padding="same")
NORM_ERROR = 2e-5


@pytest.fixture(autouse=True)
def settings_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("FASTCNN_CONV", raising=False)
    yield
    choose.set_precision("fast")


def every(g: ConvGeometry) -> tuple[choose.Method | choose.WeightGradient, ...]:
    return choose.forward(g, False), choose.backward_data(g, False), choose.backward_weights(g)


def test_large_maps_of_many_channels_go_by_winograd() -> None:
    for method in every(LARGE):
        assert method.name == "winograd"
        assert method.args["m"] == 4
        assert method.why.startswith("expected: F(4x4,3x3) ")
        assert " us, direct " in method.why


@pytest.mark.parametrize(("kernel", "groups"), [((5, 5), 1), ((9, 3), 1), ((3, 3), 2), ((5, 5), 2)])
def test_larger_kernels_and_groups_go_by_winograd(kernel: tuple[int, int], groups: int) -> None:
    for method in every(ConvGeometry.of((8, 30, 30, 64), (*kernel, 64 // groups, 64), padding="same", groups=groups)):
        assert method.name == "winograd"


@pytest.mark.parametrize("size", [4, 13])
def test_large_kernels_of_many_channels_go_directly(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The points of 9 parts of 512 channels leave too little room for squares that share the weights."""
    monkeypatch.setenv("FASTCNN_CONV", "winograd")
    for method in every(ConvGeometry.of((1, size, size, 512), (7, 7, 512, 512), padding="same")):
        assert method.name == "direct"
        assert method.why == ""


def test_taps_outside_of_the_image_cost_nothing_directly() -> None:
    """Of 9x9 taps on 3x3 pixels, 9 of 81 are reached by each."""
    for method in every(ConvGeometry.of((16, 3, 3, 64), (9, 9, 64, 64), padding="same")):
        assert method.name == "direct"
        assert method.why.startswith("expected: direct ")


def test_maps_of_three_pixels_take_squares_of_three() -> None:
    method = choose.forward(ConvGeometry.of((128, 5, 5, 64), (3, 3, 64, 64)), False)
    assert method.args["m"] == 3


@pytest.mark.parametrize(
    "g",
    [
        ConvGeometry.of((8, 30, 30, 15), (3, 3, 15, 64)),
        ConvGeometry.of((8, 30, 30, 64), (3, 3, 64, 15)),
        ConvGeometry.of((8, 30, 30, 64), (3, 3, 64, 64), strides=3),
        ConvGeometry.of((8, 30, 30, 64), (3, 3, 64, 64), strides=(1, 2)),
        ConvGeometry.of((8, 30, 30, 15), (3, 3, 15, 64), strides=2),
        ConvGeometry.of((8, 30, 30, 64), (3, 3, 64, 64), dilation=(1, 2)),
        ConvGeometry.of((8, 30, 30, 64), (3, 3, 8, 64), groups=8),
        ConvGeometry.of((8, 30, 30, 64), (3, 1, 64, 64)),
        ConvGeometry.of((8, 30, 30, 64), (2, 5, 64, 64)),
        ConvGeometry.dense(100, 64, 64),
    ],
)
def test_what_winograd_does_not_fit_goes_directly(g: ConvGeometry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_CONV", "winograd")
    for method in every(g):
        assert method.name == "direct"
        assert method.why == ""


def test_strides_of_two_go_by_winograd_forward_where_weights_are_few() -> None:
    g = ConvGeometry.of((8, 56, 56, 64), (3, 3, 64, 128), strides=2, padding=1)
    assert choose.forward(g, False).why.startswith("expected: F(4x4,3x3)/2 ")
    assert choose.backward_data(g, False).name == choose.backward_weights(g).name == "direct"
    assert choose.forward(g, False, pool=True).name == "direct"
    many = ConvGeometry.of((1, 14, 14, 512), (3, 3, 512, 512), strides=2, padding=1)
    assert choose.forward(many, False).name == "direct"


def test_a_single_pixel_goes_directly_however_many_channels() -> None:
    """Its 25 or 36 matrices of weights would be read for one square."""
    for method in every(ConvGeometry.of((1, 3, 3, 512), (3, 3, 512, 512))):
        assert method.name == "direct"


def test_packing_counts_where_it_is_done_each_time() -> None:
    g = ConvGeometry.of((1, 7, 7, 256), (3, 3, 256, 256), padding="same")
    assert choose.forward(g, False).name == "winograd"
    assert choose.forward(g, True).name == "direct"


def test_weights_that_come_from_memory_count() -> None:
    """Transformed ones are four times as large: for one small image they are transformed as they come."""
    weights = (3, 3, 512, 512)
    assert choose.forward(ConvGeometry.of((1, 7, 7, 512), weights, padding="same"), False).args["late"] == 1
    assert choose.forward(ConvGeometry.of((1, 7, 7, 512), weights, padding="same"), True).name == "direct"
    assert choose.forward(ConvGeometry.of((16, 7, 7, 512), weights, padding="same"), False).args["late"] == 0


@pytest.mark.parametrize("name", ["direct", "winograd", " Winograd "])
def test_the_environment_forces_a_method(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_CONV", name)
    for g in (LARGE, ConvGeometry.of((1, 3, 3, 512), (3, 3, 512, 512))):
        for method in every(g):
            assert method.name == name.strip().lower()
            assert method.why.startswith("FASTCNN_CONV: ")


def test_the_environment_names_no_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_CONV", "winogard")
    with pytest.raises(ValueError, match=r"FASTCNN_CONV: 'winogard'\. Did you mean 'winograd'"):
        ops.conv2d(np.ones((1, 9, 9, 32)), np.ones((3, 3, 32, 32)))


def test_exact_is_direct_whatever_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fastcnn.get_precision() == "fast"
    fastcnn.set_precision("exact")
    assert fastcnn.get_precision() == "exact"
    monkeypatch.setenv("FASTCNN_CONV", "winograd")
    for method in every(LARGE):
        assert method.name == "direct"
        assert method.why == "precision is exact: direct"


def test_unknown_precision() -> None:
    with pytest.raises(ValueError, match=r"Unknown precision 'exakt'\. Did you mean 'exact'"):
        fastcnn.set_precision("exakt")


def test_packed_sizes_are_the_kernels() -> None:
    for g in (LARGE, ConvGeometry.of((1, 9, 9, 33), (3, 3, 33, 130))):
        for m in (3, 4):
            for way in (choose.Winograd(m).forward(g), choose.Winograd(m).backward_data(g)):
                assert core.Call(way.pack, way.pack_args).needed()["packed"] == 4 * way.packed_size


@pytest.mark.parametrize("method", ["direct", "winograd"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same", ((3, 0), (1, 4))])
def test_operations_by_either_method(
    method: str, padding: object, strides: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCNN_CONV", method)
    rng = np.random.default_rng(7)
    x = rng.standard_normal((2, 9, 11, 32)).astype(np.float32)
    w = rng.standard_normal((3, 3, 32, 40)).astype(np.float32) / 17
    b = rng.standard_normal(40).astype(np.float32)
    y = ops.conv2d(x, w, b, strides=strides, padding=padding, activation="relu")
    expected = ref.unary(ref.conv2d(x, w, b, strides=strides, padding=padding), "relu")
    assert np.abs(y - expected).max() <= NORM_ERROR * np.abs(expected).max()
    dy = rng.standard_normal(y.shape).astype(np.float32)
    for got, exact in zip(
        ops.conv2d_backward(dy, x, w, strides=strides, padding=padding),
        ref.conv2d_backward(dy, x, w, strides=strides, padding=padding),
    ):
        assert np.abs(got - exact).max() <= NORM_ERROR * np.abs(exact).max()


def test_a_model_shows_its_choice_and_follows_the_setting() -> None:
    model = models.Sequential([layers.Input((30, 30, 32)), layers.Conv2D(64, 3, activation="relu", name="middle")])
    x = np.random.default_rng(1).standard_normal((4, 30, 30, 32)).astype(np.float32)
    fast = model.predict(x, verbose=0)
    plan = model.plan(4)
    assert [s.kernel for s in plan.steps] == ["winograd_pack", "winograd_forward"]
    assert [s.once for s in plan.steps] == [True, False]
    assert "F(4x4,3x3)" in plan.steps[1].why
    assert plan.steps[1].why in str(plan)
    fastcnn.set_precision("exact")
    exact = model.predict(x, verbose=0)
    assert [s.kernel for s in model.plan(4).steps] == ["conv2d_pack", "conv2d_forward"]
    assert 0 < np.abs(fast - exact).max() <= NORM_ERROR * np.abs(exact).max()

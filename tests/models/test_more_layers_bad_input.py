"""Bad arguments of layers that normalize, resize, permute and pool sequences: an error that names the argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastcnn import layers as L  # noqa: N812
from fastcnn.models import Sequential


def chain(layer: L.Layer, shape: tuple[int | None, ...] = (8, 8, 3)) -> Callable[[], Any]:
    return lambda: Sequential([L.Input(shape), layer])


#: (what is done, what the message must say); the layer's name is "bad"
LAYERS: list[tuple[Callable[[], Any], str]] = [
    (lambda: L.LayerNormalization("last", name="bad"), "layer 'bad': axis must be an integer or a list .* 'last'"),
    (lambda: L.LayerNormalization([], name="bad"), r"layer 'bad': axis must be an integer or a list .* \[\]"),
    (lambda: L.LayerNormalization(epsilon=-1, name="bad"), "layer 'bad': epsilon must be a finite number of at least"),
    (chain(L.LayerNormalization(1, name="bad")), "layer 'bad': axis must be the last axes behind the batch"),
    (chain(L.LayerNormalization((0, 1, 2, 3), name="bad")), "layer 'bad': axis must be the last axes behind the batch"),
    (chain(L.LayerNormalization([-1, -2], name="bad"), (None, 3)), "layer 'bad': .* must know the axes"),
    (lambda: L.GroupNormalization(0, name="bad"), "layer 'bad': groups must be a positive integer, .* received 0"),
    (lambda: L.GroupNormalization(2.0, name="bad"), "layer 'bad': groups must be a positive integer, .* received 2.0"),
    (chain(L.GroupNormalization(2, name="bad")), "layer 'bad': groups must divide the 3 channels, received 2"),
    (chain(L.GroupNormalization(3, 1, name="bad")), "layer 'bad': axis must be -1, .* received 1"),
    (lambda: L.Normalization(0, name="bad"), "layer 'bad': axis must be axes other than 0, the batch, or None"),
    (lambda: L.Normalization(mean=1, name="bad"), "layer 'bad': mean and variance must be given both or neither"),
    (lambda: L.Normalization(mean=1, variance=-1, name="bad"), "layer 'bad': variance must not be negative, .* -1"),
    (chain(L.Normalization((1, -3), name="bad")), "layer 'bad': axis must be axes of an input of rank 4"),
    (chain(L.Normalization(5, name="bad")), "layer 'bad': axis must be axes of an input of rank 4"),
    (chain(L.Normalization(mean=[1, 2], variance=1, name="bad")), r"'bad': mean and variance must have shape \(3,\)"),
    (lambda: L.Permute((0, 1), name="bad"), r"layer 'bad': dims must be the axes 1, 2, … .* received \(0, 1\)"),
    (lambda: L.Permute(2, name="bad"), "layer 'bad': dims must be the axes 1, 2, … in some order, received 2"),
    (chain(L.Permute((2, 1), name="bad")), r"layer 'bad': dims \(2, 1\) must name all axes but the batch"),
    (lambda: L.ZeroPadding1D((1, -1), name="bad"), "layer 'bad': padding must be at least 0"),
    (lambda: L.Cropping1D("1", name="bad"), "layer 'bad': cropping must be an integer, received '1'"),
    (chain(L.Cropping1D(2, name="bad"), (4, 3)), "layer 'bad': cropping takes more than there is of 4 steps"),
    (chain(L.ZeroPadding1D(name="bad")), r"layer 'bad' \(ZeroPadding1D\) takes inputs of rank 3"),
    (lambda: L.Resizing(0, 4, name="bad"), "layer 'bad': height must be at least 1"),
    (lambda: L.Resizing(4, 4.0, name="bad"), "layer 'bad': width must be an integer, received 4.0"),
    (lambda: L.Resizing(4, 4, "lanczos3", name="bad"), "layer 'bad': Unknown interpolation 'lanczos3'"),
    (chain(L.Resizing(4, 4, name="bad"), (8, 8)), r"layer 'bad' \(Resizing\) takes inputs of rank 4"),
    (lambda: L.MaxPooling1D(0, name="bad"), "layer 'bad': pool_size must be at least 1"),
    (lambda: L.MaxPooling1D((2, 2), name="bad"), r"layer 'bad': pool_size must be an integer, received \(2, 2\)"),
    (lambda: L.AveragePooling1D(2, 0, name="bad"), "layer 'bad': strides must be at least 1"),
    (lambda: L.AveragePooling1D(2, padding="full", name="bad"), 'layer \'bad\': padding must be "valid" or "same"'),
    (chain(L.MaxPooling1D(9, name="bad"), (8, 3)), "layer 'bad': .*larger than the padded input"),
    (lambda: L.GlobalMaxPooling1D("channels_first", name="bad"), "layer 'bad': data_format must be"),
    (lambda: L.MaxPooling2D(data_format="channels_first", name="bad"), "layer 'bad': data_format must be"),
    (lambda: L.GlobalAveragePooling2D("channels_first", name="bad"), "layer 'bad': data_format must be"),
    (lambda: L.SpatialDropout2D(1.0, name="bad"), "layer 'bad': rate must be a number from 0 to below 1"),
    (chain(L.SpatialDropout1D(0.5, name="bad")), r"layer 'bad' \(SpatialDropout1D\) takes inputs of rank 3"),
    (lambda: L.GaussianNoise(-0.5, name="bad"), "layer 'bad': stddev must be a finite number of at least 0"),
    (lambda: L.RoIAlign(0, name="bad"), "layer 'bad': output_size must be at least 1"),
    (lambda: L.RoIAlign(7, -1, name="bad"), "layer 'bad': spatial_scale must be a finite number of at least 0"),
    (lambda: L.RoIAlign(7, name="bad")(L.Input((9, 9, 3))), "layer 'bad': takes a list of two inputs"),
    (
        lambda: L.RoIAlign(7, name="bad")([L.Input((9, 9, 3)), L.Input((4,))]),
        r"layer 'bad': roi_align: boxes must be \(batch, k, 4\), received shape \(None, 4\)",
    ),
    (
        lambda: L.RoIAlign(7, name="bad")([L.Input((9, 3)), L.Input((5, 4))]),
        r"layer 'bad': roi_align: feature maps must be \(batch, height, width, channels\)",
    ),
    (lambda: L.Dot(0, name="bad"), "layer 'bad': axes must be one or two integers other than 0"),
    (lambda: L.Dot((1, 2, 3), name="bad"), "layer 'bad': axes must be one or two integers other than 0"),
    (lambda: L.Dot(1, name="bad")(L.Input((3,))), "layer 'bad': takes a list of two or more inputs"),
    (lambda: L.Dot(1, name="bad")([L.Input((3, 2, 2))] * 2), "layer 'bad': takes two inputs of rank 2 or 3"),
    (lambda: L.Dot(2, name="bad")([L.Input((3,))] * 2), "layer 'bad': axes 2 are out of range"),
    (lambda: L.Dot(1, name="bad")([L.Input((3,)), L.Input((4,))]), "layer 'bad': matmul: a has 3 columns, b has 4"),
]


@pytest.mark.parametrize(("make", "message"), LAYERS, ids=[m for _, m in LAYERS])
def test_bad_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()

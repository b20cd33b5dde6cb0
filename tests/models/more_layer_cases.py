"""Cases of layers that normalize, resize, permute and pool sequences; `test_model_layers.py` runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from model_tools import LayerCase

from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref

IMAGE = (7, 6, 4)
STEPS = (9, 4)


def normalizations() -> Iterator[LayerCase]:
    def layer(axis: Any, first: int, **how: Any) -> LayerCase:
        def expected(x: np.ndarray, *weights: np.ndarray) -> np.ndarray:
            given = dict(zip([n for n, key in (("gamma", "scale"), ("beta", "center")) if how.get(key, True)], weights))
            return ref.layer_norm(x, first, epsilon=how.get("epsilon", 1e-3), **given)

        return LayerCase(f"LayerNormalization {axis} {how}", lambda: L.LayerNormalization(axis, **how), IMAGE, expected)

    yield layer(-1, 3)
    yield layer([-2, -1], 2, epsilon=1e-2)
    yield layer((1, 2, 3), 1, center=False)
    yield layer([3], 3, scale=False)
    yield layer(3, 3, scale=False, center=False)

    def group(groups: int, shape: tuple[int, ...], **how: Any) -> LayerCase:
        def expected(x: np.ndarray, *weights: np.ndarray) -> np.ndarray:
            given = dict(zip([n for n, key in (("gamma", "scale"), ("beta", "center")) if how.get(key, True)], weights))
            parts = shape[-1] if groups == -1 else groups
            return ref.group_norm(x, parts, epsilon=how.get("epsilon", 1e-3), **given)

        name = f"GroupNormalization {groups} of {shape[-1]} {how}"
        return LayerCase(name, lambda: L.GroupNormalization(groups, **how), shape, expected)

    yield group(2, IMAGE)
    yield group(1, IMAGE, epsilon=1e-2)
    yield group(-1, IMAGE, center=False)
    yield group(32, (5, 6, 64), scale=False)
    yield group(3, (6,))
    yield group(2, STEPS, center=False, scale=False)

    mean, variance = [1.0, 2.0, 3.0, 4.0], [4.0, 1.0, 9.0, 0.25]
    given = LayerCase("Normalization given", lambda: L.Normalization(mean=mean, variance=variance), IMAGE,
                      lambda x: (x - mean) / np.sqrt(variance))  # fmt: skip
    yield given
    yield LayerCase("Normalization inverted", lambda: L.Normalization(mean=mean, variance=variance, invert=True), IMAGE,
                    lambda x: x * np.sqrt(variance) + mean)  # fmt: skip
    yield LayerCase("Normalization of all", lambda: L.Normalization(None, 0.5, 4), IMAGE, lambda x: (x - 0.5) / 2)
    yield LayerCase("Normalization constant", lambda: L.Normalization(mean=0, variance=[1, 1, 1, 0]), IMAGE,
                    lambda x: x / np.array([1, 1, 1, 1e-7]))  # fmt: skip


def resampled(x: np.ndarray, size: tuple[int, int], **how: Any) -> np.ndarray:
    return ref.resize(x, *(ref.resize_matrix(a, b, **how) for a, b in zip(x.shape[1:3], size)))


def resizing() -> Iterator[LayerCase]:
    nearest = {"mode": "nearest", "rounding": "round_prefer_ceil"}
    cubic = {"mode": "cubic", "cubic_a": -0.5, "exclude_outside": True}
    ways: dict[str, dict[str, Any]] = {"bilinear": {}, "nearest": nearest, "bicubic": cubic}
    for interpolation, how in ways.items():
        for height, width in ((14, 3), (7, 6), (1, 20)):
            yield LayerCase(
                f"Resizing {height}x{width} {interpolation}",
                lambda a=(height, width, interpolation): L.Resizing(*a), IMAGE,
                lambda x, s=(height, width), h=how: resampled(x, s, **h),
            )  # fmt: skip
        if interpolation != "nearest":
            yield LayerCase(
                f"UpSampling2D {interpolation}", lambda i=interpolation: L.UpSampling2D((2, 3), interpolation=i), IMAGE,
                lambda x, h=how: resampled(x, (14, 18), **h),
            )  # fmt: skip
            smooth = {**how, "antialias": True, "exclude_outside": True}
            yield LayerCase(
                f"Resizing {interpolation} antialias", lambda i=interpolation: L.Resizing(3, 4, i, antialias=True),
                IMAGE, lambda x, h=smooth: resampled(x, (3, 4), **h),
            )  # fmt: skip
    yield LayerCase("Resizing area", lambda: L.Resizing(3, 4, "area"), IMAGE,
                    lambda x: resampled(x, (3, 4), mode="area"))  # fmt: skip
    yield LayerCase("Resizing padded", lambda: L.Resizing(4, 8, pad_to_aspect_ratio=True, fill_value=2), IMAGE,
                    lambda x: resampled(np.pad(x, ((0, 0), (0, 0), (4, 4), (0, 0)), constant_values=2), (4, 8))
                    )  # fmt: skip
    yield LayerCase("CenterCrop", lambda: L.CenterCrop(4, 3), IMAGE, lambda x: x[:, 1:5, 1:4])
    yield LayerCase("CenterCrop enlarged", lambda: L.CenterCrop(9, 3), IMAGE,
                    lambda x: resampled(x[:, :, 2:4], (9, 3)))  # fmt: skip
    yield LayerCase("Resizing cropped", lambda: L.Resizing(4, 8, crop_to_aspect_ratio=True), IMAGE,
                    lambda x: resampled(x[:, 2:5], (4, 8)))  # fmt: skip
    yield LayerCase("Resizing cropped columns", lambda: L.Resizing(9, 3, crop_to_aspect_ratio=True), IMAGE,
                    lambda x: resampled(x[:, :, 2:4], (9, 3)))  # fmt: skip


def moving() -> Iterator[LayerCase]:
    for dims in ((3, 1, 2), (2, 1, 3), (1, 2, 3), (2, 3, 1)):
        yield LayerCase(f"Permute {dims}", lambda d=dims: L.Permute(d), IMAGE, lambda x, d=dims: x.transpose(0, *d))
    yield LayerCase("Permute one", lambda: L.Permute((1,)), (5,), lambda x: x)
    for given, (first, last) in ((2, (2, 2)), ((1, 3), (1, 3)), (0, (0, 0))):
        yield LayerCase(f"ZeroPadding1D {given}", lambda g=given: L.ZeroPadding1D(g), STEPS,
                        lambda x, p=(first, last): np.pad(x, ((0, 0), p, (0, 0))))  # fmt: skip
        yield LayerCase(f"Cropping1D {given}", lambda g=given: L.Cropping1D(g), STEPS,
                        lambda x, a=first, b=last: x[:, a : x.shape[1] - b])  # fmt: skip


def pools() -> Iterator[LayerCase]:
    """Sequences, as images of height 1."""
    kinds: list[tuple[Callable[..., L.Layer], Callable[..., np.ndarray]]] = [
        (L.MaxPooling1D, ref.max_pool2d), (L.AveragePooling1D, ref.avg_pool2d),
    ]  # fmt: skip
    for make, pool in kinds:
        for size, strides, padding in ((2, None, "valid"), (3, 2, "same"), (4, 1, "valid")):
            yield LayerCase(
                f"{make.__name__} {size} {strides} {padding}", lambda m=make, a=(size, strides, padding): m(*a), STEPS,
                lambda x, p=pool, a=(size, strides, padding): p(x[:, None], (1, a[0]), (1, a[1] or a[0]), a[2])[:, 0],
            )  # fmt: skip
    for make, join in ((L.GlobalMaxPooling1D, np.max), (L.GlobalAveragePooling1D, np.mean)):
        for keep in (False, True):
            yield LayerCase(f"{make.__name__} {keep}", lambda m=make, k=keep: m(keepdims=k), STEPS,
                            lambda x, j=join, k=keep: j(x, axis=1, keepdims=k))  # fmt: skip


def noises() -> Iterator[LayerCase]:
    """Without noise: what it does is in test_model_noise.py."""
    yield LayerCase("SpatialDropout2D 0", lambda: L.SpatialDropout2D(0), IMAGE, lambda x: x)
    yield LayerCase("SpatialDropout1D 0", lambda: L.SpatialDropout1D(0), STEPS, lambda x: x)
    yield LayerCase("GaussianNoise 0", lambda: L.GaussianNoise(0), IMAGE, lambda x: x)


CASES = [*normalizations(), *resizing(), *moving(), *pools(), *noises()]

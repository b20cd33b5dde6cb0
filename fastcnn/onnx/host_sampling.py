"""Images read at places between their pixels: grids, and the older resizing operators."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .host_node import HostNode

#: Keys' cubic convolution kernel (1981), with the parameter that GridSample asks for.
_CUBIC = -0.75


def grid_sample(node: HostNode, x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The image at the places of a grid, whose numbers go from -1 to 1 over the image (Jaderberg et al. 2015).

    Parameters
    ----------
    x : ndarray
        (batch, channels, ...)
    grid : ndarray
        (batch, ..., rank): places, their last axis first, as x, y.
    """
    spatial, rank = x.shape[2:], x.ndim - 2
    if grid.ndim != x.ndim or grid.shape[0] != x.shape[0] or grid.shape[-1] != rank:
        raise ValueError(f"the grid's shape {grid.shape} doesn't fit that of the image {x.shape}")
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(node["mode"], node["mode"])
    reach = {"nearest": (0, 1), "linear": (0, 2), "cubic": (-1, 3)}
    if mode not in reach:
        raise ValueError(f"mode must be nearest, linear or cubic, received {mode!r}")
    padding, corners = node["padding_mode"], bool(node["align_corners"])
    places = [_denormalized(grid[..., rank - 1 - a].astype(np.float64), spatial[a], corners) for a in range(rank)]
    if mode == "nearest":
        places = [np.rint(p) for p in places]
    # Of the cubic's four pixels along an axis each is looked for by itself, wherever the place between them is.
    if padding == "border" and mode != "cubic":
        places = [np.clip(p, 0, size - 1) for p, size in zip(places, spatial)]
    elif padding == "reflection" and mode != "cubic":
        places = [_reflected(p, size, corners) for p, size in zip(places, spatial)]
    floors = [np.nan_to_num(np.floor(p), nan=-1, posinf=0, neginf=-1) for p in places]
    images = x.astype(np.float64 if x.dtype == np.float64 else np.float32, copy=False)
    result: Any = 0
    for offsets in itertools.product(range(*reach[mode]), repeat=rank):
        weight: Any = 1.0
        for place, floor, offset in zip(places, floors, offsets):
            weight = weight * _weight(mode, place - floor, offset)
        at = [floor + offset for floor, offset in zip(floors, offsets)]
        result = result + _pixels(images, at, padding, corners) * np.expand_dims(weight, 1)
    return np.asarray(result).astype(x.dtype)


def _denormalized(n: np.ndarray, size: int, corners: bool) -> np.ndarray:
    return (n + 1) / 2 * (size - 1) if corners else ((n + 1) * size - 1) / 2


def _reflected(p: np.ndarray, size: int, corners: bool) -> np.ndarray:
    """Places outside thrown back at the borders, as often as it takes."""
    low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
    span = high - low
    if span == 0:
        return np.zeros_like(p)
    away = np.mod(p - low, 2 * span)
    return low + np.where(away > span, 2 * span - away, away)


def _weight(mode: str, fraction: np.ndarray, offset: int) -> Any:
    """How much the pixel `offset` away from the one before counts."""
    if mode == "nearest":
        return np.ones_like(fraction)
    distance = np.abs(fraction - offset)
    if mode == "linear":
        return 1 - distance
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    return np.where(distance <= 1, near, far)


def _pixels(images: np.ndarray, places: Sequence[np.ndarray], padding: str, corners: bool) -> np.ndarray:
    """The pixels at whole places, (batch, channels, ...); outside, what the padding mode says."""
    spatial = images.shape[2:]
    inside: Any = True
    keys = []
    for place, size in zip(places, spatial):
        if padding == "reflection":
            place = _reflected(place, size, corners)
        elif padding == "zeros":
            inside = inside & (place >= 0) & (place <= size - 1)
        keys.append(np.clip(place, 0, size - 1).astype(np.int64))
    batch = np.arange(images.shape[0]).reshape(-1, *[1] * (keys[0].ndim - 1))
    key: Any = (batch, slice(None), *keys)
    found = np.moveaxis(images[key], -1, 1)
    return found * np.expand_dims(inside, 1) if padding == "zeros" else found


def resize_10(node: HostNode, x: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Resize of opset 10 and Upsample of opset 9: places are those of the scaled image, rounded down."""
    from .host import HostOperator

    attributes = {
        "mode": node["mode"],
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    return HostOperator("Resize", "", 13, attributes, 1, node.name)([x, None, scales.astype(np.float32)])[0]


def upsample_7(node: HostNode, x: np.ndarray) -> np.ndarray:
    """Upsample, with its scales as an attribute."""
    return resize_10(node, x, np.asarray(node["scales"], np.float32))


SAMPLING: dict[str, list[tuple[int, int | None, Callable[..., Any]]]] = {
    "GridSample": [(16, None, grid_sample)],
    "Resize": [(10, 10, resize_10)],
    "Upsample": [(7, 8, upsample_7), (9, 9, resize_10)],
}

"""Augmentation, step by step and image by image: the executable specification of csrc/kernels/augment*.c.

Steps are rows of numbers as csrc/fastcnn.h lays them out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arrays import Array
from .dropout import philox4x32

STEP_SIZE, DRAWN = 38, 9
KINDS = (
    "flip_columns", "flip_rows", "rotate", "translate", "zoom", "shear", "perspective", "crop", "resized_crop", "shift",
    "scale", "contrast", "color", "invert", "stretch", "hsv", "solarize", "posterize", "noise", "salt", "blur",
    "sharpen", "equalize", "erase", "cutout",
)  # fmt: skip
DRAWS = (
    "constant", "uniform", "log_uniform", "whole", "signed", "levels", "signed_levels", "about_one", "odds", "same",
)  # fmt: skip
BORDERS = ("constant", "nearest", "reflect", "wrap")
_GRAY = np.array([0.2989, 0.5870, 0.1140])


# ---------------------------------------------------------------- random numbers


def _words(first: int, second: int, seed: int, lane: int, step: int, site: int) -> list[int]:
    key = (seed + ((lane + 1) << 40)) % 2**64
    counter = [first, second, step % 2**32, (site + (step >> 32)) % 2**32]
    return [int(w) for w in philox4x32(counter, (key % 2**32, key >> 32))]


def draw(steps: Array, images: int, seed: int, step: int = 0, site: int = 0) -> Array:
    """What each image draws: (images, steps, 9), whether a step is done and its eight numbers."""
    drawn = np.zeros((images, len(steps), DRAWN))
    for i in range(images):
        for k, row in enumerate(steps):
            _, probability, group, index, of, lane = row[:6]
            words = _words(i, 0, seed, int(lane), step, site)
            done = words[0] / 2**32 < probability
            if group >= 0:
                choice = _words(i, 0, seed, 32768 + int(group), step, site)[1]
                done = done and math.floor(choice / 2**32 * of) == index
            words = [w for b in (1, 2) for w in _words(i, b, seed, int(lane), step, site)]
            drawn[i, k, 0] = done
            for v in range(8):
                how, low, high = row[6 + 3 * v : 9 + 3 * v]
                drawn[i, k, 1 + v] = _number(DRAWS[int(how)], low, high, words[v], drawn[i, k, v] if v else 0.0)
    return drawn


def _number(how: str, low: float, high: float, word: int, before: float) -> float:
    u, half, sign = word / 2**32, (word >> 1) / 2**31, -1 if word % 2 else 1
    levels = low + math.floor(half * 31) / 30 * (high - low)
    if how == "uniform":
        return low + u * (high - low)
    if how == "log_uniform":
        return float(low * (high / low) ** u)
    if how == "whole":
        return low + math.floor(u * (high - low + 1))
    if how == "signed":
        return sign * (low + half * (high - low))
    if how == "levels":
        return low + math.floor(u * 31) / 30 * (high - low)
    if how == "signed_levels":
        return sign * levels
    if how == "about_one":
        return 1 + sign * levels
    if how == "odds":
        share = min(low + u * (high - low), 0.999)
        return share / (1 - share)
    return before if how == "same" else low


def noise(count: int, image: int, seed: int, lane: int, step: int = 0, site: int = 0) -> Array:
    """Normally distributed numbers for the elements of an image (see `fastcnn.reference.dropout.normals`)."""
    words = np.array([_words(b, 2**31 + image, seed, lane, step, site) for b in range(-(-count // 4))]).reshape(-1, 2)
    u0, u1 = np.moveaxis((np.floor(words / 512.0) + 0.5) / 2.0**23, -1, 0)
    radius, angle = np.sqrt(-2 * np.log(u0)), 2 * np.pi * u1
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1)[:count]


# ---------------------------------------------------------------- places


def part_of(v: Array, height: int, width: int) -> tuple[int, int, int, int]:
    """top, left, bottom, right of the part with a share of the area, log(width / height), and two shares of room."""
    area, shape = float(v[0]) * height * width, math.exp(float(v[1]))
    w = max(1, min(width, round(math.sqrt(area * shape))))
    h = max(1, min(height, round(math.sqrt(area / shape))))
    top, left = min(height - h, int(v[2] * (height - h + 1))), min(width - w, int(v[3] * (width - w + 1)))
    return top, left, top + h, left + w


def _about_centre(linear: Any, height: float, width: float) -> Array:
    matrix, centre = np.eye(3), np.array([width / 2, height / 2])
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - matrix[:2, :2] @ centre
    return matrix


def _through_corners(corners: Array, height: float, width: float) -> Array:
    """The projective map from an image's corners, clockwise from the upper left, to these (x, y): eight equations."""
    equations, right = [], []
    for (x, y), (u, v) in zip(((0, 0), (width, 0), (width, height), (0, height)), corners):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(equations), np.array(right)), 1).reshape(3, 3)


def step_matrix(row: Array, v: Array) -> Array:
    """From (column, row, 1) of a step's result to its image, pixels one wide from edge to edge."""
    kind, (height, width, new_height, new_width) = KINDS[int(row[0])], row[30:34]
    if kind == "flip_columns":
        return _about_centre([[-1, 0], [0, 1]], height, width)
    if kind == "flip_rows":
        return _about_centre([[1, 0], [0, -1]], height, width)
    if kind == "rotate":
        c, s = math.cos(v[0]), math.sin(v[0])
        return _about_centre([[c, -s], [s, c]], height, width)
    if kind == "translate":
        return np.array([[1, 0, -v[1] * width], [0, 1, -v[0] * height], [0, 0, 1]])
    if kind == "zoom":
        return _about_centre([[v[1], 0], [0, v[0]]], height, width)
    if kind == "shear":
        return _about_centre([[1, v[0]], [v[1], 1]], height, width)
    if kind == "perspective":
        down, along = v[0::2] * height, v[1::2] * width
        corners = np.array([
            [along[0], down[0]], [width - along[1], down[1]], [width - along[2], height - down[2]],
            [along[3], height - down[3]],
        ])  # fmt: skip
        return _through_corners(corners, height, width)
    if kind == "crop":
        return np.array([[1, 0, v[1]], [0, 1, v[0]], [0, 0, 1]])
    top, left, bottom, right = part_of(v, int(height), int(width))
    return np.array([[(right - left) / new_width, 0, left], [0, (bottom - top) / new_height, top], [0, 0, 1]])


def geometry(steps: Array, drawn: Array) -> Array:
    """The matrix of each image: from pixels of the result to pixels of the image."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrices = []
    for image in drawn:
        matrix = np.linalg.inv(half)
        for row, numbers in zip(steps, image):
            if numbers[0] and KINDS[int(row[0])] in KINDS[:9]:
                matrix = matrix @ step_matrix(row, numbers[1:])
        matrices.append(matrix @ half)
    return np.array(matrices).reshape(-1, 3, 3)


def _fold(i: NDArray[Any], size: int, border: str) -> NDArray[Any]:
    inside = (i >= 0) & (i < size)
    if border == "constant":
        return np.where(inside, i, size)
    if border == "nearest":
        return np.clip(i, 0, size - 1)
    if border == "wrap":
        return i % size
    r = i % (2 * size)
    return np.where(r < size, r, 2 * size - 1 - r)


def warp(
    x: Array, matrices: Array, size: tuple[int, int], bilinear: bool = True, border: str = "constant", fill: float = 0.0
) -> Array:
    """Images (n, h, w, c) seen through matrices (n, 3, 3), in float64."""
    n, h, w, c = x.shape
    columns, rows = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    results = np.empty((n, *size, c))
    for i in range(n):
        u, v, d = np.tensordot(matrices[i], np.stack([columns, rows, np.ones_like(rows)]), 1)
        # A row and a column more, of the border's colour.
        image = np.full((h + 1, w + 1, c), fill)
        image[:h, :w] = x[i]
        with np.errstate(divide="ignore", invalid="ignore"):
            # On a horizon, and without an inverse, places are far outside.
            u, v = (np.clip(np.nan_to_num(place / d, nan=-1e9), -1e9, 1e9) for place in (u, v))
        if not bilinear:
            picked = _fold(np.floor(v + 0.5).astype(int), h, border), _fold(np.floor(u + 0.5).astype(int), w, border)
            results[i] = image[picked]
            continue
        left, top = np.floor(u).astype(int), np.floor(v).astype(int)
        total = np.zeros((*size, c))
        for down in (0, 1):
            for along in (0, 1):
                share = np.abs(1 - down - (v - top)) * np.abs(1 - along - (u - left))
                seen = image[_fold(top + down, h, border), _fold(left + along, w, border)]
                total += np.where(share[..., None] == 0, 0, share[..., None] * seen)
        results[i] = total
    return results


# ---------------------------------------------------------------- pixels


def statistics(x: Array) -> Array:
    """Each channel's mean, least and greatest value: (n, c, 3) of (n, pixels, c)."""
    x = np.asarray(x, np.float64)
    return np.stack([x.mean(1), x.min(1), x.max(1)], axis=-1)


def colors(steps: Array, drawn: Array, stats: Array, ends: tuple[float, float]) -> list[list[tuple[Any, ...]]]:
    """Each image's list: ("map", matrix (c, c), summands (c)) for linear steps one after another, and others as (kind,
    lane, v0, v1, f0).
    """
    low, high = ends
    lists = []
    for image, numbers in enumerate(drawn):
        found: list[tuple[Any, ...]] = []
        c = stats.shape[1]
        gray = _GRAY if c == 3 else np.full(c, 1 / c)
        for row, (done, *v) in zip(steps, numbers):
            kind = KINDS[int(row[0])]
            if not done or kind not in KINDS[9:20] or (kind == "hsv" and c != 3):
                continue
            if kind in KINDS[15:20]:
                found.append((kind, int(row[5]), v[0], v[1], row[34]))
                continue
            matrix, summand = np.eye(c), np.zeros(c)
            if found and found[-1][0] == "map":
                _, matrix, summand = found.pop()
            means = matrix @ stats[image, :, 0] + summand
            if kind == "shift":
                summand = summand + v[0] * (high - low)
            elif kind == "scale":
                matrix, summand = matrix * v[0], summand * v[0]
            elif kind == "invert":
                matrix, summand = -matrix, low + high - summand
            elif kind == "contrast":
                middle = np.full(c, gray @ means) if row[34] else means
                matrix, summand = matrix * v[0], summand * v[0] + middle * (1 - v[0])
            elif kind == "color" and c == 3:
                blend = np.eye(3) * v[0] + np.tile(gray, (3, 1)) * (1 - v[0])
                matrix, summand = blend @ matrix, blend @ summand
            elif kind == "stretch":
                least, greatest = stats[image, :, 1], stats[image, :, 2]
                factor = np.where(greatest > least, (high - low) / np.where(greatest > least, greatest - least, 1), 1)
                matrix = matrix * factor[:, None]
                summand = summand * factor + np.where(greatest > least, low - least * factor, 0)
            found.append(("map", matrix, summand))
        lists.append(found)
    return lists


def hsv(x: Array, turns: float, saturation: float) -> Array:
    """Hue moved and saturation scaled, of (..., 3) from 0 on (Smith 1978, "Color gamut transform pairs")."""
    r, g, b = np.moveaxis(np.asarray(x, np.float64), -1, 0)
    value = np.maximum(np.maximum(r, g), b)
    chroma = value - np.minimum(np.minimum(r, g), b)
    safe = np.where(chroma == 0, 1, chroma)
    hue = np.where(value == r, (g - b) / safe, np.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe))
    hue, chroma = hue + 6 * turns, np.minimum(chroma * saturation, value)
    k = np.stack([(hue + offset) % 6 for offset in (5, 3, 1)], axis=-1)
    return np.asarray(value[..., None] - chroma[..., None] * np.clip(np.minimum(k, 4 - k), 0, 1))


def points(
    x: Array, lists: list[list[tuple[Any, ...]]], ends: tuple[float, float], seed: int, step: int = 0, site: int = 0
) -> Array:
    """(n, pixels, c) by each image's list, clipped after each entry."""
    low, high = ends
    results = np.array(x, np.float64)
    n, pixels, c = results.shape
    for i in range(n):
        v = results[i]
        for kind, *numbers in lists[i]:
            if kind == "map":
                v = v @ numbers[0].T + numbers[1]
            elif kind == "hsv":
                v = hsv(v, numbers[1], numbers[2])
            elif kind == "solarize":
                v = np.clip(v + numbers[2] * (high - low), low, high)
                v = np.where(v >= low + numbers[1] * (high - low), low + high - v, v)
            elif kind == "posterize":
                size = 2 ** (8 - int(numbers[1] + 0.5))
                bits = np.floor((np.clip(v, low, high) - low) * 255 / (high - low) / size + 1e-3) * size
                v = low + bits * (high - low) / 255
            elif kind == "noise":
                drawn = noise(pixels * c, i, seed, numbers[0], step, site).reshape(pixels, c)
                v = v + numbers[1] * (high - low) * drawn
            else:
                lane, amount, _, salt = numbers
                words = [w for b in range(-(-pixels // 4)) for w in _words(b, 2**31 + i, seed, lane, step, site)]
                share = (np.array(words[:pixels]) / 2**32)[:, None]
                v = np.where(share < amount * salt, high, np.where(share < amount, low, v))
            v = np.clip(v, low, high)
        results[i] = v
    return results


# ---------------------------------------------------------------- surroundings and parts


def _edge(x: Array, rows: int, columns: int) -> Array:
    return np.pad(np.asarray(x, np.float64), ((rows // 2,) * 2, (columns // 2,) * 2, (0, 0)), mode="edge")


def blur(x: Array, sigma: float, window: tuple[int, int]) -> Array:
    """An image (h, w, c) under a Gaussian window; outside of it its border goes on."""
    rows, columns = (np.arange(size) - size // 2 for size in window)
    weights = np.exp(-0.5 * (rows[:, None] ** 2 + columns**2) / sigma**2) if sigma > 0 else None
    if weights is None:
        return np.array(x, np.float64)
    weights /= weights.sum()
    wide, (h, w) = _edge(x, *window), x.shape[:2]
    return np.asarray(sum(
        weights[i, j] * wide[i : i + h, j : j + w] for i in range(window[0]) for j in range(window[1])
    ))  # fmt: skip


def sharpen(x: Array, factor: float) -> Array:
    """smooth + (x - smooth) factor; the border stays."""
    x = np.array(x, np.float64)
    wide, (h, w) = _edge(x, 3, 3), x.shape[:2]
    smooth = (sum(wide[i : i + h, j : j + w] for i in range(3) for j in range(3)) + 4 * x) / 13
    result = smooth + (x - smooth) * factor
    for border in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        result[border] = x[border]
    return np.asarray(result)


def equalize(x: Array, ends: tuple[float, float]) -> Array:
    """(pixels, c) with values spread over 256 bins, as Pillow's ImageOps.equalize."""
    low, high = ends
    scaled = np.clip((np.asarray(x, np.float64) - low) * 255 / (high - low), 0, 255)
    bins = np.floor(scaled + 0.5).astype(int)
    result = np.empty(x.shape)
    for channel in range(x.shape[1]):
        counts = np.bincount(bins[:, channel], minlength=256)
        step = (counts.sum() - counts[np.nonzero(counts)[0][-1]]) // 255
        below = step // 2 + np.concatenate([[0], np.cumsum(counts)[:-1]])
        table = np.minimum(255, below // step) if step else np.arange(256)
        result[:, channel] = low + table[bins[:, channel]] * (high - low) / 255
    return result


def erased(row: Array, v: Array, height: int, width: int) -> tuple[int, int, int, int]:
    """top, left, bottom, right of what an "erase" or "cutout" step takes."""
    if KINDS[int(row[0])] == "erase":
        return part_of(v, height, width)
    rows, columns = int(row[36]), int(row[37])
    top = min(int(v[0] * height), height - 1) - rows // 2
    left = min(int(v[1] * width), width - 1) - columns // 2
    return max(0, top), max(0, left), min(height, top + rows), min(width, left + columns)


def mix(x: Array, sources: Array, shares: Array, boxes: Array, shifts: Array) -> Array:
    """Rectangles (n, p, 4) of images `sources` (n, p) laid over x (n, h, w, c), of which the shares (n, p) stay."""
    results = np.array(x, np.float64)
    for i in range(len(x)):
        for source, share, (top, left, bottom, right), (down, along) in zip(sources[i], shares[i], boxes[i], shifts[i]):
            other = np.asarray(x[source], np.float64)[top + down : bottom + down, left + along : right + along]
            here = results[i, top:bottom, left:right]
            results[i, top:bottom, left:right] = share * here + (1 - share) * other
    return results

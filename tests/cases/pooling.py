"""Pooling: windows, and the cases of max_pool_* and avg_pool_*."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastcnn import reference as ref
from fastcnn.shapes import check_padding, window_output

from .case import Case, Problem, apart, floats, integers

Pair = tuple[int, int]


@dataclass(frozen=True)
class Pool:
    """Pooling of `shape` (n, h, w, c) images, as the user writes it."""

    name: str
    shape: tuple[int, int, int, int]
    size: Pair = (2, 2)
    strides: Pair = (2, 2)
    padding: Any = "valid"
    large: bool = False
    apart: int = 0  # floats between the pixels of the result

    @property
    def how(self) -> dict[str, Any]:
        """The arguments of the reference."""
        return {"pool_size": self.size, "strides": self.strides, "padding": self.padding}

    @property
    def numbers(self) -> dict[str, int]:
        """The kernels' integer arguments."""
        n, h, w, c = self.shape
        padding = check_padding(self.padding)
        (oh, ow), ((top, _), (left, _)) = window_output((h, w), self.size, self.strides, padding)
        values = (n, h, w, c, oh, ow, *self.size, *self.strides, top, left)
        return dict(zip(("n", "h", "w", "c", "oh", "ow", "ph", "pw", "sh", "sw", "pt", "pl"), values))

    @property
    def out(self) -> tuple[int, int, int, int]:
        numbers = self.numbers
        return self.shape[0], numbers["oh"], numbers["ow"], self.shape[3]


#: Every pooling that the tests run.
POOLS = [
    Pool("one_pixel", (1, 1, 1, 1), (1, 1), (1, 1)),
    Pool("classic_1", (2, 26, 26, 32)),
    Pool("classic_2", (2, 11, 11, 64)),
    *(
        Pool(f"channels_{c}", (1, 4, 6, c))
        for c in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 130)
    ),
    Pool("resnet_stem", (1, 12, 11, 20), (3, 3), (2, 2), 1),
    Pool("overlapping", (2, 7, 6, 5), (3, 3), (1, 1), "same"),
    Pool("same_even_window", (1, 5, 5, 6), (2, 2), (1, 1), "same"),
    Pool("same_strided", (1, 7, 9, 4), (3, 2), (2, 3), "same"),
    Pool("leaves_some", (1, 8, 9, 3), (3, 3), (3, 3)),
    Pool("gaps", (1, 9, 10, 4), (2, 2), (4, 5)),
    Pool("rows", (1, 8, 3, 5), (4, 1), (2, 1)),
    Pool("columns", (1, 3, 9, 5), (1, 4), (1, 3)),
    Pool("asymmetric", (1, 5, 6, 4), (3, 3), (2, 2), ((0, 2), (2, 1))),
    Pool("window_of_image", (3, 7, 6, 18), (7, 6), (7, 6)),
    Pool("window_over_image", (1, 3, 2, 7), (5, 5), (1, 1), "same"),
    Pool("window_in_padding", (1, 3, 2, 6), (2, 2), (1, 1), 2),
    Pool("window_in_padding_corner", (2, 2, 3, 5), (2, 3), (3, 2), ((0, 5), (4, 0))),
    *(Pool(f"shared_{c}", (2, 9, 10, c), (5, 5), (1, 1), "same") for c in (8, 16, 23, 64, 70, 130)),
    Pool("shared_strided", (1, 17, 21, 40), (9, 8), (2, 3), ((3, 4), (2, 7))),
    Pool("shared_apart", (1, 9, 8, 70), (5, 7), (1, 1), "same", apart=3),
    Pool("shared_bands", (1, 90, 6, 17), (5, 5), (1, 1), 2),
    Pool("shared_wide", (1, 6, 300, 130), (6, 13), (1, 1), "same", large=True),
    Pool("few_channels", (3, 50, 61, 3)),
    Pool("few_channels_bands", (2, 400, 160, 3)),
    Pool("few_channels_overlapping", (2, 33, 35, 3), (3, 3), (2, 2), 1),
    Pool("few_channels_gaps", (2, 33, 35, 2), (2, 1), (3, 4), ((1, 0), (0, 2))),
    Pool("window_of_256", (1, 17, 18, 3), (16, 16), (1, 1)),
    Pool("window_of_257", (1, 3, 260, 3), (1, 257), (1, 1)),
    Pool("window_of_image_wide", (2, 17, 16, 275), (17, 16), (1, 1)),
    Pool("window_of_72_wide", (1, 8, 10, 1000), (8, 9), (1, 1)),
    *(Pool(f"apart_{gap}", (2, 7, 6, 19), (3, 3), (1, 1), "same", apart=gap) for gap in (1, 16)),
    Pool("apart_windows_of_image", (2, 9, 8, 40), (9, 8), apart=8),
    Pool("apart_batch_0", (0, 4, 4, 3), apart=2),
    Pool("batch_0", (0, 4, 4, 3)),
    Pool("large", (4, 40, 40, 32), large=True),
    Pool("large_overlapping", (4, 30, 30, 33), (3, 3), (2, 2), "same", large=True),
]


def _max_forward(p: Pool, rng: np.random.Generator, indices: tuple[str, ...]) -> Problem:
    """Whole numbers, so that many windows have their maximum twice. Exact: nothing is rounded."""
    x = integers(rng, *p.shape)
    dtypes = {"index8": np.uint8, "index32": np.int32}
    expected: dict[str, Any] = {"y": ref.max_pool2d(x, **p.how)}
    expected |= {name: ref.max_pool2d_index(x, **p.how).astype(dtypes[name]) for name in indices}
    expected["y"] = apart(expected["y"], p.apart)
    return Problem().add("max_pool_forward", {"x": x}, expected, **p.numbers, y_step=p.shape[3] + p.apart).exactly()


def _max_backward(p: Pool, rng: np.random.Generator, index: str) -> Problem:
    x, dy = integers(rng, *p.shape), floats(rng, *p.out)
    places = ref.max_pool2d_index(x, **p.how).astype(np.uint8 if index == "index8" else np.int32)
    dx = ref.max_pool2d_backward(dy, x, **p.how)
    return Problem().add("max_pool_backward", {"dy": dy, index: places}, {"dx": dx}, **p.numbers)


def _avg_forward(p: Pool, rng: np.random.Generator, include: bool) -> Problem:
    x = floats(rng, *p.shape)
    y = apart(ref.avg_pool2d(x, count_include_pad=include, **p.how), p.apart)
    numbers = {**p.numbers, "y_step": p.shape[3] + p.apart}
    return Problem().add("avg_pool_forward", {"x": x}, {"y": y}, **numbers, include_pad=int(include))


def _avg_backward(p: Pool, rng: np.random.Generator, include: bool) -> Problem:
    dy = floats(rng, *p.out)
    dx = ref.avg_pool2d_backward(dy, np.zeros(p.shape), count_include_pad=include, **p.how)
    return Problem().add("avg_pool_backward", {"dy": dy}, {"dx": dx}, **p.numbers, include_pad=int(include))


def cases_of(p: Pool) -> Iterator[Case]:
    fits = p.size[0] * p.size[1] <= 256  # one byte holds the index
    choices: list[tuple[str, ...]] = [(), ("index32",), *([("index8",), ("index8", "index32")] if fits else [])]
    for indices in choices:
        name = f"max_pool_forward/{p.name}/{'+'.join(indices) or 'no_index'}"
        yield Case(name, ("max_pool_forward",), lambda rng, i=indices: _max_forward(p, rng, i), p.large)
    for index in ("index8", "index32") if fits else ("index32",):
        name = f"max_pool_backward/{p.name}/{index}"
        yield Case(name, ("max_pool_backward",), lambda rng, i=index: _max_backward(p, rng, i), p.large)
    for include in (False, True):
        for kernel, make in (("avg_pool_forward", _avg_forward), ("avg_pool_backward", _avg_backward)):
            name = f"{kernel}/{p.name}{'/include_pad' * include}"
            yield Case(name, (kernel,), lambda rng, f=make, i=include: f(p, rng, i), p.large)


def problems(p: Pool) -> list[Problem]:
    """Forward and backward, of both kinds, with each choice of index and divisor."""
    return [case.problem for case in cases_of(p)]


def cases() -> Iterator[Case]:
    for p in POOLS:
        yield from cases_of(p)

"""Convolutions as the user writes them: the shapes that the cases of their kernels are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastcnn._ops.kinds import FUSED
from fastcnn.shapes import check_padding, window_output

from .case import floats, generator, integers

Pair = tuple[int, int]


@dataclass(frozen=True)
class Conv:
    """A convolution of `shape` (n, h, w, c) images to k channels, as the user writes it.

    `parts` is the number of partial sums in the gradient of the weights. With `residual`, something is added before
    the activation, and the gradient with respect to x is added to another and goes back through the same activation,
    as whose result x then counts. With `pool`, the result is max-pooled by windows of 2x2. With `apart`, so many floats
    lie between the pixels of the result.
    """

    name: str
    shape: tuple[int, int, int, int]
    k: int
    kernel: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Any = "valid"
    dilation: Pair = (1, 1)
    groups: int = 1
    act: str = "linear"
    bias: bool = True
    parts: int = 3
    large: bool = False
    residual: bool = False
    pool: bool = False
    apart: int = 0

    @property
    def late(self) -> bool:
        """Whether the activation is one through which no kernel of a gradient goes back."""
        return self.act not in FUSED

    @property
    def c(self) -> int:
        return self.shape[3]

    @property
    def how(self) -> dict[str, Any]:
        """The arguments of the reference."""
        return {"strides": self.strides, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    def _window(self) -> tuple[Pair, tuple[Pair, Pair]]:
        padding = check_padding(self.padding)
        return window_output(self.shape[1:3], self.kernel, self.strides, padding, self.dilation)

    @property
    def corner(self) -> Pair:
        """Rows of padding above and columns on the left."""
        _, ((top, _), (left, _)) = self._window()
        return top, left

    @property
    def out(self) -> tuple[int, int, int, int]:
        (oh, ow), _ = self._window()
        return self.shape[0], oh, ow, self.k

    @property
    def weights(self) -> tuple[int, int, int, int]:
        return *self.kernel, self.c // self.groups, self.k

    @property
    def numbers(self) -> dict[str, int]:
        """The kernels' integer arguments."""
        n, h, w, c = self.shape
        values = (n, h, w, c, *self.out[1:], *self.kernel, *self.strides, *self.dilation, *self.corner, self.groups)
        names = ("n", "h", "w", "c", "oh", "ow", "k", "kh", "kw", "sh", "sw", "dh", "dw", "pt", "pl", "groups")
        return dict(zip(names, values))

    def arrays(self, exact: bool = False) -> dict[str, np.ndarray]:
        """x, w, b and dy, so scaled that results are near 1 in size, as they are in a trained network.

        Rounding grows with the terms that are added up, so a fixed tolerance near 0 asks for such terms. With
        `exact`, whole numbers instead, whose sums are exact in any order.
        """
        rng = generator(self.name + "exact" * exact)
        if exact:
            shapes = {"x": self.shape, "w": self.weights, "b": (self.k,), "dy": self.out}
            return {name: integers(rng, *shape) for name, shape in shapes.items()}
        terms = max(1, int(np.prod(self.weights[:3])))
        pixels = max(1, int(np.prod(self.out[:3])))
        return {
            "x": floats(rng, *self.shape),
            "w": floats(rng, *self.weights, scale=terms**-0.5),
            "b": floats(rng, self.k),
            "dy": floats(rng, *self.out, scale=pixels**-0.5),
        }


def _tails(depthwise: bool) -> Iterator[Conv]:
    """Channel counts around the widths of vectors and register tiles."""
    if depthwise:
        for c in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 130):
            yield Conv(f"channels_{c}", (1, 5, 6, c), c, groups=c, padding="same", act="relu6" if c % 2 else "linear")
        # The unrolled kernels' tiles: widths around them, and channels that leave a part of a vector.
        for kernel, stride in ((3, 1), (3, 2), (5, 1), (5, 2)):
            for w in (4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 16, 19, 28, 29):
                name, act = f"unrolled_{kernel}_{stride}_{w}", ("relu", "leaky_relu", "linear")[w % 3]
                h, c = w // 2, 16 + w % 3 * 9
                yield Conv(name, (2, h, w, c), c, (kernel, kernel), (stride, stride), "same", groups=c, act=act)
        return
    for k in (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 127, 128, 130):
        yield Conv(f"filters_{k}", (1, 4, 6, 3), k, act="relu" if k % 2 else "linear", bias=k % 3 > 0)
    for c in (1, 2, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130):
        yield Conv(f"channels_{c}", (1, 5, 4, c), 6, act="leaky_relu" if c % 2 else "relu6")
    for w in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 23, 25):
        yield Conv(f"width_{w}", (2, 3, w, 5), 18, padding="same")


#: Every convolution that the tests run. Names are shown by pytest and by the C program.
CONVOLUTIONS = [
    Conv("one_pixel", (1, 1, 1, 1), 1, (1, 1), parts=4),
    Conv("one_pixel_same", (1, 1, 1, 5), 7, padding="same"),
    Conv("classic_1", (2, 28, 28, 1), 32, act="relu"),
    Conv("classic_2", (2, 13, 13, 32), 64, act="relu"),
    Conv("classic_3", (3, 5, 5, 64), 64, act="relu", parts=1),
    Conv("dense_head", (5, 1, 1, 70), 10, (1, 1), parts=8),
    Conv("odd", (2, 9, 7, 5), 11, act="leaky_relu"),
    *_tails(depthwise=False),
    Conv("pointwise", (2, 6, 7, 24), 40, (1, 1), bias=False),
    Conv("pointwise_wide", (1, 3, 3, 65), 129, (1, 1)),
    # Too large for the caches: what comes next is fetched, and whole cache lines of the result go past them.
    Conv("pointwise_fetched", (1, 181, 190, 9), 33, (1, 1), act="leaky_relu", residual=True, large=True),
    Conv("pointwise_past_cache", (1, 297, 295, 3), 48, (1, 1), act="relu", residual=True, large=True),
    Conv("pointwise_strided", (1, 7, 6, 16), 17, (1, 1), (2, 2)),
    Conv("pointwise_padded", (1, 3, 4, 6), 5, (1, 1), padding=2),
    Conv("stem_7x7", (1, 21, 19, 3), 20, (7, 7), (2, 2), 3, act="relu"),
    Conv("stem_same_even", (1, 16, 18, 3), 16, (3, 3), (2, 2), "same"),
    Conv("stride_2_even", (1, 8, 8, 6), 9, (3, 3), (2, 2), "same"),
    Conv("stride_2_odd", (1, 9, 9, 6), 9, (3, 3), (2, 2), "same"),
    Conv("stride_3_leaves_some", (1, 11, 10, 4), 8, (3, 3), (3, 3)),
    Conv("stride_rows", (2, 9, 5, 4), 8, (3, 3), (2, 1), "same"),
    Conv("stride_columns", (2, 5, 9, 4), 8, (3, 3), (1, 3), "same"),
    Conv("stride_over_kernel", (1, 9, 10, 3), 5, (2, 2), (4, 5)),
    Conv("stride_over_image", (1, 3, 3, 3), 5, (2, 2), (7, 7)),
    Conv("dilation_2", (1, 9, 8, 4), 7, dilation=(2, 2)),
    Conv("dilation_uneven", (1, 10, 6, 4), 17, dilation=(3, 2), padding="same"),
    Conv("dilation_strided", (1, 11, 12, 5), 6, (3, 2), (2, 3), "same", (2, 3)),
    Conv("dilation_over_image", (1, 4, 4, 3), 4, padding=8, dilation=(7, 7)),
    Conv("kernel_1x5", (1, 4, 9, 6), 10, (1, 5)),
    Conv("kernel_5x1", (1, 9, 4, 6), 10, (5, 1), padding="same"),
    Conv("kernel_2x2_same", (1, 5, 5, 4), 8, (2, 2), padding="same"),
    Conv("kernel_4x4_same", (1, 6, 7, 4), 8, (4, 4), padding="same"),
    Conv("kernel_5x5", (1, 8, 8, 16), 32, (5, 5), padding="same", act="relu"),
    Conv("kernel_11x11", (1, 13, 12, 3), 16, (11, 11), (2, 2), 2),
    Conv("kernel_of_image", (2, 6, 5, 7), 12, (6, 5)),
    Conv("asymmetric", (1, 5, 6, 4), 9, padding=((0, 2), (3, 1))),
    Conv("asymmetric_strided", (1, 6, 5, 4), 9, (3, 3), (2, 2), ((1, 0), (0, 2))),
    Conv("padding_over_kernel", (1, 3, 2, 4), 6, padding=((4, 5), (3, 4))),
    Conv("window_over_image", (1, 3, 3, 4), 6, (5, 5), padding="same"),
    Conv("window_over_image_7", (1, 2, 2, 3), 8, (7, 7), padding=3),
    # Few channels in, whose gradient takes some columns as one.
    Conv("few_1", (2, 5, 28, 1), 18, padding="same", act="relu", residual=True),
    Conv("few_2_tall", (1, 9, 12, 2), 70, (3, 3), (2, 1), dilation=(2, 1)),
    Conv("few_3_3x3", (2, 6, 20, 3), 33, padding="same", act="leaky_relu", residual=True),
    Conv("few_3_4x4", (1, 8, 12, 3), 21, (4, 4), (2, 2), 1, act="relu6"),
    Conv("few_3_7x7", (2, 9, 16, 3), 40, (7, 7), (2, 2), 3, act="relu", residual=True),
    Conv("few_3_11x11", (1, 19, 24, 3), 10, (11, 11), (4, 4), 2),
    Conv("few_3_patches", (2, 17, 32, 3), 35, (16, 16), (16, 16)),
    Conv("few_3_over_kernel", (1, 9, 12, 3), 5, (2, 2), (4, 4)),
    Conv("few_3_padding_over_kernel", (1, 3, 4, 3), 6, padding=((4, 5), (3, 4))),
    Conv("few_3_columns_nobody_reads", (1, 5, 16, 3), 6, (2, 2), (2, 4)),
    Conv("few_8", (1, 5, 8, 8), 9, (5, 5), padding="same"),
    Conv("groups_2", (2, 6, 5, 8), 12, groups=2, padding="same"),
    Conv("groups_odd", (1, 5, 5, 15), 21, groups=3, act="relu"),
    Conv("groups_wide", (1, 4, 4, 6), 130, groups=2),
    Conv("groups_narrow", (1, 4, 4, 34), 4, groups=2, padding="same"),
    Conv("groups_pointwise", (1, 4, 5, 12), 24, (1, 1), groups=4),
    Conv("groups_strided", (1, 9, 7, 8), 8, (3, 3), (2, 2), "same", groups=4),
    # Groups that lie side by side in one vector, of 8 lanes or of 16.
    Conv("groups_of_2", (2, 9, 7, 32), 32, (3, 3), (2, 1), "same", groups=16, act="leaky_relu"),
    Conv("groups_of_4", (2, 7, 9, 32), 32, padding="same", dilation=(2, 1), groups=8, act="relu", residual=True),
    Conv("groups_of_4_strided", (1, 9, 9, 16), 16, (3, 3), (2, 2), "same", groups=4, bias=False),
    Conv("groups_of_4_pooled", (1, 9, 8, 32), 32, padding="same", groups=8, act="relu6", pool=True),
    Conv("groups_of_8", (3, 7, 6, 48), 48, (5, 3), padding="same", groups=6, parts=1),
    Conv("groups_of_8_pointwise", (1, 4, 5, 16), 16, (1, 1), groups=2),
    Conv("groups_of_one", (1, 5, 5, 6), 12, groups=6, padding="same"),
    Conv("batch_0", (0, 5, 5, 3), 4),
    Conv("batch_7", (7, 4, 4, 3), 4, parts=2),
    Conv("row", (1, 1, 40, 3), 6, (1, 3), padding="same"),
    Conv("column", (1, 40, 1, 3), 6, (3, 1), padding="same"),
    Conv("more_parts_than_pixels", (1, 3, 3, 4), 5, parts=7),
    # Where a kernel cuts its work once more: rows longer than a block, channels deeper than a panel.
    Conv("long_rows", (1, 2, 61, 16), 256, padding="same", act="relu"),
    Conv("deep", (1, 3, 3, 400), 20, padding="same"),
    # Small maps with many channels, tap by tap: of several images, with and without stride, more than a panel deep.
    Conv("taps", (3, 7, 7, 200), 200, padding="same", act="relu"),
    Conv("taps_strided", (1, 8, 7, 193), 33, (3, 3), (2, 2), "same", act="leaky_relu"),
    Conv("taps_outside", (1, 2, 3, 192), 6, padding=((4, 5), (3, 4))),
    Conv("taps_dilated", (1, 5, 6, 200), 18, padding="same", dilation=(2, 3), act="relu6"),
    Conv("taps_of_groups", (1, 5, 5, 400), 40, padding="same", groups=2, bias=False),
    Conv("taps_in_pieces", (1, 3, 2, 1100), 9, padding="same"),
    Conv("deep_pointwise", (1, 2, 3, 900), 33, (1, 1)),
    Conv("many_filters", (1, 2, 3, 33), 900, (1, 1)),
    Conv("large", (4, 22, 22, 40), 64, padding="same", act="relu", parts=8, large=True),
    Conv("large_pointwise", (4, 24, 24, 64), 96, (1, 1), parts=8, large=True),
    Conv("large_strided", (4, 33, 33, 16), 48, (3, 3), (2, 2), "same", parts=8, large=True),
]

DEPTHWISE = [
    *_tails(depthwise=True),
    Conv("one_pixel", (1, 1, 1, 1), 1, (1, 1), parts=4),
    Conv("valid", (2, 7, 6, 12), 12, groups=12, act="relu"),
    Conv("multiplier_2", (1, 6, 5, 9), 18, groups=9, padding="same", act="leaky_relu"),
    Conv("multiplier_3", (2, 5, 5, 16), 48, groups=16, bias=False),
    Conv("multiplier_strided", (1, 7, 7, 5), 35, (3, 3), (2, 2), "same", groups=5),
    Conv("stride_2_even", (1, 8, 10, 24), 24, (3, 3), (2, 2), "same", groups=24),
    Conv("stride_2_odd", (1, 9, 11, 20), 20, (3, 3), (2, 2), "same", groups=20, parts=1),
    Conv("stride_over_kernel", (1, 9, 9, 6), 6, (2, 2), (3, 4), groups=6),
    Conv("dilation", (1, 9, 9, 10), 10, padding="same", dilation=(2, 3), groups=10),
    Conv("kernel_5x5", (1, 8, 7, 33), 33, (5, 5), padding="same", groups=33),
    Conv("kernel_7x7_strided", (1, 11, 12, 8), 8, (7, 7), (2, 2), 3, groups=8),
    Conv("kernel_1x3", (1, 3, 9, 17), 17, (1, 3), groups=17),
    # Rows of several register tiles, the last of them moved to the left; bands of rows.
    Conv("kernel_7x7_wide", (2, 5, 31, 19), 19, (7, 7), padding="same", groups=19, act="leaky_relu"),
    Conv("kernel_13x13_bands", (1, 40, 33, 17), 17, (13, 13), padding="same", groups=17, act="relu6"),
    Conv("multiplier_2_bands", (1, 70, 29, 11), 22, padding="same", groups=11),
    Conv("dilation_wide", (1, 9, 30, 18), 18, padding="same", dilation=(1, 2), groups=18),
    # By phases: of unequal sizes, rows that some phases lack, borders that are no multiple of the dilation.
    Conv("phases_2", (2, 11, 13, 37), 37, padding="same", dilation=(2, 2), groups=37, act="leaky_relu"),
    Conv("phases_3_few_rows", (3, 2, 14, 18), 18, padding=3, dilation=(3, 3), groups=18, act="relu6"),
    Conv("phases_uneven", (2, 9, 12, 20), 20, padding=((1, 3), (5, 2)), dilation=(2, 2), groups=20),
    Conv("phases_5x5", (1, 15, 19, 33), 33, (5, 5), padding="same", dilation=(3, 3), groups=33, act="silu"),
    Conv("phases_valid", (2, 13, 17, 16), 16, dilation=(4, 4), groups=16),
    Conv("phases_padding_over_kernel", (1, 3, 4, 20), 20, padding=((7, 5), (6, 9)), dilation=(2, 2), groups=20),
    Conv("phases_apart", (2, 9, 11, 32), 32, padding="same", dilation=(2, 2), groups=32, act="hard_silu", apart=16),
    Conv("multiplier_2_blocks", (1, 6, 7, 75), 150, padding="same", groups=75),
    Conv("multiplier_20", (2, 5, 6, 3), 60, padding="same", groups=3),
    Conv("asymmetric", (1, 5, 6, 7), 7, padding=((0, 2), (3, 1)), groups=7),
    Conv("padding_over_kernel", (1, 2, 3, 6), 6, padding=4, groups=6),
    Conv("window_over_image", (1, 2, 3, 18), 18, (5, 5), padding="same", groups=18),
    Conv("padding_over_kernel_wide", (1, 3, 4, 20), 20, padding=((4, 5), (3, 4)), groups=20),
    Conv("padding_over_kernel_strided", (1, 5, 4, 20), 20, (3, 3), (2, 2), ((4, 5), (3, 4)), groups=20),
    Conv("padding_of_some", (2, 8, 9, 17), 17, (5, 5), (2, 2), ((1, 0), (0, 3)), groups=17),
    Conv("valid_wide", (2, 9, 11, 21), 21, groups=21, act="relu6"),
    Conv("valid_strided", (1, 10, 12, 36), 36, (5, 5), (2, 2), groups=36),
    Conv("blocks", (1, 3, 7, 150), 150, padding="same", groups=150, act="relu"),
    Conv("blocks_5x5_strided", (1, 7, 7, 210), 210, (5, 5), (2, 2), "same", groups=210),
    *(
        Conv(f"late_{act}_{k}x{k}_{s}", (2, 9, 11, 37), 37, (k, k), (s, s), "same", groups=37, act=act)
        for act, k, s in (("hard_silu", 3, 1), ("silu", 3, 2), ("hard_silu", 5, 1), ("clip", 5, 2), ("silu", 4, 3))
    ),
    *(
        Conv(f"apart_{k}x{k}_{s}", (2, 9, 11, 32), 32, (k, k), (s, s), "same", groups=32, act="relu", apart=gap)
        for k, s, gap in ((3, 1, 16), (3, 2, 1), (5, 1, 32), (5, 2, 3), (2, 1, 5), (7, 2, 16))
    ),
    Conv("apart_late", (1, 9, 11, 40), 40, padding="same", groups=40, act="hard_silu", apart=8),
    Conv("apart_multiplier", (1, 5, 6, 10), 30, groups=10, act="silu", apart=4),
    Conv("batch_0", (0, 5, 5, 8), 8, groups=8),
    Conv("batch_0_wide", (0, 5, 5, 32), 32, groups=32),
    Conv("more_parts_than_pixels", (1, 3, 3, 4), 4, groups=4, parts=7),
    Conv("large", (4, 28, 28, 64), 64, padding="same", groups=64, act="relu6", parts=8, large=True),
    Conv("large_multiplier", (2, 28, 28, 40), 80, padding="same", groups=40, parts=8, large=True),
]

#: Of Winograd convolution: 3x3, stride 1. Maps around the sizes of one and several squares of output.
WINOGRAD = [
    Conv("one_pixel", (1, 1, 1, 1), 1, padding="same"),
    Conv("one_window", (2, 3, 3, 40), 40, act="relu"),
    *(Conv(f"map_{h}x{w}", (2, h, w, 16), 32, padding="same") for h, w in ((2, 9), (3, 3), (4, 4), (5, 6), (7, 8))),
    *(Conv(f"filters_{k}", (1, 6, 6, 5), k, act="relu6") for k in (1, 7, 16, 31, 33, 64, 65, 96, 130)),
    *(Conv(f"channels_{c}", (1, 7, 6, c), 9, act="leaky_relu", bias=c % 2 > 0) for c in (2, 15, 16, 17, 48, 130)),
    Conv("classic_2", (2, 13, 13, 32), 64, act="relu"),
    Conv("classic_3", (3, 5, 5, 64), 64, act="relu", parts=1),
    Conv("full", (1, 4, 5, 8), 12, padding=2),
    Conv("asymmetric", (2, 6, 5, 16), 16, padding=((0, 2), (1, 0)), act="relu"),
    Conv("padding_over_kernel", (1, 3, 6, 4), 6, padding=((4, 5), (3, 4))),
    Conv("many_squares", (9, 14, 13, 8), 40, padding="same", parts=2),
    # Gradients of weights: more squares than a block, spans of channels, several of them in one tile.
    Conv("blocks", (20, 14, 13, 8), 40, padding="same", parts=2),
    Conv("blocks_of_spans", (11, 14, 13, 70), 70, padding="same", parts=1, large=True),
    Conv("spans_together", (6, 10, 9, 6), 300, padding="same", parts=16),
    Conv("blocks_of_spans_together", (40, 16, 16, 17), 130, padding="same", parts=8, large=True),
    Conv("deep", (1, 5, 9, 700), 40, padding="same"),
    # Where the packed weights fill all the room that there is.
    Conv("packed_full", (1, 6, 6, 19), 64, padding="same"),
    Conv("packed_full_wide", (1, 5, 6, 35), 128, padding="same"),
    Conv("packed_full_back", (1, 5, 6, 64), 19, padding="same"),
    # As many channels out as in, and enough squares for blocks of constant size; borders on all sides.
    *(Conv(f"narrow_{c}", (9, 13, 15, c), c, padding="same", act="relu") for c in (16, 32)),
    *(Conv(f"narrow_{c}_valid", (20, 9, 10, c), c, bias=False) for c in (16, 32)),
    *(Conv(f"narrow_{c}_full", (60, 3, 2, c), c, padding=2, act="relu6") for c in (16, 32)),
    Conv("narrow_padding_over_kernel", (25, 3, 1, 16), 16, padding=((4, 5), (3, 4))),
    Conv("batch_0", (0, 5, 5, 32), 32),
    Conv("large", (4, 22, 22, 40), 70, padding="same", act="relu", parts=8, large=True),
]


#: Of Winograd convolution too: larger kernels, taken as parts of 3x3, and groups.
WINOGRAD_PARTS = [
    *(
        Conv(f"kernel_{h}x{w}", (2, 9, 11, 6), 20, kernel=(h, w), padding="same", act="relu")
        for h, w in ((4, 4), (5, 5), (1, 7), (7, 1), (3, 6), (2, 2), (1, 1), (9, 9))
    ),
    Conv("channels_17_parts_4", (1, 7, 8, 17), 40, kernel=(5, 5), padding="same", act="relu6"),
    Conv("channels_48_parts_4", (2, 13, 12, 48), 64, kernel=(5, 5), padding="same", bias=False, parts=2),
    Conv("larger_than_image", (2, 3, 2, 5), 18, kernel=(7, 8), padding="same"),
    Conv("wide_padding", (1, 4, 3, 16), 18, kernel=(5, 4), padding=((6, 2), (4, 7)), act="relu6"),
    Conv("many_parts", (3, 14, 13, 8), 40, kernel=(11, 11), padding="same", parts=2),
    Conv("parts_and_spans", (2, 10, 9, 70), 130, kernel=(5, 5), padding="same", parts=1, large=True),
    Conv("parts_residual", (2, 10, 9, 20), 37, kernel=(5, 5), padding="same", act="relu", residual=True),
    Conv("parts_pool", (2, 10, 12, 16), 40, kernel=(5, 5), padding="same", act="relu", pool=True),
    Conv("parts_apart", (2, 9, 11, 16), 40, kernel=(5, 5), padding="same", act="relu", apart=24),
    Conv("parts_batch_0", (0, 9, 9, 16), 16, kernel=(5, 5)),
    Conv("groups_2", (2, 9, 11, 20), 40, groups=2, padding="same", act="relu"),
    Conv("groups_of_1", (2, 7, 6, 5), 5, groups=5, padding="same"),
    Conv("groups_uneven", (3, 7, 9, 51), 21, groups=3, padding="same", act="leaky_relu", parts=2),
    *(Conv(f"groups_of_{c}", (8, 14, 13, 4 * c), 4 * c, groups=4, padding="same", parts=2) for c in (16, 32)),
    *(Conv(f"groups_at_once_{c}", (26, 5, 6, 8 * c), 8 * c, groups=8, padding=((3, 4), (2, 3))) for c in (16, 32)),
    Conv("groups_valid", (20, 9, 10, 32), 32, groups=2, bias=False),
    Conv("groups_full", (40, 3, 2, 32), 32, groups=2, padding=2, act="relu6"),
    Conv("groups_of_spans", (3, 10, 9, 140), 260, groups=2, padding="same", large=True),
    Conv("groups_residual", (2, 10, 9, 40), 74, groups=2, padding="same", act="relu", residual=True),
    Conv("groups_residual_16", (12, 12, 9, 64), 64, groups=4, padding="same", act="relu", residual=True),
    Conv("groups_pool", (2, 10, 12, 32), 80, groups=2, padding="same", act="relu", pool=True),
    Conv("groups_apart", (12, 11, 12, 32), 32, groups=2, padding="same", act="relu", apart=16),
    Conv("groups_late", (2, 6, 9, 40), 74, groups=2, padding="same", act="silu", residual=True),
    Conv("groups_and_parts", (2, 9, 11, 20), 40, kernel=(5, 4), groups=2, padding="same", act="relu"),
]


#: What a convolution does to its result: on register tiles' rims and in their middle, on borders, between blocks.
EPILOGUES = [
    *(
        Conv(f"{more}_{act}", (2, 6, 9, 20), 37, padding="same", act=act, **{more: True})
        for more in ("residual", "pool")
        for act in ("linear", "relu", "leaky_relu", "relu6")
    ),
    *(
        Conv(f"{more}_whole_tiles", (2, 10, 12, 16), 64, padding="same", act="relu", **{more: True})
        for more in ("residual", "pool")
    ),
    *(
        Conv(f"late_{act}{'_residual' * added}", (2, 6, 9, 20), 37, padding="same", act=act, residual=added)
        for act in ("hard_silu", "silu", "hard_sigmoid", "elu", "gelu")
        for added in (False, True)
    ),
    Conv("late_narrow_16", (7, 14, 15, 16), 16, padding="same", act="hard_silu"),
    *(Conv(f"apart_{gap}", (2, 6, 9, 20), 37, padding="same", act="relu", apart=gap) for gap in (1, 27)),
    Conv("apart_narrow_32", (7, 14, 15, 32), 32, padding="same", apart=16),
    Conv("apart_late", (2, 7, 6, 16), 40, act="silu", apart=5),
    Conv("apart_pool", (2, 9, 12, 16), 40, padding="same", act="relu", pool=True, apart=8),
    Conv("apart_batch_0", (0, 5, 5, 16), 16, apart=3),
    *(Conv(f"residual_narrow_{c}", (7, 14, 15, c), c, padding="same", act="relu", residual=True) for c in (16, 32)),
    Conv("residual_deep", (1, 5, 4, 400), 33, act="relu", residual=True),
    Conv("residual_batch_0", (0, 5, 5, 16), 16, act="relu", residual=True),
    Conv("pool_classic_1", (3, 28, 28, 1), 32, act="relu", pool=True),
    Conv("pool_classic_2", (3, 13, 13, 32), 64, act="relu", pool=True),
    Conv("pool_nothing", (2, 3, 6, 16), 16, pool=True),
    Conv("pool_one", (1, 4, 4, 3), 5, pool=True, bias=False),
    Conv("pool_odd", (3, 9, 7, 17), 18, padding="same", pool=True),
    Conv("pool_wide", (1, 5, 150, 2), 70, padding="same", pool=True),
    Conv("pool_batch_0", (0, 8, 8, 16), 16, pool=True),
    Conv("pool_large", (4, 24, 22, 40), 70, padding="same", act="relu", pool=True, large=True),
]
#: Of them, what only the direct kernels compute.
STRIDED_EPILOGUES = [
    Conv("residual_pointwise", (2, 6, 7, 24), 40, (1, 1), act="relu", residual=True),
    Conv("late_pointwise", (2, 6, 7, 24), 40, (1, 1), act="hard_silu"),
    Conv("late_pointwise_residual", (2, 6, 7, 24), 70, (1, 1), act="silu", residual=True),
    Conv("late_taps", (1, 6, 7, 210), 195, padding="same", act="hard_silu", residual=True),
    Conv("late_groups", (1, 5, 5, 15), 21, groups=3, act="tanh"),
    Conv("apart_pointwise", (2, 6, 7, 24), 40, (1, 1), apart=24),
    Conv("apart_taps", (1, 6, 7, 210), 195, padding="same", act="relu", apart=2),
    Conv("apart_strided", (1, 9, 8, 6), 9, (3, 3), (2, 2), "same", act="hard_silu", apart=7),
    Conv("apart_groups_of_4", (1, 9, 8, 32), 32, padding="same", groups=8, apart=16),
    Conv("residual_1024_terms", (1, 5, 5, 1024), 70, (1, 1), act="relu", residual=True),
    Conv("residual_strided", (1, 9, 8, 6), 9, (3, 3), (2, 2), "same", act="relu6", residual=True),
    Conv("residual_groups", (1, 5, 5, 15), 21, groups=3, act="leaky_relu", residual=True),
    *(Conv(f"residual_taps_{a}", (1, 6, 7, 210), 195, padding="same", act=a, residual=True) for a in ("relu", "relu6")),
    Conv("pool_pointwise", (2, 6, 7, 24), 40, (1, 1), pool=True),
    Conv("pool_stem", (1, 21, 19, 3), 20, (7, 7), (2, 2), 3, act="relu", pool=True),
    Conv("pool_groups", (2, 7, 6, 12), 42, groups=3, padding="same", pool=True),
]

#: For the gradient of the weights from pooled results: borders, and more windows in a part than are added up at once.
POOLED = [
    *(c for c in EPILOGUES if c.pool),
    *(Conv(f"filters_{k}", (2, 7, 6, 3), k, padding="same") for k in (1, 4, 7, 8, 15, 16, 31, 32, 40, 65)),
    Conv("asymmetric", (2, 6, 7, 3), 33, padding=((0, 2), (3, 1))),
    Conv("padding_over_kernel", (1, 3, 5, 2), 12, padding=((4, 5), (3, 4)), parts=5),
    Conv("many_windows", (3, 40, 42, 2), 20, padding="same", parts=2),
]

#: Of stride 2: one pixel, borders on every side, rests of squares, blocks and channels, sums that are cut, epilogues.
STRIDED_WINOGRAD = [
    Conv("one_pixel", (1, 1, 1, 16), 16, strides=(2, 2), padding="same"),
    Conv("one_square", (1, 9, 9, 16), 32, strides=(2, 2)),
    Conv("same_even", (2, 14, 18, 20), 37, strides=(2, 2), padding="same"),
    Conv("same_odd", (3, 13, 7, 33), 70, strides=(2, 2), padding="same", act="leaky_relu"),
    Conv("padding_around", (2, 12, 10, 17), 16, strides=(2, 2), padding=1, bias=False),
    Conv("wide_padding", (1, 4, 3, 16), 18, strides=(2, 2), padding=((5, 2), (4, 7)), act="relu6"),
    Conv("cut_sums", (1, 7, 9, 300), 24, strides=(2, 2), padding="same", act="relu"),
    Conv("residual", (2, 15, 17, 24), 40, strides=(2, 2), padding="same", act="relu", residual=True),
    Conv("late", (2, 11, 9, 18), 37, strides=(2, 2), padding="same", act="hard_silu"),
    Conv("late_loop", (2, 11, 9, 18), 37, strides=(2, 2), padding="same", act="silu", residual=True),
    Conv("apart", (2, 9, 11, 16), 40, strides=(2, 2), padding="same", act="relu", apart=24),
    Conv("batch_0", (0, 9, 9, 16), 16, strides=(2, 2)),
    Conv("large", (4, 40, 38, 48), 80, strides=(2, 2), padding=1, act="relu", large=True),
]

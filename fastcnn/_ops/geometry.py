"""Sizes of convolutions and pools as the kernels take them: worked out and checked once, for `ops` and the planner.

A geometry holds the integer arguments of csrc/kernels.def (`fields()` gives them by name) and what follows from
them: shapes, FLOPs, and into how many partial sums the weight gradient is split. All of it depends on the shapes
alone, never on the number of threads, so results are the same bits for any of them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from ..shapes import Padding, check_padding, named_padding, pair, transposed_output, whole_number, window_output

#: Bytes of one tensor must stay below this, so that no product inside a kernel leaves 64 bits.
_MAX_BYTES = 2**60

#: Partial sums over rows: at most so many, each of at least so many rows. Eight keep eight cores busy, as the kernel
#: has no other axis to split; 64 rows pay for the later pass that adds the parts up.
_MAX_ROW_PARTS = 8
_ROWS_A_PART = 64


def element_count(shape: Sequence[int], name: str) -> int:
    """The product of `shape`, or an error where such an array can't exist."""
    count = math.prod(shape)
    if count * 4 > _MAX_BYTES:
        raise ValueError(f"{name} of shape {tuple(shape)} would hold {count} elements: more than can be addressed")
    return count


def row_parts(rows: int) -> int:
    """Into how many partial sums a sum over `rows` rows is split (`column_sums`)."""
    return max(1, min(_MAX_ROW_PARTS, rows // _ROWS_A_PART))


#: Parts of batch normalization's sums: at most so many, each of at least so many elements, that is some 10 us of
#: memory traffic, and rows, as a part is written and read once more. More than `column_sums` takes, as the passes are
#: over whole feature maps, and joining is cheap.
_MAX_NORM_PARTS = 32
_ELEMENTS_A_PART = 32768
_ROWS_A_NORM_PART = 32


def norm_parts(rows: int, channels: int) -> int:
    """Into how many parts batch normalization's sums over `rows` rows are split."""
    return max(1, min(_MAX_NORM_PARTS, rows * channels // _ELEMENTS_A_PART, rows // _ROWS_A_NORM_PART))


#: Up to so many elements, and from so many channels on, batch normalization's backward pass goes channel by channel.
_NORM_AT_ONCE = 1 << 17
_LEAST_CHANNELS_AT_ONCE = 64


def norm_at_once(rows: int, channels: int) -> bool:
    """Whether one kernel does all of batch normalization's backward pass: where arrays stay in the cores' caches."""
    return rows * channels <= _NORM_AT_ONCE and channels >= _LEAST_CHANNELS_AT_ONCE


#: Parts of group normalization's sums over images, at most, and images that a part has at least where they are single
#: pixels.
_MAX_GROUP_PARTS, _PIXELS_A_PART = 64, 16


def group_norm_parts(images: int, pixels: int) -> int:
    """Into how many parts group normalization's sums over images of so many pixels are split."""
    return max(1, min(_MAX_GROUP_PARTS, images // (_PIXELS_A_PART if pixels == 1 else 1)))


@dataclasses.dataclass(frozen=True)
class ConvGeometry:
    """A convolution's sizes: x (n, h, w, c), weights (kh, kw, c / groups, k), y (n, oh, ow, k).

    Strides are (sh, sw), dilations (dh, dw), and (pt, pl) rows and columns of zeros lie above and to the left of x;
    what lies below and to the right follows from oh and ow.
    """

    n: int
    h: int
    w: int
    c: int
    oh: int
    ow: int
    k: int
    kh: int
    kw: int
    sh: int = 1
    sw: int = 1
    dh: int = 1
    dw: int = 1
    pt: int = 0
    pl: int = 0
    groups: int = 1

    @classmethod
    def of(
        cls,
        x_shape: Sequence[int],
        w_shape: Sequence[int],
        strides: Any = 1,
        padding: Padding = "valid",
        dilation: Any = 1,
        groups: Any = 1,
        where: str = "conv2d",
    ) -> ConvGeometry:
        """The geometry of a convolution, every argument checked.

        Parameters
        ----------
        x_shape : (n, h, w, c)
            n may be 0.
        w_shape : (kh, kw, c / groups, k)
        where : str
            Who asks (an operation's or a layer's name), for error messages.

        Raises
        ------
        ValueError, TypeError
            A size below 1, channels that don't fit the weights or the groups, a window larger than the padded input,
            an array too large to exist.
        """
        sh, sw = pair(strides, f"{where}: strides")
        dh, dw = pair(dilation, f"{where}: dilation")
        groups = whole_number(groups, f"{where}: groups")
        n, h, w, c = (int(v) for v in x_shape)
        kh, kw, cg, k = (int(v) for v in w_shape)
        if min(h, w, c) < 1:
            raise ValueError(f"{where}: x must be at least 1x1 with 1 channel, received the shape {(n, h, w, c)}")
        if min(kh, kw, cg, k) < 1:
            raise ValueError(f"{where}: the weights' axes must be at least 1, received the shape {(kh, kw, cg, k)}")
        if c % groups or k % groups:
            raise ValueError(f"{where}: groups must divide the channels in ({c}) and out ({k}), received {groups}")
        if cg * groups != c:
            raise ValueError(
                f"{where}: weights of shape {(kh, kw, cg, k)} with groups={groups} take {cg * groups} input channels, "
                f"received x of shape {(n, h, w, c)} with {c}"
            )
        pads = check_padding(padding, f"{where}: padding")
        (oh, ow), (rows, columns) = window_output((h, w), (kh, kw), (sh, sw), pads, (dh, dw), where)
        made = cls(n, h, w, c, oh, ow, k, kh, kw, sh, sw, dh, dw, rows[0], columns[0], groups)
        made._check_sizes(where)
        return made

    @classmethod
    def dense(cls, rows: int, c: int, k: int, where: str = "dense") -> ConvGeometry:
        """Rows (rows, c) times weights (c, k), as a 1x1 convolution over one row of `rows` pixels."""
        if c < 1 or k < 1:
            raise ValueError(f"{where}: the weights' axes must be at least 1, received the shape {(c, k)}")
        made = cls(n=1, h=1, w=rows, c=c, oh=1, ow=rows, k=k, kh=1, kw=1)
        made._check_sizes(where)
        return made

    @classmethod
    def transposed(
        cls,
        x_shape: Sequence[int],
        w_shape: Sequence[int],
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        dilation: Any = 1,
        where: str = "conv2d_transpose",
    ) -> ConvGeometry:
        """The convolution whose gradient with respect to its input is this transposed convolution.

        Its y has `x_shape`, its x the shape of the transposed convolution's result.

        Parameters
        ----------
        x_shape : (n, h, w, c)
        w_shape : (kh, kw, k, c)

        Raises
        ------
        ValueError, TypeError
            As `of`; an `output_padding` that is not smaller than the strides.
        """
        steps, spread = pair(strides, f"{where}: strides"), pair(dilation, f"{where}: dilation")
        extra = None if output_padding is None else pair(output_padding, f"{where}: output_padding", 0)
        padding = named_padding(padding, f"{where}: padding", ("valid", "same"))
        n, h, w, c = (int(v) for v in x_shape)
        kh, kw, k, cw = (int(v) for v in w_shape)
        if min(h, w, c) < 1:
            raise ValueError(f"{where}: x must be at least 1x1 with 1 channel, received the shape {(n, h, w, c)}")
        if min(kh, kw, k) < 1:
            raise ValueError(f"{where}: the weights' axes must be at least 1, received the shape {(kh, kw, k, cw)}")
        if cw != c:
            raise ValueError(
                f"{where}: weights of shape {(kh, kw, k, cw)} take {cw} input channels, received x of shape "
                f"{(n, h, w, c)} with {c}"
            )
        (oh, ow), start = transposed_output((h, w), (kh, kw), steps, padding, extra, spread, where)
        made = cls(n, oh, ow, k, h, w, c, kh, kw, *steps, *spread, *start)
        made._check_sizes(where)
        return made

    def _check_sizes(self, where: str) -> None:
        element_count(self.x_shape, f"{where}: x")
        element_count(self.y_shape, f"{where}: the output")
        element_count((self.packed_size,), f"{where}: the packed weights")
        element_count((self.packed_transposed_size,), f"{where}: the packed weights")
        element_count((self.weight_parts, *self.w_shape), f"{where}: the gradient of the weights")

    def fields(self) -> dict[str, int]:
        """The kernels' integer arguments by name (FC_CONV_INTS)."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        return self.n, self.h, self.w, self.c

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        return self.n, self.oh, self.ow, self.k

    output_shape = y_shape

    @property
    def w_shape(self) -> tuple[int, int, int, int]:
        return self.kh, self.kw, self.c // self.groups, self.k

    @property
    def is_depthwise(self) -> bool:
        """Each input channel is its own group: the depthwise kernels take it.

        Weights (kh, kw, 1, k) lie in memory as those kernels' [kh][kw][c][k / c].
        """
        return self.groups == self.c and self.c > 1

    @property
    def is_pointwise(self) -> bool:
        """A plain matrix product of every pixel's channels: 1x1, stride 1, no padding, one group."""
        one = (self.kh, self.kw, self.sh, self.sw, self.groups) == (1, 1, 1, 1, 1)
        return one and (self.oh, self.ow, self.pt, self.pl) == (self.h, self.w, 0, 0)

    def flat(self) -> ConvGeometry:
        """The geometry to give to a kernel: a pointwise convolution as one matrix product over all pixels.

        Its output, and its weights' gradient, are the same memory; anything else is returned as it is.
        """
        return ConvGeometry.dense(self.n * self.h * self.w, self.c, self.k) if self.is_pointwise else self

    @property
    def flops(self) -> int:
        """Of the forward pass; each of the two gradients costs as much. A multiplication and an addition are two."""
        return 2 * math.prod(self.y_shape) * math.prod(self.w_shape[:3])

    @property
    def packed_size(self) -> int:
        """Elements of the packed weights (conv2d_pack): panels of output channels, padded to 64 in each group."""
        return self.groups * math.prod(self.w_shape[:3]) * _round_up(self.k // self.groups, 64)

    @property
    def packed_transposed_size(self) -> int:
        """Elements of the weights packed for the gradient of x (conv2d_pack_transposed)."""
        return self.groups * self.kh * self.kw * (self.k // self.groups) * _round_up(self.c // self.groups, 64)

    def winograd_packed_size(self, m: int, late: bool = False) -> int:
        """Elements of the weights transformed for F(m x m, 3 x 3) (winograd_pack), or only put in order."""
        if late:
            return 9 * self.c * _round_up(self.k, 64)
        depth = self.winograd_parts * (self.c // self.groups)
        return self.groups * (m + 2) ** 2 * (depth + 3) * _round_up(self.k // self.groups, 64)

    @property
    def winograd_parts(self) -> int:
        """Parts of 3x3 that the kernel is the sum of, the last ones filled up with zeros."""
        return -(-self.kh // 3) * -(-self.kw // 3)

    def adjoint(self) -> ConvGeometry:
        """The convolution that takes dy to dx, with weights rotated and channels exchanged; strides must be 1.

        Its padding is negative where the convolution's own is wider than the kernel.
        """
        pads = {"pt": (self.kh - 1) * self.dh - self.pt, "pl": (self.kw - 1) * self.dw - self.pl}
        return dataclasses.replace(self, h=self.oh, w=self.ow, c=self.k, oh=self.h, ow=self.w, k=self.c, **pads)

    @property
    def weight_parts(self) -> int:
        """Partial sums of the weights' gradient: up to 16, of at least 256 pixels each (a share of 57 lost a fifth of
        the kernel's speed), and few where the weights are many: those the kernel splits over cores by themselves, and
        each part is memory to be written and added up.
        """
        pixels, weights = self.n * self.oh * self.ow, math.prod(self.w_shape)
        return max(1, min(16, pixels // 256, 2**18 // weights + 1))

    @property
    def bias_parts(self) -> int:
        """Partial sums of the bias' gradient."""
        return row_parts(self.n * self.oh * self.ow)


@dataclasses.dataclass(frozen=True)
class PoolGeometry:
    """A pool's sizes: x (n, h, w, c), y (n, oh, ow, c), windows (ph, pw), strides (sh, sw); padding as above."""

    n: int
    h: int
    w: int
    c: int
    oh: int
    ow: int
    ph: int
    pw: int
    sh: int
    sw: int
    pt: int = 0
    pl: int = 0

    @classmethod
    def of(
        cls,
        x_shape: Sequence[int],
        pool_size: Any = 2,
        strides: Any = None,
        padding: Padding = "valid",
        where: str = "max_pool2d",
    ) -> PoolGeometry:
        """The geometry of a pool, every argument checked; strides None means `pool_size`.

        Raises
        ------
        ValueError, TypeError
            A size below 1, a window larger than the padded input, an array too large to exist.
        """
        ph, pw = pair(pool_size, f"{where}: pool_size")
        sh, sw = (ph, pw) if strides is None else pair(strides, f"{where}: strides")
        n, h, w, c = (int(v) for v in x_shape)
        if min(h, w, c) < 1:
            raise ValueError(f"{where}: x must be at least 1x1 with 1 channel, received the shape {(n, h, w, c)}")
        pads = check_padding(padding, f"{where}: padding")
        (oh, ow), (rows, columns) = window_output((h, w), (ph, pw), (sh, sw), pads, where=where)
        made = cls(n, h, w, c, oh, ow, ph, pw, sh, sw, rows[0], columns[0])
        element_count(made.x_shape, f"{where}: x")
        element_count(made.y_shape, f"{where}: the output")
        return made

    def fields(self) -> dict[str, int]:
        """The kernels' integer arguments by name (FC_POOL_INTS)."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        return self.n, self.h, self.w, self.c

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        return self.n, self.oh, self.ow, self.c

    output_shape = y_shape

    @property
    def flops(self) -> int:
        """Of the forward pass, a comparison or an addition for each element of each window."""
        return math.prod(self.y_shape) * self.ph * self.pw

    @property
    def index_name(self) -> str:
        """Which of max_pool's index arguments fits a place within the window: "index8" or "index32"."""
        return "index8" if self.ph * self.pw <= 256 else "index32"


def _round_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple

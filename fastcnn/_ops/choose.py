"""Which kernels compute a convolution: of an ordered list of candidates, the one expected to be fastest.

Each candidate says whether it can compute a convolution, what that is expected to cost, and which kernels with which
arguments do it. The planner and `ops` ask here, so both compute the same. The choice depends on the shapes and on two
settings, never on the number of threads: `set_precision`, and the environment variable ``FASTCNN_CONV``, which forces
one method (``direct`` or ``winograd``) wherever it fits.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from ..errors import unknown_name
from . import core
from .geometry import ConvGeometry

_METHODS = ("direct", "winograd")
_PRECISIONS = ("exact", "fast")
_precision = "fast"

# The model of cost: one core, times in ns, as measured with AVX-512 on a Zen 5 core. Only the ratio of two candidates
# decides, and that is much the same on other instruction sets, whose products and transforms are slower alike.
_START = 1500.0
_FLOPS = 240.0  # of register tiles, a ns
_CACHE = 50.0  # bytes a ns that come from a shared cache or, packed, go there
_MEMORY = 30.0  # bytes a ns
_CACHE_BYTES = 8e6  # what a core may expect to find in the cache
_LANES = 16
_PIXELS = 55.0  # to transform one vector of channels of a square of 4x4 pixels to points
_SUMS = 36.0  # and back; also of a square of dy to points
_LATE = 14.0  # to transform a vector of weights beside their products
#: Transforming the weights each time may pay up to so many squares, where they would else leave a core's caches.
_FEW_SQUARES, _FAR_WEIGHTS = 4, 4e6
#: And up to so many channels, as its sums are added up in one chain, whose rounding errors grow with its length.
_LATE_CHANNELS = 512
#: Products take so much longer with strides of 2, whose points come from a shared cache in part.
_STRIDED = 1.1
_TAPS = 40.0  # one vector of sums over all squares to the gradients of weights
#: csrc/kernels/winograd.c, winograd_strided.c: squares for which the weights pass once; of many channels, or parts of a
#: kernel, fewer, so that their points are no more than so many floats, but not fewer than so many.
_SQUARES, _STRIDED_SQUARES, _POINT_FLOATS, _LEAST_SQUARES = 36, 28, 2 << 20, 12
#: Parts of a kernel times channels of a group: of more, too few squares have room to be worth the weights' passing.
_MOST_DEPTH = 4096
#: csrc/kernels/winograd_weights.c: channels of a span. Reckoned as if each transformed for itself; some share pixels.
_SPAN = 64
#: csrc/kernels/correlation.c: terms of a sum that is written but once, on every instruction set. Of longer ones a part
#: is written first, and what lay there before is gone.
_TERMS_AT_ONCE = 1024
#: Nothing beside the convolution.
_PLAIN = {"act": 0, "alpha": 0.0, "beta": 0.0}
#: With fewer channels (of a group) the register tiles have too little to do between the transforms.
_LEAST_CHANNELS = 16


def _packing(elements: int) -> float:
    return 4 * elements / _CACHE + _spilled(4 * elements)


def _reached(out: int, size: int, taps: int, stride: int, dilation: int, before: int) -> float:
    """The share of an axis' taps that lie within the image."""
    inside = 0
    for place in range(-before, taps * dilation - before, dilation):  # of a tap, seen from the first output
        first, end = -(place // stride), -((place - size) // stride)  # outputs whose tap is past either border
        inside += max(0, min(end, out) - max(first, 0))
    return inside / max(1, out * taps)


def _spilled(nbytes: int) -> float:
    """Time for what doesn't stay in the cache."""
    return max(0.0, nbytes - _CACHE_BYTES) / _MEMORY


@dataclasses.dataclass(frozen=True)
class Method:
    """How one direction of a convolution is computed: a kernel that packs the weights, and one that works on them.

    Attributes
    ----------
    name : str
        "direct" or "winograd".
    pack, kernel : str
        The kernels. `pack` reads `weights` and writes `packed`, of `packed_size` elements.
    pack_args, args : dict
        Their numbers. A caller may replace `act`, `alpha`, `beta` and `y_step` where the kernel has them and, having
        asked for it, `pool`.
    source, result : str
        The kernel's names for the tensor it reads and the one it writes.
    in_place : bool
        Whether the result may take the memory of what is added to it, or of the activation that it goes back through.
    why : str
        What was expected of the candidates, for people.
    """

    name: str
    pack: str
    pack_args: dict[str, int]
    packed_size: int
    kernel: str
    source: str
    result: str
    args: dict[str, Any]
    in_place: bool
    why: str = ""


@dataclasses.dataclass(frozen=True)
class WeightGradient:
    """How the gradient of the weights is computed: a kernel that reads `x` and `dy` and writes `dweights`.

    Attributes
    ----------
    args : dict
        The kernel's numbers, among them `parts`.
    parts : int
        Partial sums in `dweights`, for `fold` to add up.
    """

    name: str
    kernel: str
    args: dict[str, int]
    parts: int
    why: str = ""


class Direct:
    """The sum as it is written, by register tiles: any convolution."""

    name = "direct"
    title = "direct"
    pools = True
    late = forward_only = False

    def fits(self, g: ConvGeometry) -> bool:
        return True

    def cost(self, g: ConvGeometry, pack_each_time: bool) -> float:
        weights = math.prod(g.w_shape)
        read = 4 * weights / _CACHE + _spilled(4 * weights)
        return _START + self._products(g) + read + (_packing(weights) if pack_each_time else 0.0)

    def weights_cost(self, g: ConvGeometry) -> float:
        return _START + self._products(g) + g.weight_parts * 4 * math.prod(g.w_shape) / _CACHE

    def _products(self, g: ConvGeometry) -> float:
        """Taps outside of the image are left out, which of a large kernel on a small map are most. Of 3x3 they count:
        the register tiles at the border have less to do and are no faster for it.
        """
        if g.winograd_parts == 1:
            return g.flops / _FLOPS
        reached = _reached(g.oh, g.h, g.kh, g.sh, g.dh, g.pt) * _reached(g.ow, g.w, g.kw, g.sw, g.dw, g.pl)
        return reached * g.flops / _FLOPS

    def forward(self, g: ConvGeometry) -> Method:
        args, once = {**g.fields(), **_PLAIN, "y_step": g.k, "pool": 0}, math.prod(g.w_shape[:3]) <= _TERMS_AT_ONCE
        return Method("direct", "conv2d_pack", g.fields(), g.packed_size, "conv2d_forward", "x", "y", args, once)

    def backward_data(self, g: ConvGeometry) -> Method:
        args, once = {**g.fields(), "act": 0, "alpha": 0.0}, g.kh * g.kw * g.k // g.groups <= _TERMS_AT_ONCE
        pack, size = "conv2d_pack_transposed", g.packed_transposed_size
        return Method("direct", pack, g.fields(), size, "conv2d_backward_data", "dy", "dx", args, once)

    def backward_weights(self, g: ConvGeometry) -> WeightGradient:
        parts = g.weight_parts
        return WeightGradient("direct", "conv2d_backward_weights", {**g.fields(), "parts": parts}, parts)


@dataclasses.dataclass(frozen=True)
class Winograd:
    """F(m x m, 3 x 3): 2.25 (m = 4) or 2.78 (m = 3) multiplications a pixel instead of 9, between transforms.

    Larger kernels are sums of parts of 3x3, of which each is one more set of channels: 5x5 takes 9 instead of 25. With
    strides of 2 it is F(4, 2) of the even pixels, and the odd ones as they are: 5.06 instead of 9.
    """

    m: int
    #: Whether the weights are transformed each time, which takes a quarter of the bytes: m = 4, for predictions.
    late: bool = False
    stride: int = 1
    name = "winograd"

    @property
    def title(self) -> str:
        return f"F({self.m}x{self.m},3x3){', late' if self.late else ''}{f'/{self.stride}' if self.stride > 1 else ''}"

    @property
    def forward_only(self) -> bool:
        return self.late or self.stride > 1

    @property
    def pools(self) -> bool:
        """Whether windows of 2x2 lie within the squares, so that it can take their maxima on the way out."""
        return self.m % 2 == 0 and self.stride == 1

    def fits(self, g: ConvGeometry) -> bool:
        if (g.sh, g.sw, g.dh, g.dw) != (self.stride, self.stride, 1, 1) or min(g.kh, g.kw) < 3:
            return False
        if (self.late or self.stride > 1) and (g.kh, g.kw, g.groups) != (3, 3, 1):
            return False
        if self.late:
            far = 4 * self._points * g.c * g.k >= _FAR_WEIGHTS
            if self._squares(g) > _FEW_SQUARES or g.c > _LATE_CHANNELS or not far:
                return False
        if g.winograd_parts > 1 and g.winograd_parts * max(g.c, g.k) > _MOST_DEPTH * g.groups:
            return False
        return min(g.c, g.k) >= _LEAST_CHANNELS * g.groups

    def cost(self, g: ConvGeometry, pack_each_time: bool) -> float:
        if self.late:
            weights = 9 * g.c * g.k
            work = self._work(g, 1, 1) + g.c * g.k / _LANES * _LATE + 4 * weights / _CACHE + _spilled(4 * weights)
            return _START + work + (_packing(weights) if pack_each_time else 0.0)
        weights = self._points * g.winograd_parts * g.c * g.k // g.groups
        room = _POINT_FLOATS // (self._points * g.winograd_parts * g.c // g.groups) // _LEAST_SQUARES * _LEAST_SQUARES
        block = min(max(room, _LEAST_SQUARES), _SQUARES) if self.stride == 1 else _STRIDED_SQUARES
        turns = -(-self._squares(g) // block)
        read = 4 * weights * turns / _CACHE + _spilled(4 * weights)
        return _START + self._work(g, g.winograd_parts, 1) + read + (_packing(weights) if pack_each_time else 0.0)

    def weights_cost(self, g: ConvGeometry) -> float:
        taps, pairs = self._points / 36 * _TAPS / _LANES + 4 * 9 / _CACHE, g.winograd_parts * g.c * g.k // g.groups
        spans_in, spans_out = self._spans(g)
        return _START + self._work(g, g.winograd_parts * spans_out, spans_in) + self._parts(g) * taps * pairs

    @property
    def _points(self) -> int:
        """Matrices of weights."""
        return (self.m + 2) ** 2

    @property
    def _matrices(self) -> int:
        """Of products: with strides of 2 four points of a row have the same weights."""
        return self._points if self.stride == 1 else 81

    def _squares(self, g: ConvGeometry) -> int:
        return g.n * -(-g.oh // self.m) * -(-g.ow // self.m)

    def _spans(self, g: ConvGeometry) -> tuple[int, int]:
        """Of a group's channels, in (for all parts of the kernel) and out, in winograd_weights.c."""
        return g.winograd_parts * -(-g.c // g.groups // _SPAN), -(-g.k // g.groups // _SPAN)

    def _parts(self, g: ConvGeometry) -> int:
        """Partial sums of the weights' gradient: so many that 16 cores have a tile each, but of at least 64 squares,
        as each part is transformed back and added up; two of 16 at least.
        """
        tiles, squares = g.groups * math.prod(self._spans(g)), self._squares(g)
        return max(1, min(-(-16 // tiles), max(squares // 64, min(2, squares // 16))))

    def _work(self, g: ConvGeometry, x_times: int, y_times: int) -> float:
        """Products, transforms (of x and of y, so many times each), and what of the images is not in the cache."""
        c, k = g.c // g.groups, g.k // g.groups
        vectors = x_times * -(-c // _LANES) * _PIXELS + y_times * -(-k // _LANES) * _SUMS
        depth = c * g.winograd_parts
        products = 2 * self._matrices * depth * k / _FLOPS * (1.0 if self.stride == 1 else _STRIDED)
        images = _spilled(4 * (math.prod(g.x_shape) + math.prod(g.y_shape)))
        return self._squares(g) * g.groups * (products + self._matrices / 36 * vectors) + images

    def forward(self, g: ConvGeometry) -> Method:
        return self._method(g, adjoint=0)

    def backward_data(self, g: ConvGeometry) -> Method:
        return self._method(g.adjoint(), adjoint=1)

    def backward_weights(self, g: ConvGeometry) -> WeightGradient:
        parts = self._parts(g)
        numbers = {**g.fields(), "m": self.m, "parts": parts}
        return WeightGradient("winograd", "winograd_backward_weights", numbers, parts)

    def _method(self, g: ConvGeometry, adjoint: int) -> Method:
        pack = {"c": g.c, "k": g.k, "kh": g.kh, "kw": g.kw, "groups": g.groups, "m": self.m}
        pack |= {"adjoint": adjoint, "late": int(self.late), "stride": self.stride}
        size = g.winograd_packed_size(self.m, self.late)
        numbers = {**g.fields(), **_PLAIN, "y_step": g.k, "m": self.m, "late": int(self.late), "pool": 0}
        return Method("winograd", "winograd_pack", pack, size, "winograd_forward", "x", "y", numbers, in_place=True)


#: In the order in which they are preferred where they cost the same.
_CANDIDATES: tuple[Direct | Winograd, ...] = (
    Direct(),
    Winograd(4),
    Winograd(3),
    Winograd(4, late=True),
    Winograd(4, stride=2),
)


def set_precision(precision: str) -> None:
    """Choose between convolutions that are as exact as sums in float32 can be, and faster ones that are nearly so.

    Parameters
    ----------
    precision : {"fast", "exact"}
        "fast" (the default) computes 3x3 convolutions of stride 1 or 2, and larger ones of stride 1, by Winograd's
        minimal filtering where that is faster: errors stay below 2e-5 of the largest result. "exact" adds up products
        as they are, with errors of some 2e-6. Models that are already built follow at their next call.

    Raises
    ------
    ValueError
        Another name.

    References
    ----------
    Lavin and Gray (2016), "Fast Algorithms for Convolutional Neural Networks".
    """
    global _precision
    if precision not in _PRECISIONS:
        raise unknown_name("precision", precision, _PRECISIONS)
    _precision = precision


def get_precision() -> str:
    """The setting of `set_precision`: "fast" or "exact"."""
    return _precision


def forced() -> str:
    """The method that FASTCNN_CONV asks for, "" for none.

    Raises
    ------
    ValueError
        It names no method.
    """
    name = core.environment(b"FASTCNN_CONV").decode(errors="replace").strip().lower()
    if name and name not in _METHODS:
        raise unknown_name("method in the environment variable FASTCNN_CONV:", name, _METHODS)
    return name


def settings() -> tuple[str, str]:
    """All that a choice depends on besides the shapes."""
    return _precision, forced()


def forward(g: ConvGeometry, pack_each_time: bool, pool: bool = False) -> Method:
    """The method for a convolution.

    Parameters
    ----------
    pack_each_time : bool
        Whether packing the weights is part of the cost: not in a prediction, whose weights stay as they are.
    pool : bool
        Whether the kernel is to take the maxima of 2x2 windows of the result.
    """
    fitting = [c for c in _CANDIDATES if c.fits(g) and (c.pools or not pool) and not (c.late and pack_each_time)]
    best, why = _best(fitting, lambda c: c.cost(g, pack_each_time))
    return dataclasses.replace(best.forward(g), why=why)


def backward_data(g: ConvGeometry, pack_each_time: bool) -> Method:
    """The method for the gradient of the convolution `g` with respect to its input."""
    fitting = [c for c in _CANDIDATES if c.fits(g) and not c.forward_only]
    best, why = _best(fitting, lambda c: c.cost(g if isinstance(c, Direct) else g.adjoint(), pack_each_time))
    return dataclasses.replace(best.backward_data(g), why=why)


def backward_weights(g: ConvGeometry) -> WeightGradient:
    """The method for the gradient of the convolution `g` with respect to its weights; depthwise ones have but one."""
    if g.is_depthwise:
        parts = g.weight_parts
        return WeightGradient("depthwise", "depthwise_backward_weights", {**g.fields(), "parts": parts}, parts)
    best, why = _best([c for c in _CANDIDATES if c.fits(g) and not c.forward_only], lambda c: c.weights_cost(g))
    return dataclasses.replace(best.backward_weights(g), why=why)


def _best(
    fitting: list[Direct | Winograd], cost: Callable[[Direct | Winograd], float]
) -> tuple[Direct | Winograd, str]:
    """The cheapest candidate of those that fit and are allowed, and the reason; no reason without a choice."""
    if len(fitting) == 1:
        return fitting[0], ""
    costs = {c: cost(c) for c in fitting}
    name, reason = ("direct", "precision is exact") if _precision == "exact" else (forced(), "FASTCNN_CONV")
    best = min((c for c in fitting if name in ("", c.name)), key=costs.__getitem__)
    if name:
        return best, f"{reason}: {best.title}"
    return best, "expected: " + ", ".join(
        f"{c.title} {costs[c] / 1e3:.0f} us" for c in sorted(costs, key=costs.__getitem__)
    )

"""The cases of conv2d_*, winograd_*, depthwise_* and what they need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastcnn import reference as ref

from .case import Case, Problem, Step, apart, floats, generator, integers
from .convolution_shapes import (
    CONVOLUTIONS,
    DEPTHWISE,
    EPILOGUES,
    POOLED,
    STRIDED_EPILOGUES,
    STRIDED_WINOGRAD,
    WINOGRAD,
    WINOGRAD_PARTS,
    Conv,
)

SLOPE = 0.25  # of leaky ReLU: exact in binary
BETA = 0.5  # the second number of activations that have one


def _codes(c: Conv) -> dict[str, Any]:
    return {"act": list(ref.UNARY).index(c.act), "alpha": SLOPE}


def _like(c: Conv, what: str, shape: tuple[int, ...], exact: bool) -> np.ndarray:
    rng = generator(c.name + what)
    return integers(rng, *shape) if exact else floats(rng, *shape)


def _finished(problem: Problem, exact: bool) -> Problem:
    return problem.exactly() if exact else problem


def _forward(c: Conv, depthwise: bool, exact: bool) -> Problem:
    """Y = activation(conv(x, w) + b): for conv2d on packed weights."""
    a = c.arrays(exact)
    sums = ref.conv2d(a["x"], a["w"], a["b"] if c.bias else None, **c.how)
    residual = _like(c, "residual", c.out, exact) if c.residual else np.zeros(c.out, np.float32)
    y = ref.unary(sums + residual, c.act, SLOPE, BETA)
    problem = Problem(inputs={"x": a["x"], "w": a["w"], "b": a["b"]}, expected={"y": y})
    args: dict[str, Any] = {"x": "x", "bias": "b" if c.bias else None, "y": "y", **c.numbers, **_codes(c)}
    args |= {"beta": BETA, "y_step": c.k + c.apart}
    if not depthwise:
        args |= _added(c, problem, residual, exact)
    if depthwise:
        problem.steps = [Step("depthwise_forward", {"weights": "w", **args})]
    else:
        pack = Step("conv2d_pack", {"weights": "w", "packed": "packed", **c.numbers})
        problem.steps = [pack, Step("conv2d_forward", {"packed": "packed", **args})]
    problem.expected["y"] = apart(problem.expected["y"], c.apart)
    return _finished(problem, exact and not c.late)


def _added(c: Conv, problem: Problem, residual: np.ndarray, exact: bool) -> dict[str, Any]:
    """Arguments for what follows the sums; the problem's expectations by what they are."""
    if c.residual:
        problem.inputs["residual"] = residual
    if c.pool:
        y = problem.expected["y"]
        problem.expected["y"] = ref.max_pool2d(y) if min(y.shape[1:3]) > 1 else np.zeros((len(y), 0, 0, c.k))
        # Which of two results that are nearly equal is the larger one is up to rounding; zeros of ReLU are equal.
        if problem.expected["y"].size and (exact or c.act == "linear") and not c.apart:
            problem.expected["index"] = ref.max_pool2d_index(y).astype(np.uint8)
    index = "index" if "index" in problem.expected else None
    return {"residual": "residual" if c.residual else None, "pool": int(c.pool), "index": index}


def _backward_data(c: Conv, depthwise: bool, exact: bool) -> Problem:
    a = c.arrays(exact)
    if not exact:
        # As the weights in `arrays`: terms of a sum over the filters that read one input element.
        a["dy"] = a["dy"] * np.float32(np.prod(c.out[:3]) ** 0.5 * (c.c / c.k) ** 0.5)
    dx, _, _ = ref.conv2d_backward(a["dy"], a["x"], a["w"], **c.how)
    problem = Problem(inputs={"dy": a["dy"], "w": a["w"]}, expected={"dx": dx})
    args: dict[str, Any] = {"dy": "dy", "dx": "dx", **c.numbers}
    if not depthwise:
        args |= _returned(c, problem, exact)
    if depthwise:
        problem.steps = [Step("depthwise_backward_data", {"weights": "w", **args})]
    else:
        pack = Step("conv2d_pack_transposed", {"weights": "w", "packed": "packed", **c.numbers})
        problem.steps = [pack, Step("conv2d_backward_data", {"packed": "packed", **args})]
    return _finished(problem, exact)


def _returned(c: Conv, problem: Problem, exact: bool) -> dict[str, Any]:
    """As `_added`, for the gradient of x."""
    args: dict[str, Any] = {"residual": None, "saved": None, "act": 0, "alpha": 0.0}
    if c.residual:
        before, residual = (_like(c, what, c.shape, exact) for what in ("before", "other gradient"))
        problem.inputs |= {"residual": residual, "saved": ref.unary(before, c.act, SLOPE).astype(np.float32)}
        problem.expected["dx"] = ref.unary_backward(problem.expected["dx"] + residual, before, c.act, SLOPE)
        args |= {"residual": "residual", "saved": "saved", **_codes(c)}
    return args


def _backward_weights(c: Conv, depthwise: bool, exact: bool) -> Problem:
    """Partial sums and their fold; which pixels are in which part is the kernel's own affair."""
    a = c.arrays(exact)
    _, dw, _ = ref.conv2d_backward(a["dy"], a["x"], a["w"], **c.how)
    kernel = "depthwise_backward_weights" if depthwise else "conv2d_backward_weights"
    args: dict[str, Any] = {"x": "x", "dy": "dy", "dweights": "partial", **c.numbers, "parts": c.parts}
    steps = [
        Step(kernel, args),
        Step("fold", {"x": "partial", "y": "dw", "parts": c.parts, "count": int(np.prod(c.weights))}),
    ]
    return _finished(Problem(steps, {"x": a["x"], "dy": a["dy"]}, {"dw": dw}), exact)


def pooled_weights_problem(c: Conv, exact: bool) -> Problem:
    """As _backward_weights, from the gradient of maxima that lie anywhere in their windows."""
    a, (n, oh, ow, k) = c.arrays(exact), c.out
    rng, windows = generator(f"{c.name}windows"), (n, oh // 2, ow // 2, k)
    dy = integers(rng, *windows) if exact else floats(rng, *windows, scale=max(1, n * oh * ow // 4) ** -0.5)
    index = rng.integers(0, 4, windows).astype(np.uint8)
    spread = np.zeros((n, oh, ow, k), np.float32)
    for place in range(4):
        spread[:, place // 2 : oh // 2 * 2 : 2, place % 2 : ow // 2 * 2 : 2] = np.where(index == place, dy, 0)
    _, dw, _ = ref.conv2d_backward(spread, a["x"], a["w"], **c.how)
    tensors = {"x": "x", "dy": "dy", "index": "index", "dweights": "partial"}
    steps = [
        Step("conv2d_backward_weights_pooled", {**tensors, **c.numbers, "parts": c.parts}),
        Step("fold", {"x": "partial", "y": "dw", "parts": c.parts, "count": int(np.prod(c.weights))}),
    ]
    return _finished(Problem(steps, {"x": a["x"], "dy": dy, "index": index}, {"dw": dw}), exact)


#: Longest sums of which direct convolutions promise to work in place.
TERMS_AT_ONCE = 1024
#: Errors of Winograd convolution, as a part of the largest result: rounding there follows the largest terms.
WINOGRAD_ERROR = 2e-5


def winograd_problem(c: Conv, m: int, adjoint: bool, over: str = "", late: int = 0) -> Problem:
    """A direct convolution's problem by the other kernels, with their tolerance; with `adjoint`, that of dx.

    `over` is the input that the result takes the place of; with `late`, weights are transformed late.
    """
    numbers = c.numbers
    problem = (_backward_data if adjoint else _forward)(c, depthwise=False, exact=False)
    direct = problem.steps[1].args
    tensors: dict[str, Any] = {k: direct.get(k) for k in ("bias", "residual", "saved", "index", "act", "alpha")}
    tensors |= {"x": "dy", "y": "dx", "pool": 0} if adjoint else {"x": "x", "y": "y", "pool": int(c.pool)}
    tensors |= {"y_step": c.c if adjoint else c.k + c.apart, "beta": BETA}
    if adjoint:
        _, oh, ow, k = c.out
        numbers |= {"h": oh, "w": ow, "c": k, "oh": c.shape[1], "ow": c.shape[2], "k": c.c}
        numbers |= {"pt": c.kernel[0] - 1 - c.corner[0], "pl": c.kernel[1] - 1 - c.corner[1]}
    pack = {"weights": "w", "packed": "packed", **{name: numbers[name] for name in ("c", "k", "kh", "kw", "groups")}}
    pack |= {"m": m, "adjoint": int(adjoint), "late": late, "stride": c.strides[0]}
    problem.steps = [
        Step("winograd_pack", pack),
        Step("winograd_forward", {"packed": "packed", **tensors, **numbers, "m": m, "late": late}),
    ]
    if over:
        problem.expected[over] = problem.expected.pop(tensors["y"])
        problem.steps[1].args["y"] = over
    return _with_norm_error(problem)


def winograd_weights_problem(c: Conv, m: int) -> Problem:
    """As winograd_problem, for the gradient of the weights."""
    problem = _backward_weights(c, depthwise=False, exact=False)
    problem.steps[0] = Step("winograd_backward_weights", {**problem.steps[0].args, "m": m})
    return _with_norm_error(problem)


def in_place_problem(c: Conv, adjoint: bool, over: str) -> Problem:
    """A direct convolution's problem whose result takes the place of the input `over`."""
    problem = (_backward_data if adjoint else _forward)(c, depthwise=False, exact=False)
    result = "dx" if adjoint else "y"
    problem.expected[over] = problem.expected.pop(result)
    problem.steps[1].args[result] = over
    return problem


def _with_norm_error(problem: Problem) -> Problem:
    results = [np.abs(y) for name, y in problem.expected.items() if name != "index"]
    largest = max(float(y.max(initial=0.0, where=y == y)) for y in results)
    problem.atol, problem.rtol = WINOGRAD_ERROR * largest, 0.0
    return problem


#: kind: what makes its problem, and the kernel that packs its weights.
_KINDS = {
    "forward": (_forward, "conv2d_pack"),
    "backward_data": (_backward_data, "conv2d_pack_transposed"),
    "backward_weights": (_backward_weights, ""),
}


def problems(c: Conv, depthwise: bool, exact: bool) -> list[Problem]:
    """Forward, and both gradients."""
    return [make(c, depthwise, exact) for make, _ in _KINDS.values()]


def _only_forward(c: Conv) -> bool:
    """Whether the gradients are those of another case."""
    return c.pool or c.late or c.apart > 0


def cases() -> Iterator[Case]:
    for depthwise, convolutions in ((False, [*CONVOLUTIONS, *EPILOGUES, *STRIDED_EPILOGUES]), (True, DEPTHWISE)):
        family = "depthwise" if depthwise else "conv2d"
        for c in convolutions:
            for kind, (make, pack) in _KINDS.items():
                if (_only_forward(c) and kind != "forward") or (c.residual and kind == "backward_weights"):
                    continue
                kernels: tuple[str, ...] = (f"{family}_{kind}",)
                if kind == "backward_weights":
                    kernels = (*kernels, "fold")
                elif not depthwise:
                    kernels = (pack, *kernels)
                for exact in (False,) if c.large or c.late else (False, True):
                    yield Case(
                        f"{family}_{kind}/{c.name}{'/integers' * exact}",
                        kernels,
                        lambda rng, make=make, c=c, d=depthwise, e=exact: make(c, d, e),
                        c.large,
                    )
    for c in [*EPILOGUES, *STRIDED_EPILOGUES]:
        for kind, adjoint, over in (
            ("forward", False, "residual"),
            ("backward_data", True, "residual"),
            ("backward_data", True, "saved"),
        ):
            terms = c.kernel[0] * c.kernel[1] * (c.k if adjoint else c.c) // c.groups
            if c.residual and terms <= TERMS_AT_ONCE and not (adjoint and _only_forward(c)):
                yield Case(
                    f"conv2d_{kind}/{c.name}/over_{over}",
                    (_KINDS[kind][1], f"conv2d_{kind}"),
                    lambda rng, c=c, adjoint=adjoint, over=over: in_place_problem(c, adjoint, over),
                )
    for c in POOLED:
        for exact in (False,) if c.large else (False, True):
            yield Case(
                f"conv2d_backward_weights_pooled/{c.name}{'/integers' * exact}",
                ("conv2d_backward_weights_pooled", "fold"),
                lambda rng, c=c, e=exact: pooled_weights_problem(c, e),
                c.large,
            )
    for c in STRIDED_WINOGRAD:
        for over in ("", "residual")[: 2 if c.residual else 1]:
            yield Case(
                f"winograd_forward_strided/{c.name}{over and f'/over_{over}'}",
                ("winograd_pack", "winograd_forward"),
                lambda rng, c=c, over=over: winograd_problem(c, 4, False, over),
                c.large,
            )
    for c in [*WINOGRAD, *WINOGRAD_PARTS, *EPILOGUES]:
        for m, adjoint in ((4, False), (3, False), (4, True), (3, True)):
            if (c.pool and m == 3) or (_only_forward(c) and adjoint):
                continue
            for over in ("", "residual", "saved")[: 1 if not c.residual else 3 if adjoint else 2]:
                yield Case(
                    f"winograd_{'backward_data' if adjoint else 'forward'}_{m}/{c.name}{over and f'/over_{over}'}",
                    ("winograd_pack", "winograd_forward"),
                    lambda rng, c=c, m=m, adjoint=adjoint, over=over: winograd_problem(c, m, adjoint, over),
                    c.large,
                )
        for adjoint in (False, True)[: 0 if c in WINOGRAD_PARTS else 1 if _only_forward(c) else 2]:
            yield Case(
                f"winograd_late_{'backward_data' if adjoint else 'forward'}/{c.name}",
                ("winograd_pack", "winograd_forward"),
                lambda rng, c=c, adjoint=adjoint: winograd_problem(c, 4, adjoint, late=1),
                c.large,
            )
        for m in (4, 3) if not (_only_forward(c) or c.residual) else ():
            yield Case(
                f"winograd_backward_weights_{m}/{c.name}",
                ("winograd_backward_weights", "fold"),
                lambda rng, c=c, m=m: winograd_weights_problem(c, m),
                c.large,
            )

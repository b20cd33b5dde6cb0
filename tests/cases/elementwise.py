"""Element-wise functions, dropout, noise and gathering."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fastcnn import reference as ref
from fastcnn._ops.kinds import FROM_RESULT

from .case import Case, Problem, Step, floats

#: Lengths around the vectors' widths, and none at all.
TAILS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 67, 130)
#: Lengths around the pieces that element-wise work is cut into, and enough for several threads.
LARGE = (16384, 70_001)

SLOPE = 0.25
#: alpha and beta of the functions that have them, such that every branch is met.
NUMBERS = {
    "leaky_relu": (SLOPE, 0.0),
    "clip": (-1.5, 2.5),
    "threshold": (0.75, -0.5),
    "shrink": (0.5, 0.25),
    "hard_sigmoid": (0.25, 0.5),
    "elu": (0.75, 1.5),
    "selu": (1.6732632, 1.0507010),
    "silu": (1.25, 0.0),
    "power": (1.7, 0.0),
}
POSITIVE = ("log", "sqrt", "power")  # functions that have no value below 0
#: Those with corners or steps, and where these lie.
BENT = (
    "linear", "relu", "leaky_relu", "relu6", "square", "abs", "negative", "clip", "threshold", "shrink",
    "hard_sigmoid", "hard_silu", "floor", "ceil", "round", "sign", "elu", "selu",
)  # fmt: skip
CORNERS = (0.0, -0.0, 6.0, 1.0, -1.0, 7.0, -1.5, 2.5, 0.75, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0)
EXPONENTS = (-3.0, -2.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 10.0)
#: Where functions bend, overflow, underflow and end.
_ENDS = (np.inf, np.nan, 0.0, 0.5, 1.0, 3.0, 5.999, 6.0, 6.001, 7.0, 12.0, 30.0, 60.0, 85.0, 88.0, 89.5, 120.0)
_SIZES = (1e-9, 1e-4, 1e9, 1e18, 1e30)
_HALVES = (1.5, 2.5, 4194304.5, 8388607.5)
SPECIAL = np.array([sign * value for value in (*_ENDS, *_SIZES, *_HALVES) for sign in (1, -1)], np.float32)

#: Shapes of two operands that NumPy broadcasts against each other.
BROADCASTS = {
    "alike": ((7, 19), (7, 19)),
    "scalar": ((5, 9), ()),
    "scalar_first": ((), (6, 5)),
    "channels": ((2, 3, 4, 17), (17,)),
    "channels_wide": ((2, 3, 65), (65,)),
    "batch": ((3, 4, 5), (3, 1, 1)),
    "image": ((2, 4, 5, 6), (1, 4, 5, 1)),
    "both": ((4, 1, 7), (1, 5, 1)),
    "outer": ((33, 1), (1, 35)),
    "five_axes": ((2, 1, 3, 1, 5), (1, 4, 3, 2, 1)),
    "ones": ((1, 1, 1), (1,)),
    "empty": ((0, 4), (4,)),
    "large": ((3, 60, 31, 16), (16,)),
    "large_alike": ((70_001,), (70_001,)),
}


def _spread(rng: np.random.Generator, count: int, kind: str) -> np.ndarray:
    x = floats(rng, count, scale=3.0)
    return np.abs(x) + np.float32(0.01) if kind in POSITIVE else x


def _numbers(kind: str) -> dict[str, float]:
    """The kernels' numbers besides the count: the function and what it is told."""
    alpha, beta = NUMBERS.get(kind, (0.0, 0.0))
    return {"kind": list(ref.UNARY).index(kind), "alpha": alpha, "beta": beta}


def _value(x: np.ndarray, kind: str) -> np.ndarray:
    return ref.unary(x, kind, *NUMBERS.get(kind, ()))


def _saved(x: np.ndarray, kind: str) -> np.ndarray:
    """What unary_backward reads: the function's result where that is enough, else its argument."""
    return _value(x, kind).astype(np.float32) if kind in FROM_RESULT else x


def _unary_forward(rng: np.random.Generator, kind: str, counts: tuple[int, ...], in_place: bool = False) -> Problem:
    problem = Problem()
    for count in counts:
        x = _spread(rng, count, kind)
        problem.add("unary_forward", {"x": x}, {"y": _value(x, kind)}, f"_{count}", count=count, **_numbers(kind))
    if in_place:
        for step in problem.steps:
            problem.expected[str(step.args["x"])] = problem.expected.pop(str(step.args["y"]))
            step.args["y"] = step.args["x"]
    return problem


def _unary_special(rng: np.random.Generator, kind: str) -> Problem:
    with np.errstate(over="ignore"):  # what overflows float32 is infinite there
        y = _value(SPECIAL, kind).astype(np.float32)
    return Problem().add("unary_forward", {"x": SPECIAL}, {"y": y}, count=len(SPECIAL), **_numbers(kind))


def _powers(rng: np.random.Generator) -> Problem:
    """Whole exponents, odd and even, of numbers of both signs, and others; and their gradients."""
    problem, code = Problem(), list(ref.UNARY).index("power")
    for alpha in EXPONENTS:
        x, dy = np.concatenate([SPECIAL, floats(rng, 40, scale=3.0)]), floats(rng, 40)
        numbers = {"kind": code, "alpha": alpha, "beta": 0.0}
        with np.errstate(over="ignore"):
            y = ref.unary(x, "power", alpha).astype(np.float32)
        problem.add("unary_forward", {"x": x}, {"y": y}, f"_{alpha}", count=len(x), **numbers)
        dx = ref.unary_backward(dy, x[-40:], "power", alpha)
        inputs = {"dy": dy, "saved": x[-40:]}
        problem.add("unary_backward", inputs, {"dx": dx}, f"_{alpha}", count=40, **numbers)
    return problem


def _unary_backward(rng: np.random.Generator, kind: str, counts: tuple[int, ...], in_place: bool = False) -> Problem:
    problem = Problem()
    for count in counts:
        x, dy = _spread(rng, count, kind), floats(rng, count)
        dx = ref.unary_backward(dy, x, kind, *NUMBERS.get(kind, ()))
        inputs = {"dy": dy, "saved": _saved(x, kind)}
        problem.add("unary_backward", inputs, {"dx": dx}, f"_{count}", count=count, **_numbers(kind))
    if in_place:
        for step in problem.steps:
            problem.expected[str(step.args["dy"])] = problem.expected.pop(str(step.args["dx"]))
            step.args["dx"] = step.args["dy"]
    return problem


def _corners(rng: np.random.Generator, kind: str) -> Problem:
    """The gradient at the function's corners, as fastcnn.reference.UNARY defines it."""
    x = np.repeat(np.array(CORNERS, np.float32), 3)
    dy = floats(rng, x.size)
    dx = ref.unary_backward(dy, x, kind, *NUMBERS.get(kind, ()))
    inputs = {"dy": dy, "saved": _saved(x, kind)}
    return Problem().add("unary_backward", inputs, {"dx": dx}, count=x.size, **_numbers(kind))


def _far_gradients(rng: np.random.Generator, kind: str) -> Problem:
    """Derivatives far out, where exponentials overflow; at infinity their limits, 0 and 1."""
    x = np.array([20.0, 50.0, 90.0, 200.0, 1e9, 1e30, np.inf], np.float32)
    x = np.concatenate([-x, x])
    dx = np.repeat([0.0, 1.0], len(x) // 2)
    inputs = {"dy": np.ones_like(x), "saved": x}
    return Problem().add("unary_backward", inputs, {"dx": dx}, count=x.size, **_numbers(kind))


def _strides(shape: tuple[int, ...], full: tuple[int, ...]) -> list[int]:
    """Strides in elements of a dense array of `shape` seen as `full`, 0 where it is broadcast."""
    padded = (1,) * (len(full) - len(shape)) + shape
    dense = [int(np.prod(padded[axis + 1 :])) for axis in range(len(padded))]
    return [0 if size == 1 else stride for size, stride in zip(padded, dense)]


def binary_numbers(p: tuple[int, ...], q: tuple[int, ...], kind: str) -> dict[str, int]:
    """The integer arguments of kernel `binary` for operands of these shapes."""
    full = np.broadcast_shapes(p, q, (1, 1, 1, 1, 1))
    numbers = {f"d{axis}": size for axis, size in enumerate(full)}
    for name, shape in (("p", p), ("q", q)):
        numbers |= {f"{name}{axis}": stride for axis, stride in enumerate(_strides(shape, full))}
    return {**numbers, "kind": list(ref.BINARY).index(kind)}


def _binary(rng: np.random.Generator, kind: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> Problem:
    p, q = floats(rng, *shapes[0]), floats(rng, *shapes[1])
    if kind == "divide":
        q = q + np.where(q < 0, -0.1, 0.1).astype(np.float32)
    expected = ref.binary(p, q, kind)
    return Problem().add("binary", {"p": p, "q": q}, {"y": expected}, **binary_numbers(*shapes, kind))


def _binary_special(rng: np.random.Generator, kind: str) -> Problem:
    """Zeros, infinities and NaN against each other, in every pairing; exact, since one rounding is the same in both."""
    values = np.array([0.0, 1.0, -2.0, np.inf, -np.inf, np.nan, 0.5], np.float32)
    p, q = np.repeat(values, len(values)), np.tile(values, len(values))
    expected = ref.binary(p, q, kind).astype(np.float32)
    return (
        Problem().add("binary", {"p": p, "q": q}, {"y": expected}, **binary_numbers(p.shape, q.shape, kind)).exactly()
    )


def _binary_in_place(rng: np.random.Generator, kind: str, over: str) -> Problem:
    shapes = ((6, 5, 17), (17,)) if over == "p" else ((5, 1), (4, 5, 9))
    problem = _binary(rng, kind, shapes)
    problem.steps[0].args["y"] = over
    problem.expected = {over: problem.expected["y"]}
    return problem


def _affine(rng: np.random.Generator, counts: tuple[int, ...]) -> Problem:
    problem = Problem()
    for count in counts:
        x = floats(rng, count)
        y = ref.affine(x, -1.5, 0.75)
        problem.add("affine", {"x": x}, {"y": y}, f"_{count}", count=count, scale=-1.5, shift=0.75)
        problem.inputs[f"z_{count}"], problem.expected[f"z_{count}"] = x, y
        in_place = {"x": f"z_{count}", "y": f"z_{count}", "count": count, "scale": -1.5, "shift": 0.75}
        problem.steps.append(Step("affine", in_place))
    return problem


def _accumulate(rng: np.random.Generator, counts: tuple[int, ...]) -> Problem:
    problem = Problem()
    for count in counts:
        x, y = floats(rng, count), floats(rng, count)
        expected = {"y": ref.accumulate(y, x, -0.3)}
        problem.add("accumulate", {"x": x, "y": y}, expected, f"_{count}", count=count, scale=-0.3)
    return problem


#: Rate, seed, step and site: small, and with bits in every 32-bit word of the counter and the key.
DROPOUTS = {
    "none": (0.0, 1, 0, 0),
    "quarter": (0.25, 2, 3, 4),
    "half": (0.5, 0xDEADBEEF12345678, 5, 1),
    "most": (0.9, 3, 0x1_0000_0007, 12),
    "wide_step": (0.3, 0xFFFFFFFFFFFFFFFF, 0x8765432112345678, 0xFFFFFFFF),
}


def _random(rng: np.random.Generator, kernel: str, which: str, counts: tuple[int, ...]) -> Problem:
    """Dropout, or noise with the rate for its deviation; and once more in place."""
    rate, seed, step, site = DROPOUTS[which]
    problem = Problem()
    for count in counts:
        x, state = floats(rng, count), np.array([seed, step], np.uint64)
        y = getattr(ref, kernel)(x, rate, seed, step, site)
        numbers = {"count": count, "site": site, "rate" if kernel == "dropout" else "stddev": rate}
        problem.add(kernel, {"x": x, "rng": state}, {"y": y}, f"_{count}", **numbers)
        problem.inputs[f"z_{count}"], problem.expected[f"z_{count}"] = x, y
        buffers = {"x": f"z_{count}", "rng": f"rng_{count}", "y": f"z_{count}"}
        problem.steps.append(Step(kernel, {**buffers, **numbers}))
    return problem


#: Rows of the table, rows picked, elements in a row.
GATHERS = {
    "one": (1, 1, 1),
    "single_elements": (9, 13, 1),
    "odd": (5, 7, 3),
    "tail_67": (4, 6, 67),
    "mnist": (20, 8, 784),
    "none": (4, 0, 10),
    "large": (50, 300, 785),
}


def _gather(rng: np.random.Generator, kernel: str, which: str) -> Problem:
    total, rows, size = GATHERS[which]
    table = rng.integers(0, 256, (total, size)).astype(np.uint8) if kernel == "gather_u8" else floats(rng, total, size)
    index = rng.integers(0, total, rows)
    index[: min(rows, 2)] = (0, total - 1)[: min(rows, 2)]
    inputs = {"x": table, "index": index.astype(np.int64)}
    return Problem().add(kernel, inputs, {"y": ref.gather(table, index)}, total=total, rows=rows, size=size).exactly()


def cases() -> Iterator[Case]:
    def case(name: str, make: Callable[..., Problem], *args: object) -> Case:
        return Case(name, (name.split("/")[0],), lambda rng: make(rng, *args), "/large" in name)

    for kind in ref.UNARY:
        for kernel, make in (("unary_forward", _unary_forward), ("unary_backward", _unary_backward)):
            yield case(f"{kernel}/{kind}/tails", make, kind, TAILS)
            yield case(f"{kernel}/{kind}/in_place", make, kind, TAILS, True)
            yield case(f"{kernel}/{kind}/large", make, kind, LARGE)
        yield case(f"unary_forward/{kind}/special", _unary_special, kind)
    for kind in BENT:
        yield case(f"unary_backward/{kind}/corners", _corners, kind)
    for kind in ("silu", "gelu", "gelu_tanh", "mish", "hard_silu"):
        yield case(f"unary_backward/{kind}/far", _far_gradients, kind)
    yield Case("unary/power/exponents", ("unary_forward", "unary_backward"), _powers)
    for kind in ref.BINARY:
        for name, shapes in BROADCASTS.items():
            if kind == "add" or name in ("alike", "channels", "both", "large_alike"):
                yield case(f"binary/{kind}/{name}", _binary, kind, shapes)
        yield case(f"binary/{kind}/special", _binary_special, kind)
        yield case(f"binary/{kind}/in_place_p", _binary_in_place, kind, "p")
        yield case(f"binary/{kind}/in_place_q", _binary_in_place, kind, "q")
    for counts, name in ((TAILS, "tails"), (LARGE, "large")):
        yield case(f"affine/{name}", _affine, counts)
        yield case(f"accumulate/{name}", _accumulate, counts)
        for which in DROPOUTS:
            for kernel in ("dropout", "gaussian_noise"):
                yield case(f"{kernel}/{name}/{which}", _random, kernel, which, counts)
    for kernel in ("gather_f32", "gather_u8"):
        for which in GATHERS:
            yield case(f"{kernel}/{which}", _gather, kernel, which)

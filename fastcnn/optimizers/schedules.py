"""Learning rates that change from step to step, with Keras' names, arguments and formulas.

A schedule is given to an optimizer as its `learning_rate`; it is saved with the model. Steps count from 0, and are
those of the optimizer: with gradients accumulated over several batches, one for all of these.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

from ..errors import shown
from ..shapes import real_number, whole_number
from ..utils.registry import Registry


class LearningRateSchedule:
    """Base class: ``schedule(step)`` is the learning rate of that step.

    A schedule of your own implements `__call__`, and keeps its constructor's arguments under their names. It can be
    trained with, but not saved.
    """

    def __call__(self, step: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} must implement __call__(step)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        return cls(**config)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={shown(value)}" for name, value in self.get_config().items() if name != "name")
        return f"{type(self).__name__}({given})"


def _rate(value: Any, name: str) -> float:
    return real_number(value, name)


def _positive(value: Any, name: str) -> float:
    number = real_number(value, name)
    if number == 0:
        raise ValueError(f"{name} must be above 0, received {shown(value)}")
    return number


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
    decay_rate : float
    staircase : bool
        Only whole numbers of `decay_steps` count.
    name : str
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.decay_rate = real_number(decay_rate, "decay_rate")
        self.staircase, self.name = bool(staircase), name

    def _passed(self, step: int) -> float:
        passed = step / self.decay_steps
        return math.floor(passed) if self.staircase else passed

    def __call__(self, step: int) -> float:
        return self.initial_learning_rate * self.decay_rate ** self._passed(step)


class InverseTimeDecay(ExponentialDecay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate, decay_steps, decay_rate, staircase, name
        As for `ExponentialDecay`.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: int) -> float:
        return self.initial_learning_rate / (1.0 + self.decay_rate * self._passed(step))


class PolynomialDecay(LearningRateSchedule):
    """From `initial_learning_rate` down to `end_learning_rate` within `decay_steps`, by a power of what is left.

    ``(initial - end) * (1 - step / decay_steps) ** power + end``, and `end` from then on.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
    end_learning_rate : float
    power : float
        1 is a straight line.
    cycle : bool
        Beyond `decay_steps` these are taken two, three, … times as long, so that the rate jumps up and falls again.
    name : str
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.end_learning_rate = _rate(end_learning_rate, "end_learning_rate")
        self.power, self.cycle, self.name = real_number(power, "power"), bool(cycle), name

    def __call__(self, step: int) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        left = 1.0 - min(step, steps) / steps
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and including step ``boundaries[0]``, then ``values[1]`` up to ``boundaries[1]``, and so on.

    Parameters
    ----------
    boundaries : sequence of float
        Growing steps.
    values : sequence of float
        Learning rates, one more than boundaries.
    name : str
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        self.boundaries = [real_number(b, f"boundaries[{i}]") for i, b in enumerate(boundaries)]
        self.values = [_rate(v, f"values[{i}]") for i, v in enumerate(values)]
        self.name = name
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values must have one entry more than boundaries, received {len(self.values)} values and "
                f"{len(self.boundaries)} boundaries"
            )
        if any(b <= a for a, b in zip(self.boundaries, self.boundaries[1:])):
            raise ValueError(f"boundaries must grow, received {shown(boundaries)}")

    def __call__(self, step: int) -> float:
        return self.values[sum(step > b for b in self.boundaries)]


def _cosine(share: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


class CosineDecay(LearningRateSchedule):
    """Half a cosine down, after a straight line up if asked for (Loshchilov and Hutter, ICLR 2017; Goyal et al., 2017).

    Parameters
    ----------
    initial_learning_rate : float
        Of the first step: where the cosine begins, or with `warmup_target` where the line begins.
    decay_steps : int
        Length of the cosine.
    alpha : float
        What is left at the end, as a share of the cosine's highest rate.
    name : str
    warmup_target : float, optional
        The line's end, where the cosine begins. Without it there is no line.
    warmup_steps : int
        Length of the line.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.alpha, self.name = real_number(alpha, "alpha"), name
        self.warmup_target = None if warmup_target is None else _rate(warmup_target, "warmup_target")
        self.warmup_steps = whole_number(warmup_steps, "warmup_steps", 0)

    def __call__(self, step: int) -> float:
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            top = self.warmup_target
            if step < self.warmup_steps:
                start = self.initial_learning_rate
                return start + (top - start) * step / self.warmup_steps
            step -= self.warmup_steps
        return top * ((1.0 - self.alpha) * _cosine(min(step, self.decay_steps) / self.decay_steps) + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine down, again and again (SGDR: Loshchilov and Hutter, ICLR 2017).

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : int
        Length of the first cosine.
    t_mul : float
        Each is so many times as long as the one before: at least 1.
    m_mul : float
        Each begins at so many times the rate of the one before.
    alpha : float
        What is left at the end of each, as a share of `initial_learning_rate`.
    name : str
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.first_decay_steps = _positive(first_decay_steps, "first_decay_steps")
        self.t_mul, self.m_mul = real_number(t_mul, "t_mul", low=1.0), real_number(m_mul, "m_mul")
        self.alpha, self.name = real_number(alpha, "alpha"), name

    def __call__(self, step: int) -> float:
        restarts, left, length = 0, float(step), self.first_decay_steps
        if self.t_mul == 1.0:
            restarts = math.floor(left / length)
            left -= restarts * length
        else:
            while left >= length:
                left -= length
                length *= self.t_mul
                restarts += 1
        height = self.m_mul**restarts
        return self.initial_learning_rate * ((1.0 - self.alpha) * height * _cosine(left / length) + self.alpha)


class OneCycle(LearningRateSchedule):
    """Up to `max_learning_rate` and down to almost nothing, both as half a cosine (Smith and Topin, 2018).

    Keras has none; the numbers are those of PyTorch's ``OneCycleLR``.

    Parameters
    ----------
    max_learning_rate : float
    total_steps : int
        Steps of the whole training; at least 2. From then on the rate stays what it is.
    warmup_fraction : float
        Share of the steps in which it rises: above 0 and below 1.
    initial_divisor : float
        It begins at ``max_learning_rate / initial_divisor``.
    final_divisor : float
        It ends at that, divided by this.
    name : str
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        warmup_fraction: float = 0.3,
        initial_divisor: float = 25.0,
        final_divisor: float = 1e4,
        name: str = "OneCycle",
    ) -> None:
        self.max_learning_rate = _rate(max_learning_rate, "max_learning_rate")
        self.total_steps = whole_number(total_steps, "total_steps", 2)
        self.warmup_fraction = _positive(warmup_fraction, "warmup_fraction")
        if self.warmup_fraction >= 1:
            raise ValueError(f"warmup_fraction must be below 1, received {shown(warmup_fraction)}")
        self.initial_divisor = _positive(initial_divisor, "initial_divisor")
        self.final_divisor = _positive(final_divisor, "final_divisor")
        self.name = name

    def __call__(self, step: int) -> float:
        first = self.max_learning_rate / self.initial_divisor
        last = first / self.final_divisor
        top, end = self.warmup_fraction * self.total_steps - 1.0, self.total_steps - 1.0
        if step < top:
            return self.max_learning_rate + (first - self.max_learning_rate) * _cosine(step / top)
        share = (min(step, end) - max(top, 0.0)) / (end - max(top, 0.0))
        return last + (self.max_learning_rate - last) * _cosine(share)


_KNOWN: tuple[type[LearningRateSchedule], ...] = (
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, OneCycle, PiecewiseConstantDecay,
    PolynomialDecay,
)  # fmt: skip
_registry: Registry[LearningRateSchedule] = Registry("learning rate schedule", LearningRateSchedule, _KNOWN)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """What `deserialize` makes the same schedule from; ready for JSON.

    Raises
    ------
    ValueError
        It is not one of this module's.
    """
    if type(learning_rate_schedule) not in _KNOWN:
        raise ValueError(
            f"the learning rate schedule {shown(learning_rate_schedule)} can't be saved; set a number first, or use "
            f"one of fastcnn.optimizers.schedules"
        )
    return _registry.serialize(learning_rate_schedule)


def deserialize(config: Any) -> LearningRateSchedule:
    """A schedule from what `serialize` made."""
    return _registry.make(config)


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]

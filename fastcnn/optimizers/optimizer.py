"""Optimizers: hyperparameters and state; the arithmetic is one kernel over all weights at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from .._ops import core
from .._ops.kinds import BINARY, HYPER
from ..errors import shown
from ..graph import Variable
from ..plan import FlatStore
from ..plan.memory import Buffer
from ..plan.rules_other import binary_fields
from ..shapes import real_number, whole_number
from . import schedules
from .clipping import Calls, clip_norms, clip_values

#: A number, a schedule, any function of the step's number, or a schedule's configuration.
Schedule: TypeAlias = float | Callable[[int], float] | Mapping[str, Any]
T = TypeVar("T")


class Fixed(Generic[T]):
    """An argument that decides what state an optimizer keeps or which kernels it runs: set once, when it is made."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Any, owner: type) -> T:
        if optimizer is None:
            raise AttributeError(f"{self._name} belongs to the objects of {owner.__name__}, not to the class")
        return optimizer.__dict__[self._name]

    def __set__(self, optimizer: Any, value: T) -> None:
        if self._name in optimizer.__dict__:
            raise AttributeError(
                f"{self._name} can't be changed, for the optimizer's state depends on it: make a new "
                f"{type(optimizer).__name__}({self._name}={shown(value)})"
            )
        optimizer.__dict__[self._name] = value


class Optimizer:
    """Base of the optimizers.

    Parameters
    ----------
    learning_rate : float or callable
        A callable is given the number of the step (from 0) and returns the rate; `fastcnn.optimizers.schedules` has
        some that are saved with the model.
    weight_decay : float, optional
        Decoupled from the gradient (Loshchilov and Hutter, 2019): each step takes ``learning_rate * weight_decay``
        of each weight off first.
    clipnorm : float, optional
        The gradient of each weight (each array) is scaled down to have at most this norm. Only one of `clipnorm`,
        `clipvalue` and `global_clipnorm` can be given.
    clipvalue : float, optional
        Each number of the gradients is brought into ``-clipvalue`` to ``clipvalue``.
    global_clipnorm : float, optional
        All gradients are scaled together so that the norm of all their numbers is at most this (Pascanu et al., "On
        the difficulty of training recurrent neural networks", ICML 2013).
    use_ema : bool
        Keep a moving average of each weight (Polyak and Juditsky, 1992). After each step it becomes
        ``ema_momentum * average + (1 - ema_momentum) * weight``. `fit` ends with the averages as the model's weights;
        the callback `SwapEMAWeights` validates with them before.
    ema_momentum : float
        0 to 1.
    ema_overwrite_frequency : int, optional
        After so many steps, again and again, the weights are set to their averages.
    gradient_accumulation_steps : int, optional
        At least 2. A step is taken once for so many batches, with the mean of their gradients. Schedules, averages and
        `iterations` count steps, not batches.
    """

    clipnorm = Fixed[float | None]()
    clipvalue = Fixed[float | None]()
    global_clipnorm = Fixed[float | None]()
    use_ema = Fixed[bool]()
    gradient_accumulation_steps = Fixed[int | None]()

    #: The kernel that takes a step.
    kernel: str
    #: Names of the state arrays, one float a weight each, as the kernel calls them.
    slots: tuple[str, ...] = ()

    def __init__(
        self,
        learning_rate: Schedule,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        gradient_accumulation_steps: int | None = None,
    ) -> None:
        self.name = name or type(self).__name__.lower()
        self.schedule: Callable[[int], float] | None = None
        self._rate = 0.0
        self.learning_rate = (
            schedules.deserialize(learning_rate) if isinstance(learning_rate, Mapping) else learning_rate
        )
        self.weight_decay = None if weight_decay is None else real_number(weight_decay, "weight_decay")
        self.clipnorm = _limit(clipnorm, "clipnorm")
        self.clipvalue = _limit(clipvalue, "clipvalue")
        self.global_clipnorm = _limit(global_clipnorm, "global_clipnorm")
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                f"only one of clipnorm, clipvalue and global_clipnorm can be given, received clipnorm={clipnorm}, "
                f"clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        self.use_ema, self.ema_momentum = bool(use_ema), real_number(ema_momentum, "ema_momentum", high=1.0)
        self.ema_overwrite_frequency = _count(ema_overwrite_frequency, "ema_overwrite_frequency", 1)
        self.gradient_accumulation_steps = _count(gradient_accumulation_steps, "gradient_accumulation_steps", 2)
        #: Steps taken.
        self.iterations = 0
        #: Batches whose gradients wait for the next step.
        self.accumulated = 0
        #: Whether the weights and their averages have changed places, as `swap_averages` does.
        self.swapped = False
        self._hyper = np.zeros(core.HYPER_COUNT, np.float64)
        self._ema_hyper = np.zeros(core.HYPER_COUNT, np.float64)
        self._store: FlatStore | None = None
        self._state: dict[str, np.ndarray] = {}
        #: State of weights that are not trained at the moment, for as long as the weights live.
        self._aside: WeakKeyDictionary[Variable, dict[str, np.ndarray]] = WeakKeyDictionary()

    @property
    def all_slots(self) -> tuple[str, ...]:
        """Names of all state arrays: the kernel's, and those around it."""
        average = ("average",) if self.use_ema else ()
        return (*self.slots, *average, *(("gradients",) if self.gradient_accumulation_steps else ()))

    @property
    def learning_rate(self) -> float:
        """The rate of the next step.

        Raises
        ------
        ValueError
            The schedule gives no finite number of at least 0.
        """
        if self.schedule is None:
            return self._rate
        return real_number(self.schedule(self.iterations), f"learning_rate of step {self.iterations}")

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value):
            self.schedule = value
        else:
            self._rate, self.schedule = real_number(value, "learning_rate"), None

    # ---- what subclasses write

    def hyper(self, lr: float, step: int) -> dict[str, float]:
        """The kernel's hyperparameters for step 1, 2, …: names of FC_HYPER_* in lower case."""
        return {"lr": lr}

    def slot_start(self, slot: str) -> float:
        """What a state array holds before the first step."""
        return 0.0

    def kernel_args(self) -> dict[str, Any]:
        """Further arguments of the kernel."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        config: dict[str, Any] = {"learning_rate": self._rate}
        if self.schedule is not None:
            config["learning_rate"] = schedules.serialize(self.schedule)  # type: ignore[arg-type]
        for name in ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps"):
            if getattr(self, name) is not None:
                config[name] = getattr(self, name)
        if self.use_ema:
            config.update(use_ema=True, ema_momentum=self.ema_momentum,
                          ema_overwrite_frequency=self.ema_overwrite_frequency)  # fmt: skip
        return config

    # ---- what training uses

    def prepare_step(self) -> None:
        """Before a batch: set the numbers of the step that it is part of, where kernels read them."""
        lr = self.learning_rate
        numbers = {"decay": lr * (self.weight_decay or 0.0), **self.hyper(lr, self.iterations + 1)}
        for name, value in numbers.items():
            self._hyper[HYPER[name]] = value
        # The first average is the weights themselves.
        self._ema_hyper[HYPER["momentum"]] = self.ema_momentum if self.iterations else 0.0
        if self.gradient_accumulation_steps is None:
            self.iterations += 1

    def finish_step(self) -> None:
        """After a batch: take the step if its gradients were the last of those accumulated."""
        store, batches = self._store, self.gradient_accumulation_steps
        if store is None or store.size == 0:
            return
        if batches is not None:
            self.accumulated += 1
            if self.accumulated < batches:
                return
            sums = self._state["gradients"]
            fields = binary_fields((store.size,), (1,), (store.size,))
            share = np.full(1, 1.0 / batches, np.float32)
            core.call("binary", p=sums, q=share, y=sums, kind=BINARY["multiply"], **fields)
            for kernel, args in self._step(store.memory, sums, store.size):
                core.call(kernel, **args)
            sums[:] = 0.0
            self.accumulated = 0
            self.iterations += 1
        if self.use_ema and self.ema_overwrite_frequency and self.iterations % self.ema_overwrite_frequency == 0:
            store.assign(self._state["average"])

    def finalize_variable_values(self, var_list: Any = None) -> None:
        """Set the weights to their averages, if there are any; `fit` does so at its end. All of them, as `fit` does."""
        if not self.use_ema or not self.iterations:
            return
        for variable, average in self._averages():
            if self.swapped:
                average[...] = variable.storage
            else:
                variable.assign(average)
        self.swapped = False

    def _averages(self) -> list[tuple[Variable, np.ndarray]]:
        """The weights in training, or those of which a file told, with their averages."""
        known = self.states()
        weights = known if self._store is None else self._store.variables
        return [(variable, known[variable]["average"]) for variable in weights]

    def swap_averages(self) -> None:
        """Exchange the weights and their averages; once more, and they are back."""
        if not self.use_ema or not self.iterations:
            return
        for variable, average in self._averages():
            weights = variable.numpy()
            variable.assign(average)
            average[...] = weights
        self.swapped = not self.swapped

    def bind(self, store: FlatStore) -> None:
        """Keep state for the weights of `store`; that of other weights is put aside until they are trained again.

        Raises
        ------
        ValueError
            All its steps so far were on other weights: those of another model.
        """
        if self._store is store:
            return
        known = self.states()
        if known and self.iterations and store.size and not any(v in known for v in store.variables):
            raise ValueError(
                f"this {type(self).__name__} has taken {self.iterations} steps for other weights, which its state "
                f"belongs to; give each model an optimizer of its own"
            )
        state = {}
        for slot in self.all_slots:
            memory = core.aligned_empty(4 * max(1, store.size)).view(np.float32)
            memory[:] = self._start(slot)
            for variable, part in zip(store.variables, store.split(memory)):
                if variable in known:
                    part[...] = known[variable][slot]
                elif slot == "average":
                    part[...] = variable.storage
            state[slot] = memory
        trained = set(store.variables)
        for variable, parts in known.items():
            if variable in trained:
                self._aside.pop(variable, None)
            else:
                self._aside[variable] = {slot: part.copy() for slot, part in parts.items()}
        self._store, self._state = store, state

    def _start(self, slot: str) -> float:
        return self.slot_start(slot) if slot in self.slots else 0.0

    def calls(self, weights: np.ndarray, grads: Buffer) -> Calls:
        """The kernel calls for the plan of a batch: they update all weights, or add the gradients to those before."""
        if grads.size == 0:
            return []
        if self.gradient_accumulation_steps is None:
            return self._step(weights, grads, grads.size)
        sums = self._state["gradients"]
        fields = binary_fields((grads.size,), (grads.size,), (grads.size,))
        return [("binary", {"p": sums, "q": grads, "y": sums, "kind": BINARY["add"], **fields})]

    def _step(self, weights: np.ndarray, grads: Any, count: int) -> Calls:
        """Clip the gradients in their place, update the weights, and then their averages."""
        assert self._store is not None
        found: Calls = []
        if self.clipvalue is not None:
            found += clip_values(grads, count, self.clipvalue)
        norm = self.global_clipnorm if self.clipnorm is None else self.clipnorm
        if norm is not None:
            found += clip_norms(grads, self._store, norm, together=self.clipnorm is None)
        state = {slot: self._state[slot] for slot in self.slots}
        args = {"w": weights, "g": grads, "hyper": self._hyper, "count": count, **state}
        found.append((self.kernel, {**args, **self.kernel_args()}))
        if self.use_ema:
            average = {"y": self._state["average"], "x": weights, "hyper": self._ema_hyper, "count": count}
            found.append(("moving_average", average))
        return found

    def state(self) -> list[tuple[str, list[np.ndarray]]]:
        """Views of the state: (slot, one array for each trained weight)."""
        store = self._store
        return [] if store is None else [(slot, store.split(memory)) for slot, memory in self._state.items()]

    def states(self) -> dict[Variable, dict[str, np.ndarray]]:
        """The state of every weight that it has, trained at the moment or not: an array of its shape for each slot."""
        found = dict(self._aside)
        if self._store is not None:
            found.update({variable: {} for variable in self._store.variables})
            for slot, parts in self.state():
                for variable, part in zip(self._store.variables, parts):
                    found[variable][slot] = part
        return found

    def set_states(self, states: Mapping[Variable, Mapping[str, np.ndarray]]) -> None:
        """Go on with these states, as `states` gives them; that of other weights begins anew."""
        self._aside.clear()
        known = self.states()
        for variable, parts in known.items():
            for slot, part in parts.items():
                start = variable.storage if slot == "average" else self._start(slot)
                part[...] = states[variable][slot] if variable in states else start
        for variable, given in states.items():
            if variable not in known:
                self._aside[variable] = {slot: array.copy() for slot, array in given.items()}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={self.learning_rate:g} iterations={self.iterations}>"


def _limit(value: float | None, name: str) -> float | None:
    if value is None:
        return None
    number = real_number(value, name)
    if number == 0:
        raise ValueError(f"{name} must be above 0, received {shown(value)}")
    return number


def _count(value: int | None, name: str, least: int) -> int | None:
    return None if value is None else whole_number(value, name, least)

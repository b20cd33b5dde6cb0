"""The optimizers by name, with Keras' arguments, defaults and formulas."""

from __future__ import annotations

import math
from typing import Any

from ..shapes import real_number
from .optimizer import Fixed, Optimizer, Schedule


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for (Sutskever et al., ICML 2013, for Nesterov's form).

    Parameters
    ----------
    learning_rate : float or callable
    momentum : float
        0 <= momentum <= 1.
    nesterov : bool
    weight_decay : float, optional
    **options
        As for `Optimizer`: clipping, averages of the weights, accumulated gradients.
    """

    momentum = Fixed[float]()
    nesterov = Fixed[bool]()

    def __init__(
        self,
        learning_rate: Schedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **options)
        self.momentum = real_number(momentum, "momentum", high=1.0)
        self.nesterov = bool(nesterov)
        self.kernel = "sgd_momentum" if self.momentum else "sgd"
        self.slots = ("m",) if self.momentum else ()

    def hyper(self, lr: float, step: int) -> dict[str, float]:
        return {"lr": lr, "momentum": self.momentum}

    def kernel_args(self) -> dict[str, Any]:
        return {"nesterov": int(self.nesterov)} if self.momentum else {}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """Gradient over the root of its running mean square (Tieleman and Hinton, Coursera lecture 6.5, 2012).

    Parameters
    ----------
    learning_rate : float or callable
    rho : float
        Decay of the running mean.
    momentum, epsilon : float
    centered : bool
        Normalise by the variance instead of the uncentered second moment.
    weight_decay : float, optional
    **options
        As for `Optimizer`: clipping, averages of the weights, accumulated gradients.
    """

    kernel = "rmsprop"
    momentum = Fixed[float]()
    centered = Fixed[bool]()

    def __init__(
        self,
        learning_rate: Schedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **options)
        self.rho, self.epsilon = real_number(rho, "rho", high=1.0), real_number(epsilon, "epsilon")
        self.momentum, self.centered = real_number(momentum, "momentum", high=1.0), bool(centered)
        self.slots = ("v", *(["m"] if self.momentum else []), *(["d"] if self.centered else []))

    def hyper(self, lr: float, step: int) -> dict[str, float]:
        return {"lr": lr, "momentum": self.momentum, "beta1": self.rho, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}


class Adam(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015, the form at the end of section 2, as Keras has it).

    Parameters
    ----------
    learning_rate : float or callable
    beta_1, beta_2 : float
        Decay of the first and second moments.
    epsilon : float
    weight_decay : float, optional
    **options
        As for `Optimizer`: clipping, averages of the weights, accumulated gradients.
    """

    kernel = "adam"
    slots = ("m", "v")

    def __init__(
        self,
        learning_rate: Schedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **options)
        self.beta_1 = real_number(beta_1, "beta_1", high=1.0, closed=False)
        self.beta_2 = real_number(beta_2, "beta_2", high=1.0, closed=False)
        self.epsilon = real_number(epsilon, "epsilon")

    def hyper(self, lr: float, step: int) -> dict[str, float]:
        rate = lr * math.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        return {"lr": rate, "beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, algorithm 2).

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon
        As for `Adam`.
    weight_decay : float
    **options
        As for `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Schedule = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, name, **options)


class Adagrad(Optimizer):
    """Gradient over the root of the sum of its squares so far (Duchi et al., JMLR 12, 2011).

    Parameters
    ----------
    learning_rate : float or callable
    initial_accumulator_value, epsilon : float
    weight_decay : float, optional
    **options
        As for `Optimizer`: clipping, averages of the weights, accumulated gradients.
    """

    kernel = "adagrad"
    slots = ("v",)

    def __init__(
        self,
        learning_rate: Schedule = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **options)
        self.initial_accumulator_value = real_number(initial_accumulator_value, "initial_accumulator_value")
        self.epsilon = real_number(epsilon, "epsilon")

    def slot_start(self, slot: str) -> float:
        return self.initial_accumulator_value

    def hyper(self, lr: float, step: int) -> dict[str, float]:
        return {"lr": lr, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        own = {"initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


class Adadelta(Optimizer):
    """Steps scaled by the running size of past steps over that of gradients (Zeiler, 2012, algorithm 1).

    Parameters
    ----------
    learning_rate : float or callable
    rho, epsilon : float
    weight_decay : float, optional
    **options
        As for `Optimizer`: clipping, averages of the weights, accumulated gradients.
    """

    kernel = "adadelta"
    slots = ("v", "u")

    def __init__(
        self,
        learning_rate: Schedule = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **options)
        self.rho, self.epsilon = real_number(rho, "rho", high=1.0), real_number(epsilon, "epsilon")

    def hyper(self, lr: float, step: int) -> dict[str, float]:
        return {"lr": lr, "beta1": self.rho, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


class Lion(Optimizer):
    """The sign of an interpolated momentum (Chen et al., "Symbolic discovery of optimization algorithms", 2023).

    Parameters
    ----------
    learning_rate : float or callable
    beta_1, beta_2 : float
    weight_decay : float, optional
    **options
        As for `Optimizer`: clipping, averages of the weights, accumulated gradients.
    """

    kernel = "lion"
    slots = ("m",)

    def __init__(
        self,
        learning_rate: Schedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **options)
        self.beta_1, self.beta_2 = real_number(beta_1, "beta_1", high=1.0), real_number(beta_2, "beta_2", high=1.0)

    def hyper(self, lr: float, step: int) -> dict[str, float]:
        return {"lr": lr, "beta1": self.beta_1, "beta2": self.beta_2}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}

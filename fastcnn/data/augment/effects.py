"""Images noisy, blurred, sharpened, with parts missing."""

from __future__ import annotations

import math
from typing import Any

from ...shapes import pair, real_number
from .arguments import interval, plain
from .base import check_probability
from .colors import Colors, Factor, Sometimes
from .steps import Draw, Step


class RandomGaussianNoise(Colors):
    """Normally distributed numbers added to every value.

    Parameters
    ----------
    stddev : float or (float, float)
        Their standard deviation, as a share of the range of values; one number is taken as it is.
    factor : float
        The share of the images that it is done to.
    value_range, seed
        As for `RandomBrightness`.
    """

    def __init__(
        self, stddev: Any = 0.05, factor: float = 1.0, value_range: Any = (0, 255), seed: int | None = None
    ) -> None:
        super().__init__(value_range, seed)
        self.stddev, self.factor = stddev, check_probability(factor, "factor")
        self._range = interval(stddev if isinstance(stddev, (tuple, list)) else (stddev, stddev), "stddev", 0.0)

    def step(self) -> Step:
        return Step("noise", (("uniform", *self._range),), self.factor, value_range=self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {"stddev": plain(self.stddev), "factor": self.factor, **super().get_config()}


class RandomSaltAndPepper(Colors):
    """Some pixels made white or black.

    Parameters
    ----------
    amount : float or (float, float)
        Which share of the pixels; one number is taken as it is.
    salt : float
        Which share of those becomes white.
    factor : float
        The share of the images that it is done to.
    value_range, seed
        As for `RandomBrightness`.
    """

    def __init__(
        self,
        amount: Any = 0.05,
        salt: float = 0.5,
        factor: float = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
    ) -> None:
        super().__init__(value_range, seed)
        self.amount, self.salt = amount, check_probability(salt, "salt")
        self.factor = check_probability(factor, "factor")
        self._range = interval(amount if isinstance(amount, (tuple, list)) else (amount, amount), "amount", 0.0, 1.0)

    def step(self) -> Step:
        draws: tuple[Draw, ...] = (("uniform", *self._range),)
        return Step("salt", draws, self.factor, (self.salt,), value_range=self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {"amount": plain(self.amount), "salt": self.salt, "factor": self.factor, **super().get_config()}


class RandomGaussianBlur(Sometimes):
    """Images blurred. Outside the image its border goes on.

    Parameters
    ----------
    factor : float
        The share of the images that it is done to.
    kernel_size : int or (int, int)
        Rows and columns of the window, odd.
    sigma : float or (float, float)
        The Gaussian's standard deviation in pixels; one number draws from 0 to it.
    value_range, seed
        As for `RandomBrightness`.
    """

    def __init__(
        self,
        factor: float = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
    ) -> None:
        super().__init__(factor, value_range, seed)
        self.kernel_size, self.sigma = kernel_size, sigma
        self._window = pair(kernel_size, "kernel_size")
        if self._window[0] % 2 == 0 or self._window[1] % 2 == 0 or max(self._window) > 255:
            raise ValueError(f"kernel_size must be odd and at most 255, received {kernel_size}")
        self._range = interval(sigma, "sigma", 0.0, start=0.0)

    def step(self) -> Step:
        draws: tuple[Draw, ...] = (("uniform", *self._range),)
        return Step("blur", draws, self.factor, value_range=self.value_range, window=self._window)

    def get_config(self) -> dict[str, Any]:
        return {"kernel_size": plain(self.kernel_size), "sigma": plain(self.sigma), **super().get_config()}


class RandomSharpness(Factor):
    """Images smoothed or sharpened.

    Parameters
    ----------
    factor : float or (float, float)
        From 0 to 1: 0 is the image smoothed, 0.5 the image itself, 1 as far from it the other way. One number draws
        from 0 to it.
    value_range, seed
        As for `RandomBrightness`.
    """

    def step(self) -> Step:
        low, high = self.range
        return Step("sharpen", (("uniform", 2 * low, 2 * high),), value_range=self.value_range)


class RandomErasing(Colors):
    """A rectangle of some images erased (Zhong et al. 2020, "Random erasing data augmentation", section 3.2).

    Parameters
    ----------
    factor : float
        The share of the images that it is done to.
    scale : (float, float)
        The rectangle's share of the image's area.
    fill_value : float, optional
        What becomes of its pixels; None: noise about the middle of the range.
    value_range : (float, float)
    seed : int, optional
    ratio : (float, float)
        Its width over its height.
    """

    def __init__(
        self,
        factor: float = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: float | None = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        ratio: Any = (0.3, 1 / 0.3),
    ) -> None:
        super().__init__(value_range, seed)
        self.factor = check_probability(factor, "factor")
        self.scale, self.ratio = (
            interval(scale, "scale", 0.0, 1.0, start=0.0),
            interval(ratio, "ratio", 1e-3, 1e3, start=1.0),
        )
        self.fill_value = None if fill_value is None else real_number(fill_value, "fill_value", low=-math.inf)

    def step(self) -> Step:
        shapes = math.log(self.ratio[0]), math.log(self.ratio[1])
        draws: tuple[Draw, ...] = (
            ("uniform", *self.scale), ("uniform", *shapes), ("uniform", 0.0, 1.0), ("uniform", 0.0, 1.0),
        )  # fmt: skip
        constants = (float(self.fill_value is None), self.fill_value or 0.0)
        return Step("erase", draws, self.factor, constants, value_range=self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {
            "factor": self.factor, "scale": list(self.scale), "fill_value": self.fill_value, "ratio": list(self.ratio),
            **super().get_config(),
        }  # fmt: skip


class Cutout(Colors):
    """A square erased, about a place anywhere in the image (DeVries and Taylor 2017, "Improved regularization of
    convolutional neural networks with cutout", section 3.2).

    Parameters
    ----------
    size : int or (int, int)
        Its rows and columns; what lies outside the image is cut off.
    fill_value : float, optional
        What becomes of its pixels; None: noise.
    factor : float
        The share of the images that it is done to.
    value_range : (float, float)
    seed : int, optional
    """

    def __init__(
        self,
        size: Any,
        fill_value: float | None = 0.0,
        factor: float = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
    ) -> None:
        super().__init__(value_range, seed)
        self.size, self._sides = size, pair(size, "size")
        self.fill_value = None if fill_value is None else real_number(fill_value, "fill_value", low=-math.inf)
        self.factor = check_probability(factor, "factor")

    def step(self) -> Step:
        constants = (float(self.fill_value is None), self.fill_value or 0.0, *map(float, self._sides))
        draws: tuple[Draw, ...] = (("uniform", 0.0, 1.0),) * 2
        return Step("cutout", draws, self.factor, constants, value_range=self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {
            "size": plain(self.size), "fill_value": self.fill_value, "factor": self.factor, **super().get_config()
        }  # fmt: skip

"""Colours changed, pixel by pixel."""

from __future__ import annotations

from typing import Any

from ...shapes import real_number
from .arguments import interval, plain, values_of
from .base import Augmentation, check_probability
from .steps import Draw, Step, fixed


class Colors(Augmentation):
    """What must know the range of values."""

    #: Whether gray images are left as they are, and others than three channels an error.
    needs_colors = False

    def __init__(self, value_range: Any, seed: int | None) -> None:
        super().__init__(seed)
        self.value_range = values_of(value_range)

    def check_channels(self, channels: int) -> None:
        if self.needs_colors and channels not in (1, 3):
            raise ValueError(f"{type(self).__name__}: images must have 1 or 3 channels, received {channels}")

    def step(self) -> Step:
        raise NotImplementedError

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        return [self.step()] if training else []

    def get_config(self) -> dict[str, Any]:
        return {"value_range": list(self.value_range), **super().get_config()}


class Factor(Colors):
    """One factor, drawn from a range."""

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None) -> None:
        super().__init__(value_range, seed)
        self.factor = factor
        self.range = self._range(factor)

    def _range(self, factor: Any) -> tuple[float, float]:
        return interval(factor, "factor", 0.0, 1.0, start=0.0)

    def get_config(self) -> dict[str, Any]:
        return {"factor": plain(self.factor), **super().get_config()}


class RandomBrightness(Factor):
    """A number added to all pixels of an image.

    Parameters
    ----------
    factor : float or (float, float)
        The number, as a share of the range of values, from -1 to 1; 0.2 draws from -0.2 to 0.2.
    value_range : (float, float)
        The least and greatest value; results are clipped to it. Of uint8 images it is always (0, 255).
    seed : int, optional
    """

    def _range(self, factor: Any) -> tuple[float, float]:
        return interval(factor, "factor", -1.0, 1.0)

    def step(self) -> Step:
        return Step("shift", (("uniform", *self.range),), value_range=self.value_range)


class RandomContrast(Factor):
    """Differences from each channel's mean over the image, times a number.

    Parameters
    ----------
    factor : float or (float, float)
        0.2 draws the number from 0.8 to 1.2, (a, b) from 1 - a to 1 + b; each from 0 to 1.
    value_range, seed
        As for `RandomBrightness`.
    """

    def _range(self, factor: Any) -> tuple[float, float]:
        pair = factor if isinstance(factor, (tuple, list)) and len(factor) == 2 else (factor, factor)
        lower, upper = (real_number(f, "factor", high=1.0) for f in pair)
        return 1 - lower, 1 + upper

    def step(self) -> Step:
        return Step("contrast", (("uniform", *self.range),), value_range=self.value_range)


class _Hsv(Factor):
    """What takes hue, saturation and value apart, which start at 0."""

    needs_colors = True

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None) -> None:
        super().__init__(factor, value_range, seed)
        if self.value_range[0] != 0:
            raise ValueError(f"value_range must start at 0 where hue or saturation change, received {value_range}")


class RandomSaturation(_Hsv):
    """Saturation times a number (of hue, saturation and value).

    Parameters
    ----------
    factor : float or (float, float)
        From 0 to 1; f multiplies by f / (1 - f): 0 makes gray, 0.5 leaves it, 1 is full colours. One number draws
        from 0 to it.
    value_range : (float, float)
        As for `RandomBrightness`, from 0 on.
    seed : int, optional
    """

    def step(self) -> Step:
        return Step("hsv", (fixed(0.0), ("odds", *self.range)), value_range=self.value_range)


class RandomHue(_Hsv):
    """Hues turned.

    Parameters
    ----------
    factor : float or (float, float)
        From 0 to 1, in half turns either way: 0.1 draws from -18 to 18 degrees, (a, b) from a to b with either sign.
    value_range : (float, float)
        As for `RandomBrightness`, from 0 on.
    seed : int, optional
    """

    def step(self) -> Step:
        low, high = self.range
        return Step("hsv", (("signed", low / 2, high / 2), fixed(1.0)), value_range=self.value_range)


class RandomColorJitter(Colors):
    """Brightness, contrast, saturation and hue, in this order, in one pass.

    Parameters
    ----------
    value_range : (float, float)
    brightness_factor, contrast_factor, saturation_factor, hue_factor : float or (float, float), optional
        As for `RandomBrightness`, `RandomContrast`, `RandomSaturation`, `RandomHue`; None leaves it out.
    seed : int, optional
    """

    needs_colors = True

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(value_range, seed)
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        kinds = (RandomBrightness, RandomContrast, RandomSaturation, RandomHue)
        given = (brightness_factor, contrast_factor, saturation_factor, hue_factor)
        self._steps = [kind(f, value_range).step() for kind, f in zip(kinds, given) if f is not None]
        if saturation_factor is not None and hue_factor is not None:
            # Both in one: the hue's draw and the saturation's.
            hue, saturation = self._steps.pop(), self._steps.pop()
            both = (hue.draws[0], saturation.draws[1])
            self._steps.append(Step("hsv", both, value_range=self.value_range))

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        return list(self._steps) if training else []

    def get_config(self) -> dict[str, Any]:
        return {
            "brightness_factor": plain(self.brightness_factor), "contrast_factor": plain(self.contrast_factor),
            "saturation_factor": plain(self.saturation_factor), "hue_factor": plain(self.hue_factor),
            **super().get_config(),
        }  # fmt: skip


class RandomColorDegeneration(Factor):
    """Images blended with their gray ones.

    Parameters
    ----------
    factor : float or (float, float)
        How much of the gray one, from 0 (the image) to 1; one number draws from 0 to it.
    value_range, seed
        As for `RandomBrightness`.
    """

    needs_colors = True

    def step(self) -> Step:
        low, high = self.range
        return Step("color", (("uniform", 1 - high, 1 - low),), value_range=self.value_range)


class Sometimes(Colors):
    """Done to a share of the images."""

    def __init__(self, factor: float, value_range: Any, seed: int | None) -> None:
        super().__init__(value_range, seed)
        self.factor = check_probability(factor, "factor")

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, **super().get_config()}


class RandomGrayscale(Sometimes):
    """Some images made gray, in all their channels.

    Parameters
    ----------
    factor : float
        Which share of them.
    seed : int, optional
    value_range : (float, float)
    """

    needs_colors = True

    def __init__(self, factor: float = 0.5, seed: int | None = None, value_range: Any = (0, 255)) -> None:
        super().__init__(factor, value_range, seed)

    def step(self) -> Step:
        return Step("color", (fixed(0.0),), self.factor, value_range=self.value_range)


class RandomInvert(Sometimes):
    """Some images made negatives.

    Parameters
    ----------
    factor : float
        Which share of them.
    value_range, seed
        As for `RandomBrightness`.
    """

    def __init__(self, factor: float = 1.0, value_range: Any = (0, 255), seed: int | None = None) -> None:
        super().__init__(factor, value_range, seed)

    def step(self) -> Step:
        return Step("invert", (), self.factor, value_range=self.value_range)


class RandomPosterization(Colors):
    """Values with fewer bits.

    Parameters
    ----------
    factor : int or (int, int)
        How many of 8 bits stay, from 1 on.
    value_range, seed
        As for `RandomBrightness`.
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None) -> None:
        super().__init__(value_range, seed)
        self.factor = factor
        pair = factor if isinstance(factor, (tuple, list)) else (factor, factor)
        self._bits = interval(pair, "factor", 1, 8)

    def step(self) -> Step:
        return Step("posterize", (("whole", *self._bits),), value_range=self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {"factor": plain(self.factor), **super().get_config()}


class Solarization(Colors):
    """A share of the range added, and what then reaches a threshold inverted.

    Parameters
    ----------
    addition_factor, threshold_factor : float or (float, float)
        Shares of the range from 0 to 1; one number draws from 0 to it.
    value_range, seed
        As for `RandomBrightness`.
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
    ) -> None:
        super().__init__(value_range, seed)
        self.addition_factor, self.threshold_factor = addition_factor, threshold_factor
        self._draws: tuple[Draw, ...] = tuple(
            ("uniform", *interval(f, name, 0.0, 1.0, start=0.0))
            for f, name in ((threshold_factor, "threshold_factor"), (addition_factor, "addition_factor"))
        )

    def step(self) -> Step:
        return Step("solarize", self._draws, value_range=self.value_range)

    def get_config(self) -> dict[str, Any]:
        factors = {"addition_factor": plain(self.addition_factor), "threshold_factor": plain(self.threshold_factor)}
        return {**factors, **super().get_config()}


class AutoContrast(Colors):
    """Each channel stretched from its least and greatest value to the whole range.

    Parameters
    ----------
    value_range
        As for `RandomBrightness`.
    """

    def __init__(self, value_range: Any = (0, 255), seed: int | None = None) -> None:
        super().__init__(value_range, seed)

    def step(self) -> Step:
        return Step("stretch", value_range=self.value_range)


class Equalization(Colors):
    """Each channel's values spread so that all are about as frequent.

    Parameters
    ----------
    value_range
        As for `RandomBrightness`; it is cut into 256 bins.
    """

    def __init__(self, value_range: Any = (0, 255), seed: int | None = None) -> None:
        super().__init__(value_range, seed)

    def step(self) -> Step:
        return Step("equalize", value_range=self.value_range)

"""What every augmentation is, and several in a row: drawing, running the kernels, moving boxes and labels along."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import random
from ..._ops import core
from ...errors import shown
from ...shapes import real_number, whole_number
from ..details import Details
from .annotations import (
    Boxes,
    Keypoints,
    are_details,
    are_weights,
    check_boxes,
    check_details,
    check_keypoints,
    check_labels,
    details_of,
    labels_of_boxes,
    move_boxes,
    move_points,
    numbered,
    without_numbers,
)
from .program import Program, argument, described
from .recipe import make_recipe
from .steps import Step

#: Recipes, as programs, that an augmentation keeps: batches mostly have one shape, and a last one another.
_KEPT = 8


class Augmentation:
    """Base of all augmentations: a function of batches that changes images in training, each in its own way.

    What happens to an image follows from `seed`, the number of the call and the image's place in the batch alone, for
    any number of threads.

    Parameters
    ----------
    seed : int, optional
        None takes one from `fastcnn.set_seed`'s random numbers.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.given_seed = None if seed is None else random.check_seed(seed)
        self._seed: int | None = self.given_seed
        self._step = 0
        self._lock = threading.Lock()
        self._programs: dict[Any, Program] = {}

    # ---- what subclasses write

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        """What is done to images of this size. Outside training only what changes sizes."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal augmentation, as plain data."""
        return {"seed": self.given_seed}

    def parts(self) -> list[Augmentation]:
        """The augmentations that this one is made of, in order."""
        return [self]

    def check_channels(self, channels: int) -> None:
        """An error where images of so many channels can't be taken."""

    # ---- what callers use

    @property
    def seed(self) -> int:
        """The seed, from 0 to 2^63 - 1."""
        if self._seed is None:
            self._seed = random.next_seed()
        return self._seed

    def state_dict(self) -> dict[str, int]:
        """What the next call depends on: load it to go on in the same way."""
        return {"seed": self.seed, "step": self._step}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from what `state_dict` gave."""
        try:
            seed, step = random.check_seed(state["seed"]), random.check_seed(state["step"], "step")
        except (KeyError, TypeError):
            raise ValueError(f'state must be a dict with "seed" and "step", received {shown(state)}') from None
        self._seed, self._step = seed, step

    def __call__(
        self,
        images: Any,
        labels: Any = None,
        boxes: Boxes | None = None,
        keypoints: Keypoints | Sequence[Details] | Details | None = None,
        training: bool = True,
        step: int | None = None,
    ) -> Any:
        """Augment a batch.

        Parameters
        ----------
        images : array (batch, height, width, channels) or (height, width, channels), or dict
            uint8, or anything else as float32. A dict has "images" and may have "labels", "boxes", "keypoints".
        labels : array (batch, ...), optional
            Mixed where images are mixed; else returned as they are. Beside boxes also a list with an array for each
            image that has one entry for each box: these stay with their boxes.
        boxes : list of arrays (boxes, 4 or more), optional
            Of each image: left, top, right, bottom in pixels, then anything. They move with what is in them, are
            clipped to the image, and dropped where too little of them is left. A number for each image, in an array,
            is its weight in training, and returned as it is; what mixes images takes none.
        keypoints : list of arrays (points, 2 or more), optional
            Of each image: x, y in pixels, then anything. They move along; those outside the image stay in the list.
            Or a list of `Details`, as datasets with boxes have them: what they say of boxes stays with the boxes.
        training : bool
            Otherwise images only get the size that they have in training.
        step : int, optional
            The number of the call, instead of one more than the last.

        Returns
        -------
        The images, or a tuple of all that was given, or a dict of it: new arrays, never views of the old.
        """
        if isinstance(images, Mapping):
            return self._of_dict(images, training, step)
        x = as_images(images)
        single = x.ndim == 3
        weights = None
        if are_weights(boxes, x.shape[:-3]):
            self._check_unmixed(training)
            weights, boxes = np.array(boxes), None
        details: Any = None
        if are_details(keypoints):
            details, keypoints = keypoints, None
        if single:
            x, labels, boxes, keypoints = x[None], *map(_one, (labels, boxes, keypoints))
            weights, details = _one(weights), _one(details)
        rows = check_boxes(boxes, len(x))
        check_details(details, rows)
        of_boxes = labels_of_boxes(labels, rows)
        following = of_boxes is not None or details is not None
        of_images = None if of_boxes is not None else check_labels(labels, len(x))
        batch = Batch(x, of_images, numbered(rows or []) if following else rows, check_keypoints(keypoints, len(x)))
        self.check_channels(x.shape[3])
        state = np.array([self.seed, self._next() if step is None else whole_number(step, "step", 0)], np.uint64)
        batch = self._run(batch, state, training)
        if following:
            numbers, batch.boxes = without_numbers(batch.boxes)
            batch.labels = batch.labels if of_boxes is None else [of_boxes[n] for n in numbers]
            details = None if details is None else details_of(details, numbers)
        found = (batch.labels, batch.boxes if weights is None else weights, batch.keypoints, details)
        results = [batch.images, *(part for part in found if part is not None)]
        if single:
            results = [r[0] for r in results]
        return results[0] if len(results) == 1 else tuple(results)

    def params(self, shape: Sequence[int], step: int | None = None, training: bool = True) -> list[dict[str, Any]]:
        """What a call does to each image, without doing it.

        Parameters
        ----------
        shape : (batch, height, width, channels)
        step : int, optional
            The number of the call; the last one's if not given.

        Returns
        -------
        list of dict
            Each pass' "steps" (their kinds), "done" (batch, steps) and "values" (batch, steps, 8); of geometric ones
            the "matrix" (batch, 3, 3) from the result's pixels (column, row, 1) to the image's.
        """
        n, h, w, c = (whole_number(s, "shape", 0) for s in shape)
        number = max(0, self._step - 1) if step is None else whole_number(step, "step", 0)
        rng = np.array([self.seed, number], np.uint64)
        recipe = make_recipe(self.steps(h, w, training), (n, h, w, c), "uint8")
        memory = {name: np.empty(size, dtype) for name, (size, dtype) in recipe.memory.items()} | {"rng": rng}
        for call in recipe.calls:
            if call.kernel in ("augment_draw", "augment_geometry"):
                core.call(call.kernel, **{k: argument(v, memory) for k, v in call.args.items()})
        return described(recipe, memory)

    def _of_dict(self, data: Mapping[str, Any], training: bool, step: int | None) -> dict[str, Any]:
        names = ("images", "labels", "boxes", "keypoints")
        if "images" not in data or not set(data) <= set(names):
            raise ValueError(f'images must be a dict with "images" and none but {names}, received {list(data)}')
        given = [name for name in names if data.get(name) is not None]
        result = self(**{name: data[name] for name in given}, training=training, step=step)
        return dict(zip(given, result if len(given) > 1 else [result]))

    def _check_unmixed(self, training: bool) -> None:
        mixing = [type(part).__name__ for part in self.parts() if isinstance(part, Mixing)]
        if training and mixing:
            raise ValueError(f"{mixing[0]} doesn't mix weights of samples: they can't be given as the third argument")

    def _next(self) -> int:
        with self._lock:
            self._step += 1
            return self._step - 1

    def _run(self, batch: Batch, rng: np.ndarray, training: bool) -> Batch:
        n, h, w, c = batch.images.shape
        key = (batch.images.shape, batch.images.dtype.name, training, core.isa())
        with self._lock:
            program = self._programs.get(key)
        if program is None:
            recipe = make_recipe(self.steps(h, w, training), (n, h, w, c), batch.images.dtype.name)
            program = Program(recipe, batch.images)
            with self._lock:
                while len(self._programs) >= _KEPT:
                    self._programs.pop(next(iter(self._programs)))
                self._programs[key] = program
        y, found = program.run(batch.images, rng)
        boxes, keypoints = batch.boxes, batch.keypoints
        if boxes is not None or keypoints is not None:
            for one, size in zip(described(program.recipe, found), program.sizes):
                if "matrix" in one:
                    boxes = None if boxes is None else move_boxes(boxes, one["matrix"], size)
                    keypoints = None if keypoints is None else move_points(keypoints, one["matrix"])
        return Batch(y, batch.labels, boxes, keypoints)

    def __repr__(self) -> str:
        config = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items() if v is not None)
        return f"{type(self).__name__}({config})"

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_lock", "_programs")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock(), _programs={})


class Batch:
    """Images with what belongs to them."""

    __slots__ = ("boxes", "images", "keypoints", "labels")

    def __init__(self, images: np.ndarray, labels: Any, boxes: Any, keypoints: Any) -> None:
        self.images, self.labels, self.boxes, self.keypoints = images, labels, boxes, keypoints


def _one(value: Any) -> Any:
    return None if value is None else [value]


def as_images(images: Any) -> np.ndarray:
    """Images as the kernels take them: uint8 or float32, dense."""
    array = np.asarray(images)
    if array.ndim not in (3, 4) or array.dtype.kind not in "buif":
        raise ValueError(
            "images must be an array of numbers (batch, height, width, channels) or (height, width, channels), "
            f"received {type(images).__name__} of shape {array.shape} and dtype {array.dtype}"
        )
    if 0 in array.shape[-3:]:
        raise ValueError(f"images must have pixels, received shape {array.shape}")
    return np.require(array, np.uint8 if array.dtype == np.uint8 else np.float32, ["C", "A"])


class Compose(Augmentation):
    """Several augmentations, one after another.

    Neighbouring geometric ones are one look through one matrix, so pixels are interpolated once; neighbouring linear
    changes of colours are one matrix of colours, without clipping in between.

    Parameters
    ----------
    augmentations : list of Augmentation
        Their own seeds don't matter here.
    seed : int, optional
    """

    def __init__(self, augmentations: Sequence[Augmentation], seed: int | None = None) -> None:
        super().__init__(seed)
        wrong = [a for a in augmentations if not isinstance(a, Augmentation)]
        if wrong:
            raise TypeError(f"augmentations must be a list of augmentations, received {shown(wrong[0])} in it")
        self.augmentations = list(augmentations)

    def parts(self) -> list[Augmentation]:
        return [part for one in self.augmentations for part in one.parts()]

    def check_channels(self, channels: int) -> None:
        for part in self.parts():
            part.check_channels(channels)

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        found: list[Step] = []
        groups = 0
        for part in self.parts():
            mine = part.steps(height, width, training)
            for step in mine:
                height, width = step.size or (height, width)
            found += renumbered(mine, groups)
            groups = 1 + max((s.group[0] for s in found if s.group is not None), default=-1)
        return found

    def get_config(self) -> dict[str, Any]:
        return {"augmentations": self.augmentations, **super().get_config()}

    def _run(self, batch: Batch, rng: np.ndarray, training: bool) -> Batch:
        for i, piece in enumerate(self._pieces()):
            # Every piece has random numbers of its own.
            own = rng + np.array([i << 32, 0], np.uint64)
            batch = Augmentation._run(self, batch, rng, training) if piece is self else piece._run(batch, own, training)
        return batch

    def _pieces(self) -> list[Augmentation]:
        """Itself where all is steps; else runs of steps, and what mixes images between them."""
        if not any(isinstance(part, Mixing) for part in self.parts()):
            return [self]
        if not hasattr(self, "_split"):
            self._split: list[Augmentation] = []
            run: list[Augmentation] = []
            for part in [*self.parts(), None]:
                if isinstance(part, Mixing) or part is None:
                    self._split += [Compose(run)] if run else []
                    self._split += [part] if part is not None else []
                    run = []
                else:
                    run.append(part)
        return self._split


class Mixing(Augmentation):
    """Base of what makes an image of several: a pass of its own, with labels."""

    def steps(self, height: int, width: int, training: bool = True) -> list[Step]:
        raise ValueError(
            f"{type(self).__name__} mixes images of a batch with their labels; it has no steps for one image"
        )


def renumbered(steps: Sequence[Step], start: int) -> list[Step]:
    """Steps whose choices are numbered from `start` on."""
    return [
        step if step.group is None else dataclasses.replace(step, group=(step.group[0] + start, *step.group[1:]))
        for step in steps
    ]


def check_probability(value: Any, name: str) -> float:
    """A number from 0 to 1."""
    return real_number(value, name, high=1.0)

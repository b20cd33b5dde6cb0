"""Prediction: plans for the sizes that come, and what runs them."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import callbacks as cb
from .._ops import choose, core
from ..graph import Value
from ..layers.base import Layer
from ..plan import Plan, StagedPlan, prediction_plan
from ..shapes import whole_number
from .data import check_batches, check_verbose, is_arrays, model_inputs, whole_inputs
from .network import Network, as_list
from .stream import raw_batches

#: A plan, whole or in stages.
AnyPlan = Plan | StagedPlan

#: Plans kept for sizes seen lately, for each model.
_KEPT_PLANS = 8
#: Samples of a batch where predict is told nothing.
BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class _Last:
    """The last prediction of one batch: its input's shape and type, the settings it was planned with, and the plan."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    settings: tuple[str, ...]
    plan: AnyPlan


def _settings() -> tuple[str, ...]:
    """What plans depend on besides the shapes and the graph."""
    return (core.isa(), *choose.settings())


class Predictor(Network):
    """The part of a model that computes its outputs."""

    def _start(self, name: str | None, trainable: bool) -> None:
        super()._start(name, trainable)
        self._plans: OrderedDict[Any, AnyPlan] = OrderedDict()
        self._last: _Last | None = None

    def _connect(self, inputs: list[Value], outputs: list[Value]) -> None:
        super()._connect(inputs, outputs)
        self._forget_plans()

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """On graph values: the model as a layer. On arrays: the prediction of one batch."""
        if training:
            raise ValueError("a model is called for its prediction: training must be False; to learn, use fit")
        values = as_list(inputs)
        if values and isinstance(values[0], Value):
            if not self.built:
                self.build(values[0].shape)
            return Layer.__call__(self, inputs)
        return self.predict_on_batch(inputs)

    def plan(self, batch: int = 1, input_shapes: Sequence[Sequence[int]] | None = None) -> AnyPlan:
        """What a prediction of so many samples will run: kernels, shapes, FLOPs, bytes, the arena's size.

        Parameters
        ----------
        batch : int
        input_shapes : list of tuple of int, optional
            With the batch axis, one for each input; needed where inputs have open sizes.
        """
        self._require_built()
        batch = whole_number(batch, "batch")
        if input_shapes is not None:
            return self._inference(tuple(tuple(int(size) for size in shape) for shape in input_shapes))
        shapes = tuple((batch, *v.shape[1:]) if v.shape[:1] == (None,) else v.shape for v in self.inputs)
        for value, shape in zip(self.inputs, shapes):
            if None in shape:
                raise ValueError(f"input {value.name!r} has open sizes, {value.shape}: say which with input_shapes")
        return self._inference(shapes)  # type: ignore[arg-type]

    def _inference(self, shapes: tuple[tuple[int, ...], ...]) -> AnyPlan:
        """The plan of a prediction from inputs of these shapes."""
        return self._cached(("predict", shapes), lambda: prediction_plan(dict(zip(self.inputs, shapes)), self.outputs))

    def _cached(self, key: Any, make: Callable[[], AnyPlan]) -> AnyPlan:
        """A plan made before, if it still fits, else a new one; the least used are forgotten."""
        key = (*key, *_settings())
        with core.lock:
            plan = self._plans.get(key)
            if plan is not None and plan.current:
                self._plans.move_to_end(key)
                return plan
        # Outside the lock: it takes its time, and runs losses that users wrote.
        plan = make()
        with core.lock:
            self._plans[key] = plan
            self._plans.move_to_end(key)
            while len(self._plans) > _KEPT_PLANS:
                self._plans.popitem(last=False)
        return plan

    def _forget_plans(self, *kinds: str) -> None:
        """Drop the plans of these kinds ("predict", "train", "test"), or all."""
        with core.lock:
            self._last = None
            for key in [k for k in self._plans if not kinds or k[0] in kinds]:
                del self._plans[key]

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, computed at once.

        Parameters
        ----------
        x : array, or list or dict of arrays
            (batch, ...) for each input; any number type.

        Returns
        -------
        np.ndarray or list of np.ndarray
            One for each output, float32 unless its layer gives another type.
        """
        plan = self._as_before(x)
        if plan is not None:
            return self._give(plan.compute([x]))
        self._require_built()
        if self._by_samples:
            columns, _ = model_inputs(self, x)
            arrays = [c.dense() for c in columns]
        else:
            arrays = whole_inputs(self, x)
        outputs = self._predict_arrays(arrays)
        self._remember(x, arrays)
        return self._give(outputs)

    def _as_before(self, x: Any) -> AnyPlan | None:
        """The plan of the last prediction of one batch, if it takes this x as it is: whoever asks for one picture after
        the other waits for everything that is looked up or checked again. None: x must go the long way.
        """
        last = self._last
        if last is None or type(x) is not np.ndarray or x.shape != last.shape or x.dtype != last.dtype:
            return None
        flags = x.flags
        fits = flags.c_contiguous and flags.aligned and last.plan.current and last.settings == _settings()
        return last.plan if fits else None

    def _remember(self, x: Any, arrays: list[np.ndarray]) -> None:
        """x has been predicted as one batch, for which it became `arrays`: if nothing of it changed, say so."""
        if type(x) is np.ndarray and x.size > 0 and (x.shape, x.dtype) == (arrays[0].shape, arrays[0].dtype):
            self._last = _Last(x.shape, x.dtype, _settings(), self._inference((x.shape,)))

    def _predict_arrays(self, arrays: list[np.ndarray], outputs: list[np.ndarray] | None = None) -> list[np.ndarray]:
        """The outputs of one batch, in new arrays or in those given."""
        if self._by_samples and len(arrays[0]) == 0:
            return outputs or [np.empty((0, *(s or 0 for s in v.shape[1:])), v.dtype) for v in self.outputs]
        plan = self._inference(tuple(a.shape for a in arrays))
        if outputs is None:
            return plan.compute(arrays)
        plan.run(arrays, outputs)
        return outputs

    @property
    def _by_samples(self) -> bool:
        """Whether inputs are rows of samples, of which any number may be taken at a time."""
        return bool(self.inputs) and all(v.origin.layer.samples for v in self.inputs)

    def _give(self, outputs: list[np.ndarray]) -> Any:
        return outputs[0] if self._single_output else outputs

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for all samples, batch by batch. Safe to call from several threads at once.

        Parameters
        ----------
        x : array, list or dict of arrays, or iterable of batches
        batch_size : int
            32 if not given.
        verbose : "auto", 0, 1 or 2
            Nothing, a live bar, or a line at the end; "auto" shows the bar where it will take more than a moment.
        steps : int, optional
            At most so many batches.

        Returns
        -------
        np.ndarray or list of np.ndarray
            (samples, ...) for each output, float32 unless its layer gives another type.
        """
        plain = steps is None and callbacks is None and verbose == "auto"
        if plain and batch_size is None and isinstance(x, np.ndarray) and x.ndim > 0 and len(x) <= BATCH_SIZE:
            return self.predict_on_batch(x)
        self._require_built()
        size = BATCH_SIZE if batch_size is None else whole_number(batch_size, "batch_size")
        steps = None if steps is None else whole_number(steps, "steps")
        verbose = check_verbose(verbose)
        if not is_arrays(x):
            return self._predict_stream(check_batches(x), verbose, steps, callbacks)
        if not self._by_samples:
            return self.predict_on_batch(x)
        inputs, count = model_inputs(self, x)
        count = count if steps is None else min(count, steps * size)
        if count <= size and callbacks is None and verbose == "auto":
            return self._give(self._predict_arrays([c.part(0, count).dense() for c in inputs]))
        size = min(size, max(count, 1))
        plan = self._inference(tuple((size, *c.row) for c in inputs)) if count else None
        if verbose == "auto":
            # At a tenth of what one core of today does.
            verbose = int(plan is not None and plan.flops * count / size > 2 * 10e9)
        listeners = self._predict_listeners(callbacks, verbose, -(-count // size), count, size)
        outputs: list[np.ndarray] = []
        if isinstance(plan, Plan) and all(shape[:1] == (size,) for shape, _ in plan.outputs):
            outputs = [np.empty((count, *shape[1:]), dtype) for shape, dtype in plan.outputs]
        parts: list[list[np.ndarray]] = []
        listeners.on_predict_begin()
        for number, start in enumerate(range(0, count, size)):
            listeners.on_predict_batch_begin(number)
            stop = min(start + size, count)
            arrays = [c.part(start, stop).dense() for c in inputs]
            parts.append(self._predict_arrays(arrays, [out[start:stop] for out in outputs] or None))
            self._check_rows(parts[-1], stop - start)
            listeners.on_predict_batch_end(number, {})
        listeners.on_predict_end()
        if not parts:
            return self._give(self._predict_arrays([c.dense() for c in inputs]))
        return self._give(outputs or self._joined(parts))

    def _check_rows(self, results: Sequence[np.ndarray], size: int) -> None:
        """Only what has a row for each sample can be computed some samples at a time."""
        for name, result in zip(self.output_names, results):
            if result.shape[:1] != (size,):
                raise ValueError(
                    f"model {self.name!r}: output {name!r} has shape {result.shape} for {size} samples, not a row for "
                    f"each; predict them one batch at a time, with predict_on_batch"
                )

    def _joined(self, parts: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
        for name, group in zip(self.output_names, zip(*parts)):
            if len({result.shape[1:] for result in group}) > 1:
                raise ValueError(
                    f"model {self.name!r}: output {name!r} has other sizes in other batches; predict them one at a "
                    f"time, with predict_on_batch"
                )
        return [np.concatenate(group) for group in zip(*parts)]

    def _predict_stream(self, source: Any, verbose: Any, steps: int | None, callbacks: Any) -> Any:
        listeners = self._predict_listeners(callbacks, 0 if verbose == "auto" else verbose, steps, None, None)
        parts: list[list[np.ndarray]] = []
        listeners.on_predict_begin()
        for number, item in enumerate(raw_batches(source, steps)):
            listeners.on_predict_batch_begin(number)
            columns, count = model_inputs(self, item[0] if isinstance(item, tuple) else item)
            parts.append(self._predict_arrays([c.dense() for c in columns]))
            self._check_rows(parts[-1], count)
            listeners.on_predict_batch_end(number, {})
        listeners.on_predict_end()
        if not parts:
            raise ValueError("x gave no batches")
        return self._give(self._joined(parts))

    def _predict_listeners(
        self, callbacks: Any, verbose: Any, steps: int | None, samples: int | None, size: int | None
    ) -> Any:
        return cb.CallbackList(
            callbacks,
            add_progbar=bool(verbose),
            model=self,
            verbose=verbose,
            epochs=1,
            steps=steps,
            samples=samples,
            batch_size=size,
        )

"""Layers joined into one graph: its structure, its weights, and its outputs for a batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import callbacks as cb
from .._ops import choose, core
from ..errors import unknown_name
from ..graph import Value, Variable, rebuild
from ..layers.base import Layer, LayerCall
from ..layers.input import InputLayer
from ..plan import Plan, fuse_for_prediction, inference_plan
from ..shapes import whole_number
from .data import check_batches, check_verbose, is_arrays, model_inputs, raw_batches

#: Plans kept for sizes of batch seen lately, for each model.
_KEPT_PLANS = 8


def as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


class Network(Layer):
    """The part of a model that is there before it learns: layers joined from inputs to outputs."""

    automatic_base = "functional"

    def _start(self, name: str | None, trainable: bool) -> None:
        Layer.__init__(self, name, trainable)
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.network: list[LayerCall] = []
        self._layers: list[Layer] = []
        self._single_output = True
        self._plans: OrderedDict[Any, Plan] = OrderedDict()

    def _connect(self, inputs: list[Value], outputs: list[Value]) -> None:
        for what, values in (("inputs", inputs), ("outputs", outputs)):
            if not values:
                raise ValueError(f"model {self.name!r}: {what} must have at least one value, received an empty list")
            for value in values:
                if not isinstance(value, Value):
                    raise TypeError(f"{what} must be results of Input() and layers, received {type(value).__name__}")
        for value in inputs:
            if value.origin is None or not isinstance(value.origin.layer, InputLayer):
                raise ValueError(f"inputs must be results of Input(), received {value!r}")
        network = _trace(inputs, outputs, self.name)
        members = list(OrderedDict((id(c.layer), c.layer) for c in network).values())
        _check_names(members, self.name)
        self.network, self._layers = network, members
        self.inputs, self.outputs = inputs, outputs
        self.built = True
        self._forget_plans()

    # ---- structure

    @property
    def layers(self) -> list[Layer]:
        """Layers in the order they are first used."""
        return list(self._layers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name, or at that place."""
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"index must be below the number of layers, {len(self.layers)}, received {index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise unknown_name("layer", name, [layer.name for layer in self.layers])

    @property
    def input(self) -> Any:
        """The model's input, or the list of them, to build another model on."""
        self._require_built()
        return self.inputs[0] if len(self.inputs) == 1 else list(self.inputs)

    @property
    def output(self) -> Any:
        """The model's output, or the list of them, to build another model on."""
        self._require_built()
        return self.outputs[0] if self._single_output else list(self.outputs)

    @property
    def input_names(self) -> list[str]:
        return [v.origin.layer.name for v in self.inputs]

    @property
    def output_names(self) -> list[str]:
        return [v.origin.layer.name for v in self.outputs]

    @property
    def input_shape(self) -> Any:
        shapes = [v.shape for v in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        shapes = [v.shape for v in self.outputs]
        return shapes[0] if self._single_output else shapes

    @property
    def weights(self) -> list[Variable]:
        return _unique(v for layer in self.layers for v in layer.weights)

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        if not self.trainable:
            return []
        return _unique(v for layer in self.layers for v in layer.trainable_weights)

    trainable_variables = trainable_weights

    @property
    def moving_weights(self) -> list[Variable]:
        return _unique(v for layer in self.layers for v in layer.moving_weights) if self.trainable else []

    @Layer.trainable.setter  # type: ignore[attr-defined]
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._layers:
            layer.trainable = value

    def call(self, inputs: Any) -> Any:
        """The model as a layer of another: the same weights on other values."""
        values = as_list(inputs)
        if len(values) != len(self.inputs):
            raise ValueError(f"model {self.name!r} takes {len(self.inputs)} inputs, received {len(values)}")
        for mine, given in zip(self.inputs, values):
            if mine.shape[1:] != given.shape[1:]:
                raise ValueError(f"model {self.name!r} takes inputs of shape {mine.shape}, received {given.shape}")
        outputs = rebuild(self.outputs, dict(zip(self.inputs, values)))
        return outputs[0] if self._single_output else outputs

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

    def count_params(self) -> int:
        self._require_built()
        return sum(v.size for v in self.weights)

    def _require_built(self) -> None:
        if not self.built:
            raise ValueError(
                f"model {self.name!r} isn't built yet: give its first layer input_shape=(height, width, channels), "
                f"start it with Input(), or call fit"
            )

    # ---- running

    def plan(self, batch: int = 1) -> Plan:
        """What a prediction of so many samples will run: kernels, shapes, FLOPs, bytes, the arena's size."""
        self._require_built()
        return self._inference(whole_number(batch, "batch"))

    def _inference(self, batch: int) -> Plan:
        def make() -> Plan:
            shapes = {v: (batch, *_known(v.shape)) for v in self.inputs}
            return inference_plan(shapes, fuse_for_prediction(self.outputs))

        return self._cached(("predict", batch), make)

    def _cached(self, key: Any, make: Callable[[], Plan]) -> Plan:
        """A plan made before, if it still fits, else a new one; the least used are forgotten."""
        key = (*key, core.isa(), *choose.settings())
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
            float32, one for each output.
        """
        self._require_built()
        arrays, size = model_inputs(self, x)
        return self._give(self._predict_arrays([a.floats() for a in arrays], size))

    def _predict_arrays(
        self, arrays: list[np.ndarray], size: int, outputs: list[np.ndarray] | None = None
    ) -> list[np.ndarray]:
        """The outputs of one batch, in new arrays or in those given."""
        if size == 0:
            return outputs or [np.empty((0, *_known(v.shape)), np.float32) for v in self.outputs]
        plan = self._inference(size)
        outputs = outputs or plan.new_outputs()
        plan.run(arrays, outputs)
        return outputs

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
            float32, (samples, ...) for each output.
        """
        self._require_built()
        size = 32 if batch_size is None else whole_number(batch_size, "batch_size")
        steps = None if steps is None else whole_number(steps, "steps")
        verbose = check_verbose(verbose)
        if not is_arrays(x):
            return self._predict_stream(check_batches(x), verbose, steps, callbacks)
        inputs, count = model_inputs(self, x)
        count = count if steps is None else min(count, steps * size)
        if count <= size and callbacks is None and verbose == "auto":
            return self._give(self._predict_arrays([c.part(0, count).floats() for c in inputs], count))
        if verbose == "auto":
            # At a tenth of what one core of today does.
            verbose = int(count > 0 and self._inference(size).flops * count / size > 2 * 10e9)
        listeners = self._predict_listeners(callbacks, verbose, -(-count // size), count, size)
        outputs = [np.empty((count, *_known(v.shape)), np.float32) for v in self.outputs]
        listeners.on_predict_begin()
        for number, start in enumerate(range(0, count, size)):
            listeners.on_predict_batch_begin(number)
            stop = min(start + size, count)
            arrays = [c.part(start, stop).floats() for c in inputs]
            self._predict_arrays(arrays, stop - start, [out[start:stop] for out in outputs])
            listeners.on_predict_batch_end(number, {})
        listeners.on_predict_end()
        return self._give(outputs)

    def _predict_stream(self, source: Any, verbose: Any, steps: int | None, callbacks: Any) -> Any:
        listeners = self._predict_listeners(callbacks, 0 if verbose == "auto" else verbose, steps, None, None)
        parts: list[list[np.ndarray]] = []
        listeners.on_predict_begin()
        for number, item in enumerate(raw_batches(source, steps)):
            listeners.on_predict_batch_begin(number)
            columns, count = model_inputs(self, item[0] if isinstance(item, tuple) else item)
            parts.append(self._predict_arrays([c.floats() for c in columns], count))
            listeners.on_predict_batch_end(number, {})
        listeners.on_predict_end()
        if not parts:
            raise ValueError("x gave no batches")
        return self._give([np.concatenate(group) for group in zip(*parts)])

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

    def __repr__(self) -> str:
        built = f", {self.count_params():,} weights" if self.built else ", not built"
        return f"<{type(self).__name__} {self.name!r}: {len(self._layers)} layers{built}>"


def _known(shape: Sequence[int | None]) -> tuple[int, ...]:
    return tuple(s for s in shape[1:] if s is not None)


def _unique(variables: Any) -> list[Variable]:
    return list(OrderedDict((id(v), v) for v in variables).values())


def _trace(inputs: Sequence[Value], outputs: Sequence[Value], name: str) -> list[LayerCall]:
    """The layer calls between inputs and outputs, each after those it needs."""
    starts = {id(v) for v in inputs}
    order: list[LayerCall] = [v.origin for v in inputs]
    done = {id(c) for c in order}
    stack: list[tuple[Value, bool]] = [(v, False) for v in reversed(outputs)]
    while stack:
        value, ready = stack.pop()
        call = value.origin
        if id(value) in starts or (call is not None and id(call) in done):
            continue
        if call is None:
            raise ValueError(
                f"model {name!r}: a value was made by an operator and not by a layer; use layers such as Add() "
                f"and Multiply() between inputs and outputs"
            )
        if isinstance(call.layer, InputLayer):
            raise ValueError(f"model {name!r}: the outputs depend on input {call.layer.name!r}, which is not in inputs")
        if ready:
            done.add(id(call))
            order.append(call)
            continue
        stack.append((value, True))
        stack.extend((v, False) for v in reversed(call.inputs))
    return order


def _check_names(layers: Sequence[Layer], model: str) -> None:
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ValueError(f"model {model!r}: two layers are named {layer.name!r}; give each its own name")
        seen.add(layer.name)

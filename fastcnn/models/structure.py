"""A model's structure as plain data, and models made from it again."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import layers
from ..graph import Value
from ..layers.base import Layer, reserve_name

if TYPE_CHECKING:
    from .model import Model
    from .sequential import Sequential

#: Models that are more than their layers, and the modules that have them: imported when a model's file names one.
KINDS = {"DetectionModel": "fastcnn.detection.model"}
#: Numbers of the layers described so far, by identity: one that is met again is described by its number.
Numbers = dict[int, int]


def _own(model: Model) -> dict[str, Any]:
    """A model's own arguments. Its flag says nothing of its layers', which have theirs in their configurations."""
    return {"name": model.name} if model.trainable else {"name": model.name, "trainable": False}


def sequential_config(model: Sequential, known: Numbers | None = None) -> dict[str, Any]:
    known = {} if known is None else known
    start = [model.inputs[0].origin.layer] if model.built else []
    return {**_own(model), "layers": [describe(layer, known) for layer in [*start, *model.layers]]}


def sequential_from_config(config: Mapping[str, Any], known: list[Layer] | None = None) -> Sequential:
    from .sequential import Sequential

    known = [] if known is None else known
    made = [restore(item, known) for item in config["layers"]]
    return Sequential(made, config["name"], config.get("trainable", True))


def functional_config(model: Model, known: Numbers | None = None) -> dict[str, Any]:
    """Layers once each, and the calls that join them: each call's inputs as (call number, output number)."""
    known = {} if known is None else known
    place: dict[int, tuple[int, int]] = {}
    calls = []
    numbers = {id(layer): i for i, layer in enumerate(model.layers)}
    for i, call in enumerate(model.network):
        calls.append({"layer": numbers[id(call.layer)], "inputs": [list(place[id(v)]) for v in call.inputs]})
        place.update({id(v): (i, k) for k, v in enumerate(call.outputs)})
    return {
        **_own(model),
        "layers": [describe(layer, known) for layer in model.layers],
        "calls": calls,
        "inputs": [list(place[id(v)]) for v in model.inputs],
        "outputs": [list(place[id(v)]) for v in model.outputs],
        "single_output": not isinstance(model.output_shape, list),
    }


def functional_from_config(config: Mapping[str, Any], known: list[Layer] | None = None) -> Model:
    from .model import Model

    inputs, outputs = network_from_config(config, known)
    return Model(inputs, outputs, config["name"], config.get("trainable", True))


def network_from_config(config: Mapping[str, Any], known: list[Layer] | None = None) -> tuple[list[Value], Any]:
    """The layers that `functional_config` described, joined: the model's inputs and its outputs."""
    known = [] if known is None else known
    made = [restore(item, known) for item in config["layers"]]
    results: list[list[Value]] = []
    for call in config["calls"]:
        layer = made[call["layer"]]
        if isinstance(layer, layers.InputLayer):
            results.append([layer.value])
            continue
        values = [results[i][k] for i, k in call["inputs"]]
        out = layer(values[0] if len(values) == 1 else values)
        results.append(list(out) if isinstance(out, (list, tuple)) else [out])
    outputs = [results[i][k] for i, k in config["outputs"]]
    single = config["single_output"] and len(outputs) == 1
    inputs = [results[i][k] for i, k in config["inputs"]]
    return inputs, outputs[0] if single else outputs


def describe(layer: Layer, known: Numbers | None = None) -> dict[str, Any]:
    """Class name and configuration of a layer or model; the number of one that is among the `known`."""
    from .model import Model
    from .sequential import Sequential

    known = {} if known is None else known
    if id(layer) in known:
        return {"class_name": "Shared", "config": {"number": known[id(layer)]}}
    if isinstance(layer, Sequential):
        data = {"class_name": "Sequential", "config": sequential_config(layer, known)}
    elif isinstance(layer, Model):
        name, settings = own_kind(layer)
        data = {"class_name": name, "config": {**functional_config(layer, known), **settings}}
    else:
        data = layers.serialize(layer)
    known[id(layer)] = len(known)
    return data


def restore(data: Mapping[str, Any], known: list[Layer] | None = None) -> Layer:
    """The layer or model that `describe` described; `known` holds those made so far."""
    known = [] if known is None else known
    kind, config = data.get("class_name"), data["config"]
    if kind == "Shared":
        return known[config["number"]]
    if kind == "Sequential":
        made: Layer = sequential_from_config(config, known)
    elif kind == "Model":
        made = functional_from_config(config, known)
    elif (found := _kind(kind)) is not None:
        made = found.from_network(config, known)
    else:
        made = layers.deserialize(dict(data))
    reserve_name(made.name)
    known.append(made)
    return made


def _kind(name: Any) -> Any:
    """The class of models of that name, if it is one of `KINDS`."""
    if not isinstance(name, str) or name not in KINDS:
        return None
    return getattr(importlib.import_module(KINDS[name]), name)


def own_kind(model: Any) -> tuple[str, dict[str, Any]]:
    """What a model's class is called in files, and what the model is besides its layers."""
    for kind in type(model).__mro__:  # a class of one's own is in files what it is derived from
        if _kind(kind.__name__) is kind:
            return kind.__name__, {"settings": model.settings()}
    return "Model", {}


def clone_model(model: Model) -> Model:
    """A model of the same structure with new weights, drawn by the layers' initializers."""
    return restore(describe(model))  # type: ignore[return-value]

"""Models and weights as files: safetensors, with the configuration as JSON in the header.

Nothing is unpickled or evaluated; layers are made only from the classes this package knows, and no more memory is
taken than the file's own tensors need.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, metrics, optimizers
from ..errors import ModelFileError, shown
from ..graph import Variable
from ..layers.base import Layer, automatic_base, weight_budget
from ..shapes import whole_number
from ..utils.files import atomic_write
from .structure import describe, restore

if TYPE_CHECKING:
    from .model import Model

FORMAT = "fastcnn"
VERSION = 1
#: What reading a configuration that was tampered with may raise.
_BAD_CONFIG = (ValueError, TypeError, LookupError, AttributeError, RecursionError, MemoryError, OverflowError)
#: Start of the names of optimizer state. A weight's name begins with a layer's, which is not empty and has no "/".
_STATE = "/optimizer/"
#: Longest configuration accepted from a file, in characters.
_MAX_CONFIG = 50_000_000


# ---------------------------------------------------------------- weights


def weight_keys(model: Model) -> dict[str, Variable]:
    """A name for each weight that depends on the model's structure alone, not on what else the program made.

    Layers that were given a name go by it; the others by class and number within the model. A name that could be an
    automatic one counts as one, whoever gave it: a model read from a file has all its layers' names given.
    """
    from .model import Model

    found: dict[str, Variable] = {}
    seen: set[int] = set()

    def walk(owner: Model, prefix: str) -> None:
        counts: Counter[str] = Counter()
        taken = {layer.name for layer in owner.layers if not _automatically_named(layer)}
        for layer in owner.layers:
            if _automatically_named(layer):
                base = automatic_base(layer)
                while True:
                    name = f"{base}_{counts[base]}" if counts[base] else base
                    counts[base] += 1
                    if name not in taken:
                        break
            else:
                name = layer.name
            if isinstance(layer, Model):
                walk(layer, f"{prefix}{name}/")
                continue
            for variable in layer.weights:
                if id(variable) not in seen:
                    seen.add(id(variable))
                    found[f"{prefix}{name}/{variable.name}"] = variable

    walk(model, "")
    return found


def _automatically_named(layer: Layer) -> bool:
    return re.fullmatch(rf"{re.escape(automatic_base(layer))}(_\d+)?", layer.name) is not None


def save_weights(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    model._require_built()
    tensors = {key: v.numpy() for key, v in weight_keys(model).items()}
    write(filepath, tensors, {"format": FORMAT, "version": str(VERSION), "kind": "weights"}, overwrite)


def load_weights(model: Model, filepath: str | os.PathLike[str]) -> None:
    with opened(filepath) as file:
        _assign(model, file, filepath)


def _assign(model: Model, file: Any, filepath: Any) -> None:
    """Check every weight's name, shape and dtype, then set them all."""
    wanted = weight_keys(model)
    present = {key for key in file.keys() if not key.startswith(_STATE)}  # noqa: SIM118
    _check_tensors(file, filepath, "weight", present, wanted)
    for key, variable in wanted.items():
        variable.assign(file.get_tensor(key))


def _check_tensors(file: Any, filepath: Any, kind: str, present: set[str], wanted: Mapping[str, Variable]) -> None:
    """Whether the tensors `present` are those `wanted`, each float32 and of its variable's shape."""
    missing, extra = sorted(set(wanted) - present), sorted(present - set(wanted))
    if missing or extra:
        parts = [f"{what} {', '.join(keys[:5])}{' …' if len(keys) > 5 else ''}"
                 for what, keys in (("missing", missing), ("not in the model", extra)) if keys]  # fmt: skip
        raise ModelFileError(f"{filepath}: its {kind}s are not this model's: {'; '.join(parts)}")
    for key, variable in wanted.items():
        part = file.get_slice(key)
        shape = tuple(part.get_shape())
        if shape != variable.shape or part.get_dtype() != "F32":
            raise ModelFileError(
                f"{filepath}: {kind} {key!r} has shape {shape} and type {part.get_dtype()}, the model's has "
                f"{variable.shape} and F32"
            )


# ---------------------------------------------------------------- whole models


def save_model(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write structure, weights, compilation, optimizer state and the model's metadata to one file."""
    model._require_built()
    keys = weight_keys(model)
    tensors = {key: v.numpy() for key, v in keys.items()}
    try:
        metadata = json.dumps(model.metadata)
    except (TypeError, ValueError) as error:
        raise ValueError(f"model.metadata must be plain data (dicts, lists, strings, numbers): {error}") from None
    header = {
        "format": FORMAT,
        "version": str(VERSION),
        "kind": "model",
        "model": json.dumps(describe(model)),
        "metadata": metadata,
    }
    compiled = _compile_config(model)
    if compiled is not None:
        assert model.optimizer is not None
        states = model.optimizer.states()
        trained = [key for key, v in keys.items() if v in states]
        header["compile"] = json.dumps({**compiled, "trained": trained})
        for key in trained:
            for slot, part in states[keys[key]].items():
                # Where weights and averages have changed places, the averages are the weights of the file.
                averages = slot == "average" and model.optimizer.swapped
                tensors[state_key(slot, key)] = keys[key].numpy() if averages else part.copy()
    write(filepath, tensors, header, overwrite)


def state_key(slot: str, key: str) -> str:
    return f"{_STATE}{slot}/{key}"


def _compile_config(model: Model) -> dict[str, Any] | None:
    if not model.compiled or model.optimizer is None:
        return None
    try:
        config = model._compile_config
        return {
            "optimizer": optimizers.serialize(model.optimizer),
            "iterations": model.optimizer.iterations,
            "accumulated": model.optimizer.accumulated,
            "loss": _plain(config["loss"], losses.Loss, losses.serialize),
            "loss_weights": _plain(config["loss_weights"], Real, float),
            "metrics": _plain(config["metrics"], metrics.Metric, metrics.serialize),
            "weighted_metrics": _plain(config["weighted_metrics"], metrics.Metric, metrics.serialize),
            "recompute": config["recompute"],
        }
    except ValueError as error:
        warnings.warn(
            f"the model is saved without how it was compiled ({error}); call compile again after loading it",
            UserWarning,
            stacklevel=4,
        )
        return None


def _plain(item: Any, kind: type, serialize: Any) -> Any:
    """Losses, metrics and weights as plain data: names stay, objects become their configuration."""
    if item is None or isinstance(item, str):
        return item
    if isinstance(item, kind):
        return serialize(item)
    if isinstance(item, (list, tuple)):
        return [_plain(i, kind, serialize) for i in item]
    if isinstance(item, Mapping):
        return {k: _plain(v, kind, serialize) for k, v in item.items()}
    raise ValueError(f"{shown(item)} is a function")


def load_model(filepath: str | os.PathLike[str], compile: bool = True) -> Model:
    """Read a model saved with ``model.save``: ready to predict, and to train on where it left off.

    Parameters
    ----------
    filepath : path-like
    compile : bool
        Whether to compile it as it was, with the optimizer's state.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        It is truncated, of another format or version, or its parts don't fit together.
    """
    from .model import Model

    with opened(filepath) as file:
        header = file.metadata() or {}
        if header.get("kind") != "model":
            raise ModelFileError(f"{filepath} holds weights alone: build the model and call model.load_weights")
        data = read_json(header, "model", filepath)
        total = sum(int(np.prod(file.get_slice(k).get_shape(), dtype=np.float64)) for k in file.keys())  # noqa: SIM118
        try:
            with weight_budget(total):
                model = restore(data)
        except _BAD_CONFIG as error:
            raise ModelFileError(f"{filepath}: its configuration can't be built: {error}") from error
        if not isinstance(model, Model) or not model.built:
            raise ModelFileError(f"{filepath}: its configuration is not that of a built model")
        _assign(model, file, filepath)
        model.metadata = read_json(header, "metadata", filepath) if "metadata" in header else {}
        if compile:
            _restore_compiled(model, header, file, filepath)
    return model


def _restore_compiled(model: Model, header: Mapping[str, str], file: Any, filepath: Any) -> None:
    """Compile the model as it was, and give its optimizer the state of just those weights that had been trained."""
    present = {key for key in file.keys() if key.startswith(_STATE)}  # noqa: SIM118
    if "compile" not in header:
        _check_tensors(file, filepath, "optimizer array", present, {})
        return
    config = read_json(header, "compile", filepath)
    weights = weight_keys(model)
    try:
        optimizer = optimizers.get(config["optimizer"])
        loss = _objects(config["loss"], losses.get)
        plain, weighted = (_objects(config[k], metrics.get) for k in ("metrics", "weighted_metrics"))
        iterations = whole_number(config["iterations"], "iterations", 0)
        accumulated = whole_number(config.get("accumulated", 0), "accumulated", 0)
        trained = {key: weights[key] for key in config["trained"]}
        model.compile(optimizer, loss, config["loss_weights"], plain, weighted, config.get("recompute", False))
    except _BAD_CONFIG as error:
        raise ModelFileError(f"{filepath}: how it was compiled can't be restored: {error}") from error
    wanted = {state_key(slot, key): v for key, v in trained.items() for slot in optimizer.all_slots}
    _check_tensors(file, filepath, "optimizer array", present, wanted)
    optimizer.iterations, optimizer.accumulated = iterations, accumulated
    slots = optimizer.all_slots
    optimizer.set_states({v: {s: file.get_tensor(state_key(s, k)) for s in slots} for k, v in trained.items()})


def _objects(item: Any, make: Any) -> Any:
    """Losses and metrics from plain data; strings are left for `compile`, which knows the shapes."""
    if isinstance(item, list):
        return [_objects(i, make) for i in item]
    if isinstance(item, Mapping):
        if "class_name" in item:
            return make(item)
        return {k: _objects(v, make) for k, v in item.items()}
    return item


# ---------------------------------------------------------------- files


def write(
    filepath: str | os.PathLike[str], tensors: dict[str, np.ndarray], header: dict[str, str], overwrite: bool
) -> None:
    from safetensors.numpy import save

    if not overwrite and os.path.exists(filepath):
        raise FileExistsError(f"{os.fspath(filepath)} exists; pass overwrite=True to replace it")
    data = save(tensors, metadata=header)
    with atomic_write(filepath) as file:
        file.write(data)


@contextmanager
def opened(filepath: str | os.PathLike[str]) -> Iterator[Any]:
    """A safetensors file of this package, its format and version checked."""
    from safetensors import SafetensorError, safe_open

    path = os.fspath(filepath)
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {path}")
    if os.path.isdir(path):
        raise ModelFileError(f"{path} is a folder, not a model file")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise ModelFileError(
                    f"{path} is a safetensors file, but not one written by fastcnn; fastcnn.weights.load may read it"
                )
            if header.get("version") != str(VERSION):
                raise ModelFileError(
                    f"{path} has format version {shown(header.get('version'))}; this fastcnn reads version {VERSION}"
                )
            yield file
    except SafetensorError as error:
        raise ModelFileError(f"{path} is not a model file, or is damaged: {error}") from None


def read_json(header: Mapping[str, str], key: str, filepath: Any) -> Any:
    text = header.get(key, "")
    try:
        if len(text) > _MAX_CONFIG:
            raise ValueError("too long")
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return value
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{filepath}: the header's {key!r} is no valid configuration: {error}") from None

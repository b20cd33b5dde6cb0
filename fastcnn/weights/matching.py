"""Which tensor of a file is which weight of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from ..errors import shown
from ..graph import Variable
from ..layers.base import Layer
from ..models import Model
from ..models.saving import weight_keys
from .layouts import COUNTER, NAMES, Layout, layer_kind, layout, module_kind
from .stored import StoredTensor, TensorFile

#: Names of modules by names of layers: a mapping, or a function that gives None where it knows none.
Names = Mapping[str, str] | Callable[[str], str | None]
#: Wrappers around modules, which put their own name before all others.
_WRAPPERS = ("module.", "_orig_mod.")
#: What starts the names of optimizer state in a model file of fastcnn.
_STATE = "/optimizer/"


class Match(NamedTuple):
    """A weight and the tensor that it is read from."""

    weight: str
    variable: Variable
    tensor: str
    stored: StoredTensor
    layout: Layout


@dataclass
class Report:
    """What of a file fits a model; printed, a table of it.

    Attributes
    ----------
    path : str
    by : str
        How tensors were assigned: "name", where modules are called what layers are, or "order", where the file has
        the model's layers, of the same kinds and in the same order, under other names.
    matched : list of Match
    missing : dict of str to str
        Weights of the model without a tensor, and why.
    unused : list of str
        Tensors that the model has no weight for.
    ignored : list of str
        Tensors that no model needs, such as counts of batches.
    folded : dict of str to str
        Batch normalizations that the file doesn't have, because its exporter put them into the convolutions before
        them, and the tensors of these convolutions' biases. They are set to add that and nothing else; the statistics
        of the data are lost, so they are best kept frozen where the model is trained further.
    """

    path: str
    by: str = "name"
    matched: list[Match] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    folded: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every weight has its tensor and every tensor its weight."""
        return not self.missing and not self.unused

    def summary(self) -> str:
        """One line: how many of each."""
        parts = [f"{len(self.matched)} weights matched by {self.by}"]
        parts += [f"{len(self.missing)} missing"] if self.missing else []
        parts += [f"{len(self.unused)} of the file's tensors unused"] if self.unused else []
        parts += [f"{len(self.ignored)} ignored"] if self.ignored else []
        parts += [f"{len(self.folded)} batch normalizations folded into its convolutions"] if self.folded else []
        return f"{self.path}: {', '.join(parts)}"

    def __str__(self) -> str:
        lines = [self.summary()]
        width = max((len(match.weight) for match in self.matched), default=0)
        for match in self.matched:
            shapes = f"{match.stored.shape}" + (
                "" if match.stored.shape == match.variable.shape else f" -> {match.variable.shape}"
            )
            lines.append(f"  {match.weight:{width}} <- {printable(match.tensor)} {shapes}")
        lines += [
            f"  folded:  {layer} (only adds {printable(bias)}; keep it frozen in further training)"
            for layer, bias in self.folded.items()
        ]
        lines += [f"  missing: {weight} ({why})" for weight, why in self.missing.items()]
        lines += [f"  unused:  {printable(tensor)}" for tensor in self.unused]
        return "\n".join(lines)

    def problems(self, count: int = 5) -> str:
        """The first few of what is missing and unused."""
        missing = [f"{weight} ({why})" for weight, why in self.missing.items()]
        unused = [shown(tensor) for tensor in self.unused]
        return "; ".join(
            f"{what}: {', '.join(items[:count])}{', …' if len(items) > count else ''}"
            for what, items in (("missing", missing), ("unused", unused))
            if items
        )


def printable(name: str) -> str:
    """A name as it is, or quoted where it has characters that a terminal might obey, or is longer than a line."""
    return name if name.isprintable() and len(name) <= 200 else shown(name, 200)


class _Wanted(NamedTuple):
    """A weight of a layer and what it is called in its module."""

    key: str
    variable: Variable
    parameter: str


def match(model: Model, file: TensorFile, names: Names | None = None) -> Report:
    """Assign the tensors of a file to the weights of a model, without reading a number.

    Parameters
    ----------
    model : Model
        Built.
    file : TensorFile
    names : mapping or function, optional
        The module's name in the file for a layer's name; layers left out go by their own.
    """
    return _match_own(model, file) if file.own else _Matcher(model, file, names).report


def _match_own(model: Model, file: TensorFile) -> Report:
    """In fastcnn's own files, each weight by its key."""
    report = Report(file.path)
    tensors = {key: tensor for key, tensor in file.tensors.items() if not key.startswith(_STATE)}
    for key, variable in weight_keys(model).items():
        _assign(report, key, variable, key, tensors.pop(key, None), Layout(variable.shape, lambda a: a))
    report.unused = list(tensors)
    report.ignored = [key for key in file.tensors if key.startswith(_STATE)]
    return report


class _Matcher:
    """The assignment of PyTorch's tensors."""

    def __init__(self, model: Model, file: TensorFile, names: Names | None) -> None:
        self.report = Report(file.path)
        self.tensors, self.is_graph = file.tensors, file.is_graph
        self.report.ignored = [name for name in file.tensors if name.endswith(COUNTER)]
        self.prefix, self.modules = _modules(file.tensors)
        self.used: set[str] = set()
        self.module_of: dict[int, str] = {}
        self.layers = list(_layers_with_weights(model))
        self.wanted = self._wanted(model)
        by_name = {path: self._module_of(path, layer, names) for path, layer in self.layers}
        # A name in common may be chance ("fc"); where the file names this model's layers, it names them nearly all.
        known = sum(name in self.modules for name in by_name.values())
        if names is None and 2 * known < len(self.layers) and file.ordered:
            self._by_order()
        else:
            self._by_name(by_name)
        left = [t for t in file.tensors if t not in self.used and not t.endswith(COUNTER)]
        self.report.unused = [file.tensors[t].name or t for t in left] + list(file.others)

    def _wanted(self, model: Model) -> dict[int, list[_Wanted]]:
        """The weights of each layer, by its identity."""
        keys = {id(variable): key for key, variable in weight_keys(model).items()}
        return {
            id(layer): [_Wanted(keys[id(v)], v, NAMES.get(v.name, v.name)) for v in layer.weights]
            for _, layer in self.layers
        }

    @staticmethod
    def _module_of(path: str, layer: Layer, names: Names | None) -> str:
        if names is None:
            return path
        found = names(layer.name) if callable(names) else names.get(layer.name)
        return path if found is None else found

    def _by_name(self, by_name: Mapping[str, str]) -> None:
        for path, layer in self.layers:
            if by_name[path] in self.modules or not self._fold(path, layer):
                self._assign_layer(layer, by_name[path])

    def _by_order(self) -> None:
        """The n-th layer with weights is the n-th module, as long as the kinds agree."""
        self.report.by = "order"
        modules = list(self.modules)[::-1]
        agree = True
        for path, layer in self.layers:
            module = modules[-1] if modules and agree else None
            kind = module_kind(self.modules[module]) if module is not None else ""
            if agree and kind != layer_kind(layer) and self._fold(path, layer):
                continue
            if module is not None:
                modules.pop()
            if module is not None and kind != layer_kind(layer):
                agree = False
                why = f"the file's next module {shown(module)} is of another kind ({kind})"
            else:
                why = "the file has no further module" if agree else "behind a module of another kind"
            self._assign_layer(layer, module if agree else None, why)

    def _fold(self, path: str, layer: Layer) -> bool:
        """Whether a normalization that a graph lacks is in the convolution or dense layer before it, as a bias that
        this layer has no use for; then that is what it adds.
        """
        before = layer.calls[0].inputs[0].origin if self.is_graph and layer_kind(layer) == "norm" else None
        module = None if before is None else self.module_of.get(id(before.layer))
        bias = f"{self.prefix}{module}.bias"
        stored = None if module is None else self.tensors.get(bias)
        wanted = self.wanted[id(layer)]
        if stored is None or bias in self.used or any(stored.shape != w.variable.shape for w in wanted):
            return False
        neutral = {"weight": 1.0, "running_mean": 0.0, "running_var": 1.0 - getattr(layer, "epsilon", 0.0)}
        for key, variable, parameter in wanted:
            how = layout(layer, variable)
            if parameter == "bias":
                self.report.matched.append(Match(key, variable, stored.name or bias, stored, how))
                continue
            number = neutral[parameter]
            made = StoredTensor(how.shape, "float32", partial(np.full, how.shape, number, np.float32))
            self.report.matched.append(Match(key, variable, f"{number:g}", made, how))
        self.used.add(bias)
        self.report.folded[path] = stored.name or bias
        return True

    def _assign_layer(self, layer: Layer, module: str | None, why: str = "") -> None:
        if module is not None:
            self.module_of[id(layer)] = module
        for key, variable, parameter in self.wanted[id(layer)]:
            name = None if module is None else self.prefix + (f"{module}.{parameter}" if module else parameter)
            stored = None if name is None else self.tensors.get(name)
            if stored is not None and name is not None:
                self.used.add(name)
            how = layout(layer, variable, stored is not None and stored.flat_last)
            _assign(self.report, key, variable, name, stored, how, why)


def _modules(tensors: Mapping[str, StoredTensor]) -> tuple[str, dict[str, dict[str, int]]]:
    """What all names start with, and each module's tensors with their ranks, in the file's order."""
    end = 0  # of what all names start with; never cut out, as names may be as long as the file
    while start := next((w for w in _WRAPPERS if tensors and all(n.startswith(w, end) for n in tensors)), ""):
        end += len(start)
    prefix = next(iter(tensors), "")[:end]
    modules: dict[str, dict[str, int]] = {}
    for name, tensor in tensors.items():
        module, _, parameter = name[len(prefix) :].rpartition(".")
        if parameter != COUNTER:
            modules.setdefault(module, {})[parameter] = len(tensor.shape)
    return prefix, modules


def _assign(
    report: Report,
    key: str,
    variable: Variable,
    name: str | None,
    stored: StoredTensor | None,
    how: Layout,
    why: str = "",
) -> None:
    if stored is not None and stored.name:
        name = stored.name
    if stored is None or name is None:
        report.missing[key] = why or f"the file has no {shown(name)}"
    elif stored.shape != how.shape:
        report.missing[key] = f"{printable(name)} has shape {shown(stored.shape)}, not {how.shape}"
    elif not stored.floating:
        report.missing[key] = f"{printable(name)} holds {stored.dtype}, not floating-point numbers"
    else:
        report.matched.append(Match(key, variable, name, stored, how))


def _layers_with_weights(model: Model, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Layer]]:
    """Layers in the order of their first use, with dotted names; those of nested models in their place."""
    seen = set() if seen is None else seen
    for layer in model.layers:
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if isinstance(layer, Model):
            yield from _layers_with_weights(layer, f"{prefix}{layer.name}.", seen)
        elif layer.weights:
            yield f"{prefix}{layer.name}", layer

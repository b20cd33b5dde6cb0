"""fastcnn: convolutional networks on the CPU you already have.

>>> from fastcnn.models import Sequential
>>> from fastcnn.layers import Conv2D, MaxPooling2D, Flatten, Dense

The names, arguments and defaults are Keras'. `fastcnn.ops` has the fast kernels alone, on NumPy arrays.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .random import set_seed

#: Loaded when first used, so that `import fastcnn` costs next to nothing.
_MODULES = (
    "activations", "applications", "callbacks", "data", "datasets", "detection", "evaluation", "initializers", "layers",
    "losses", "metrics", "models", "onnx", "ops", "optimizers", "random", "reference", "regularizers", "utils", "viz",
    "weights",
)  # fmt: skip
_NAMES = {
    "Input": "layers", "Model": "models", "Sequential": "models", "Variable": "graph", "get_num_threads": "_ops",
    "get_precision": "_ops", "set_num_threads": "_ops", "set_precision": "_ops",
}  # fmt: skip

if TYPE_CHECKING:
    from . import (
        activations,
        applications,
        callbacks,
        data,
        datasets,
        detection,
        evaluation,
        initializers,
        layers,
        losses,
        metrics,
        models,
        onnx,  # noqa: F401
        ops,
        optimizers,
        random,
        reference,
        regularizers,
        utils,
        viz,
        weights,
    )
    from ._ops import get_num_threads, get_precision, set_num_threads, set_precision
    from .graph import Variable
    from .layers import Input
    from .models import Model, Sequential


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'fastcnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *_NAMES])


# "onnx" is left out: it needs a package that not everybody has.
__all__ = [
    "Input",
    "Model",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "applications",
    "callbacks",
    "data",
    "datasets",
    "detection",
    "evaluation",
    "get_num_threads",
    "get_precision",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "reference",
    "regularizers",
    "set_num_threads",
    "set_precision",
    "set_seed",
    "utils",
    "viz",
    "weights",
]

"""Weights from files that others wrote, for models of the same layers: PyTorch's `.pth` and `.pt`, ONNX, safetensors.

Neither PyTorch nor anything in the file is run (see `pickles`). Layouts are changed on the way: PyTorch's kernels are
(out, in, height, width), fastcnn's (height, width, in, out).

>>> report = fastcnn.weights.load(model, "resnet18.pth")
>>> print(report)
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .._ops.arrays import memory_limit
from ..errors import ModelFileError
from ..models import Model
from .files import open_tensors
from .matching import Names, Report, match
from .torch_files import itemsize


def read(path: str | os.PathLike[str]) -> dict[str, NDArray[np.generic]]:
    """All tensors of a file by name, as the file has them (bfloat16 as float32).

    Parameters
    ----------
    path : path-like
        A safetensors file, an ONNX one (with its extra: ``pip install 'fastcnn[onnx]'``), or one that PyTorch's
        `torch.save` wrote with a state dictionary, in either of its formats.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        It is of another format, truncated or damaged, or wants something made that is no tensor: the message names it.

    Examples
    --------
    >>> {name: array.shape for name, array in read("resnet18.pth").items()}
    """
    with open_tensors(path) as file:
        # Tensors may share their numbers in the file, and don't here.
        tensors = file.tensors if file.whole is None else file.whole
        needed = sum(math.prod(tensor.shape) * itemsize(tensor.dtype) for tensor in tensors.values())
        if needed > memory_limit():
            raise ModelFileError(f"its tensors take {needed} bytes, this process can have {memory_limit()}")
        return {name: tensor.read() for name, tensor in tensors.items()}


def compare(model: Model, path: str | os.PathLike[str], names: Names | None = None) -> Report:
    """What `load` would do: which tensor fits which weight, and what is left over. Changes nothing.

    Parameters
    ----------
    model, path, names
        As for `load`.
    """
    with open_tensors(path) as file:
        return match(_built(model), file, names)


def load(
    model: Model,
    path: str | os.PathLike[str],
    names: Names | None = None,
    *,
    allow_missing: bool = False,
    allow_unused: bool = False,
) -> Report:
    """Set a model's weights from a file. All of them fit, and all of the file is used, or nothing is changed.

    Where the file calls its modules as the model calls its layers, tensors are assigned by name; otherwise in order:
    the file must then have modules of the same kinds and shapes as the model has layers with weights, one for one. A
    safetensors file, which has its tensors by name, says nothing of their order: it needs `names`, unless fastcnn
    wrote it. An ONNX file has modules in the order of its nodes; where its exporter folded batch normalizations into
    convolutions, the model's are set to add the convolutions' biases and nothing else (see `Report`).

    Parameters
    ----------
    model : Model
        Built.
    path : path-like
        As for `read`; also a safetensors file of fastcnn, a model's or its weights'.
    names : mapping or function, optional
        Names of modules in the file by names of layers. Layers that it doesn't know (or gives None for) go by their
        own names. The modules of `fastcnn.applications` have one each: ``names=applications.resnet.torch_name``.
    allow_missing : bool
        Leave weights that the file doesn't have as they are, such as those of a new head.
    allow_unused : bool
        Pass over tensors that the model has no weight for, such as those of the file's head.

    Returns
    -------
    Report
        Print it to see what was assigned to what.

    Raises
    ------
    ModelFileError
        As `read` raises it, or something doesn't fit.
    """
    return load_best(model, path, [names], allow_missing, allow_unused)


def load_best(
    model: Model,
    path: str | os.PathLike[str],
    candidates: Sequence[Names | None],
    allow_missing: bool = False,
    allow_unused: bool = False,
) -> Report:
    """`load` with those of several names by which the fewest weights are missing, the first of them."""
    with open_tensors(path) as file:
        report = min((match(_built(model), file, names) for names in candidates), key=lambda r: len(r.missing))
        if (report.missing and not allow_missing) or (report.unused and not allow_unused) or not report.matched:
            raise ModelFileError(
                f"{report.summary()}; nothing was changed. {report.problems()}. print(fastcnn.weights.compare(model, "
                f"path)) shows all"
            )
        arrays = [found.layout.convert(found.stored.read()) for found in report.matched]
    with np.errstate(over="ignore"):  # float64 may hold what is infinite in float32
        for found, array in zip(report.matched, arrays):
            found.variable.assign(np.ascontiguousarray(array, np.float32))
    return report


def _built(model: Model) -> Model:
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, received {type(model).__name__}")
    model._require_built()
    return model


__all__ = ["Report", "compare", "load", "read"]

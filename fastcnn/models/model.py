"""Models: layers joined into one graph, with everything one does with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .network import as_list
from .trainer import Trainer


class Model(Trainer):
    """A graph of layers from inputs to outputs.

    Parameters
    ----------
    inputs : Value or list of Value
        Results of `Input`; an empty list for what depends on nothing, as some ONNX files have it.
    outputs : Value or list of Value
        Results of layers called on them.
    name : str, optional

    Raises
    ------
    ValueError
        Outputs that the inputs don't lead to, or that depend on another input.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True) -> None:
        self._start(name, trainable)
        self._connect(as_list(inputs), as_list(outputs))
        self._single_output = not isinstance(outputs, (list, tuple))

    def _start(self, name: str | None, trainable: bool) -> None:
        super()._start(name, trainable)
        #: Anything the user wants kept with the model, as plain data: class names, preprocessing, a description.
        self.metadata: dict[str, Any] = {}

    def summary(
        self,
        line_length: int | None = None,
        print_fn: Callable[[str], Any] = print,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, their outputs' shapes and how many weights they have.

        Parameters
        ----------
        line_length : int, optional
            Widest line; that of the terminal if not given.
        print_fn : callable
            Is given the text.
        expand_nested : bool
            Whether the layers of models within the model have lines of their own.
        show_trainable : bool
            Whether a column tells which layers are trained ("Y") and which are frozen ("N").
        layer_range : (str, str), optional
            Names, or patterns of names, of the first and last layer to print.
        """
        from .summary import summary

        self._require_built()
        print_fn(summary(self, line_length, expand_nested, show_trainable, layer_range))

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the whole model to one file: layers, weights, and how it is compiled with the optimizer's state.

        The file is a safetensors file with the configuration in its header. It replaces `filepath` only once it is
        complete.
        """
        from .saving import save_model

        save_model(self, filepath, overwrite)

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the weights alone, as safetensors."""
        from .saving import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Read weights saved from a model of the same layers. All of them fit, or nothing is changed.

        Raises
        ------
        ModelFileError
            The file is damaged or of another format, or its weights' names or shapes are others.
        """
        from .saving import load_weights

        self._require_built()
        load_weights(self, filepath)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Neither copied nor pickled: a model's memory is its own, and what is pickled runs code when it is read."""
        raise TypeError(
            f"model {self.name!r} can't be pickled or deep-copied: use fastcnn.models.clone_model(model) and "
            f"set_weights for a copy, model.save(path) for a file"
        )

    def get_config(self) -> dict[str, Any]:
        """Its layers, how they are joined, and what it is besides, as plain data."""
        from .structure import functional_config, own_kind

        return {**functional_config(self), **own_kind(self)[1]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Model:
        """A model with new weights from what `get_config` gave."""
        from .structure import functional_from_config

        make = getattr(cls, "from_network", functional_from_config)  # those that are more than their layers have one
        return make(config, [])

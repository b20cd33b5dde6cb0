"""Pictures that a model gets wrong, and what its first layer looks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown
from ..metrics.inputs import class_scores, surest_mistakes
from ..shapes import whole_number
from .figures import Target, as_pictures, check_target, class_labels, new_figure, plain_text, save, value_limits


def plot_mistakes(
    x: ArrayLike,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    path: Target,
    class_names: Sequence[str] | None = None,
    *,
    count: int = 20,
    title: str | None = None,
) -> None:
    """Draw the pictures that the model is surest about and wrong, the surest first.

    Parameters
    ----------
    x : array, shape (samples, height, width) or (samples, height, width, channels)
        The images, in any range.
    y_true : array
        Class numbers, (samples,) or (samples, 1), or rows with a single one.
    y_pred : array
        Probabilities: (samples, classes), or of class 1 alone, (samples,) or (samples, 1).
    path : path-like or binary file
        Picture to write: ``.png``, ``.svg`` or ``.pdf``, there whole or not at all. An open file gets a PNG.
    class_names : sequence of str, optional
        Of class 0, 1, …
    count : int
        At most so many.
    title : str, optional

    Raises
    ------
    ImportError
        matplotlib is not installed (``pip install "fastcnn[plot]"``).
    ValueError
        Arrays of different lengths, or no images.
    """
    check_target(path)
    judged = _Judged(x, y_true, y_pred, class_names)
    chosen = judged.mistakes()[: whole_number(count, "count")]
    columns = min(max(len(chosen), 1), 5)
    rows = max(1, -(-len(chosen) // columns))
    figure = new_figure("plot_mistakes", 1.75 * max(columns, 2), 2.2 * rows + 0.5)
    all_wrong = len(judged.mistakes())
    figure.suptitle(f"{all_wrong} of {len(judged.true)} are wrong" if title is None else plain_text(title), fontsize=11)
    for place, (sample, picture) in enumerate(zip(chosen, judged.pictures(chosen)), start=1):
        axes = figure.add_subplot(rows, columns, place)
        _show(axes, picture)
        said, true = judged.said[sample], judged.true[sample]
        text = f"{judged.names[said]} {judged.sure[sample]:.2f}\nis {judged.names[true]}"
        axes.set_title(text, fontsize=8, loc="left")
    save(figure, path)


def plot_confused_pairs(
    x: ArrayLike,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    path: Target,
    class_names: Sequence[str] | None = None,
    *,
    pairs: int = 6,
    each: int = 8,
    title: str | None = None,
) -> None:
    """Draw the pairs of classes that are confused most often, a row each, with the pictures the model is surest about.

    Parameters
    ----------
    pairs, each : int
        At most so many rows, and pictures in a row.
    x, y_true, y_pred, path, class_names, title
        As of `plot_mistakes`.
    """
    check_target(path)
    judged = _Judged(x, y_true, y_pred, class_names)
    pairs, each = whole_number(pairs, "pairs"), whole_number(each, "each")
    wrong = judged.mistakes()
    kinds, counts = np.unique(judged.true[wrong] * len(judged.names) + judged.said[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:pairs]
    rows = max(1, len(order))
    figure = new_figure("plot_confused_pairs", 0.95 * each + 2.2, 1.05 * rows + 0.5)
    figure.suptitle(
        f"{len(wrong)} of {len(judged.true)} are wrong" if title is None else plain_text(title), fontsize=11
    )
    grid = figure.add_gridspec(rows, each + 2)
    for row, (kind, number) in enumerate(zip(kinds[order], counts[order])):
        true, said = divmod(int(kind), len(judged.names))
        text = figure.add_subplot(grid[row, :2])
        text.axis("off")
        words = f"{judged.names[true]}\ntaken for {judged.names[said]}\n{number} times"
        text.text(0, 0.5, words, va="center", fontsize=8.5)
        here = wrong[(judged.true[wrong] == true) & (judged.said[wrong] == said)][:each]
        for column, (sample, picture) in enumerate(zip(here, judged.pictures(here))):
            axes = figure.add_subplot(grid[row, column + 2])
            _show(axes, picture)
            axes.set_title(f"{judged.sure[sample]:.2f}", fontsize=7, pad=2)
    save(figure, path)


class _Judged:
    """Images with what they are and what the model takes them for."""

    def __init__(self, x: ArrayLike, y_true: ArrayLike, y_pred: ArrayLike, class_names: Any) -> None:
        self._x = np.asarray(x)
        self.true, self._scores = class_scores(y_true, y_pred)
        numbers = self._x.dtype.kind in "iufb"
        if self._x.ndim not in (3, 4) or not numbers or len(self._x) != len(self.true) or not len(self.true):
            raise ValueError(
                f"x must hold images, as many as there are labels ({len(self.true)}) and at least one, received shape "
                f"{self._x.shape} of {self._x.dtype}"
            )
        self._limits = value_limits(self._x)  # of all, so that the pictures of each row look alike
        self.said: NDArray[np.intp] = self._scores.argmax(1)
        self.sure: NDArray[np.float64] = self._scores.max(1)
        self.names = class_labels(class_names, self._scores.shape[1])

    def mistakes(self) -> NDArray[np.intp]:
        """The wrong samples, the surest first."""
        return surest_mistakes(self.true, self._scores)

    def pictures(self, samples: NDArray[np.intp]) -> NDArray[np.uint8]:
        return as_pictures(self._x[samples], limits=self._limits)


def _show(axes: Any, picture: NDArray[np.uint8]) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def plot_filters(
    model: Any, path: Target, layer: str | None = None, *, count: int = 64, title: str | None = None
) -> None:
    """Draw the weights of a convolution, by default the first: what it looks for in a picture.

    Parameters
    ----------
    model : Model
        Built.
    path : path-like or binary file
        As of `plot_mistakes`.
    layer : str, optional
        Its name.
    count : int
        At most so many filters.
    title : str, optional

    Notes
    -----
    Filters over three channels are drawn in colour, grey being 0. Of any other number of channels each is drawn by
    itself, blue below 0 and red above; all have one scale.
    """
    check_target(path)
    found = _convolution(model, layer)
    kernel = found.kernel.numpy().astype(np.float64)
    height, width, channels, _ = kernel.shape
    largest = float(np.abs(kernel).max()) or 1.0
    if channels == 3:
        tiles = kernel.transpose(3, 0, 1, 2)[: whole_number(count, "count")] / (2 * largest) + 0.5
    else:
        tiles = kernel.transpose(3, 2, 0, 1).reshape(-1, height, width)[: whole_number(count, "count")]
    columns = min(len(tiles), 8 if len(tiles) <= 32 else 12)
    rows = -(-len(tiles) // columns)
    figure = new_figure("plot_filters", max(3.2, 0.75 * columns), 0.75 * rows + 0.6)
    words = f"{found.name}: {height}x{width}, {channels} channel{'s' * (channels > 1)}"
    figure.suptitle(plain_text(words if title is None else title), fontsize=10)
    for place, tile in enumerate(tiles, start=1):
        axes = figure.add_subplot(rows, columns, place)
        scale = {} if channels == 3 else {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
        axes.imshow(tile, interpolation="nearest", **scale)
        axes.set(xticks=[], yticks=[])
    save(figure, path)


def _convolution(model: Any, name: str | None) -> Any:
    if not hasattr(model, "layers"):
        raise TypeError(f"model must be a Model, received {type(model).__name__}")
    with_kernels = [layer for layer in _walk(model) if _is_convolution(layer)]
    for layer in with_kernels:
        if name is None or layer.name == name:
            return layer
    known = ", ".join(layer.name for layer in with_kernels) or "there are none"
    raise ValueError(f"layer must be the name of a convolution with weights ({known}), received {shown(name)}")


def _walk(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _walk(layer)
        else:
            yield layer


def _is_convolution(layer: Any) -> bool:
    kernel = getattr(layer, "kernel", None)
    return kernel is not None and len(kernel.shape) == 4

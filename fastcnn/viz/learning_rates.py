"""Pictures of learning rates: those tried."""

from __future__ import annotations

from collections.abc import Sequence

from .figures import BLUE, ORANGE, Target, check_target, new_figure, plain_text, save, tidy


def plot_learning_rates(
    learning_rates: Sequence[float],
    losses: Sequence[float],
    path: Target,
    suggestion: float | None = None,
    title: str | None = None,
) -> None:
    """Draw the loss over the learning rate, as `fastcnn.callbacks.LearningRateFinder` found it.

    Parameters
    ----------
    learning_rates, losses : sequence of float
        Equally long.
    path : path-like or binary file
        Picture to write: ``.png``, ``.svg`` or ``.pdf``. An open file gets a PNG.
    suggestion : float, optional
        A rate to mark.
    title : str, optional

    Raises
    ------
    ImportError
        matplotlib is not installed (``pip install "fastcnn[plot]"``).
    ValueError
        There is nothing to draw, or the two are not equally long.
    """
    if not len(learning_rates) or len(learning_rates) != len(losses):
        raise ValueError(
            f"learning_rates and losses must be equally long and not empty, received {len(learning_rates)} and "
            f"{len(losses)}"
        )
    check_target(path)
    figure = new_figure("plot_learning_rates", 6.4, 4.2)
    axes = figure.add_subplot()
    axes.plot(learning_rates, losses, color=BLUE, linewidth=1.8)
    axes.set_xscale("log")
    if suggestion is not None:
        axes.axvline(suggestion, color=ORANGE, linewidth=1.8, linestyle="--", label=f"suggestion {suggestion:.2g}")
        axes.legend(frameon=False)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    if title:
        axes.set_title(plain_text(title))
    tidy(axes)
    save(figure, path)

"""``fastcnn train``: from pictures to a model file, a report and a picture of the learning curves."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import callbacks, optimizers, utils
from ..utils.files import atomic_write
from . import data as sources
from . import pictures, report_page
from .classic import check_size, classic_cnn
from .report import print_report

#: Share of a folder's pictures that is kept for validation where it brings no test pictures.
FOLDER_SPLIT = 0.2


def run(options: argparse.Namespace) -> int:
    """Train as the options say; the exit code."""
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)  # now, not after an hour of training
    if options.report is not None:
        report_page.prepare(options.report)
    if options.image_size is not None:
        check_size(*options.image_size)  # before a folder is read
    data = sources.load(options.data, options.image_size, 1 if options.gray else None)
    _say(data)
    if options.seed is not None:
        utils.set_random_seed(options.seed)
    (x, y), validation = _parts(data, options)
    x, y = x[: options.images], y[: options.images]
    print(f"training on {len(x)} pictures, validating on {len(validation[0])}")

    model = classic_cnn(x.shape[1:], len(data.class_names), scale=1 / 255)
    model.compile(
        optimizer=optimizers.Adam(learning_rate=options.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.metadata.update(_metadata(data))
    history, times = callbacks.History(), report_page.EpochTimes()
    backup = make_backup(output, options.resume)
    start = time.perf_counter()
    try:
        model.fit(
            x,
            y,
            batch_size=options.batch_size,
            epochs=options.epochs,
            validation_data=validation,
            callbacks=[history, times, backup],
        )
    except KeyboardInterrupt:
        _keep_interrupted(model, history, output)
        raise
    print(f"trained {len(times.seconds) - times.earlier} epochs in {time.perf_counter() - start:.1f} s\n")
    _save(model, history, output, data.title)
    what, judged = ("validation pictures", validation) if data.test is None else ("test pictures", data.test)
    print_report(model, what, *judged, data.class_names)
    if options.report is not None:
        settings = _settings(data, options, len(x), len(validation[0]))
        title = f"Classic CNN on {data.title}"
        report_page.write(
            options.report,
            report_page.Trained(
                title, settings, model, history.history, times.seconds, *judged, data.class_names, what
            ),
        )
    _say_where(data, output)
    if options.report is not None:
        print(f"{'report':<16} {options.report}")
    print(f"\nTry: fastcnn predict {shlex.quote(str(output / 'model.safetensors'))} PICTURE...")
    return 0


def make_backup(output: Path, resume: bool) -> callbacks.BackupAndRestore:
    """What writes each epoch's backup, and where `resume` says so goes on from the one that is there."""
    backup = callbacks.BackupAndRestore(output / "backup")
    if not resume:
        backup.path.unlink(missing_ok=True)
    elif backup.found():
        print(f"going on from {backup.path}")
    else:
        print(f"there is no {backup.path} to go on from: beginning anew")
    return backup


def _parts(data: sources.Data, options: argparse.Namespace) -> tuple[sources.Pair, sources.Pair]:
    """Pictures to train on and to validate on."""
    if data.test is not None and options.validation_split is None:
        return data.train, data.test
    return sources.split(data, options.validation_split or FOLDER_SPLIT, options.seed)


def _say(data: sources.Data) -> None:
    for note in data.notes:
        print(f"fastcnn: {note}", file=sys.stderr)
    print(f"data: {data.source}")


def _metadata(data: sources.Data) -> dict[str, Any]:
    """What `evaluate` and `predict` need to know beside the weights."""
    light = [pictures.has_light_background(x) for x in data.train[0][:500]]
    return {
        "class_names": data.class_names,
        "data": data.name if data.name in sources.NAMES else str(Path(data.name).resolve()),
        "dark_background": bool(np.mean(light) < 0.1),
    }


def _settings(data: sources.Data, options: argparse.Namespace, trained_on: int, validated_on: int) -> dict[str, object]:
    """What was chosen, for the report."""
    height, width, channels = data.train[0].shape[1:]
    return {
        "data": data.source,
        "pictures": f"{trained_on:,} to train on, {validated_on:,} to validate on",
        "size": f"{height}x{width}, {'gray' if channels == 1 else 'colour'}",
        "epochs": options.epochs,
        "batch size": options.batch_size,
        "optimizer": f"Adam, learning rate {options.learning_rate:g}",
        "loss": "sparse_categorical_crossentropy",
        "seed": "none" if options.seed is None else options.seed,
    }


def _save(model: Any, history: Any, output: Path, title: str) -> None:
    model.save(output / "model.safetensors")
    with atomic_write(output / "history.json", "w") as file:
        json.dump({name: [float(v) for v in values] for name, values in history.history.items()}, file, indent=1)
    try:
        from ..viz import plot_history

        plot_history(history, output / "learning-curves.png", f"Classic CNN on {title}")
    except ImportError as error:
        print(f"fastcnn: no picture of the learning curves: {error}", file=sys.stderr)


def _say_where(data: sources.Data, output: Path) -> None:
    print(f"\ndata             {data.source}")
    for label, name in (("model", "model.safetensors"), ("learning curves", "learning-curves.png")):
        if (output / name).exists():
            print(f"{label:<16} {output / name}")
    print(f"{'history':<16} {output / 'history.json'}")


def _keep_interrupted(model: Any, history: Any, output: Path) -> None:
    """After Ctrl-C: keep the weights as they are, beside and not over a finished model."""
    epochs = len(history.epoch)
    if epochs == 0:
        print("\nfastcnn: interrupted in the first epoch, nothing is kept", file=sys.stderr)
        return
    path = output / "model-interrupted.safetensors"
    model.save(path)
    print(
        f"\nfastcnn: interrupted; the model after {epochs} finished epochs and a bit is in {path}; --resume goes on "
        f"after the last of them",
        file=sys.stderr,
    )

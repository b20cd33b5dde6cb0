"""``fastcnn detect train``: from pictures with boxes to a detector, its learning curves and COCO's numbers."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from .. import callbacks, models, optimizers, utils
from ..data import Dataset, augment
from ..detection import DetectionModel
from ..detection.network import check_image_size
from ..metrics import CocoMetrics
from ..utils.files import atomic_write
from . import detect_data, detect_report
from .train import FOLDER_SPLIT, make_backup

#: So many steps the rate rises, a tenth of them at most: the first gradients are large.
_WARM_UP = 100
#: Pictures of so many bytes in all are kept in memory instead of decoded in each epoch.
_KEPT = 1 << 30
#: By what the best network is chosen.
_MONITOR = "val_AP50"


def run(options: argparse.Namespace) -> int:
    """Train as the options say; the exit code."""
    check_image_size(options.image_size)
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)  # now, not after an hour of training
    if options.seed is not None:
        utils.set_random_seed(options.seed)
    source = detect_data.find(options.data, options.format, options.images)
    train, validation, test = _parts(source, options)
    height, width = options.image_size
    if 3 * height * width * (len(train) + len(validation)) <= _KEPT:
        train, validation = train.cache(), validation.cache()
    names = train.class_names or []
    print(f"data: {options.data} ({source.form.upper()}), {len(names)} classes: {', '.join(names)}")
    print(f"training on {len(train)} pictures, validating on {len(validation)}")

    model = DetectionModel(
        names, image_size=options.image_size, backbone=options.backbone, size=options.size, weights=options.weights
    )
    model.backbone.trainable = not options.freeze
    steps = -(-len(train) // options.batch_size) * options.epochs
    model.compile(optimizer=_optimizer(options.learning_rate, steps))
    history, backup = callbacks.History(), make_backup(output, options.resume)
    if not (options.resume and backup.found()):
        (output / "best.safetensors").unlink(missing_ok=True)  # now that nothing else can be wrong
    best = callbacks.ModelCheckpoint(output / "best.safetensors", monitor=_MONITOR, mode="max", save_best_only=True)
    start = time.perf_counter()
    try:
        model.fit(
            _learned_from(train, options),
            validation_data=validation.batch(options.batch_size).prefetch(),
            validation_freq={*range(0, options.epochs, options.validation_every), options.epochs} - {0},
            epochs=options.epochs,
            callbacks=[history, best, backup],
        )
    except KeyboardInterrupt:
        _say_interrupted(output)
        raise
    print(f"trained {len(history.epoch)} epochs in {time.perf_counter() - start:.0f} s\n")
    model = _keep(model, output)
    what, judged = ("validation pictures", validation) if test is None else ("test pictures", test)
    metrics = model.judge(judged.batch(options.batch_size).prefetch())
    detect_report.show(metrics, what)
    _write(history, metrics, output, Path(options.data).stem)
    print(f"\nTry: fastcnn detect predict {shlex.quote(str(output / 'model.safetensors'))} PICTURE...")
    return 0


def _parts(source: detect_data.Source, options: argparse.Namespace) -> tuple[Dataset, Dataset, Dataset | None]:
    """Pictures to train on, to validate on, and to judge in the end, where there are such."""
    size, strict = options.image_size, options.strict
    part = next((part for part in ("train", "all") if part in source.parts), None)
    if part is None:
        raise ValueError(f"{source.place} has no part to train on, only {' and '.join(source.parts)}")
    train = source.load(part, size, None, strict)
    names = train.class_names
    rest = {part: source.load(part, size, names, strict) for part in ("val", "test") if part in source.parts}
    if "val" in rest and options.validation_split is None:
        return train, rest["val"], rest.get("test")
    train, validation = detect_data.split(train, options.validation_split or FOLDER_SPLIT, options.seed)
    return train, validation, rest.get("test", rest.get("val"))


def _optimizer(rate: float, steps: int) -> optimizers.Optimizer:
    warmup = min(_WARM_UP, max(1, steps // 10))
    schedule = optimizers.schedules.CosineDecay(
        rate / 20, max(1, steps - warmup), alpha=0.01, warmup_target=rate, warmup_steps=warmup
    )
    return optimizers.AdamW(schedule, weight_decay=0.05, global_clipnorm=10.0)


def _learned_from(train: Dataset, options: argparse.Namespace) -> Dataset:
    """Batches to learn from, in another order each epoch, and changed by chance."""
    batches = train.shuffle(seed=options.seed).batch(options.batch_size)
    return (batches if options.no_augmentation else batches.map(_augmentation(options.seed))).prefetch()


def _augmentation(seed: int | None) -> augment.Compose:
    """Things may be mirrored, of another size and elsewhere, and in another light."""
    return augment.Compose(
        [
            augment.Mosaic(0.3),
            augment.RandomFlip("horizontal"),
            augment.RandomZoom((-0.3, 0.3), fill_mode="constant"),
            augment.RandomTranslation(0.1, 0.1, fill_mode="constant"),
            # A saturation of 0.5 leaves colours as they are; a single number would draw from 0 to it, grey pictures.
            augment.RandomColorJitter(
                brightness_factor=0.1, contrast_factor=0.2, saturation_factor=(0.4, 0.6), hue_factor=0.02
            ),
        ],
        seed=seed,
    )


def _keep(model: DetectionModel, output: Path) -> DetectionModel:
    """The best network of the training as the model, in its file."""
    path, best = output / "model.safetensors", output / "best.safetensors"
    if not best.exists():  # no epoch was judged
        model.save(path)
        return model
    os.replace(best, path)
    loaded = models.load_model(path)
    assert isinstance(loaded, DetectionModel)
    return loaded


def _write(history: Any, metrics: CocoMetrics, output: Path, title: str) -> None:
    print()
    detect_report.write(metrics, output)
    with atomic_write(output / "history.json", "w") as file:
        json.dump(history.history, file, indent=1, default=float)
    detect_report.say("history", output / "history.json")
    try:
        from ..viz import plot_history

        plot_history(history, output / "learning-curves.png", f"Detector on {title}")
        detect_report.say("learning curves", output / "learning-curves.png")
    except ImportError as error:
        print(f"fastcnn: no picture of the learning curves: {error}", file=sys.stderr)
    detect_report.say("model", output / "model.safetensors")


def _say_interrupted(output: Path) -> None:
    best = output / "best.safetensors"
    what = f"the best model so far is in {best}; " if best.exists() else ""
    print(f"\nfastcnn: interrupted; {what}--resume goes on after the last whole epoch", file=sys.stderr)

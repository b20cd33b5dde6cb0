"""``fastcnn detect``: train, judge and use a detector."""

from __future__ import annotations

import argparse
import contextlib
import glob
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from .. import models
from ..data import PictureError, read_picture
from ..data.files import Folder, pictures
from ..detection import DetectionModel, Detections, Selection
from ..metrics import save_coco_results
from ..viz import draw_boxes
from . import detect_data, detect_foreign, detect_report, detect_train

#: Which pictures a detector is judged on, the first part that there is.
_JUDGED = ("test", "val", "all", "train")
#: Pictures read and looked at together: memory stays small however many are named.
_AT_ONCE = 8


def run(options: argparse.Namespace) -> int:
    """Do what the options say; the exit code."""
    return {"train": detect_train.run, "evaluate": _evaluate, "predict": _predict}[options.action](options)


def load(path: str) -> DetectionModel:
    """Read a detector's file.

    Raises
    ------
    ValueError
        The model is another one.
    """
    if path.lower().endswith(".onnx"):
        raise ValueError(f"{path} is an ONNX file: `fastcnn detect predict` reads it, with --decoder")
    model = models.load_model(path)
    if not isinstance(model, DetectionModel):
        raise ValueError(f"{path} is a {type(model).__name__}, no detector: `fastcnn detect train` makes one")
    return model


# ---------------------------------------------------------------- evaluate


def _evaluate(options: argparse.Namespace) -> int:
    if options.output is not None:
        Path(options.output).mkdir(parents=True, exist_ok=True)  # now, not after all has been looked at
    model = load(options.model)
    source = detect_data.find(options.data, options.format, options.images)
    part = options.set or next(name for name in _JUDGED if name in source.parts)
    if part not in source.parts:
        raise ValueError(f"{options.data} has no part {part}, it has {', '.join(source.parts)}")
    dataset = source.load(part, model.image_size, model.class_names, options.strict)
    selection = Selection(options.score_threshold, options.iou_threshold, options.max_boxes)
    metrics = model.judge(dataset.batch(options.batch_size).prefetch(), selection=selection)
    if options.json:
        print(json.dumps(detect_report.measured(metrics), indent=1))
    else:
        detect_report.show(metrics, f"{part} pictures of {options.data}")
    if options.output is not None:
        with contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout):
            print()
            detect_report.write(metrics, Path(options.output))
    return 0


# ---------------------------------------------------------------- predict


def _predict(options: argparse.Namespace) -> int:
    model = load(options.model) if options.decoder is None else detect_foreign.load(options.model, options.decoder)
    taking = {name: getattr(options, name) for name in ("score_threshold", "iou_threshold", "max_boxes")}
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    results: list[tuple[int | str, Any, Any, Any]] = []
    taken: set[str] = set()
    ids: set[int | str] = set()
    unread = 0
    # A picture that is named twice is looked at once: its boxes would count twice.
    names = list({os.path.abspath(name): name for name in _named(options.images)}.values())
    if not options.no_drawing and any(Path(name).resolve().parent == output.resolve() for name in names):
        raise ValueError(f"--output {output} holds pictures to look at, which could be replaced: choose another folder")
    for begin in range(0, len(names), _AT_ONCE):
        read = []
        for name in names[begin : begin + _AT_ONCE]:
            try:
                read.append((name, read_picture(name)))
            except PictureError as error:
                unread += 1
                print(f"fastcnn: {error}", file=sys.stderr)
        if not read:
            continue
        found = model.predict([pixels for _, pixels in read], **taking)
        for (name, pixels), one in zip(read, found):
            print(f"{name}: {_counted(one, model.class_names)}")
            results.append((_image_id(name, ids), one.boxes, one.scores, one.labels))
            if not options.no_drawing:
                drawn = draw_boxes(pixels, one.boxes, one.labels, one.scores, model.class_names)
                Image.fromarray(drawn).save(output / _free(name, taken), quality=92)
    save_coco_results(output / "detections.json", results)
    print()
    detect_report.say("boxes", output / "detections.json")
    if not options.no_drawing:
        detect_report.say("pictures", output)
    return 1 if unread else 0


def _named(words: list[str]) -> Iterator[str]:
    """The picture files that are named: themselves, by folders, or by patterns."""
    for word in words:
        if not word:
            raise ValueError("the name of a picture must not be empty")
        path = Path(word)
        if path.is_dir():
            tree = Folder(path)
            inside = pictures(tree.names())
            if not inside:
                raise ValueError(f"there are no pictures in {word}")
            yield from (tree.path(name) for name in inside)
        elif not path.exists() and glob.has_magic(word):
            matching = sorted(name for name in glob.glob(word, recursive=True) if Path(name).is_file())
            if not matching:
                raise ValueError(f"no file matches {word}")
            yield from matching
        else:
            yield word


def _image_id(name: str, taken: set[int | str]) -> int | str:
    """COCO's pictures are called by their ids. One that is called as another in another folder goes by its path."""
    stem = Path(name).stem
    wanted: int | str = int(stem) if stem.isdecimal() else Path(name).name
    free = next(one for one in (wanted, name, os.path.abspath(name)) if one not in taken)
    if free != wanted:
        print(f"fastcnn: another picture has the image_id {wanted!r}; {name} gets {free!r}", file=sys.stderr)
    taken.add(free)
    return free


def _free(name: str, taken: set[str]) -> str:
    """What a drawn picture is called: as the picture itself, and numbered where another one is called so."""
    ending = ".jpg" if Path(name).suffix.lower() in (".jpg", ".jpeg") else ".png"
    stem, free, number = Path(name).stem, f"{Path(name).stem}{ending}", 2
    while free in taken:
        free, number = f"{stem}-{number}{ending}", number + 1
    taken.add(free)
    return free


def _counted(found: Detections, class_names: list[str] | None) -> str:
    counts = Counter(found.labels.tolist())
    names = {label: f"of class {label}" if class_names is None else class_names[label] for label in counts}
    return ", ".join(f"{counts[label]} {names[label]}" for label in sorted(counts)) or "nothing found"

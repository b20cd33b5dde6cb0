"""``fastcnn predict``: picture files in, classes with their probabilities out."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from ..data import PictureError, read_picture
from . import pictures
from .trained import Trained, load

#: Pictures read and classified at a time: memory stays small however many are named.
BATCH = 64


def run(options: argparse.Namespace) -> int:
    """Classify the pictures; the exit code is 1 if one of them could not be read."""
    trained = load(options.model)
    unread = light = 0
    for begin in range(0, len(options.images), BATCH):
        names, batch = [], []
        for name in options.images[begin : begin + BATCH]:
            try:
                pixels = read_picture(name, trained.size, trained.channels)
            except PictureError as error:
                unread += 1
                print(f"fastcnn: {error}", file=sys.stderr)
                continue
            if options.invert:
                pixels = 255 - pixels
            light += pictures.has_light_background(pixels)
            names.append(name)
            batch.append(pixels)
        if batch:
            probabilities = trained.model.predict(trained.scaled(np.stack(batch)), verbose=0)
            for name, row in zip(names, probabilities):
                _show(name, row, trained, options)
    if light and trained.dark_background and not options.invert:
        print(
            f"fastcnn: {light} of the pictures {'has' if light == 1 else 'have'} a light background, but the model was "
            "trained on light things before a dark one: try --invert",
            file=sys.stderr,
        )
    return 1 if unread else 0


def _show(name: str, row: np.ndarray, trained: Trained, options: argparse.Namespace) -> None:
    best = np.argsort(-row, kind="stable")[: options.top]
    classes = [(trained.class_names[k] if trained.class_names else f"class {k}", float(row[k])) for k in best]
    if options.json:
        found = [{"class": label, "probability": p} for label, p in classes]
        print(json.dumps({"image": name, "classes": found}))
    else:
        print(f"{name}: " + ", ".join(f"{label} {p:.1%}" for label, p in classes))

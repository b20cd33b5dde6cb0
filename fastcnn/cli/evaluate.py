"""``fastcnn evaluate``: how good a saved model is."""

from __future__ import annotations

import argparse
import json
import sys

from . import data as sources
from .report import measure, print_report
from .trained import load


def run(options: argparse.Namespace) -> int:
    """Measure the model on the data; the exit code."""
    trained = load(options.model)
    name = options.data or trained.data
    if name is None:
        raise ValueError(f"{options.model} doesn't say what it was trained on: name the data to evaluate on")
    data = sources.load(name, trained.size, trained.channels)
    for note in data.notes:
        print(f"fastcnn: {note}", file=sys.stderr)
    x, y = data.test or data.train
    if x.shape[1:] != (*trained.size, trained.channels):
        raise ValueError(f"{options.model} takes pictures of {trained.wanted}, {data.title} has {x.shape[1:]}")
    if trained.class_names and data.class_names != trained.class_names:
        raise ValueError(
            f"{options.model} knows the classes {', '.join(trained.class_names)}; "
            f"{data.title} has {', '.join(data.class_names)}"
        )
    if options.json:
        print(json.dumps(measure(trained.model, trained.scaled(x), y, data.class_names, options.batch_size), indent=1))
    else:
        print(f"data: {data.source}")
        what = "all pictures" if data.test is None else "test pictures"
        print_report(trained.model, what, trained.scaled(x), y, data.class_names, options.batch_size)
    return 0

"""Seconds from detections to COCO's twelve numbers: fastcnn beside pycocotools and faster-coco-eval, in turns.

    pip install pycocotools faster-coco-eval
    python benchmarks/bench_coco.py                          # 1,000 images, 80 classes, about 100,000 detections
    python benchmarks/bench_coco.py --images 5000 --skip pycocotools

Made-up images, whose detections lie about their objects. "judge" is from arrays in memory (fastcnn: `update` of every
image, and `result`; the others: `evaluate` and `accumulate` alone, what they are given being loaded already); "files"
is from the two JSON files, reading included. Shown is the best of several turns. Whoever is not installed is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastcnn
from fastcnn.metrics import CocoMetrics

Row = tuple[np.ndarray, ...]


def make_images(images: int, classes: int, found: int, objects: int) -> list[Row]:
    """Of each image boxes, scores, labels, true boxes, true labels: of 0 to so many objects and detections."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(images):
        m, k = rng.integers(1, objects + 1), rng.integers(0, found + 1)
        corner = rng.random((m, 2)) * 500
        truths = np.concatenate([corner, corner + 2 + rng.gamma(2.0, 50.0, (m, 2))], 1)
        labels, source = rng.integers(0, classes, m), rng.integers(0, m, k)
        boxes = truths[source] + rng.normal(0, 1, (k, 4)) * rng.choice([2.0, 10.0, 80.0], (k, 1))
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        guesses = np.where(rng.random(k) < 0.7, labels[source], rng.integers(0, classes, k))
        rows.append((boxes.astype(np.float32), rng.random(k).astype(np.float32), guesses, truths, labels))
    return rows


def judge(rows: list[Row], classes: int) -> CocoMetrics:
    metrics = CocoMetrics([str(c) for c in range(classes)])
    for number, row in enumerate(rows, 1):
        metrics.update(number, *row)
    return metrics


Loader = Callable[[Path, Path], Any]


def by_pycocotools(truth: Path, results: Path) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    objects = COCO(str(truth))
    return COCOeval(objects, objects.loadRes(str(results)), "bbox")


def by_faster_coco_eval(truth: Path, results: Path) -> Any:
    from faster_coco_eval import COCO, COCOeval_faster

    objects = COCO(str(truth))
    return COCOeval_faster(objects, objects.loadRes(str(results)), iouType="bbox")


def evaluated(evaluation: Any) -> Any:
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def numbers(evaluation: Any) -> np.ndarray:
    evaluation.summarize()
    return np.asarray(evaluation.stats[:12], np.float64)


LOADERS: dict[str, tuple[str, Loader]] = {
    "pycocotools": ("pycocotools", by_pycocotools),
    "faster-coco-eval": ("faster_coco_eval", by_faster_coco_eval),
}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        done = work()
    return time.perf_counter() - begin, done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--found", type=int, default=200, help="most detections of an image")
    parser.add_argument("--objects", type=int, default=14, help="most objects of an image")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--skip", nargs="*", default=[], choices=list(LOADERS))
    options = parser.parse_args()
    fastcnn.set_num_threads(options.threads)
    rows = make_images(options.images, options.classes, options.found, options.objects)
    others = {
        name: load for name, (module, load) in LOADERS.items()
        if name not in options.skip and importlib.util.find_spec(module)
    }  # fmt: skip
    detections, objects = sum(len(r[0]) for r in rows), sum(len(r[3]) for r in rows)
    print(f"{options.images:,} images, {options.classes} classes, {detections:,} detections, {objects:,} objects")
    seconds: dict[tuple[str, str], list[float]] = {}
    stats: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "truth.json"), Path(folder, "results.json")
        judge(rows, options.classes).save_files(*files)
        print(f"files of {sum(f.stat().st_size for f in files) / 1e6:.1f} MB")
        for _ in range(options.turns):
            spent, ours = timed(lambda: judge(rows, options.classes).result())
            seconds.setdefault(("fastcnn", "judge"), []).append(spent)
            spent, read = timed(lambda: CocoMetrics.from_files(*files).result())
            seconds.setdefault(("fastcnn", "files"), []).append(spent)
            stats["fastcnn"], stats["fastcnn, files"] = np.array([*ours.values()]), np.array([*read.values()])
            for name, load in others.items():
                reading, evaluation = timed(lambda load=load: load(*files))
                spent, evaluation = timed(lambda evaluation=evaluation: evaluated(evaluation))
                seconds.setdefault((name, "judge"), []).append(spent)
                seconds.setdefault((name, "files"), []).append(reading + spent)
                with contextlib.redirect_stdout(io.StringIO()):
                    stats[name] = numbers(evaluation)
    best = {key: min(values) for key, values in seconds.items()}
    print(f"{'':>18}{'judge, s':>10}{'':>8}{'files, s':>10}{'':>8}{'AP':>8}  largest difference")
    for name in ("fastcnn", *others):
        cells = "".join(
            f"{best[name, what]:>10.3f}{best[name, what] / best['fastcnn', what]:>7.1f}x" for what in ("judge", "files")
        )
        print(f"{name:>18}{cells}{stats[name][0]:>8.4f}  {np.abs(stats[name] - stats['fastcnn, files']).max():.1e}")
    print(json.dumps({"seconds": {f"{n} {w}": v for (n, w), v in best.items()}}))


if __name__ == "__main__":
    main()

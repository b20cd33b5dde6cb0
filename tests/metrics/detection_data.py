"""Made-up images with detections and true objects, awkward on purpose, and how pycocotools judges them."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from fastcnn.metrics import CocoMetrics

#: Image id, boxes, scores, labels, true boxes, true labels, crowd, areas.
Row = tuple[Any, ...]


def _grid_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Whole numbers: overlaps that are equal, or right on a threshold, and areas of 32² and 96² among others."""
    corner, sides = rng.integers(0, 3, (count, 2)) * 16.0, rng.choice([16.0, 24.0, 32.0, 64.0, 96.0, 98.0], (count, 2))
    return np.concatenate([corner, corner + sides], 1)


def _free_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.random((count, 2)) * 400
    return np.concatenate([corner, corner + 2 + rng.gamma(2.0, 50.0, (count, 2))], 1).astype(np.float32)


def make_rows(
    seed: int, images: int, classes: int, found: int, truths: int, on_grid: bool, crowds: float = 0.15
) -> list[Row]:
    """Images in a random order, with up to `found` detections and `truths` objects each."""
    rng, rows = np.random.default_rng(seed), []
    make = _grid_boxes if on_grid else _free_boxes
    for number in rng.permutation(images) * 3 + 1:
        m, k = rng.integers(0, truths + 1), rng.integers(0, found + 1)
        true_boxes, true_labels = make(rng, m), rng.integers(0, classes, m)
        boxes, labels = make(rng, k), rng.integers(0, classes, k)
        if m:
            source, near = rng.integers(0, m, k), rng.random(k) < 0.6
            boxes[near] = true_boxes[source][near]
            if not on_grid:
                boxes[near] += rng.normal(0, 4, (near.sum(), 4)).astype(np.float32)
                boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
            labels[near] = np.where(rng.random(k) < 0.7, true_labels[source], labels)[near]
        scores = rng.integers(0, 6, k) / 5 if on_grid else rng.random(k)
        area = (true_boxes[:, 2:] - true_boxes[:, :2]).astype(np.float64).prod(1)
        areas = np.where(rng.random(m) < 0.5, area, rng.choice([32.0**2, 96.0**2, 96.0**2 + 1, 0.0], m))
        rows.append((int(number), boxes, scores, labels, true_boxes, true_labels, rng.random(m) < crowds, areas))
    return rows


def judged(rows: list[Row], classes: int, **settings: Any) -> CocoMetrics:
    judge = CocoMetrics([f"class {c}" for c in range(classes)], **settings)
    for row in rows:
        judge.update(*row)
    return judge


def _sides(boxes: np.ndarray) -> list[list[float]]:
    """Left, top, width, height."""
    wide = np.asarray(boxes, np.float64)
    return np.concatenate([wide[:, :2], wide[:, 2:] - wide[:, :2]], 1).tolist()


def as_coco(rows: list[Row], classes: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The two files' contents: ground truth and results. Categories are numbered 10, 20, …"""
    truth: dict[str, Any] = {
        "info": {}, "images": [{"id": row[0]} for row in rows], "annotations": [],
        "categories": [{"id": 10 * (c + 1), "name": f"class {c}"} for c in range(classes)],
    }  # fmt: skip
    results = []
    for image, boxes, scores, labels, true_boxes, true_labels, crowd, areas in rows:
        for box, label, many, area in zip(_sides(true_boxes), true_labels, crowd, areas):
            truth["annotations"].append(
                {"id": len(truth["annotations"]) + 1, "image_id": image, "category_id": 10 * (int(label) + 1),
                 "bbox": box, "area": float(area), "iscrowd": int(many)}
            )  # fmt: skip
        for box, score, label in zip(_sides(boxes), scores, labels):
            results.append(
                {"image_id": image, "category_id": 10 * (int(label) + 1), "bbox": box, "score": float(score)}
            )
    return truth, results


def pycocotools_eval(truth: dict[str, Any], results: list[dict[str, Any]], limits: Any = None) -> Any:
    """pycocotools' COCOeval, evaluated and accumulated; with its twelve numbers where `limits` aren't given."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        objects = COCO()
        objects.dataset = truth
        objects.createIndex()
        known = objects.loadRes(results)
        evaluation = COCOeval(objects, known, "bbox")
        if limits is not None:
            evaluation.params.maxDets = list(limits)
        evaluation.evaluate()
        evaluation.accumulate()
        if limits is None:
            evaluation.summarize()
    return evaluation

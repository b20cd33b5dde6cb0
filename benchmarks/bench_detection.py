"""A detector from a camera's picture to boxes, beside the same network in ONNX Runtime.

    python benchmarks/bench_detection.py                                sizes small, medium, large at 320 and 640
    python benchmarks/bench_detection.py --sizes small --image-sizes 320 --json out.json
    python benchmarks/bench_detection.py --steps small --image-sizes 320    where the network's time goes

One picture of 640x480 bytes at a time. Both have the same weights and threads and take turns in one run; before
anything is timed, their raw outputs must agree. Three parts are timed apart: bringing the picture to the network's size
between margins, the network, and what makes boxes of its output (threshold, non-maximum suppression by class).

ONNX Runtime comes without the first and the last part. What people write for it stands here: OpenCV's resizing where
that is installed, else Pillow's, and NumPy for the boxes, with OpenCV's non-maximum suppression where that is there.
The network is a fresh one, sure of nothing: the threshold is put where `--candidates` classes of places pass it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from plan_steps import print_steps, step_times

import fastcnn
from fastcnn.cli.info import collect
from fastcnn.cli.timing import best_and_median
from fastcnn.data import letterbox
from fastcnn.detection import DetectionModel, Selection, decode

try:
    import cv2
except ImportError:
    cv2 = None

#: Largest difference of raw outputs, over the largest number.
AGREEMENT = 1e-4
IOU_THRESHOLD = 0.6
PARTS = ("pre-processing", "network", "post-processing")
Part = Callable[[Any], Any]


def picture() -> np.ndarray:
    """Smooth, as photographs are: (480, 640, 3) bytes."""
    small = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC))


# ---------------------------------------------------------------- the contenders


def fastcnn_parts(model: DetectionModel, selection: Selection) -> list[Part]:
    size = model.image_size
    x = np.empty((1, *size, 3), np.float32)

    def prepare(image: np.ndarray) -> np.ndarray:
        return letterbox(image[None], size, 0.0, out=x)[0]

    return [prepare, model.predict_on_batch, lambda raw: decode(raw, size, selection)[0].boxes]


def onnxruntime_parts(model: DetectionModel, selection: Selection, threads: int) -> list[Part]:
    import onnxruntime

    import fastcnn.onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    content = fastcnn.onnx.to_proto(model).SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    channels_first = given.shape[1] == 3
    size = model.image_size

    def prepare(image: np.ndarray) -> np.ndarray:
        scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
        rows, columns = round(image.shape[0] * scale), round(image.shape[1] * scale)
        if cv2 is not None:
            resized = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
        else:
            resized = np.asarray(Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR))
        padded = np.zeros((*size, 3), np.uint8)
        top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
        padded[top : top + rows, left : left + columns] = resized
        x = padded.transpose(2, 0, 1) if channels_first else padded
        return np.ascontiguousarray(x[None], np.float32)

    places = anchors(size)

    def network(x: np.ndarray) -> np.ndarray:
        return session.run(None, {given.name: x})[0]

    return [prepare, network, lambda raw: boxes_in_numpy(raw[0], size, *places, selection)]


def anchors(size: tuple[int, int], strides: tuple[int, ...] = (8, 16, 32)) -> tuple[np.ndarray, np.ndarray]:
    """Centre (places, 2) and stride (places, 1) of each place."""
    centres, steps = [], []
    for stride in strides:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        centres.append((np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * stride)
        steps.append(np.full((x.size, 1), stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(steps).astype(np.float32)


def boxes_in_numpy(
    raw: np.ndarray, size: tuple[int, int], centres: np.ndarray, steps: np.ndarray, selection: Selection
) -> np.ndarray:
    """The boxes as people make them: all scores, the threshold, suppression by class."""
    scores = 1 / (1 + np.exp(-raw[:, 4:]))
    places, labels = np.nonzero(scores >= selection.score_threshold)
    best, reach, centres = scores[places, labels], raw[places, :4] * steps[places], centres[places]
    boxes = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1)
    boxes = np.clip(boxes, 0, np.float32([*size[::-1], *size[::-1]]))
    # Boxes of different classes are moved apart, so that one pass does for all.
    apart = boxes + labels[:, None] * (boxes.max() - boxes.min() + 1)
    if cv2 is not None:
        sides = np.concatenate([apart[:, :2], apart[:, 2:] - apart[:, :2]], axis=1)
        kept = cv2.dnn.NMSBoxes(sides, best, selection.score_threshold, IOU_THRESHOLD)
        return boxes[np.asarray(kept, np.int64).ravel()]
    return boxes[suppressed(apart, best)]


def suppressed(boxes: np.ndarray, scores: np.ndarray) -> list[int]:
    order, kept = np.argsort(-scores, kind="stable"), []
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    while len(order):
        first, order = order[0], order[1:]
        kept.append(int(first))
        size = np.minimum(boxes[first, 2:], boxes[order, 2:]) - np.maximum(boxes[first, :2], boxes[order, :2])
        shared = np.prod(np.maximum(size, 0), axis=1)
        order = order[shared <= IOU_THRESHOLD * (area[first] + area[order] - shared)]
    return kept


# ---------------------------------------------------------------- timing


def timed(ways: dict[str, list[Part]], image: np.ndarray, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Seconds of each part of each way, whole runs taking turns.

    Idle threads of a library that has just worked go on spinning for some milliseconds and slow down the next one:
    before a turn they get the time to fall asleep, and a turn's first run doesn't count.
    """
    found: dict[str, dict[str, list[float]]] = {way: {p: [] for p in (*PARTS, "total")} for way in ways}
    end = time.perf_counter() + seconds
    turn = 0
    while turn < 3 or time.perf_counter() < end:
        for way in ways if turn % 2 == 0 else reversed(ways):
            time.sleep(0.02)
            for run in range(4):
                value: Any = image
                marks = [time.perf_counter()]
                for part in ways[way]:
                    value = part(value)
                    marks.append(time.perf_counter())
                if run:
                    for name, begin, stop in zip(PARTS, marks, marks[1:]):
                        found[way][name].append(stop - begin)
                    found[way]["total"].append(marks[-1] - marks[0])
        turn += 1
    return found


def tempered(model: DetectionModel, image: np.ndarray) -> DetectionModel:
    """The model with logits and sides that differ as those of a trained one do; a fresh one's grow with depth."""
    prepare, network, _ = fastcnn_parts(model, Selection())
    raw = network(prepare(image))
    for name, spread in (("scores", raw[..., 4:].std()), ("sides", raw[..., :4].std())):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel * (1.5 / spread), bias])
    return model


def threshold(raw: np.ndarray, candidates: int) -> float:
    """The score that so many candidates pass: classes of places."""
    logits = np.sort(raw[0, :, 4:].ravel())[::-1].astype(np.float64)
    return float(1 / (1 + np.exp(-logits[: candidates + 1][-2:].mean())))


def compare(size: str, side: int, options: argparse.Namespace) -> dict[str, Any]:
    """One network: milliseconds of the parts, best and median, and what they have in common."""
    fastcnn.utils.set_random_seed(0)
    image = picture()
    model = tempered(DetectionModel(options.classes, image_size=side, size=size), image)
    prepare, network, _ = fastcnn_parts(model, Selection())
    raw = network(prepare(image))
    selection = Selection(threshold(raw, options.candidates), IOU_THRESHOLD, 300)
    ways = {
        "fastcnn": fastcnn_parts(model, selection),
        "ONNX Runtime": onnxruntime_parts(model, selection, options.threads),
    }
    x = prepare(image)
    theirs = ways["ONNX Runtime"][1](x.transpose(0, 3, 1, 2).copy())
    error = float(np.abs(theirs - raw).max() / np.abs(raw).max())
    if not error < AGREEMENT:
        raise SystemExit(f"{size} at {side}: raw outputs differ by {error:.2g} of the largest number")
    boxes = {way: len(parts[2](raw)) for way, parts in ways.items()}
    few, many = sorted(boxes.values())
    if not 0 < many - 3 <= few:  # where rounding decides, a box more or less
        raise SystemExit(f"{size} at {side}: different numbers of boxes, {boxes}")
    seconds = timed(ways, image, options.seconds)
    milliseconds = {
        way: {part: {k: 1e3 * v for k, v in best_and_median(values).items()} for part, values in parts.items()}
        for way, parts in seconds.items()
    }
    gmac = model.plan(batch=1).flops / 2e9
    return {"size": size, "side": side, "GMAC": gmac, "boxes": boxes, "milliseconds": milliseconds}


def show(result: dict[str, Any]) -> None:
    boxes = " and ".join(str(count) for count in result["boxes"].values())
    print(f"\n{result['size']}, {result['side']}x{result['side']}: {result['GMAC']:.2f} GMAC, {boxes} boxes")
    print(f"{'':<16}{'fastcnn':>20}{'ONNX Runtime':>20}{'ratio':>8}      milliseconds, best (median)")
    ours, theirs = result["milliseconds"].values()
    for part in (*PARTS, "total"):
        cells = [f"{way[part]['best']:.2f} ({way[part]['median']:.2f})" for way in (ours, theirs)]
        print(f"{part:<16}{cells[0]:>20}{cells[1]:>20}{ours[part]['best'] / theirs[part]['best']:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="A detector's pictures to boxes, beside ONNX Runtime.")
    parser.add_argument("--sizes", nargs="+", default=["small", "medium", "large"], metavar="SIZE")
    parser.add_argument("--image-sizes", nargs="+", type=int, default=[320, 640], metavar="N")
    parser.add_argument("--classes", type=int, default=80, metavar="N")
    parser.add_argument(
        "--candidates", type=int, default=300, metavar="N", help="classes of places above the threshold (300)"
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="for each network (3)")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    parser.add_argument("--steps", metavar="SIZE", help="instead: fastcnn's kernels, one by one")
    options = parser.parse_args()
    fastcnn.set_num_threads(options.threads)
    if options.steps:
        model = DetectionModel(options.classes, image_size=options.image_sizes[0], size=options.steps)
        x = np.zeros((1, *model.image_size, 3), np.float32)
        print_steps(step_times(model, lambda: model.predict_on_batch(x), 20))
        return
    machine = collect()
    resizing = "OpenCV's" if cv2 else "Pillow's"
    print(f"fastcnn {fastcnn.__version__}, {machine['processor']}, {options.threads} threads; {resizing} resizing")
    results = []
    for side in options.image_sizes:
        for size in options.sizes:
            results.append(compare(size, side, options))
            show(results[-1])
    if options.json:
        with fastcnn.utils.atomic_write(options.json, "w") as file:
            json.dump({"machine": machine, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()

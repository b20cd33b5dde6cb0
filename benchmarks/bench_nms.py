"""Milliseconds of non-maximum suppression: fastcnn beside PyTorch, torchvision, ONNX Runtime and NumPy, in turns.

    pip install torch torchvision onnx onnxruntime
    python benchmarks/bench_nms.py                      # 10,000 boxes, 80 classes and one
    python benchmarks/bench_nms.py --boxes 1000 --threads 1 --skip numpy

Made-up boxes, as detectors give them: most lie closely about some things, the surest in the middle, and some anywhere.
"torch, one by one": each box that is kept is compared with all that are left, as vectors. "torch, matrix": the IoU of
all pairs first. Both, NumPy and torchvision keep classes apart by moving each elsewhere. All keep the same boxes, which
is checked; shown is the best of several turns. Whoever is not installed is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastcnn
from fastcnn import ops

IOU = 0.5
#: From boxes, scores and labels the numbers of the boxes that are kept, in any order.
Way = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def make_boxes(count: int, classes: int, things: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes in an image of 1280 x 960 pixels, scores, labels."""
    rng = np.random.default_rng(0)
    middle, size = rng.uniform((0, 0), (1280, 960), (things, 2)), np.exp(rng.uniform(2.7, 5.7, (things, 2)))
    thing, off = rng.integers(0, things, count), rng.standard_normal((count, 2))
    centres = middle[thing] + off * size[thing] * 0.12
    sizes = size[thing] * np.exp(rng.normal(0, 0.15, (count, 2)))
    labels = rng.integers(0, classes, things)[thing]
    scores = rng.beta(2, 2, count) * np.exp(-(off**2).sum(1) / 4)
    stray = rng.random(count) < 0.2
    centres[stray] = rng.uniform((0, 0), (1280, 960), (int(stray.sum()), 2))
    labels[stray] = rng.integers(0, classes, int(stray.sum()))
    scores[stray] *= 0.3
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
    return boxes.astype(np.float32), scores.astype(np.float32), labels


def moved_apart(boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each class elsewhere, so that boxes of two never meet."""
    return boxes + (labels * (boxes.max() - boxes.min() + 1)).astype(np.float32)[:, None]


def by_fastcnn(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return ops.nms(boxes, scores, IOU, labels=labels)[0]


def by_numpy(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    boxes, kept = moved_apart(boxes, labels), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.argsort(-scores)
    while order.size:
        first, order = order[0], order[1:]
        kept.append(first)
        sides = np.minimum(boxes[first, 2:], boxes[order, 2:]) - np.maximum(boxes[first, :2], boxes[order, :2])
        both = np.maximum(sides, 0).prod(1)
        order = order[both <= IOU * (area[first] + area[order] - both)]
    return np.array(kept)


def by_torch_one_by_one(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    import torch

    corners, kept = torch.from_numpy(moved_apart(boxes, labels)), []
    area = (corners[:, 2:] - corners[:, :2]).prod(1)
    order = torch.argsort(torch.from_numpy(scores), descending=True)
    while order.numel():
        first, order = order[0], order[1:]
        kept.append(first)
        rest, own = corners[order], corners[first]
        both = (torch.minimum(own[2:], rest[:, 2:]) - torch.maximum(own[:2], rest[:, :2])).clamp_(min=0).prod(1)
        order = order[both <= IOU * (area[first] + area[order] - both)]
    return torch.stack(kept).numpy()


def by_torch_matrix(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    import torch

    order = torch.argsort(torch.from_numpy(scores), descending=True)
    corners = torch.from_numpy(moved_apart(boxes, labels))[order]
    area = (corners[:, 2:] - corners[:, :2]).prod(1)
    both = (
        torch.minimum(corners[:, None, 2], corners[:, 2]).sub_(torch.maximum(corners[:, None, 0], corners[:, 0]))
    ).clamp_(min=0)
    both *= (
        torch.minimum(corners[:, None, 3], corners[:, 3]).sub_(torch.maximum(corners[:, None, 1], corners[:, 1]))
    ).clamp_(min=0)
    meets = both > IOU * (area[:, None] + area - both)
    gone = torch.zeros(len(corners), dtype=torch.bool)
    for i in range(len(corners)):
        if not gone[i]:
            gone[i + 1 :] |= meets[i, i + 1 :]
    return order[~gone].numpy()


def by_torchvision(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    import torch
    from torchvision.ops import batched_nms

    return batched_nms(*map(torch.from_numpy, (boxes, scores, labels)), IOU).numpy()


def by_onnxruntime(classes: int, threads: int) -> Way:
    """ONNX's operator takes scores of each class for each box; a box's other classes have none, below the threshold."""
    import onnxruntime
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, None, None]) for n in ("boxes", "scores")]
    output = helper.make_tensor_value_info("kept", TensorProto.INT64, [None, 3])
    numbers = [("most", TensorProto.INT64, 2**31), ("iou", TensorProto.FLOAT, IOU), ("least", TensorProto.FLOAT, 0.0)]
    constants = [helper.make_tensor(name, kind, [1], [value]) for name, kind, value in numbers]
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["kept"])
    graph = helper.make_graph([node], "nms", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        by_class = np.zeros((1, classes, len(scores)), np.float32)
        by_class[0, labels, np.arange(len(scores))] = scores
        return session.run(None, {"boxes": boxes[None], "scores": by_class})[0][:, 2]

    return run


def ways(classes: int, threads: int, skip: list[str]) -> dict[str, Way]:
    """Those that are installed and can run."""
    found: dict[str, Way] = {"fastcnn": by_fastcnn, "numpy": by_numpy}
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(threads)
        found |= {"torch, one by one": by_torch_one_by_one, "torch, matrix": by_torch_matrix}
        with contextlib.suppress(ImportError, RuntimeError):
            import torchvision  # noqa: F401

            found["torchvision"] = by_torchvision
    with contextlib.suppress(ImportError):
        found["onnxruntime"] = by_onnxruntime(classes, threads)
    return {name: way for name, way in found.items() if not any(name.startswith(word) for word in skip)}


def measure(arguments: argparse.Namespace, classes: int) -> list[tuple[str, float, int]]:
    """Of each way its best time in milliseconds, and how many boxes it keeps."""
    data = make_boxes(arguments.boxes, classes, arguments.things)
    best: dict[str, float] = {}
    kept: dict[str, Any] = {}
    known = ways(classes, arguments.threads, arguments.skip)
    for turn in range(arguments.turns):
        for name, way in known.items():
            # One turn is enough of what takes seconds.
            if turn and best[name] > 1000 / arguments.turns:
                continue
            for _ in range(10 if turn and best[name] < 50 else 1):
                start = time.perf_counter()
                kept[name] = way(*data)
                best[name] = min(best.get(name, np.inf), 1000 * (time.perf_counter() - start))
    for name, numbers in kept.items():
        # Those that move classes apart round off some of each box.
        different = np.setxor1d(numbers, kept["fastcnn"]).size
        assert different <= len(kept["fastcnn"]) // 100, f"{name} keeps {different} other boxes"
    return [(name, best[name], len(kept[name])) for name in known]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=10_000)
    parser.add_argument("--things", type=int, default=300)
    parser.add_argument("--classes", type=int, nargs="+", default=[80, 1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--skip", nargs="*", default=[], help="names, or how they begin")
    arguments = parser.parse_args()
    fastcnn.set_num_threads(arguments.threads)
    for classes in arguments.classes:
        rows = measure(arguments, classes)
        print(f"{arguments.boxes} boxes, {classes} classes, {rows[0][2]} kept, {arguments.threads} threads")
        for name, ms, _ in rows:
            print(f"  {name:18} {ms:10.3f} ms  {ms / rows[0][1]:8.1f}")


if __name__ == "__main__":
    main()

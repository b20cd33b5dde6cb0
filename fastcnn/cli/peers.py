"""The classic CNN in PyTorch and ONNX Runtime, with the weights of a fastcnn model: whom to measure against.

Both have the layout NCHW, so kernels (height, width, in, out) become (out, in, height, width), and the rows of the
first dense layer, which follow the flattened order, change places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def nchw_weights(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Weights of `classic_cnn` (kernel and bias of three convolutions and two dense layers), for NCHW."""
    convolutions = [np.ascontiguousarray(w.transpose(3, 2, 0, 1)) if w.ndim == 4 else w for w in weights[:6]]
    kernel, channels = weights[6], weights[4].shape[3]
    side = round((kernel.shape[0] // channels) ** 0.5)
    moved = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
    dense = [np.ascontiguousarray(moved.T), weights[7], np.ascontiguousarray(weights[8].T), weights[9]]
    return [*convolutions, *dense]


class TorchClassic:
    """The network as a PyTorch user writes it.

    Parameters
    ----------
    weights : list of np.ndarray
        ``classic_cnn((28, 28, 1), 10).get_weights()``.
    threads : int
    channels_last : bool
        PyTorch's own choice of layout, or NHWC in memory.

    Raises
    ------
    ImportError
        PyTorch is not installed.
    """

    def __init__(self, weights: Sequence[np.ndarray], threads: int, channels_last: bool) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        nn = torch.nn
        self.net = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
        ).to(memory_format=self.format)  # fmt: skip
        with torch.no_grad():
            for parameter, value in zip(self.net.parameters(), nchw_weights(weights)):
                parameter.copy_(torch.from_numpy(value))
        self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def tensors(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        """Pictures (n, 28, 28, 1) and labels as tensors."""
        torch = self.torch
        images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
        return images.contiguous(memory_format=self.format), torch.from_numpy(y.astype(np.int64))

    def epoch(self, images: Any, labels: Any, batch: int) -> float:
        """One epoch in shuffled order; the mean loss. No metric, which only favours it."""
        torch = self.torch
        self.net.train()
        total = 0.0
        order = torch.randperm(len(images))
        for begin in range(0, len(images), batch):
            chosen = order[begin : begin + batch]
            loss = torch.nn.functional.cross_entropy(self.net(images[chosen]), labels[chosen])
            self.adam.zero_grad(set_to_none=True)
            loss.backward()
            self.adam.step()
            total += loss.item() * len(chosen)
        return total / len(images)

    def predictor(self, image: np.ndarray) -> Callable[[], np.ndarray]:
        """A call that predicts one batch (n, 28, 28, 1) and gives probabilities."""
        torch = self.torch
        images, _ = self.tensors(image, np.zeros(len(image)))
        self.net.eval()

        def predict() -> np.ndarray:
            with torch.inference_mode():
                return np.asarray(torch.softmax(self.net(images), 1).numpy())

        return predict


def onnx_predictor(weights: Sequence[np.ndarray], image: np.ndarray, threads: int) -> Callable[[], np.ndarray]:
    """A call of ONNX Runtime that predicts one batch (n, 28, 28, 1) and gives probabilities.

    Raises
    ------
    ImportError
        onnx or onnxruntime is not installed.
    """
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    names = ["w1", "b1", "w2", "b2", "w3", "b3", "w4", "b4", "w5", "b5"]
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], **pool),
        helper.make_node("Conv", ["p1", "w2", "b2"], ["c2"]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("MaxPool", ["r2"], ["p2"], **pool),
        helper.make_node("Conv", ["p2", "w3", "b3"], ["c3"]),
        helper.make_node("Relu", ["c3"], ["r3"]),
        helper.make_node("Flatten", ["r3"], ["f"]),
        helper.make_node("Gemm", ["f", "w4", "b4"], ["d1"], transB=1),
        helper.make_node("Relu", ["d1"], ["r4"]),
        helper.make_node("Gemm", ["r4", "w5", "b5"], ["d2"], transB=1),
        helper.make_node("Softmax", ["d2"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "classic_cnn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 28, 28])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value, name) for name, value in zip(names, nchw_weights(weights))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {"x": np.ascontiguousarray(image.transpose(0, 3, 1, 2))}
    return lambda: np.asarray(session.run(None, feed)[0])

"""PyTorch as a contender, in both of its layouts: the functions that its layers call, without autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .contender import Contender, Task, aligned, hwio, nchw, nhwc, oihw
from .ours import EPSILON
from .shapes import CONVOLUTIONS, POOLS

Run = Callable[[], Any]
LAYOUTS = ("PyTorch", "PyTorch channels_last")


def version() -> str:
    """PyTorch's.

    Raises
    ------
    ImportError
        It is not installed.
    """
    import torch

    return f"PyTorch {torch.__version__}"


def contenders(task: Task, threads: int) -> list[Contender]:
    """PyTorch on a task; once only where layouts make no difference."""
    import torch

    torch.set_num_threads(threads)
    if task.shape.kind == "adam":
        return [_adam(torch, task)]
    if task.shape.kind == "softmax":
        return [_softmax(torch, task)]
    found = []
    for name, layout in zip(LAYOUTS, (torch.contiguous_format, torch.channels_last)):
        make = _forward if task.direction == "forward" else _backward
        run, pick = make(torch, task, layout)
        found.append(Contender(name, _without_autograd(torch, run), pick))
    return found


def _without_autograd(torch: Any, run: Run) -> Run:
    def call() -> Any:
        with torch.inference_mode():
            return run()

    return call


def _images(result: Any) -> list[np.ndarray]:
    """The first result, as images."""
    first = result[0] if isinstance(result, (tuple, list)) else result
    return [nhwc(first.numpy())]


def _gradients(result: Any) -> list[np.ndarray]:
    dx, dw, db = result
    return [nhwc(dx.numpy()), hwio(dw.numpy()), db.numpy()]


def _norm_gradients(result: Any) -> list[np.ndarray]:
    dx, dgamma, dbeta = result
    return [nhwc(dx.numpy()), dgamma.numpy(), dbeta.numpy()]


def _norm(torch: Any, task: Task) -> list[Any]:
    """gamma, beta, and moving mean and variance, which a training step changes too."""
    assert task.weights is not None and task.bias is not None
    moving = np.zeros(task.shape.channels, np.float32), np.ones(task.shape.channels, np.float32)
    return [torch.from_numpy(array) for array in (task.weights, task.bias, *moving)]


def _window(task: Task) -> dict[str, Any]:
    """The arguments of a convolution behind input, weights and bias."""
    shape = task.shape
    return {"stride": shape.stride, "padding": shape.padding, "dilation": shape.dilation, "groups": shape.groups}


def _tensor(torch: Any, array: np.ndarray, layout: Any) -> Any:
    """With the layout's strides, which PyTorch goes by, also where both layouts have the same bytes (one pixel)."""
    source = torch.from_numpy(nchw(array))
    return torch.empty(source.shape, memory_format=layout).copy_(source)


def _forward(torch: Any, task: Task, layout: Any) -> tuple[Run, Callable[[Any], list[np.ndarray]]]:
    functions, aten, shape = torch.nn.functional, torch.ops.aten, task.shape
    x = _tensor(torch, task.x, layout)
    if shape.kind in CONVOLUTIONS:
        assert task.weights is not None and task.bias is not None
        w = torch.from_numpy(oihw(task.weights)).contiguous(memory_format=layout)
        b = torch.from_numpy(task.bias)
        convolve = functions.conv_transpose2d if shape.kind == "transposed" else functions.conv2d
        return lambda: convolve(x, w, b, **_window(task)), _images
    if shape.kind in POOLS:
        pool = functions.max_pool2d if shape.kind == "max_pool" else functions.avg_pool2d
        more = {} if shape.kind == "max_pool" else {"count_include_pad": False}
        return lambda: pool(x, shape.kernel, shape.stride, shape.padding, **more), _images
    if shape.kind == "batch_norm":
        scale, shift, mean, variance = _norm(torch, task)
        return lambda: aten.native_batch_norm(x, scale, shift, mean, variance, True, 0.01, EPSILON), _images
    return lambda: torch.relu(x), _images


def _backward(torch: Any, task: Task, layout: Any) -> tuple[Run, Callable[[Any], list[np.ndarray]]]:
    aten, shape = torch.ops.aten, task.shape
    x, dy = _tensor(torch, task.x, layout), _tensor(torch, task.dy, layout)
    if shape.kind in CONVOLUTIONS:
        assert task.weights is not None
        w = torch.from_numpy(oihw(task.weights)).contiguous(memory_format=layout)
        more = (shape.stride, shape.padding, shape.dilation, shape.kind == "transposed", (0, 0), shape.groups)
        wanted = [True, True, True]
        return lambda: aten.convolution_backward(dy, x, w, [shape.filters], *more, wanted), _gradients
    window = (shape.kernel, shape.stride, shape.padding)
    if shape.kind == "max_pool":
        _, places = torch.nn.functional.max_pool2d(x, *window, return_indices=True)
        return lambda: aten.max_pool2d_with_indices_backward(dy, x, *window, (1, 1), False, places), _images
    if shape.kind == "avg_pool":
        return lambda: aten.avg_pool2d_backward(dy, x, *window, False, False, None), _images
    if shape.kind == "batch_norm":
        scale, shift, mean, variance = _norm(torch, task)
        _, *saved = aten.native_batch_norm(x, scale, shift, mean, variance, True, 0.01, EPSILON)
        more = (mean, variance, *saved, True, EPSILON, [True, True, True])
        return lambda: aten.native_batch_norm_backward(dy, x, scale, *more), _norm_gradients
    y = torch.relu(x)
    return lambda: aten.threshold_backward(dy, y, 0), _images


def _softmax(torch: Any, task: Task) -> Contender:
    assert task.labels is not None
    aten = torch.ops.aten
    x, labels = torch.from_numpy(task.x), torch.from_numpy(task.labels.astype(np.int64))
    one = torch.ones(())

    def run() -> Any:
        log_probs = torch.log_softmax(x, 1)
        loss, weight = aten.nll_loss_forward(log_probs, labels, None, 1, -100)
        grad = aten.nll_loss_backward(one, log_probs, labels, None, 1, -100, weight)
        return loss, aten._log_softmax_backward_data(grad, log_probs, 1, torch.float32)

    return Contender(LAYOUTS[0], _without_autograd(torch, run), lambda result: [result[1].numpy()])


def _adam(torch: Any, task: Task) -> Contender:
    """The fused optimizer over one tensor, which is the best case for it."""
    w = torch.from_numpy(aligned(task.x)).requires_grad_()
    w.grad = torch.from_numpy(aligned(task.dy.reshape(-1)))
    adam = torch.optim.Adam([w], lr=1e-3, eps=1e-7, fused=True)
    return Contender(LAYOUTS[0], adam.step, lambda _: [w.detach().numpy()])

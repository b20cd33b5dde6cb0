"""ONNX Runtime, OpenVINO and TensorFlow as contenders, forward: each on a network of the one layer.

The weights are part of the network, so all of them prepare these beforehand. Input and output lie in memory that is
there already. ONNX Runtime and OpenVINO may change the layout on the way in and out, which within a network they do
seldom: whole networks say more about these two than single layers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .contender import Contender, Task, nchw, nhwc, oihw
from .shapes import CONVOLUTIONS, POOLS

#: Measured with ONNX Runtime 1.32: for 40 ms after a call, what two threads do takes 2.2 times as long.
_REST = 0.06


def onnx_model(task: Task) -> bytes:
    """The layer as an ONNX file.

    Raises
    ------
    ImportError
        onnx is not installed.
    """
    from onnx import TensorProto, helper, numpy_helper

    shape = task.shape
    attrs: dict[str, Any] = {
        "kernel_shape": shape.kernel,
        "strides": shape.stride,
        "pads": [*shape.padding, *shape.padding],
    }
    inputs, weights = ["x"], []
    if shape.kind in CONVOLUTIONS:
        assert task.weights is not None and task.bias is not None
        attrs.update(dilations=shape.dilation, group=shape.groups)
        inputs += ["w", "b"]
        weights = [numpy_helper.from_array(oihw(task.weights), "w"), numpy_helper.from_array(task.bias, "b")]
    names = {"transposed": "ConvTranspose", "max_pool": "MaxPool", "avg_pool": "AveragePool", "relu": "Relu"}
    node = helper.make_node(names.get(shape.kind, "Conv"), inputs, ["y"], **(attrs if shape.kind != "relu" else {}))
    described = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [dims[0], dims[3], dims[1], dims[2]])
        for name, dims in (("x", shape.x_shape(task.batch)), ("y", shape.y_shape(task.batch)))
    ]
    graph = helper.make_graph([node], "layer", described[:1], described[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _takes(task: Task) -> bool:
    return task.direction == "forward" and task.shape.kind in (*CONVOLUTIONS, *POOLS, "relu")


class OnnxRuntime:
    """ONNX Runtime; its name and version in `version`.

    Raises
    ------
    ImportError
        It is not installed, or onnx is not.
    """

    name = "ONNX Runtime"

    def __init__(self, threads: int) -> None:
        import onnx  # noqa: F401
        import onnxruntime

        self.runtime, self.threads = onnxruntime, threads
        self.version = f"ONNX Runtime {onnxruntime.__version__}"

    def contenders(self, task: Task) -> list[Contender]:
        if not _takes(task):
            return []
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = self.runtime.InferenceSession(onnx_model(task), options, providers=["CPUExecutionProvider"])
        make = self.runtime.OrtValue.ortvalue_from_numpy
        n, oh, ow, k = task.dy.shape
        y = np.empty((n, k, oh, ow), np.float32)
        binding = session.io_binding()
        x = make(nchw(task.x))
        binding.bind_ortvalue_input("x", x)
        binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
        kept = (x, y)  # alive for as long as the binding is
        return [Contender(self.name, lambda: session.run_with_iobinding(binding), lambda _: [nhwc(kept[1])], _REST)]


class OpenVino:
    """OpenVINO in float32 (its default on CPUs that have it is bfloat16).

    Raises
    ------
    ImportError
        It is not installed, or onnx is not.
    """

    name = "OpenVINO"

    def __init__(self, threads: int) -> None:
        import onnx  # noqa: F401
        import openvino

        self.openvino, self.threads = openvino, threads
        self.version = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self.core = openvino.Core()

    def contenders(self, task: Task) -> list[Contender]:
        if not _takes(task):
            return []
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": self.threads, "NUM_STREAMS": 1}
        model = self.core.compile_model(self.core.read_model(onnx_model(task)), "CPU", settings)
        request = model.create_infer_request()
        x = nchw(task.x)
        request.set_input_tensor(self.openvino.Tensor(x, shared_memory=True))

        def results(_: Any, kept: np.ndarray = x) -> list[np.ndarray]:  # the request doesn't keep x alive
            return [nhwc(request.get_output_tensor().data)]

        return [Contender(self.name, request.infer, results, _REST)]


class TensorFlow:
    """TensorFlow, which Keras runs on: the layer as a compiled function, NHWC as it lies.

    Raises
    ------
    ImportError
        It is not installed.
    """

    name = "TensorFlow"

    def __init__(self, threads: int) -> None:
        import tensorflow

        self.tf = tensorflow
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        self.version = f"TensorFlow {tensorflow.__version__}"

    def contenders(self, task: Task) -> list[Contender]:
        shape, tf = task.shape, self.tf
        if task.direction != "forward" or shape.kind not in ("conv", "depthwise", "max_pool", "relu"):
            return []
        x = tf.constant(task.x)
        pads = [[0, 0], *map(list, shape.pads), [0, 0]]
        strides = [1, *shape.stride, 1]
        if shape.kind == "relu":
            run = tf.function(lambda: tf.nn.relu(x))
        elif shape.kind == "max_pool":
            run = tf.function(lambda: tf.nn.max_pool2d(x, shape.kernel, shape.stride, pads))
        else:
            w, b = tf.constant(task.weights), tf.constant(task.bias)
            spread = shape.dilation
            if shape.kind == "conv":
                run = tf.function(lambda: tf.nn.bias_add(tf.nn.conv2d(x, w, strides, pads, dilations=spread), b))
            else:
                # TensorFlow 2.21 dies of explicit padding here; "SAME" is the same for stride 1.
                same = (2 * p == d * (k - 1) for p, k, d in zip(shape.padding, shape.kernel, spread))
                if shape.stride != (1, 1) or not all(same):
                    return []
                by_channel = tf.reshape(w, (*shape.kernel, shape.channels, shape.filters // shape.channels))
                convolve = partial(tf.nn.depthwise_conv2d, x, by_channel, strides, "SAME", dilations=spread)
                run = tf.function(lambda: tf.nn.bias_add(convolve(), b))
        return [Contender(self.name, run, lambda y: [y.numpy()], _REST)]

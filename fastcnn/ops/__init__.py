"""The operations of convolutional networks as plain functions: NumPy arrays in, NumPy arrays out, on the fast kernels.

Images and feature maps are (batch, height, width, channels), weights (height, width, channels in / groups, channels
out), everything float32. Any array of floats, integers or booleans is accepted, of any strides, alignment and byte
order, and gives the same bits as a contiguous float32 copy of it; results are new float32 arrays, or go to ``out``.
For every function ``f(x, ...)`` there is ``f_backward(dy, x, ...)``: the gradients with respect to its arguments,
given `dy`, the gradient with respect to its result. Names and defaults are those of ``keras.ops``.

In a loss function, `add`, `exp`, `mean` and the like take the graph values that stand for labels and predictions, and
return graph values; gradients follow by themselves.

Work is shared over threads (`fastcnn.set_num_threads`); results are the same bits for any number of them.
"""

from __future__ import annotations

from .activations import (
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
)
from .arithmetic import (
    add,
    add_backward,
    divide,
    divide_backward,
    maximum,
    maximum_backward,
    minimum,
    minimum_backward,
    multiply,
    multiply_backward,
    subtract,
    subtract_backward,
)
from .conv1d import conv1d, conv1d_backward
from .conv_transpose import conv2d_transpose, conv2d_transpose_backward
from .convolution import (
    conv2d,
    conv2d_backward,
    dense,
    dense_backward,
    depthwise_conv2d,
    depthwise_conv2d_backward,
)
from .losses import (
    binary_crossentropy,
    binary_crossentropy_backward,
    categorical_crossentropy,
    categorical_crossentropy_backward,
    mean_absolute_error,
    mean_absolute_error_backward,
    mean_squared_error,
    mean_squared_error_backward,
    sparse_categorical_crossentropy,
    sparse_categorical_crossentropy_backward,
)
from .maths import (
    abs,
    abs_backward,
    exp,
    exp_backward,
    log,
    log_backward,
    negative,
    negative_backward,
    sqrt,
    sqrt_backward,
    square,
    square_backward,
)
from .normalization import batch_norm, batch_norm_backward, moments
from .pooling import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from .random import dropout, dropout_backward
from .reductions import max, max_backward, mean, mean_backward, sum, sum_backward

__all__ = [
    "abs",
    "abs_backward",
    "add",
    "add_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "binary_crossentropy",
    "binary_crossentropy_backward",
    "categorical_crossentropy",
    "categorical_crossentropy_backward",
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "conv2d_transpose",
    "conv2d_transpose_backward",
    "dense",
    "dense_backward",
    "depthwise_conv2d",
    "depthwise_conv2d_backward",
    "divide",
    "divide_backward",
    "dropout",
    "dropout_backward",
    "exp",
    "exp_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "log",
    "log_backward",
    "max",
    "max_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "maximum",
    "maximum_backward",
    "mean",
    "mean_absolute_error",
    "mean_absolute_error_backward",
    "mean_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "minimum",
    "minimum_backward",
    "moments",
    "multiply",
    "multiply_backward",
    "negative",
    "negative_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "sparse_categorical_crossentropy",
    "sparse_categorical_crossentropy_backward",
    "sqrt",
    "sqrt_backward",
    "square",
    "square_backward",
    "subtract",
    "subtract_backward",
    "sum",
    "sum_backward",
    "tanh",
    "tanh_backward",
]

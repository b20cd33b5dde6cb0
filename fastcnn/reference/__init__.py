"""The executable specification: every operation of fastcnn in plain NumPy, in float64.

Each function says what an operation means, as plainly as NumPy can; none of it is fast, and none of it knows the
kernels. The kernels are held against it, and its own gradients against finite differences.

Conventions: activations are (n, height, width, channels), weights (kh, kw, channels / groups, filters), as in Keras.
Every function takes anything that NumPy can turn into an array, computes in float64 and returns float64. A gradient
function is called ``<operation>_backward``; its first argument `dy` is the gradient of some scalar with respect to the
operation's result, and it returns the gradient of that scalar with respect to the operation's inputs.
"""

from __future__ import annotations

from .activations import (
    UNARY,
    clip,
    elu,
    erf,
    gelu,
    hard_sigmoid,
    hard_silu,
    leaky_relu,
    log_softmax,
    log_softmax_backward,
    mish,
    power,
    relu,
    relu6,
    selu,
    shrink,
    sigmoid,
    silu,
    softmax,
    softmax_backward,
    softplus,
    softsign,
    tanh,
    threshold,
    unary,
    unary_backward,
)
from .conv import conv2d, conv2d_backward, depthwise_conv2d, depthwise_conv2d_backward
from .conv_transpose import conv1d, conv2d_transpose, conv2d_transpose_backward
from .dropout import dropout, dropout_mask, gaussian_noise, normals, philox4x32
from .elementwise import BINARY, accumulate, affine, binary
from .gather import gather
from .group_norm import group_norm, group_norm_backward, layer_norm, layer_norm_backward
from .losses import (
    POINTWISE,
    binary_focal_loss,
    binary_focal_loss_backward,
    categorical_targets,
    pointwise_loss,
    pointwise_loss_backward,
    softmax_crossentropy,
    softmax_crossentropy_backward,
    softmax_focal,
    softmax_focal_backward,
)
from .moving import crop2d, upsample2d, zero_pad2d
from .norm import batch_norm, batch_norm_backward, moments
from .optimizers import adadelta, adagrad, adam, clip_norm, lion, moving_average, rmsprop, sgd
from .pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
    max_pool2d_index,
)
from .reductions import column_sums, fold, reduce
from .resize import resize, resize_matrix

__all__ = [
    "BINARY",
    "POINTWISE",
    "UNARY",
    "accumulate",
    "adadelta",
    "adagrad",
    "adam",
    "affine",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "binary",
    "binary_focal_loss",
    "binary_focal_loss_backward",
    "categorical_targets",
    "clip",
    "clip_norm",
    "column_sums",
    "conv1d",
    "conv2d",
    "conv2d_backward",
    "conv2d_transpose",
    "conv2d_transpose_backward",
    "crop2d",
    "depthwise_conv2d",
    "depthwise_conv2d_backward",
    "dropout",
    "dropout_mask",
    "elu",
    "erf",
    "fold",
    "gather",
    "gaussian_noise",
    "gelu",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "group_norm",
    "group_norm_backward",
    "hard_sigmoid",
    "hard_silu",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "lion",
    "log_softmax",
    "log_softmax_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool2d_index",
    "mish",
    "moments",
    "moving_average",
    "normals",
    "philox4x32",
    "pointwise_loss",
    "pointwise_loss_backward",
    "power",
    "reduce",
    "relu",
    "relu6",
    "resize",
    "resize_matrix",
    "rmsprop",
    "selu",
    "sgd",
    "shrink",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_backward",
    "softmax_crossentropy",
    "softmax_crossentropy_backward",
    "softmax_focal",
    "softmax_focal_backward",
    "softplus",
    "softsign",
    "tanh",
    "threshold",
    "unary",
    "unary_backward",
    "upsample2d",
    "zero_pad2d",
]

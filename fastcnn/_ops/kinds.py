"""The numbers of csrc/fastcnn.h's enums by name (a test holds the two together)."""

from __future__ import annotations

#: fc_unary: element-wise functions of one argument.
UNARY = {
    "linear": 0,
    "relu": 1,
    "leaky_relu": 2,
    "relu6": 3,
    "sigmoid": 4,
    "tanh": 5,
    "exp": 6,
    "log": 7,
    "sqrt": 8,
    "square": 9,
    "abs": 10,
    "negative": 11,
}

#: Those that a convolution can apply to its result on the way out.
FUSED = ("linear", "relu", "leaky_relu", "relu6")

#: Those whose gradient the kernels take from the result; the others' from the argument (unary_backward).
FROM_RESULT = ("linear", "relu", "leaky_relu", "relu6", "sigmoid", "tanh", "exp", "sqrt")

#: fc_binary: element-wise functions of two arguments.
BINARY = {"add": 0, "subtract": 1, "multiply": 2, "divide": 3, "maximum": 4, "minimum": 5}

#: fc_loss: losses that compare a prediction with a target element by element.
LOSS = {
    "squared_error": 0,
    "absolute_error": 1,
    "binary_crossentropy": 2,
    "binary_crossentropy_logits": 3,
    "categorical_crossentropy": 4,
}

#: fc_reduce: how a reduction joins elements.
REDUCE = {"sum": 0, "mean": 1, "max": 2}

#: FC_HYPER_*: places of an optimizer's numbers in its kernel's `hyper`.
HYPER = {"lr": 0, "decay": 1, "momentum": 2, "beta1": 3, "beta2": 4, "epsilon": 5}

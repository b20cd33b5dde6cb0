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
    "clip": 12,
    "threshold": 13,
    "shrink": 14,
    "hard_sigmoid": 15,
    "hard_silu": 16,
    "softsign": 17,
    "reciprocal": 18,
    "floor": 19,
    "ceil": 20,
    "round": 21,
    "sign": 22,
    "elu": 23,
    "selu": 24,
    "softplus": 25,
    "silu": 26,
    "gelu": 27,
    "gelu_tanh": 28,
    "mish": 29,
    "erf": 30,
    "power": 31,
}

#: Their numbers alpha and beta where Keras has fixed ones; those that aren't here have none, or none by default.
NUMBERS = {
    "hard_sigmoid": (1 / 6, 0.5),
    "elu": (1.0, 1.0),
    "selu": (1.6732632423543772848170429916717, 1.0507009873554804934193349852946),
    "silu": (1.0, 0.0),
}

#: Powers that are exact and quick by another name.
POWERS = {1.0: "linear", 2.0: "square", 0.5: "sqrt", -1.0: "reciprocal"}

#: Those that kernels apply in registers, and through which kernels of gradients go back. A convolution can apply any of
#: `UNARY` to its result on the way out, these also before it takes maxima.
FUSED = ("linear", "relu", "leaky_relu", "relu6")

#: Those whose gradient the kernels take from the result; the others' from the argument (unary_backward).
FROM_RESULT = (
    "linear", "relu", "leaky_relu", "relu6", "sigmoid", "tanh", "exp", "sqrt", "clip", "hard_sigmoid", "softsign",
    "reciprocal", "elu", "selu", "softplus",
)  # fmt: skip

#: Those of `FROM_RESULT` whose result tells the argument's sign only where alpha (the slope below 0) is not negative.
RISING = ("leaky_relu", "elu", "selu")

#: fc_binary: element-wise functions of two arguments.
BINARY = {"add": 0, "subtract": 1, "multiply": 2, "divide": 3, "maximum": 4, "minimum": 5, "prelu": 6, "prelu_slope": 7}

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

#: fc_overlap: what is made of the overlap of two boxes.
OVERLAP = {"iou": 0, "giou": 1, "diou": 2, "ciou": 3}

#: fc_assignment: how a detector's places are given to objects.
ASSIGNMENT = {"task_aligned": 0, "simota": 1}

#: fc_class_loss: losses of a detector's classes.
CLASS_LOSS = {"bce": 0, "quality_focal": 1, "varifocal": 2, "focal": 3}

#: fc_nms: what a box that was kept does to those after it.
NMS = {"hard": 0, "diou": 1, "linear": 2, "gaussian": 3}

"""Every operation gives the same bits for any layout and dtype as for a contiguous float32 copy, and any threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from layouts import VARIANTS, same_bits

import fastcnn._ops as _ops
from fastcnn import ops

IMAGES, MAPS, ROWS, BOXES = (2, 8, 7, 6), (2, 6, 5, 4), (9, 6), (9, 4)

#: Functions of one number, with the arguments that have no defaults.
FUNCTIONS: dict[str, dict[str, float]] = {
    **{
        name: {}
        for name in (
            "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "exp", "log", "sqrt", "square", "abs", "negative", "elu",
            "selu", "celu", "softplus", "softsign", "silu", "swish", "gelu", "mish", "hard_sigmoid", "hard_silu",
            "hard_swish", "hard_tanh", "hard_shrink", "soft_shrink", "floor", "ceil", "round", "sign", "reciprocal",
            "erf",
        )
    },
    "threshold": {"threshold": 1.0, "default_value": -1.0},
    "clip": {"x_min": 0.75, "x_max": 1.25},
    "power": {"exponent": 1.5},
}  # fmt: skip

#: name of the operation: (shapes of its array arguments, other arguments)
CASES = {
    "conv2d": ([IMAGES, (3, 3, 6, 4), (4,)], {}),
    "conv2d_backward": ([MAPS, IMAGES, (3, 3, 6, 4)], {}),
    "depthwise_conv2d": ([IMAGES, (3, 3, 6, 2), (12,)], {}),
    "depthwise_conv2d_backward": ([(2, 6, 5, 12), IMAGES, (3, 3, 6, 2)], {}),
    "conv1d": ([(2, 8, 6), (3, 6, 4), (4,)], {"padding": "causal"}),
    "conv1d_backward": ([(2, 6, 4), (2, 8, 6), (3, 6, 4)], {}),
    "conv2d_transpose": ([IMAGES, (3, 3, 4, 6), (4,)], {"strides": 2, "padding": "same"}),
    "conv2d_transpose_backward": ([(2, 10, 9, 4), IMAGES, (3, 3, 4, 6)], {}),
    "dense": ([ROWS, (6, 5), (5,)], {}),
    "dense_backward": ([(9, 5), ROWS, (6, 5)], {}),
    "max_pool2d": ([IMAGES], {}),
    "max_pool2d_backward": ([(2, 4, 3, 6), IMAGES], {}),
    "avg_pool2d": ([IMAGES], {"pool_size": 3, "padding": "same"}),
    "avg_pool2d_backward": ([(2, 3, 3, 6), IMAGES], {"pool_size": 3, "padding": "same"}),
    "global_avg_pool2d": ([IMAGES], {}),
    "global_avg_pool2d_backward": ([(2, 6), IMAGES], {}),
    "global_max_pool2d": ([IMAGES], {}),
    "global_max_pool2d_backward": ([(2, 6), IMAGES], {}),
    "moments": ([IMAGES], {}),
    "batch_norm": ([IMAGES, (6,), (6,), (6,), (6,), IMAGES], {"activation": "relu"}),
    "batch_norm_backward": ([IMAGES, IMAGES, (6,), (6,), (6,), (6,), IMAGES], {"activation": "relu"}),
    "group_norm": ([IMAGES, (6,), (6,)], {"groups": 3}),
    "group_norm_backward": ([IMAGES, IMAGES, (6,)], {"groups": 2}),
    "layer_norm": ([IMAGES, (6,), (6,)], {}),
    "layer_norm_backward": ([IMAGES, IMAGES, (7, 6)], {"axis": 2}),
    "matmul": ([(2, 5, 6), (6, 7)], {}),
    "matmul_backward": ([(2, 5, 7), (2, 5, 6), (6, 7)], {}),
    "transpose": ([IMAGES], {"axes": (0, 3, 1, 2)}),
    "transpose_backward": ([IMAGES], {"axes": (0, 3, 1, 2)}),
    "resize": ([IMAGES], {"size": (5, 9)}),
    "resize_backward": ([(2, 5, 9, 6), IMAGES], {"size": (5, 9)}),
    "softmax": ([ROWS], {}),
    "softmax_backward": ([ROWS, ROWS], {}),
    "log_softmax": ([ROWS], {}),
    "log_softmax_backward": ([ROWS, ROWS], {}),
    "sum": ([IMAGES], {"axis": (0, 2)}),
    "sum_backward": ([(8, 6), IMAGES], {"axis": (0, 2)}),
    "mean": ([IMAGES], {"axis": (1, 2)}),
    "mean_backward": ([(2, 6), IMAGES], {"axis": (1, 2)}),
    "max": ([IMAGES], {"axis": -1}),
    "max_backward": ([(2, 8, 7), IMAGES], {"axis": -1}),
    "dropout": ([ROWS], {"rate": 0.5, "seed": 1}),
    "dropout_backward": ([ROWS], {"rate": 0.5, "seed": 1}),
    "categorical_crossentropy": ([ROWS, ROWS], {"from_logits": True}),
    "categorical_crossentropy_backward": ([(9,), ROWS, ROWS], {"from_logits": True}),
    "binary_crossentropy": ([ROWS, ROWS], {}),
    "binary_crossentropy_backward": ([ROWS, ROWS, ROWS], {}),
    "mean_squared_error": ([ROWS, ROWS], {}),
    "mean_squared_error_backward": ([(9,), ROWS, ROWS], {}),
    "mean_absolute_error": ([ROWS, ROWS], {}),
    "mean_absolute_error_backward": ([(9,), ROWS, ROWS], {}),
    "box_iou": ([BOXES, (5, 4)], {}),
    "convert_boxes": ([BOXES], {"source": "xywh", "target": "rel_yxyx", "image_shape": (7, 5)}),
    "decode_boxes": ([BOXES, BOXES], {}),
    "encode_distances": ([BOXES, (9, 2), (9,)], {}),
    "decode_distances": ([BOXES, (9, 2), (9,)], {}),
    "roi_align": ([(1, 8, 7, 6), BOXES], {"output_size": (2, 3)}),
    "roi_align_backward": ([(9, 2, 3, 6), (1, 8, 7, 6), BOXES], {"output_size": (2, 3)}),
    "anchor_points": ([], {"image_size": (20, 30), "strides": (8, 16)}),
    "generate_anchors": ([], {"image_size": (20, 30), "strides": (8, 16)}),
    **{name: ([IMAGES], how) for name, how in FUNCTIONS.items()},
    **{name + "_backward": ([IMAGES, IMAGES], how) for name, how in FUNCTIONS.items()},
    **{name: ([IMAGES, (7, 1)], {}) for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")},
    **{name + "_backward": ([IMAGES, IMAGES, (7, 1)], {}) for name in
       ("add", "subtract", "multiply", "divide", "maximum", "minimum")},
}  # fmt: skip
LABELLED = {"sparse_categorical_crossentropy", "sparse_categorical_crossentropy_backward"}
#: Whose arguments can't be any numbers, or whose results aren't all float32: in test_ops_boxes.py.
PARTICULAR = {"encode_boxes", "nms"}


def run(name, arrays):
    found = getattr(ops, name)(*arrays, **CASES[name][1])
    return found if isinstance(found, tuple) else (found,)


def test_every_operation_is_listed():
    assert set(CASES) | LABELLED | PARTICULAR == set(ops.__all__)
    assert not set(CASES) & LABELLED


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CASES)
def test_same_bits_for_every_layout_and_dtype(name, variant):
    rng = np.random.default_rng(0)
    # Positive, so that logarithms and unsigned integers have something to say; not 0 once rounded to eighths.
    plain = [(rng.random(shape) + 0.5).astype(np.float32) for shape in CASES[name][0]]
    odd = [VARIANTS[variant](a) for a in plain]
    copies = [np.array(a, dtype=np.float32, order="C") for a in odd]
    before = [np.array(a) for a in odd]
    for mine, expected in zip(run(name, odd), run(name, copies)):
        assert same_bits(mine, expected)
        assert mine.flags.c_contiguous
        assert mine.flags.writeable
    for a, b in zip(odd, before):
        np.testing.assert_array_equal(a, b)  # what came in is as it was


@pytest.mark.parametrize("name", sorted(LABELLED))
@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "i4", "i8", ">u8", "f2", "f4", ">f8"])
def test_same_bits_for_every_kind_of_label(name, dtype):
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 6, 9), rng.standard_normal(ROWS).astype(np.float32)
    lead = [np.ones(9, np.float32)] if name.endswith("backward") else []
    f = getattr(ops, name)
    expected = f(*lead, labels.astype(np.int32), logits, True)
    assert same_bits(f(*lead, labels.astype(dtype), logits, True), expected)
    assert same_bits(f(*lead, np.repeat(labels.astype(dtype), 2)[::2], np.asfortranarray(logits), True), expected)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("conv2d", [(8, 40, 41, 16), (3, 3, 16, 32), (32,)]),
        ("conv2d_backward", [(8, 38, 39, 32), (8, 40, 41, 16), (3, 3, 16, 32)]),
        ("depthwise_conv2d_backward", [(8, 38, 39, 32), (8, 40, 41, 32), (3, 3, 32, 1)]),
        ("dense_backward", [(3000, 64), (3000, 200), (200, 64)]),
        ("moments", [(300, 41, 32, 6)]),
        ("batch_norm_backward", [*[(40, 41, 32, 6)] * 2, *[(6,)] * 4, (40, 41, 32, 6)]),
        ("sum", [(300, 41, 32, 6)]),
        ("softmax", [(30_000, 10)]),
        ("max_pool2d_backward", [(16, 20, 20, 32), (16, 40, 40, 32)]),
        ("dropout", [(500_001,)]),
    ],
)
def test_same_bits_for_any_number_of_threads(name, shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    if name == "batch_norm_backward":
        arrays[5] = np.abs(arrays[5])  # a variance
    arguments = {**CASES[name][1], **({"axis": (0, 1, 2)} if name == "sum" else {})}
    before, found = _ops.get_num_threads(), []
    try:
        for count in (1, 2, 3, 8):
            _ops.set_num_threads(count)
            result = getattr(ops, name)(*arrays, **arguments)
            found.append(result if isinstance(result, tuple) else (result,))
    finally:
        _ops.set_num_threads(before)
    for other in found[1:]:
        for mine, expected in zip(other, found[0]):
            assert same_bits(mine, expected)


def test_same_bits_from_many_python_threads_at_once():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((4, 30, 30, 16), (3, 3, 16, 24)))
    expected = ops.conv2d(x, w, activation="tanh")
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: ops.conv2d(x, w, activation="tanh"), range(64)):
            assert same_bits(found, expected)

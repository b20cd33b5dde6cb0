"""The reference itself: its gradients against finite differences, its generator and corners against known answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases.convolution_shapes import CONVOLUTIONS, DEPTHWISE, Conv
from cases.elementwise import NUMBERS, POSITIVE
from cases.pooling import POOLS, Pool

from fastcnn import reference as ref
from fastcnn.shapes import pair, transposed_output


def check_gradient(f: Callable[[Any], Any], gradient: Any, x: Any, step: float = 1e-6, times: int = 3) -> None:
    """`gradient`, of sum(f(x) * p), against central differences of that number along random directions.

    `gradient` is a function of p. Both errors of a central difference, step^2 and 1e-16 / step, are near 1e-10 here.
    """
    rng = np.random.default_rng(7)
    x = np.asarray(x, np.float64)
    p = rng.standard_normal(np.shape(f(x)))
    slope = gradient(p)
    assert slope.shape == x.shape
    for _ in range(times):
        direction = rng.standard_normal(x.shape)
        difference = np.sum((f(x + step * direction) - f(x - step * direction)) * p) / (2 * step)
        np.testing.assert_allclose(np.sum(slope * direction), difference, rtol=1e-6, atol=1e-6)


def inputs(c: Conv) -> tuple[Any, Any, Any]:
    """x, w and b of a convolution in float64."""
    arrays = c.arrays()
    return tuple(arrays[name].astype(np.float64) for name in "xwb")  # type: ignore[return-value]


small_convolutions = pytest.mark.parametrize("c", [c for c in CONVOLUTIONS if not c.large], ids=lambda c: c.name)


@small_convolutions
def test_conv2d_gradients(c: Conv) -> None:
    x, w, b = inputs(c)
    check_gradient(lambda x: ref.conv2d(x, w, b, **c.how), lambda dy: ref.conv2d_backward(dy, x, w, **c.how)[0], x)
    check_gradient(lambda w: ref.conv2d(x, w, b, **c.how), lambda dy: ref.conv2d_backward(dy, x, w, **c.how)[1], w)
    check_gradient(lambda b: ref.conv2d(x, w, b, **c.how), lambda dy: ref.conv2d_backward(dy, x, w, **c.how)[2], b)


@small_convolutions
def test_conv2d_is_the_sum_it_says(c: Conv) -> None:
    """A few outputs, worked out one product at a time."""
    x, w, b = inputs(c)
    y = ref.conv2d(x, w, b, **c.how)
    (sh, sw), (dh, dw), (top, left) = c.strides, c.dilation, c.corner
    rng = np.random.default_rng(3)
    for n, i, j, o in (tuple(int(rng.integers(size)) for size in y.shape) for _ in range(5 if y.size else 0)):
        first = o // (c.k // c.groups) * (c.c // c.groups)
        total = b[o]
        for r in range(w.shape[0]):
            for s in range(w.shape[1]):
                row, column = i * sh + r * dh - top, j * sw + s * dw - left
                if 0 <= row < c.shape[1] and 0 <= column < c.shape[2]:
                    total += sum(x[n, row, column, first + q] * w[r, s, q, o] for q in range(w.shape[2]))
        np.testing.assert_allclose(y[n, i, j, o], total, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("c", [c for c in DEPTHWISE if not c.large], ids=lambda c: c.name)
def test_depthwise_gradients(c: Conv) -> None:
    x, w, b = inputs(c)
    w = w.reshape(*c.kernel, c.c, c.k // c.c)
    how = {key: value for key, value in c.how.items() if key != "groups"}
    f, df = ref.depthwise_conv2d, ref.depthwise_conv2d_backward
    check_gradient(lambda x: f(x, w, b, **how), lambda dy: df(dy, x, w, **how)[0], x)
    check_gradient(lambda w: f(x, w, b, **how), lambda dy: df(dy, x, w, **how)[1], w)
    check_gradient(lambda b: f(x, w, b, **how), lambda dy: df(dy, x, w, **how)[2], b)


@pytest.mark.parametrize("p", [p for p in POOLS if not p.large], ids=lambda p: p.name)
def test_pool_gradients(p: Pool) -> None:
    # Distinct values with gaps wider than the step: no maximum changes its place.
    x = np.random.default_rng(1).permutation(np.linspace(-5, 5, int(np.prod(p.shape)))).reshape(p.shape)
    finite = np.isfinite(ref.max_pool2d(x, **p.how))  # windows in the padding have nothing to differ

    def maximum(x: Any) -> Any:
        return np.where(finite, ref.max_pool2d(x, **p.how), 0.0)

    check_gradient(maximum, lambda dy: ref.max_pool2d_backward(dy, x, **p.how), x)
    for include in (False, True):
        check_gradient(
            lambda x, include=include: ref.avg_pool2d(x, count_include_pad=include, **p.how),
            lambda dy, include=include: ref.avg_pool2d_backward(dy, x, count_include_pad=include, **p.how),
            x,
        )


def test_global_pool_gradients() -> None:
    x = np.random.default_rng(2).standard_normal((2, 3, 4, 5))
    check_gradient(ref.global_avg_pool2d, lambda dy: ref.global_avg_pool2d_backward(dy, x), x)
    check_gradient(ref.global_max_pool2d, lambda dy: ref.global_max_pool2d_backward(dy, x), x)
    np.testing.assert_array_equal(ref.global_max_pool2d(x), ref.max_pool2d(x, (3, 4))[:, 0, 0])
    np.testing.assert_allclose(ref.global_avg_pool2d(x), ref.avg_pool2d(x, (3, 4))[:, 0, 0], rtol=1e-14)


def test_max_pool_takes_the_first_maximum_and_the_first_nan() -> None:
    x = np.array([[1.0, 3.0, 3.0], [np.nan, 5.0, np.nan], [-np.inf, -np.inf, -np.inf]])[:, None, :, None]
    np.testing.assert_array_equal(ref.max_pool2d(x, (1, 3)).ravel(), [3, np.nan, -np.inf])
    np.testing.assert_array_equal(ref.max_pool2d_index(x, (1, 3)).ravel(), [1, 0, 0])
    # -inf inside the image is met later than the padding before it, and still is the maximum's place.
    image = np.full((1, 1, 1, 1), -np.inf)
    assert ref.max_pool2d_index(image, (1, 2), padding=((0, 0), (1, 0))).ravel() == [1]


@pytest.mark.parametrize("kind", ref.UNARY)
def test_unary_gradients(kind: str) -> None:
    x = np.random.default_rng(4).uniform(0.1, 9.0, 40)
    if kind not in POSITIVE:
        x[::2] *= -1
    numbers = NUMBERS.get(kind, ())
    check_gradient(lambda x: ref.unary(x, kind, *numbers), lambda dy: ref.unary_backward(dy, x, kind, *numbers), x)


def test_softmax_gradient() -> None:
    x = np.random.default_rng(5).standard_normal((4, 7))
    check_gradient(ref.softmax, lambda dy: ref.softmax_backward(dy, x), x)
    check_gradient(ref.log_softmax, lambda dy: ref.log_softmax_backward(dy, x), x)
    np.testing.assert_allclose(ref.softmax(x * 300).sum(axis=-1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dense", [False, True])
def test_softmax_crossentropy_gradient(dense: bool, smoothing: float) -> None:
    rng = np.random.default_rng(6)
    x, weight = rng.standard_normal((5, 4)), rng.uniform(0, 2, 5)
    targets = rng.dirichlet(np.ones(4), 5) * 1.5 if dense else rng.integers(0, 4, 5)

    def loss(x: Any) -> Any:
        return 0.25 * ref.softmax_crossentropy(x, targets, weight, smoothing).sum()

    def gradient(p: Any) -> Any:
        return p * ref.softmax_crossentropy_backward(x, targets, weight, smoothing, scale=0.25)

    check_gradient(loss, gradient, x)
    if not dense:
        by_hand = -weight * np.log(ref.softmax(x))[np.arange(5), targets]
        np.testing.assert_allclose(ref.softmax_crossentropy(x, targets, weight), by_hand, rtol=1e-12)


@pytest.mark.parametrize("kind", ref.POINTWISE)
def test_pointwise_loss_gradient(kind: str) -> None:
    rng = np.random.default_rng(8)
    p, t, weight = rng.uniform(0.05, 0.95, (4, 6)), rng.uniform(0, 1, (4, 6)), rng.uniform(0, 2, 4)

    def loss(p: Any) -> Any:
        return 0.5 * ref.pointwise_loss(p, t, kind, weight, 1 / 6).sum()

    def gradient(s: Any) -> Any:
        return s * ref.pointwise_loss_backward(p, t, kind, weight, 1 / 6, scale=0.5)

    check_gradient(loss, gradient, p)


def test_losses_of_logits_and_of_probabilities_agree() -> None:
    rng = np.random.default_rng(9)
    logits, t = rng.standard_normal((3, 5)), rng.uniform(0, 1, (3, 5))
    np.testing.assert_allclose(
        ref.pointwise_loss(logits, t, "binary_crossentropy_logits"),
        ref.pointwise_loss(ref.sigmoid(logits), t, "binary_crossentropy"),
        rtol=1e-12,
    )
    t /= t.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        ref.softmax_crossentropy(logits, t),
        ref.pointwise_loss(ref.softmax(logits), t, "categorical_crossentropy"),
        rtol=1e-12,
    )


def test_a_wrong_label_poisons_only_its_row() -> None:
    x = np.zeros((3, 4))
    losses = ref.softmax_crossentropy(x, np.array([0, 4, -1]))
    np.testing.assert_array_equal(np.isnan(losses), [False, True, True])


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
            (0xFFFFFFFF, 0xFFFFFFFF),
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers(counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]) -> None:
    """The test vectors that the generator's authors publish: zeros, ones, and the digits of pi."""
    np.testing.assert_array_equal(ref.philox4x32(counter, key), np.array(words, np.uint64))


def test_dropout_keeps_the_share_and_the_mean() -> None:
    x = np.ones(40_000)
    y = ref.dropout(x, 0.3, seed=5)
    assert abs((y == 0).mean() - 0.3) < 0.01
    assert abs(y.mean() - 1.0) < 0.02
    masks = [ref.dropout_mask(4096, 0.5, *place) for place in ((5, 0, 0), (6, 0, 0), (5, 1, 0), (5, 0, 1))]
    for a in range(4):
        for b in range(a):
            assert 0.4 < (masks[a] == masks[b]).mean() < 0.6


def test_optimizers_descend() -> None:
    """Each optimizer, from the same start, brings a sum of squares near its minimum."""
    steps: dict[str, tuple[Callable[..., Any], int]] = {
        "sgd": (lambda w, *s: (ref.sgd(w, 2 * w, lr=0.1)[0],), 0),
        "momentum": (lambda w, m: ref.sgd(w, 2 * w, m, lr=0.05, momentum=0.9), 1),
        "nesterov": (lambda w, m: ref.sgd(w, 2 * w, m, lr=0.05, momentum=0.9, nesterov=True), 1),
        "rmsprop": (lambda w, v, m, d: ref.rmsprop(w, 2 * w, v, m, d, lr=0.01, momentum=0.5), 3),
        "adagrad": (lambda w, v: ref.adagrad(w, 2 * w, v, lr=0.5), 1),
        "adadelta": (lambda w, v, u: ref.adadelta(w, 2 * w, v, u, lr=1.0, epsilon=1e-4), 2),
        "lion": (lambda w, m: ref.lion(w, 2 * w, m, lr=0.02), 1),
    }
    for name, (step, states) in steps.items():
        values: tuple[Any, ...] = (np.array([1.0, -2.0]), *(np.zeros(2) for _ in range(states)))
        for _ in range(300):
            values = step(*values)
        assert np.abs(values[0]).max() < 0.1, name


def test_adam_first_step_is_the_learning_rate() -> None:
    """With zero state the corrected moments are g and g^2, so that the step is lr sign(g) (epsilon aside)."""
    w, g = np.array([1.0, -2.0]), np.array([0.5, -3.0])
    new, _, _ = ref.adam(w, g, np.zeros(2), np.zeros(2), iteration=1, lr=0.01)
    np.testing.assert_allclose(w - new, 0.01 * np.sign(g), rtol=1e-4)
    decayed, _, _ = ref.adam(w, g, np.zeros(2), np.zeros(2), iteration=1, lr=0.01, weight_decay=0.1)
    np.testing.assert_allclose(decayed, new - 0.001 * w, rtol=1e-12)


def test_small_ones() -> None:
    x = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(ref.fold(x), x[0] + x[1] + x[2] + x[3])
    np.testing.assert_array_equal(ref.column_sums(x, 3), [x[0], x[1], x[2] + x[3]])
    np.testing.assert_array_equal(ref.reduce(x, 0, "mean"), [4.5, 5.5, 6.5])
    np.testing.assert_array_equal(ref.reduce(x, 1, "max"), [2, 5, 8, 11])
    np.testing.assert_array_equal(ref.gather(x, [3, 0, 3]), x[[3, 0, 3]])
    np.testing.assert_array_equal(ref.binary(x, [1, 2, 0], "maximum")[0], [1, 2, 2])
    np.testing.assert_array_equal(ref.affine(x, 2.0, 1.0), 2 * x + 1)
    np.testing.assert_array_equal(ref.accumulate(x, x, -1.0), 0 * x)
    image = x.reshape(1, 4, 3, 1)
    np.testing.assert_array_equal(ref.zero_pad2d(image, ((1, 0), (0, 2)))[0, 1:, :3, 0], x)
    assert ref.zero_pad2d(image, ((1, 0), (0, 2))).sum() == x.sum()
    np.testing.assert_array_equal(ref.crop2d(image, ((1, 1), (0, 2)))[0, :, :, 0], [[3], [6]])
    np.testing.assert_array_equal(ref.upsample2d(image[:, :1], (2, 1))[0, :, :, 0], [x[0], x[0]])
    np.testing.assert_array_equal(ref.conv1d(image[0], [[[1.0]], [[2.0]]], padding="causal")[3, :, 0], [18, 29, 32])


TRANSPOSED: list[dict[str, Any]] = [
    {},
    {"padding": "same", "strides": 2},
    {"strides": (3, 4), "output_padding": (2, 0)},
    {"padding": "same", "strides": 2, "output_padding": 1, "dilation": (1, 2)},
]


@pytest.mark.parametrize("how", TRANSPOSED, ids=str)
def test_conv2d_transpose_is_the_sum_it_says(how: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 3, 4, 3)), rng.standard_normal((3, 2, 5, 3)), rng.standard_normal(5)
    y = ref.conv2d_transpose(x, w, b, **how)
    (sh, sw), (dh, dw) = pair(how.get("strides", 1), ""), pair(how.get("dilation", 1), "")
    extra = how.get("output_padding")
    _, (top, left) = transposed_output(
        (3, 4), (3, 2), (sh, sw), how.get("padding", "valid"), None if extra is None else pair(extra, "", 0), (dh, dw)
    )
    expected = np.tile(b, (*y.shape[:3], 1))
    for i, j, r, s in itertools.product(range(3), range(4), range(3), range(2)):
        row, column = i * sh + r * dh - top, j * sw + s * dw - left
        if 0 <= row < y.shape[1] and 0 <= column < y.shape[2]:
            expected[:, row, column] += np.einsum("nc,oc->no", x[:, i, j], w[r, s])
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("how", TRANSPOSED, ids=str)
def test_conv2d_transpose_gradients(how: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 3, 4, 3)), rng.standard_normal((3, 2, 5, 3)), rng.standard_normal(5)
    for k in range(3):

        def moved(value: Any, k: int = k) -> Any:
            return ref.conv2d_transpose(*(value if i == k else a for i, a in enumerate((x, w, b))), **how)

        check_gradient(moved, lambda p, k=k: ref.conv2d_transpose_backward(p, x, w, **how)[k], (x, w, b)[k])


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "extra", "expected"),
    [
        # Keras 3's, worked out by hand. PyTorch, asked for an odd window and a row more, starts at 1 instead of 0.
        (5, 3, 2, "valid", None, (11, 0)),
        (5, 2, 3, "valid", None, (15, 0)),
        (5, 3, 2, "valid", 1, (12, 0)),
        (5, 3, 2, "same", None, (10, 0)),
        (5, 4, 2, "same", None, (10, 1)),
        (5, 3, 2, "same", 0, (9, 1)),
        (5, 3, 2, "same", 1, (10, 0)),
        (5, 2, 3, "same", None, (15, 0)),
        (1, 7, 1, "same", None, (1, 3)),
    ],
)
def test_sizes_of_transposed_convolutions(
    size: int, window: int, stride: int, padding: str, extra: int | None, expected: tuple[int, int]
) -> None:
    both = None if extra is None else (extra, extra)
    out, start = transposed_output((size, size), (window, window), (stride, stride), padding, both)
    assert (out[0], start[0]) == expected
    assert out[0] == out[1]


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda: ref.conv2d(np.zeros((1, 5, 5, 3)), np.zeros((3, 3, 2, 4))), "3 channels"),
        (lambda: ref.conv2d(np.zeros((1, 2, 2, 3)), np.zeros((3, 3, 3, 4))), "larger than the padded input"),
        (lambda: ref.conv2d(np.zeros((5, 5, 3)), np.zeros((3, 3, 3, 4))), "x must have 4 axes"),
        (lambda: ref.unary(np.zeros(3), "relo"), "Did you mean 'relu'"),
        (lambda: ref.max_pool2d_backward(np.zeros((1, 1, 1, 1)), np.zeros((1, 4, 4, 1))), "dy must have shape"),
    ],
)
def test_bad_input_is_named(attempt: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        attempt()


def test_complex_input_is_refused() -> None:
    with pytest.raises(TypeError, match="x must hold real numbers"):
        ref.relu(np.array([1j]))

"""Losses and their gradients against the reference."""

import numpy as np
import pytest
from layouts import close

from fastcnn import ops, reference

SHAPES = [(1, 2), (7, 10), (3, 1), (33, 40), (0, 10)]


def predictions(shape, probabilities):
    x = 3 * np.random.default_rng(0).standard_normal(shape)
    return (reference.softmax(x) if probabilities else x).astype(np.float32)


def weights(shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def one_hot(labels, classes):
    return np.eye(classes)[labels]


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sparse_categorical_crossentropy(shape, from_logits):
    output = predictions(shape, not from_logits)
    labels = np.random.default_rng(2).integers(0, shape[1], shape[0])
    dy = weights(shape[0])
    if from_logits:
        expected = reference.softmax_crossentropy(output, labels)
        gradient = reference.softmax_crossentropy_backward(output, labels, dy)
    else:
        targets = one_hot(labels, shape[1])
        expected = reference.pointwise_loss(output, targets, "categorical_crossentropy")
        gradient = reference.pointwise_loss_backward(output, targets, "categorical_crossentropy", dy)
    close(ops.sparse_categorical_crossentropy(labels, output, from_logits), expected)
    close(ops.sparse_categorical_crossentropy(labels[:, None], output, from_logits), expected)
    close(ops.sparse_categorical_crossentropy_backward(dy, labels, output, from_logits), gradient)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_categorical_crossentropy(shape, from_logits, smoothing):
    output, targets = predictions(shape, not from_logits), predictions(shape, True)[::-1]
    dy = weights(shape[0])
    if from_logits:
        expected = reference.softmax_crossentropy(output, targets, smoothing=smoothing)
        gradient = reference.softmax_crossentropy_backward(output, targets, dy, smoothing)
    else:
        smooth = reference.categorical_targets(targets, shape[1], smoothing)
        expected = reference.pointwise_loss(output, smooth, "categorical_crossentropy")
        gradient = reference.pointwise_loss_backward(output, smooth, "categorical_crossentropy", dy)
    close(ops.categorical_crossentropy(targets, output, from_logits, smoothing), expected)
    close(ops.categorical_crossentropy_backward(dy, targets, output, from_logits, smoothing), gradient)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("shape", [(), (5,), (7, 3), (2, 3, 4), (0,), (5000,)], ids=str)
def test_binary_crossentropy(shape, from_logits):
    x = 3 * np.random.default_rng(0).standard_normal(shape)
    output = np.float32(x if from_logits else reference.sigmoid(x))
    target = np.random.default_rng(2).random(shape).astype(np.float32)
    dy = weights(shape)
    kind = "binary_crossentropy_logits" if from_logits else "binary_crossentropy"
    column = (np.reshape(output, (-1, 1)), np.reshape(target, (-1, 1)), kind)
    close(ops.binary_crossentropy(target, output, from_logits), reference.pointwise_loss(*column).reshape(shape))
    close(
        ops.binary_crossentropy_backward(dy, target, output, from_logits),
        reference.pointwise_loss_backward(*column, np.ravel(dy)).reshape(shape),
    )


@pytest.mark.parametrize("shape", [(7, 3), (1, 1), (4, 100), (0, 2)], ids=str)
@pytest.mark.parametrize(("name", "kind"), [("squared", "squared_error"), ("absolute", "absolute_error")])
def test_means_of_errors(name, kind, shape):
    target, output, dy = (np.random.default_rng(i).standard_normal(s).astype(np.float32) for i, s in
                          enumerate([shape, shape, shape[0]]))  # fmt: skip
    if output.size:
        output.flat[0] = target.flat[0]  # where the error is 0, so is the gradient
    loss, backward = getattr(ops, f"mean_{name}_error"), getattr(ops, f"mean_{name}_error_backward")
    scale = 1 / shape[1]
    close(loss(target, output), reference.pointwise_loss(output, target, kind, row_scale=scale))
    close(backward(dy, target, output), reference.pointwise_loss_backward(output, target, kind, dy, scale))


def test_more_and_fewer_axes():
    logits = predictions((2, 3, 4, 5), False)
    labels = np.random.default_rng(2).integers(0, 5, (2, 3, 4))
    rows = ops.sparse_categorical_crossentropy(labels.ravel(), logits.reshape(-1, 5), from_logits=True)
    np.testing.assert_array_equal(
        ops.sparse_categorical_crossentropy(labels, logits, from_logits=True), rows.reshape(2, 3, 4)
    )
    assert ops.sparse_categorical_crossentropy(2, logits[0, 0, 0], from_logits=True).shape == ()
    assert ops.mean_squared_error([1.0, 2], [3.0, 2]) == 2
    assert ops.mean_squared_error_backward(1.0, [1.0, 2], [3.0, 2]).tolist() == [2, 0]


def test_certain_and_impossible():
    output = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    close(ops.sparse_categorical_crossentropy([0, 0], output), [-np.log(1e-7), -np.log(np.float32(1) - 1e-7)])
    close(ops.sparse_categorical_crossentropy([0, 0], 1000 * output, from_logits=True), [1000, 0])


def test_nan_goes_through():
    output = predictions((3, 4), True)
    output[1, 2] = np.nan
    target = predictions((3, 4), True)
    for losses in (
        ops.sparse_categorical_crossentropy([0, 1, 2], output, from_logits=True),
        ops.categorical_crossentropy(target, output),
        ops.categorical_crossentropy(target, output, from_logits=True),
        ops.mean_squared_error(target, output),
        ops.mean_absolute_error(target, output),
    ):
        assert np.isnan(losses).tolist() == [False, True, False]
    assert np.argwhere(np.isnan(ops.binary_crossentropy(target, output))).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ops.sparse_categorical_crossentropy([0, 5], np.zeros((2, 5))), ValueError,
         "target must be whole numbers from 0 to 4, received 5 at 1"),
        (lambda: ops.sparse_categorical_crossentropy([0, 1, 2], np.zeros((2, 5))), ValueError,
         r"target must hold one class number a row, shape \(2,\), received shape \(3,\)"),
        (lambda: ops.sparse_categorical_crossentropy(["a", "b"], np.zeros((2, 5))), TypeError,
         "target must be an array of numbers"),
        (lambda: ops.sparse_categorical_crossentropy([0], np.zeros((1, 0))), ValueError,
         "output must have a last axis of at least 1 element"),
        (lambda: ops.categorical_crossentropy(np.zeros((2, 4)), np.zeros((2, 5))), ValueError,
         r"target must have the shape \(2, 5\) of output, received \(2, 4\)"),
        (lambda: ops.categorical_crossentropy(np.zeros((2, 5)), np.zeros((2, 5)), label_smoothing=1.5), ValueError,
         "label_smoothing must be from 0 to 1, received 1.5"),
        (lambda: ops.categorical_crossentropy(np.zeros((2, 5)), np.zeros((2, 5)), from_logits=1), TypeError,
         "from_logits must be True or False, received 1"),
        (lambda: ops.mean_squared_error(np.zeros((3, 1)), np.zeros(3)), ValueError,
         r"target must have the shape \(3,\) of output, received \(3, 1\)"),
        (lambda: ops.mean_squared_error_backward(np.zeros(2), np.zeros((3, 1)), np.zeros((3, 1))), ValueError,
         r"dy must have the shape \(3,\) of the losses, received \(2,\)"),
        (lambda: ops.binary_crossentropy([1], [1j]), TypeError, "output must be an array of numbers"),
    ],
)  # fmt: skip
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()

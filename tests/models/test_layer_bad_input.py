"""Bad arguments of layers: an error that names the argument, what was expected and what came, before any work."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from model_tools import X, small

from fastcnn import activations, losses, regularizers
from fastcnn import layers as L  # noqa: N812
from fastcnn.models import Sequential


def chain(*layers: L.Layer, shape: tuple[int | None, ...] = (8, 8, 3)) -> Callable[[], Any]:
    return lambda: Sequential([L.Input(shape), *layers])


#: (what is done, what the message must say); the layer's name is "bad"
LAYERS: list[tuple[Callable[[], Any], str]] = [
    (lambda: L.Conv2D(0, 3, name="bad"), "layer 'bad': filters must be at least 1 .*, received 0"),
    (lambda: L.Conv2D(3, (3, -1), name="bad"), "layer 'bad': kernel_size must be at least 1 .*, received -1"),
    (lambda: L.Conv2D(3, (3, 3, 3), name="bad"), r"layer 'bad': kernel_size must be an int or a pair .* \(3, 3, 3\)"),
    (lambda: L.Conv2D(3, 2.5, name="bad"), "layer 'bad': kernel_size must be an integer, received 2.5"),
    (lambda: L.Conv2D(3, 3, strides=0, name="bad"), "layer 'bad': strides must be at least 1"),
    (lambda: L.Conv2D(3, 3, padding="full", name="bad"), "layer 'bad': padding must be .*, received 'full'"),
    (lambda: L.Conv2D(3, 3, dilation_rate=0, name="bad"), "layer 'bad': dilation_rate must be at least 1"),
    (lambda: L.Conv2D(3, 3, groups=2, name="bad"), r"layer 'bad': filters \(3\) must be a multiple of groups \(2\)"),
    (lambda: L.Conv2D(3, 3, data_format="channels_first", name="bad"), "data_format must be .*channels_last"),
    (lambda: L.Conv1D(3, (3, 3), name="bad"), r"layer 'bad': kernel_size must be an integer, received \(3, 3\)"),
    (lambda: L.Conv1D(3, 3, padding=1, name="bad"), 'bad\': padding must be "valid" or "same" or "causal", .* 1'),
    (lambda: L.Conv1D(3, 3, groups=2, name="bad"), r"layer 'bad': filters \(3\) must be a multiple of groups \(2\)"),
    (chain(L.Conv1D(3, 3, name="bad")), r"layer 'bad' \(Conv1D\) takes inputs of rank 3 \(batch, steps, channels\)"),
    (lambda: L.DepthwiseConv2D(3, depth_multiplier=0, name="bad"), "layer 'bad': depth_multiplier must be at least 1"),
    (lambda: L.DepthwiseConv2D("3", name="bad"), "layer 'bad': kernel_size must be an integer, received '3'"),
    (chain(L.DepthwiseConv2D(9, name="bad")), "layer 'bad': .* the window 9x9 is larger than the padded input 8x8"),
    (lambda: L.SeparableConv2D(0, 3, name="bad"), "layer 'bad': filters must be at least 1"),
    (lambda: L.SeparableConv2D(2, 3, data_format="channels_first", name="bad"), "layer 'bad': data_format must be"),
    (lambda: L.Conv2DTranspose(3, 3, padding=1, name="bad"), 'layer \'bad\': padding must be "valid" or "same", .* 1'),
    (lambda: L.Conv2DTranspose(3, 3, 2, output_padding=2, name="bad"), "'bad': output_padding must be smaller .* 2"),
    (chain(L.Flatten(), L.Conv2DTranspose(3, 3, name="bad")), r"'bad' \(Conv2DTranspose\) takes inputs of rank 4"),
    (lambda: L.ZeroPadding2D("same", name="bad"), r"'bad': padding must be an int, \(rows, columns\) or .* 'same'"),
    (lambda: L.ZeroPadding2D((1, -1), name="bad"), "layer 'bad': padding must be at least 0"),
    (lambda: L.ZeroPadding2D(2.5, name="bad"), "layer 'bad': padding must be an integer, received 2.5"),
    (lambda: L.Cropping2D(((1, 1), (1,)), name="bad"), r"layer 'bad': cropping must be .* received \(1,\)"),
    (chain(L.Cropping2D(4, name="bad")), "layer 'bad': cropping takes more than there is of an image of 8x8"),
    (lambda: L.UpSampling2D(0, name="bad"), "layer 'bad': size must be at least 1"),
    (lambda: L.UpSampling2D(interpolation="cubic", name="bad"), "layer 'bad': Unknown interpolation 'cubic'.*bicubic"),
    (lambda: L.Concatenate(0, name="bad"), "layer 'bad': axis must be an integer other than 0, the batch, received 0"),
    (lambda: L.Concatenate(2, name="bad")([L.Input((3,))] * 2), "layer 'bad': axis 2 is out of range for inputs"),
    (lambda: L.Concatenate(name="bad")(L.Input((3,))), "layer 'bad': takes a list of two or more inputs"),
    (lambda: L.Concatenate(name="bad")([L.Input((3, 2)), L.Input((4, 2))]), "layer 'bad': inputs must have the same"),
    (lambda: L.Average(name="bad")(L.Input((3,))), "layer 'bad': takes a list of two or more inputs"),
    (lambda: L.Dense(0, name="bad"), "layer 'bad': units must be at least 1 .*, received 0"),
    (lambda: L.Dense("ten", name="bad"), "layer 'bad': units must be an integer, received 'ten'"),
    (lambda: L.MaxPooling2D(0, name="bad"), "layer 'bad': pool_size must be at least 1"),
    (lambda: L.MaxPooling2D(2, padding=2, name="bad"), "layer 'bad': padding must be smaller than the pool size"),
    (lambda: L.Dropout(1.0, name="bad"), "layer 'bad': rate must be a number from 0 to below 1, received 1.0"),
    (lambda: L.Dropout(True, name="bad"), "layer 'bad': rate must be .*, received True"),
    (lambda: L.LeakyReLU(-1, name="bad"), "layer 'bad': negative_slope must be a finite number .*, received -1"),
    (lambda: L.Softmax(0, name="bad"), "layer 'bad': axis must be an integer other than 0, the batch, received 0"),
    (lambda: L.ReLU(-3, name="bad"), "layer 'bad': max_value must be a finite number of at least 0, received -3"),
    (lambda: L.ReLU(threshold=-1, name="bad"), "layer 'bad': threshold must be a finite number of at least 0"),
    (lambda: L.ELU(-1, name="bad"), "layer 'bad': alpha must be a finite number of at least 0, received -1"),
    (lambda: L.PReLU(shared_axes=[0], name="bad"), "layer 'bad': shared_axes must be at least 1"),
    (lambda: L.Reshape((0, 2), name="bad"), "layer 'bad': target_shape must be at least 1"),
    (chain(L.Conv2D(3, 9, name="bad")), "layer 'bad': .* the window 9x9 is larger than the padded input 8x8"),
    (chain(L.Conv2D(4, 3, dilation_rate=5, name="bad")), r"layer 'bad': .* \(11x11 with its dilation\) is larger"),
    (chain(L.MaxPooling2D(9, name="bad")), "layer 'bad': .* the window 9x9 is larger"),
    (chain(L.Conv2D(4, 3, groups=2, name="bad")), r"layer 'bad': the input's channels \(3\) must be"),
    (chain(L.Flatten(), L.Conv2D(3, 3, name="bad")), r"layer 'bad' \(Conv2D\) takes inputs of rank 4 .* \(None, 192\)"),
    (chain(L.Flatten(), L.MaxPooling2D(name="bad")), r"layer 'bad' \(MaxPooling2D\) takes inputs of rank 4"),
    (chain(L.Reshape((7, -1), name="bad")), r"layer 'bad': reshape: \(8, 8, 3\) doesn't fit into \(7, -1\)"),
    (chain(L.Reshape((7, 7), name="bad")), r"layer 'bad': reshape: \(8, 8, 3\) has 192 elements, \(7, 7\) has 49"),
    (chain(L.Reshape((-1, -1), name="bad")), "layer 'bad': reshape: .* doesn't fit"),
    (chain(L.Softmax(4, name="bad")), "layer 'bad': softmax: axis must be from 1 to 3, or from -3 to -1, .*received 4"),
    (chain(L.PReLU(shared_axes=[4], name="bad")), "layer 'bad': shared_axes must be from 1 to 3 .*, received 4"),
    (lambda: L.Add(name="bad")(L.Input((3,))), "layer 'bad': takes a list of two or more inputs"),
    (lambda: L.Add(name="bad")([L.Input((3,)), L.Input((4,))]), "layer 'bad': shapes .* don't broadcast"),
    (lambda: L.Subtract(name="bad")([L.Input((3,))] * 3), "layer 'bad': takes a list of two inputs, received 3"),
    (lambda: L.Dense(2, name="bad")([L.Input((3,))] * 2), r"layer 'bad' \(Dense\) takes one input, received 2"),
    (lambda: L.Dense(2, name="bad")(X), "layer 'bad' takes the output of Input.* received ndarray; .*model.predict"),
    (lambda: L.Dense(2, name="a/b"), "name must be a non-empty string without '/', received 'a/b'"),
    (lambda: L.Input((28, 0)), r"shape\[1\] must be at least 1"),
    (chain(L.Flatten(name="bad"), shape=(None, 8, 3)), "layer 'bad': reshape: every axis but the batch must be known"),
    (chain(L.Conv2D(3, 3, name="bad"), shape=(8, 8, None)), r"layer 'bad': the input's channels \(None\) must be"),
    (lambda: L.Input((28, 0)), r"shape\[1\] must be at least 1"),
    (lambda: L.Input(28), "must be a tuple without the batch axis"),
    (lambda: L.Input((2,), dtype="complex64"), "dtype must be one of .* received 'complex64'"),
    (lambda: L.Layer()(L.Input((3,))), r"doesn't say what it computes: write its call\(\)"),
    (chain(L.Dense(2, kernel_initializer=None, name="bad")), "layer 'bad': the initializer of 'kernel' .* None"),
    (chain(L.Dense(2, bias_initializer=lambda shape: np.ones(9), name="bad")),
     r"layer 'bad': the initializer of 'bias' must return the shape \(2,\), returned \(9,\)"),
    (chain(L.Dense(2, activation=lambda x: 3, name="bad")), "layer 'bad': the activation must return a graph value"),
    # Unknown names, with the closest one.
    (lambda: L.Dense(2, activation="rellu"), "Unknown activation 'rellu'. Did you mean 'relu'?"),
    (lambda: L.Dense(2, activation=3), "activation must be a name or a callable, received 3"),
    (lambda: L.Conv2D(2, 3, kernel_initializer="glorot"), "Unknown initializer 'glorot'. Did you mean 'glorot_"),
    (lambda: L.Dense(2, kernel_regularizer="l3"), "Unknown regularizer 'l3'. Did you mean 'l"),
    (lambda: regularizers.get(3.0), "regularizer must be a name, an object or a configuration, received 3.0"),
    (lambda: regularizers.L2(-1), "l2 must be a finite number of at least 0, received -1"),
    (lambda: small("adamm"), "Unknown optimizer 'adamm'. Did you mean 'adamw?'?"),
    (lambda: small().compile("sgd", "sparse_crossentropy"), "Unknown loss .* Did you mean '.*crossentropy'?"),
    (lambda: Sequential([L.Dense(1)]).compile("sgd", "msee"), "Unknown loss 'msee'. Did you mean 'mse'?"),
    (lambda: small(metrics=["acuracy"]), "Unknown metric 'acuracy'. Did you mean 'accuracy'?"),
    (lambda: Sequential([L.Dense(1)]).compile("sgd", "mse", metrics=["maee"]), "Unknown metric 'maee'"),
    (lambda: small().get_layer("dens"), "Unknown layer 'dens'. Did you mean 'dense"),
    (lambda: small().get_layer(index=7), "index must be below the number of layers, 3, received 7"),
    (lambda: small().compile("sgd"), "compile needs a loss"),
    (lambda: losses.MeanSquaredError(reduction="avg"), "reduction must be .*, received 'avg'"),
    (lambda: losses.CategoricalCrossentropy(label_smoothing=1.5), "label_smoothing must be .* received 1.5"),
    (lambda: activations.serialize(lambda x: x), "has no name to be saved by"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), LAYERS, ids=range(len(LAYERS)))
def test_layers_and_names(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError, NotImplementedError)) as caught:
        call()
    assert re.search(message, str(caught.value)), caught.value

"""The classic CNN on Fashion-MNIST: the program of the README, whole.

python examples/classic_cnn.py              ten epochs on all pictures
python examples/classic_cnn.py --epochs 1   a quick look
"""

from __future__ import annotations

import argparse

from fastcnn.datasets import fashion_mnist
from fastcnn.layers import Conv2D, Dense, Flatten, MaxPooling2D
from fastcnn.models import Sequential

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--images", type=int, help="train on the first so many pictures only")
options = parser.parse_args()

(x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
x_train, y_train = x_train[: options.images], y_train[: options.images]
x_train = x_train[..., None].astype("float32") / 255
x_test = x_test[..., None].astype("float32") / 255

model = Sequential()
model.add(Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(64, (3, 3), activation="relu"))
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(64, (3, 3), activation="relu"))
model.add(Flatten())
model.add(Dense(64, activation="relu"))
model.add(Dense(10, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=options.epochs, validation_data=(x_test, y_test))

"""Known networks, ready to be trained, or to take weights that others have trained.

Arguments are those of Keras' applications, except that `weights` is a file: nothing is downloaded. Where windows are
padded, weights and arithmetic are PyTorch's, whose files can be read (see `fastcnn.weights`).
"""

from __future__ import annotations

from . import (
    efficientnet_lite,
    imagenet_utils,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    resnet_cifar,
    squeezenet,
    vgg16,
)
from .efficientnet_lite import EfficientNetLite0
from .imagenet_utils import decode_predictions, preprocess_input
from .mobilenet_v2 import MobileNetV2
from .mobilenet_v3 import MobileNetV3Small
from .resnet import ResNet18, ResNet34, ResNet50
from .resnet_cifar import ResNet20, ResNet56
from .squeezenet import SqueezeNet
from .vgg16 import VGG16

__all__ = [
    "VGG16",
    "EfficientNetLite0",
    "MobileNetV2",
    "MobileNetV3Small",
    "ResNet18",
    "ResNet20",
    "ResNet34",
    "ResNet50",
    "ResNet56",
    "SqueezeNet",
    "decode_predictions",
    "efficientnet_lite",
    "imagenet_utils",
    "mobilenet_v2",
    "mobilenet_v3",
    "preprocess_input",
    "resnet",
    "resnet_cifar",
    "squeezenet",
    "vgg16",
]

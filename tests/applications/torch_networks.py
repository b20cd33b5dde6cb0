"""The same networks in PyTorch, their modules called and defined in the order that its collection of models has."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def normed(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, **norm: Any) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs, **norm)]


class VGG16(nn.Module):
    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        made: list[nn.Module] = []
        width = 3
        for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                made += [nn.Conv2d(width, filters, 3, padding=1), nn.ReLU()]
                width = filters
            made.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*made)
        self.classifier = nn.Sequential(
            nn.Linear(512 * (size // 32) ** 2, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, classes),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        return self.classifier(self.features(x).flatten(1))


class Block(nn.Module):
    def __init__(self, inputs: int, filters: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * filters if bottleneck else filters
        if bottleneck:
            self.conv1, self.bn1 = normed(inputs, filters, 1)
            self.conv2, self.bn2 = normed(filters, filters, 3, stride)
            self.conv3, self.bn3 = normed(filters, outputs, 1)
        else:
            self.conv1, self.bn1 = normed(inputs, filters, 3, stride)
            self.conv2, self.bn2 = normed(filters, filters, 3)
        self.bottleneck = bottleneck
        self.downsample = (
            nn.Sequential(*normed(inputs, outputs, 1, stride)) if stride > 1 or inputs != outputs else None
        )

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            y = self.bn3(self.conv3(torch.relu(y)))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, counts: tuple[int, ...], bottleneck: bool, classes: int, small: bool = False) -> None:
        super().__init__()
        width = 16 if small else 64
        self.conv1, self.bn1 = normed(3, width, 3) if small else normed(3, width, 7, 2)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        inputs = width
        for stage, count in enumerate(counts):
            blocks = []
            for number in range(count):
                blocks.append(Block(inputs, width << stage, 2 if stage > 0 and number == 0 else 1, bottleneck))
                inputs = (width << stage) * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.stages = len(counts)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Any) -> Any:
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


class InvertedResidual(nn.Module):
    def __init__(self, inputs: int, expansion: int, filters: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        made: list[nn.Module] = []
        if expansion > 1:
            made.append(nn.Sequential(*normed(inputs, inner, 1), nn.ReLU6()))
        made.append(nn.Sequential(*normed(inner, inner, 3, stride, inner), nn.ReLU6()))
        self.conv = nn.Sequential(*made, *normed(inner, filters, 1))
        self.around = stride == 1 and inputs == filters

    def forward(self, x: Any) -> Any:
        return x + self.conv(x) if self.around else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        made: list[nn.Module] = [nn.Sequential(*normed(3, 32, 3, 2), nn.ReLU6())]
        width = 32
        for expansion, filters, count, first in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ):  # fmt: skip
            for number in range(count):
                made.append(InvertedResidual(width, expansion, filters, first if number == 0 else 1))
                width = filters
        made.append(nn.Sequential(*normed(320, 1280, 1), nn.ReLU6()))
        self.features = nn.Sequential(*made)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: Any) -> Any:
        return self.classifier(self.features(x).mean((2, 3)))


class Fire(nn.Module):
    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(64, 16, 64), Fire(128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(128, 32, 128), Fire(256, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, classes, 1), nn.ReLU())

    def forward(self, x: Any) -> Any:
        return self.classifier(self.features(x)).mean((2, 3))


class Same(nn.Conv2d):
    """Padded as TensorFlow does it: more below and to the right."""

    def forward(self, x: Any) -> Any:
        sides = []
        for axis in (3, 2):
            size, window, stride = x.shape[axis], self.kernel_size[axis - 2], self.stride[axis - 2]
            total = max(0, (-(-size // stride) - 1) * stride + window - size)
            sides += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(x, sides))


class LiteBlock(nn.Module):
    def __init__(self, inputs: int, size: int, expansion: int, filters: int, stride: int, **norm: Any) -> None:
        super().__init__()
        inner = inputs * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = Same(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner, **norm)
        self._depthwise_conv = Same(inner, inner, size, stride, groups=inner, bias=False)
        self._bn1 = nn.BatchNorm2d(inner, **norm)
        self._project_conv, self._bn2 = Same(inner, filters, 1, bias=False), nn.BatchNorm2d(filters, **norm)
        self.expands, self.around = expansion > 1, stride == 1 and inputs == filters

    def forward(self, x: Any) -> Any:
        act = nn.functional.relu6
        y = act(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._bn2(self._project_conv(act(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.around else y


class EfficientNetLite0(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        norm = {"eps": 1e-3, "momentum": 0.01}
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, **norm)
        blocks, width = [], 32
        for size, expansion, filters, count, first in (
            (3, 1, 16, 1, 1), (3, 6, 24, 2, 2), (5, 6, 40, 2, 2), (3, 6, 80, 3, 2),
            (5, 6, 112, 3, 1), (5, 6, 192, 4, 2), (3, 6, 320, 1, 1),
        ):  # fmt: skip
            for number in range(count):
                blocks.append(LiteBlock(width, size, expansion, filters, first if number == 0 else 1, **norm))
                width = filters
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Same(320, 1280, 1, bias=False), nn.BatchNorm2d(1280, **norm)
        self._fc = nn.Linear(1280, classes)

    def forward(self, x: Any) -> Any:
        act = nn.functional.relu6
        x = act(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return self._fc(act(self._bn1(self._conv_head(x))).mean((2, 3)))


class Attention(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        squeezed = max(8, (width // 4 + 4) // 8 * 8)
        squeezed += 8 if squeezed < 0.9 * (width // 4) else 0
        self.fc1, self.fc2 = nn.Conv2d(width, squeezed, 1), nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Any) -> Any:
        y = self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * nn.functional.hardsigmoid(y)


class V3Block(nn.Module):
    def __init__(
        self, inputs: int, size: int, inner: int, filters: int, attend: bool, act: Any, stride: int, **norm: Any
    ) -> None:
        super().__init__()
        made: list[nn.Module] = []
        if inner != inputs:
            made.append(nn.Sequential(*normed(inputs, inner, 1, **norm), act()))
        made.append(nn.Sequential(*normed(inner, inner, size, stride, inner, **norm), act()))
        made += [Attention(inner)] if attend else []
        self.block = nn.Sequential(*made, nn.Sequential(*normed(inner, filters, 1, **norm)))
        self.around = stride == 1 and inputs == filters

    def forward(self, x: Any) -> Any:
        return x + self.block(x) if self.around else self.block(x)


class MobileNetV3Small(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        norm = {"eps": 1e-3, "momentum": 0.01}
        made: list[nn.Module] = [nn.Sequential(*normed(3, 16, 3, 2, **norm), nn.Hardswish())]
        width = 16
        R, H = nn.ReLU, nn.Hardswish
        for size, inner, filters, attend, act, stride in (
            (3, 16, 16, True, R, 2), (3, 72, 24, False, R, 2), (3, 88, 24, False, R, 1),
            (5, 96, 40, True, H, 2), (5, 240, 40, True, H, 1), (5, 240, 40, True, H, 1),
            (5, 120, 48, True, H, 1), (5, 144, 48, True, H, 1), (5, 288, 96, True, H, 2),
            (5, 576, 96, True, H, 1), (5, 576, 96, True, H, 1),
        ):  # fmt: skip
            made.append(V3Block(width, size, inner, filters, attend, act, stride, **norm))
            width = filters
        made.append(nn.Sequential(*normed(96, 576, 1, **norm), nn.Hardswish()))
        self.features = nn.Sequential(*made)
        self.classifier = nn.Sequential(nn.Linear(576, 1024), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1024, classes))

    def forward(self, x: Any) -> Any:
        return self.classifier(self.features(x).mean((2, 3)))


def network(name: str, size: int, classes: int) -> nn.Module:
    """A network with weights and statistics drawn at random, such that activations neither grow nor vanish."""
    torch.manual_seed(0)
    made: nn.Module = {
        "VGG16": lambda: VGG16(size, classes),
        "ResNet18": lambda: ResNet((2, 2, 2, 2), False, classes),
        "ResNet34": lambda: ResNet((3, 4, 6, 3), False, classes),
        "ResNet50": lambda: ResNet((3, 4, 6, 3), True, classes),
        "ResNet20": lambda: ResNet((3, 3, 3), False, classes, small=True),
        "ResNet56": lambda: ResNet((9, 9, 9), False, classes, small=True),
        "MobileNetV2": lambda: MobileNetV2(classes),
        "MobileNetV3Small": lambda: MobileNetV3Small(classes),
        "EfficientNetLite0": lambda: EfficientNetLite0(classes),
        "SqueezeNet": lambda: SqueezeNet(classes),
    }[name]()
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 0.9)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.6, 1.4)
    return made.eval()

"""Parts that several systems share, with torchvision's layer names."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def convolution(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
    eps: float = 1e-5,
    momentum: float = 0.1,
) -> nn.Sequential:
    """Convolution that keeps the size (but for its stride), batch norm, activation: 0, 1, 2."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=eps, momentum=momentum),
    ]
    if activation is not None:
        layers.append(activation())
    return nn.Sequential(*layers)


def multiple_of_8(channels: float) -> int:
    """The nearest multiple of 8, 8 or more and not below 90 % of ``channels`` (MobileNetV2)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class SqueezeExcitation(nn.Module):
    """Each channel scaled by a gate computed from all the channels' means."""

    def __init__(
        self,
        channels: int,
        squeezed: int,
        activation: Callable[[], nn.Module],
        gate: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation()
        self.scale_activation = gate()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        gate = self.fc2(self.activation(self.fc1(self.avgpool(image))))
        scale: torch.Tensor = self.scale_activation(gate)
        return image * scale


class InvertedResidual(nn.Module):
    """Widen, filter each channel, squeeze and excite, narrow; added to the input where it fits.

    The layers are ``block.0`` and on, as in torchvision's MobileNetV3 and EfficientNet.
    """

    def __init__(self, layers: list[nn.Module], shortcut: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(*layers)
        self.shortcut = shortcut

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        filtered: torch.Tensor = self.block(image)
        return image + filtered if self.shortcut else filtered


class ImageClassifier(nn.Module):
    """``features``, the mean over the image, ``classifier``."""

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = classifier

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.avgpool(self.features(image)).flatten(1))
        return logits

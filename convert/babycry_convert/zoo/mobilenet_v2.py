"""MobileNetV2 (Sandler et al. 2018) with torchvision's layer names."""

from __future__ import annotations

import torch
from torch import nn

from babycry_convert.zoo.blocks import ImageClassifier, convolution

NAME = "mobilenet_v2"
DESCRIPTION = "MobileNetV2 pre-trained on ImageNet, its classifier trained anew"
LAYOUT = "NCFT"
CHANNELS = 3

#: (widening, output channels, blocks, stride of the first): table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Bottleneck(nn.Module):
    """Widen, filter each channel, narrow without activation; the layers are ``conv.0`` and on."""

    def __init__(self, inputs: int, outputs: int, stride: int, widening: int) -> None:
        super().__init__()
        width = inputs * widening
        layers: list[nn.Module] = []
        if widening != 1:
            layers.append(convolution(inputs, width, kernel=1, activation=nn.ReLU6))
        layers.append(convolution(width, width, stride=stride, groups=width, activation=nn.ReLU6))
        layers.append(nn.Conv2d(width, outputs, 1, bias=False))
        layers.append(nn.BatchNorm2d(outputs))
        self.conv = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        filtered: torch.Tensor = self.conv(image)
        return image + filtered if self.shortcut else filtered


def build(n_classes: int, dropout: float = 0.2) -> nn.Module:
    """Images ``(N, 3, H, W)`` to logits ``(N, n_classes)``."""
    layers: list[nn.Module] = [convolution(3, 32, stride=2, activation=nn.ReLU6)]
    channels = 32
    for widening, outputs, blocks, first_stride in STAGES:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            layers.append(Bottleneck(channels, outputs, stride, widening))
            channels = outputs
    layers.append(convolution(channels, 1280, kernel=1, activation=nn.ReLU6))
    classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(1280, n_classes))
    return ImageClassifier(nn.Sequential(*layers), classifier)

"""EfficientNet-B0 (Tan and Le 2019) with torchvision's layer names."""

from __future__ import annotations

from torch import nn

from babycry_convert.zoo.blocks import (
    ImageClassifier,
    InvertedResidual,
    SqueezeExcitation,
    convolution,
)

NAME = "efficientnet_b0"
DESCRIPTION = "EfficientNet-B0 on three-channel mel images"
LAYOUT = "NCFT"
CHANNELS = 3

#: (widening, kernel, stride of the first, output channels, blocks): table 1 of the paper.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def build(n_classes: int, dropout: float = 0.2) -> nn.Module:
    """Images ``(N, 3, H, W)`` to logits ``(N, n_classes)``.

    Stochastic depth, which acts in training alone and has no weights, is left out.
    """
    stages: list[nn.Module] = [convolution(3, 32, stride=2, activation=nn.SiLU)]
    channels = 32
    for widening, kernel, first_stride, outputs, blocks in STAGES:
        stage = []
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            stage.append(_block(channels, widening, kernel, stride, outputs))
            channels = outputs
        stages.append(nn.Sequential(*stage))
    stages.append(convolution(channels, 4 * channels, kernel=1, activation=nn.SiLU))
    classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * channels, n_classes))
    return ImageClassifier(nn.Sequential(*stages), classifier)


def _block(inputs: int, widening: int, kernel: int, stride: int, outputs: int) -> InvertedResidual:
    width = inputs * widening
    layers: list[nn.Module] = []
    if widening != 1:
        layers.append(convolution(inputs, width, kernel=1, activation=nn.SiLU))
    layers.append(convolution(width, width, kernel, stride, groups=width, activation=nn.SiLU))
    layers.append(SqueezeExcitation(width, max(1, inputs // 4), nn.SiLU, nn.Sigmoid))
    layers.append(convolution(width, outputs, kernel=1, activation=None))
    return InvertedResidual(layers, shortcut=stride == 1 and inputs == outputs)

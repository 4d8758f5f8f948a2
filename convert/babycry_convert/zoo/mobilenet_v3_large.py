"""MobileNetV3-Large (Howard et al. 2019) with torchvision's layer names."""

from __future__ import annotations

from functools import partial

from torch import nn

from babycry_convert.zoo.blocks import (
    ImageClassifier,
    InvertedResidual,
    SqueezeExcitation,
    convolution,
    multiple_of_8,
)

NAME = "mobilenet_v3_large"
DESCRIPTION = "MobileNetV3-Large on three-channel mel images"
LAYOUT = "NCFT"
CHANNELS = 3

#: (kernel, width, output channels, squeeze-and-excite, hard-swish, stride): table 1 of the paper.
BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)

_convolution = partial(convolution, eps=1e-3, momentum=0.01)


def build(n_classes: int, dropout: float = 0.2) -> nn.Module:
    """Images ``(N, 3, H, W)`` to logits ``(N, n_classes)``."""
    layers: list[nn.Module] = [_convolution(3, 16, stride=2, activation=nn.Hardswish)]
    channels = 16
    for kernel, width, outputs, squeeze, swish, stride in BLOCKS:
        layers.append(_block(channels, kernel, width, outputs, squeeze, swish, stride))
        channels = outputs
    layers.append(_convolution(channels, 6 * channels, kernel=1, activation=nn.Hardswish))
    classifier = nn.Sequential(
        nn.Linear(6 * channels, 1280),
        nn.Hardswish(),
        nn.Dropout(dropout),
        nn.Linear(1280, n_classes),
    )
    return ImageClassifier(nn.Sequential(*layers), classifier)


def _block(
    inputs: int, kernel: int, width: int, outputs: int, squeeze: bool, swish: bool, stride: int
) -> InvertedResidual:
    activation = nn.Hardswish if swish else nn.ReLU
    layers: list[nn.Module] = []
    if width != inputs:
        layers.append(_convolution(inputs, width, kernel=1, activation=activation))
    layers.append(_convolution(width, width, kernel, stride, groups=width, activation=activation))
    if squeeze:
        narrow = multiple_of_8(width / 4)
        layers.append(SqueezeExcitation(width, narrow, nn.ReLU, nn.Hardsigmoid))
    layers.append(_convolution(width, outputs, kernel=1, activation=None))
    return InvertedResidual(layers, shortcut=stride == 1 and inputs == outputs)

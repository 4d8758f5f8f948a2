"""A plain CNN on three-channel mel images: what transfer learning is compared with."""

from __future__ import annotations

from torch import nn

from babycry_convert.zoo.blocks import ImageClassifier, convolution

NAME = "base_cnn"
DESCRIPTION = "Four convolutions with batch norm on three-channel mel images, from scratch"
LAYOUT = "NCFT"
CHANNELS = 3


def build(
    n_classes: int, widths: tuple[int, ...] = (16, 32, 64, 128), dropout: float = 0.3
) -> nn.Module:
    """Images ``(N, 3, H, W)`` to logits ``(N, n_classes)``."""
    layers: list[nn.Module] = []
    channels = 3
    for width in widths:
        layers += [convolution(channels, width), nn.MaxPool2d(2)]
        channels = width
    classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, n_classes))
    return ImageClassifier(nn.Sequential(*layers), classifier)

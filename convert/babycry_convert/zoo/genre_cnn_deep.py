"""The deeper music-genre CNN: five blocks, the last image averaged."""

from __future__ import annotations

from torch import nn

from babycry_convert.zoo.blocks import ImageClassifier, convolution

NAME = "genre_cnn_deep"
DESCRIPTION = "Log-mel CNN of five blocks, 16 to 256 channels, from the music-genre tutorials"
LAYOUT = "NCFT"
CHANNELS = 1


def build(
    n_classes: int,
    widths: tuple[int, ...] = (16, 32, 64, 128, 256),
    hidden: int = 128,
    dropout: float = 0.3,
) -> nn.Module:
    """Images ``(N, 1, n_mels, frames)`` to logits ``(N, n_classes)``."""
    layers: list[nn.Module] = []
    channels = 1
    for width in widths:
        layers += [convolution(channels, width), nn.MaxPool2d(2), nn.Dropout(dropout / 3)]
        channels = width
    classifier = nn.Sequential(
        nn.Linear(channels, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_classes)
    )
    return ImageClassifier(nn.Sequential(*layers), classifier)

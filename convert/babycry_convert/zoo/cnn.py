"""A CNN on mel spectrograms of ten seconds."""

from __future__ import annotations

from torch import nn

from babycry_convert.zoo.blocks import ImageClassifier, convolution

NAME = "cnn"
DESCRIPTION = "CNN on mel spectrograms of 10 s, 6 classes"
LAYOUT = "NCFT"
CHANNELS = 1


def build(
    n_classes: int,
    widths: tuple[int, ...] = (16, 32, 64, 64),
    hidden: int = 64,
    dropout: float = 0.3,
) -> nn.Module:
    """Spectrograms ``(N, 1, n_mels, frames)`` to logits ``(N, n_classes)``."""
    layers: list[nn.Module] = []
    channels = 1
    for width in widths:
        layers += [convolution(channels, width), nn.MaxPool2d(2)]
        channels = width
    classifier = nn.Sequential(
        nn.Linear(channels, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_classes)
    )
    return ImageClassifier(nn.Sequential(*layers), classifier)

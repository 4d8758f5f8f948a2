"""The four-block CNN on 128x128 mel images, with the layer names that Keras gives by default."""

from __future__ import annotations

import torch
from torch import nn

NAME = "cnn4"
DESCRIPTION = "Keras-style CNN of four blocks, 32-64-128-128 channels, on 128x128 mel images"
LAYOUT = "NCFT"
CHANNELS = 1

WIDTHS = (32, 64, 128, 128)


class KerasCnn(nn.Module):
    """Images ``(N, 1, H, W)`` to logits ``(N, n_classes)``.

    Each block is a 3x3 convolution with ReLU, then a 2x2 maximum. The last image is flattened with
    its channels last, as Keras does, so that the weights of ``dense`` can be carried over.
    """

    def __init__(self, n_classes: int, image: tuple[int, int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.blocks = []
        channels = 1
        for number, width in enumerate(WIDTHS):
            name = f"conv2d_{number}" if number else "conv2d"
            self.add_module(name, nn.Conv2d(channels, width, 3, padding=1))
            self.blocks.append(name)
            channels = width
        self.relu = nn.ReLU()
        self.max_pooling2d = nn.MaxPool2d(2)
        pixels = (image[0] >> len(WIDTHS)) * (image[1] >> len(WIDTHS))
        self.dense = nn.Linear(pixels * channels, hidden)
        self.dropout = nn.Dropout(dropout)
        self.dense_1 = nn.Linear(hidden, n_classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        for name in self.blocks:
            image = self.max_pooling2d(self.relu(getattr(self, name)(image)))
        flat = image.permute(0, 2, 3, 1).flatten(1)
        logits: torch.Tensor = self.dense_1(self.dropout(self.relu(self.dense(flat))))
        return logits


def build(
    n_classes: int, image: tuple[int, int] = (128, 128), hidden: int = 128, dropout: float = 0.5
) -> nn.Module:
    """Images ``(N, 1, *image)`` to logits ``(N, n_classes)``."""
    return KerasCnn(n_classes, (image[0], image[1]), hidden, dropout)

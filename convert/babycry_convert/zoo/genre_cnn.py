"""The small CNN of the music-genre tutorials, on log-mel images."""

from __future__ import annotations

import torch
from torch import nn

NAME = "genre_cnn"
DESCRIPTION = "Log-mel CNN of the music-genre tutorials: three blocks and a dense layer"
LAYOUT = "NCFT"
CHANNELS = 1


class GenreCnn(nn.Module):
    """Images ``(N, 1, n_mels, frames)`` to logits ``(N, n_classes)``.

    The tutorials' blocks have no padding, and batch norm after the maximum.
    """

    def __init__(
        self, n_classes: int, image: tuple[int, int], width: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, width, kernel=3, pool=nn.MaxPool2d(3, 2, 1)),
            *_block(width, width, kernel=3, pool=nn.MaxPool2d(3, 2, 1)),
            *_block(width, width, kernel=2, pool=nn.MaxPool2d(2)),
        )
        pixels = _size(image[0]) * _size(image[1])
        self.dense = nn.Linear(pixels * width, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, n_classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        flat = self.features(image).permute(0, 2, 3, 1).flatten(1)
        logits: torch.Tensor = self.head(self.dropout(self.relu(self.dense(flat))))
        return logits


def build(
    n_classes: int,
    image: tuple[int, int] = (64, 128),
    width: int = 32,
    hidden: int = 64,
    dropout: float = 0.3,
) -> nn.Module:
    """Images ``(N, 1, *image)``, bands by frames, to logits ``(N, n_classes)``."""
    return GenreCnn(n_classes, (image[0], image[1]), width, hidden, dropout)


def _block(inputs: int, outputs: int, kernel: int, pool: nn.Module) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel), nn.ReLU(), pool, nn.BatchNorm2d(outputs)]


def _size(pixels: int) -> int:
    """What the three blocks leave of an edge."""
    for kernel in (3, 3):
        pixels = (pixels - kernel + 2) // 2
    return (pixels - 1) // 2

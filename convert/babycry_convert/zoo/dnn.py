"""A fully connected network on one row of features."""

from __future__ import annotations

import torch
from torch import nn

NAME = "dnn"
DESCRIPTION = "Fully connected network on 88 values of a clip: cepstra and spectral descriptors"
LAYOUT = "NF"
CHANNELS = 1


class FeatureNet(nn.Module):
    """Rows ``(N, n_features)`` to logits ``(N, n_classes)``.

    ``norm`` comes first: it brings values of very different sizes (Hz, dB, rates) to one scale, as
    a StandardScaler before the network does.
    """

    def __init__(
        self, n_classes: int, n_features: int, widths: tuple[int, ...], dropout: float
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(n_features)
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(n_features, width), nn.ReLU(), nn.Dropout(dropout)]
            n_features = width
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(n_features, n_classes)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.hidden(self.norm(rows)))
        return logits


def build(
    n_classes: int,
    n_features: int = 88,
    widths: tuple[int, ...] = (256, 128, 64),
    dropout: float = 0.3,
) -> nn.Module:
    """Rows ``(N, n_features)`` to logits ``(N, n_classes)``."""
    return FeatureNet(n_classes, n_features, tuple(widths), dropout)

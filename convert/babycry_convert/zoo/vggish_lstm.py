"""VGGish (Hershey et al. 2017) on each patch of 0.96 s, and an LSTM over the patches."""

from __future__ import annotations

import torch
from torch import nn

NAME = "vggish_lstm"
DESCRIPTION = "VGGish embeddings of 0.96 s patches, and an LSTM over them"
LAYOUT = "NCTF"
CHANNELS = 1

PATCH = (96, 64)

#: Channels of the convolutions; "M" is a maximum of 2x2.
PLAN = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M")


class VggishLstm(nn.Module):
    """Log-mel ``(N, 1, 96 k, 64)``, time-major, to logits ``(N, n_classes)``.

    ``features`` and ``embeddings`` have torchvggish's names and, with ``width`` 1 and
    ``embedding_width`` 4096, its shapes; the flattened image has its channels last, as there.
    """

    def __init__(
        self,
        n_classes: int,
        width: float,
        embedding_width: int,
        embedding: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for step in PLAN:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(2))
            else:
                outputs = int(step * width)
                layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU()]
                channels = outputs
        self.features = nn.Sequential(*layers)
        pixels = (PATCH[0] // 16) * (PATCH[1] // 16)
        self.embeddings = nn.Sequential(
            nn.Linear(pixels * channels, embedding_width),
            nn.ReLU(),
            nn.Linear(embedding_width, embedding_width),
            nn.ReLU(),
            nn.Linear(embedding_width, embedding),
            nn.ReLU(),
        )
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, n_classes)
        self.pixels = pixels * channels
        self.embedding = embedding

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        patches = windows.reshape(-1, 1, *PATCH)
        flat = self.features(patches).permute(0, 2, 3, 1).flatten(1)
        embeddings = self.embeddings(flat)
        steps = embeddings.reshape(windows.shape[0], -1, self.embedding)
        outputs, _ = self.lstm(steps)
        logits: torch.Tensor = self.head(self.dropout(outputs[:, -1]))
        return logits


def build(
    n_classes: int,
    width: float = 1.0,
    embedding_width: int = 4096,
    embedding: int = 128,
    hidden: int = 64,
    dropout: float = 0.3,
) -> nn.Module:
    """Log-mel ``(N, 1, 96 k, 64)`` to logits ``(N, n_classes)``.

    Args:
        width: share of VGGish's channels.
        embedding_width: of the two wide layers: 4096 in the original, 288 MB of float32.
        embedding: values per patch.
        hidden: of the LSTM.
    """
    return VggishLstm(n_classes, width, embedding_width, embedding, hidden, dropout)

"""Convolutions, then a recurrent layer over time; the convolutions may be an autoencoder's."""

from __future__ import annotations

import torch
from torch import nn

from babycry_convert.zoo.blocks import convolution
from babycry_edge.errors import BabycryError

NAME = "crnn"
DESCRIPTION = "CNN and GRU or LSTM, the CNN pre-trained as an autoencoder, 9 classes"
LAYOUT = "NCFT"
CHANNELS = 1

#: Parts of a checkpoint that only pre-training needs.
DROPPED_PREFIXES = ("decoder.",)

WIDTHS = (32, 64, 64)

#: Bands and frames pooled into one by each block: frames by 8 in all.
POOLS = ((2, 2), (4, 2), (4, 2))


class ConvRecurrent(nn.Module):
    """Log-mel ``(N, 1, n_mels, frames)`` to logits ``(N, n_classes)``.

    ``encoder`` pools the frames by 8 and the bands by 32; ``recurrent`` runs over what is left of
    time; ``head`` takes the mean of its outputs (``summary="mean"``) or the last one ("last").
    """

    DROPPED_PREFIXES = DROPPED_PREFIXES

    def __init__(
        self,
        n_classes: int,
        n_mels: int,
        kind: str,
        hidden: int,
        layers: int,
        bidirectional: bool,
        summary: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder()
        rows = n_mels
        for bands, _ in POOLS:
            rows //= bands
        recurrent = {"gru": nn.GRU, "lstm": nn.LSTM}[kind]
        self.recurrent = recurrent(
            WIDTHS[-1] * rows, hidden, layers, batch_first=True, bidirectional=bidirectional
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden * (2 if bidirectional else 1), n_classes)
        self.summary = summary

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        steps = self.encoder(image).permute(0, 3, 1, 2).flatten(2)
        outputs, _ = self.recurrent(steps)
        summary = outputs.mean(1) if self.summary == "mean" else outputs[:, -1]
        logits: torch.Tensor = self.head(self.dropout(summary))
        return logits


class Autoencoder(nn.Module):
    """Log-mel ``(N, 1, n_mels, frames)`` to itself; ``encoder`` is the CRNN's."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = encoder()
        layers: list[nn.Module] = []
        widths = (WIDTHS[1], WIDTHS[0], 1)
        for inputs, outputs, pool in zip(reversed(WIDTHS), widths, reversed(POOLS), strict=True):
            layers += [nn.ConvTranspose2d(inputs, outputs, pool, pool), nn.ReLU()]
        self.decoder = nn.Sequential(*layers[:-1])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        restored: torch.Tensor = self.decoder(self.encoder(image))
        return restored


def encoder() -> nn.Sequential:
    """The convolutions that the CRNN and the autoencoder share."""
    blocks: list[nn.Module] = []
    channels = 1
    for width, pool in zip(WIDTHS, POOLS, strict=True):
        blocks += [convolution(channels, width), nn.MaxPool2d(pool)]
        channels = width
    return nn.Sequential(*blocks)


def build(
    n_classes: int = 9,
    n_mels: int = 64,
    kind: str = "gru",
    hidden: int = 64,
    layers: int = 1,
    bidirectional: bool = True,
    summary: str = "mean",
    dropout: float = 0.3,
) -> nn.Module:
    """Log-mel ``(N, 1, n_mels, frames)`` to logits ``(N, n_classes)``.

    Raises:
        BabycryError: ``kind`` is neither "gru" nor "lstm", ``summary`` neither "mean" nor "last",
            or ``n_mels`` is below 32.
    """
    if kind not in ("gru", "lstm"):
        raise BabycryError(f"system crnn: kind must be gru or lstm, not {kind!r}")
    if summary not in ("mean", "last"):
        raise BabycryError(f"system crnn: summary must be mean or last, not {summary!r}")
    if n_mels < 32:
        raise BabycryError(f"system crnn: n_mels must be 32 or more, not {n_mels}")
    return ConvRecurrent(n_classes, n_mels, kind, hidden, layers, bidirectional, summary, dropout)


def autoencoder() -> nn.Module:
    """For pre-training: log-mel images with frames in eights and bands in 32s, to themselves."""
    return Autoencoder()

"""The reference detector's depthwise-separable CNN."""

from __future__ import annotations

from torch import nn

from babycry_convert.reference.architecture import CryNet

NAME = "ds_cnn"
DESCRIPTION = "Depthwise-separable CNN on log-mel windows: the reference detector's network"
LAYOUT = "NCTF"
CHANNELS = 1


def build(n_classes: int, dropout: float = 0.1) -> nn.Module:
    """Windows ``(N, 1, T, F)``, time-major, to logits ``(N, n_classes)``."""
    network = CryNet(dropout)
    network.head = nn.Linear(network.head.in_features, n_classes)
    return network

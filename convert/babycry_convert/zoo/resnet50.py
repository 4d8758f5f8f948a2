"""ResNet-50 with torchvision's layer names."""

from __future__ import annotations

from torch import nn

from babycry_convert.zoo.resnet import ResNet

NAME = "resnet50"
DESCRIPTION = "ResNet-50 on three-channel mel images"
LAYOUT = "NCFT"
CHANNELS = 3


def build(n_classes: int) -> nn.Module:
    """Images ``(N, 3, H, W)`` to logits ``(N, n_classes)``."""
    return ResNet(n_classes, (3, 4, 6, 3), bottleneck=True)

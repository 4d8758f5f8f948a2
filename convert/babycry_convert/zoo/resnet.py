"""Residual networks (He et al. 2015) with torchvision's layer names."""

from __future__ import annotations

import torch
from torch import nn


class Residual(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1 (``bottleneck``), added to the input.

    The second form has its stride in the 3x3 convolution and four times the ``width`` at its end.
    """

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        plan = (
            [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
            if bottleneck
            else [(inputs, width, 3, stride), (width, outputs, 3, 1)]
        )
        for number, (before, after, kernel, step) in enumerate(plan, start=1):
            convolution = nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", nn.BatchNorm2d(after))
        self.relu = nn.ReLU()
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.last = len(plan)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        filtered = image
        for number in range(1, self.last + 1):
            convolution, norm = getattr(self, f"conv{number}"), getattr(self, f"bn{number}")
            filtered = norm(convolution(filtered))
            if number < self.last:
                filtered = self.relu(filtered)
        shortcut = image if self.downsample is None else self.downsample(image)
        result: torch.Tensor = self.relu(filtered + shortcut)
        return result


class ResNet(nn.Module):
    """Images ``(N, 3, H, W)`` to logits ``(N, n_classes)``; ``blocks`` of each of four stages."""

    def __init__(self, n_classes: int, blocks: tuple[int, int, int, int], bottleneck: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for stage, count in enumerate(blocks):
            layers = []
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                width = 64 << stage
                layers.append(Residual(channels, width, stride, bottleneck))
                channels = 4 * width if bottleneck else width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, n_classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hidden = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        for stage in range(1, 5):
            hidden = getattr(self, f"layer{stage}")(hidden)
        logits: torch.Tensor = self.fc(self.avgpool(hidden).flatten(1))
        return logits

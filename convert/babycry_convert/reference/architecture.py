"""The reference detector's network: a depthwise-separable CNN on log-mel windows."""

from __future__ import annotations

import torch
from torch import nn

#: (output channels, stride) of each depthwise-separable block after the first convolution.
BLOCKS = ((24, 2), (32, 1), (48, 2), (64, 1), (96, 2), (128, 1), (128, 1))
FIRST_CHANNELS = 16


class CryNet(nn.Module):
    """Windows ``(N, 1, T, F)`` of float32 dB, window mean subtracted, to logits ``(N, 2)``.

    The logits stand for "other" and "cry". Only convolutions with batch norm and ReLU, one mean
    and one linear layer: what int8 engines fuse and quantise per channel. Any T and F of 16 or
    more; 100 frames of 64 bands in the reference detector.
    """

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        layers = [_convolution(1, FIRST_CHANNELS, kernel=3, stride=2)]
        channels = FIRST_CHANNELS
        for outputs, stride in BLOCKS:
            layers.append(
                _convolution(channels, channels, kernel=3, stride=stride, groups=channels)
            )
            layers.append(_convolution(channels, outputs, kernel=1))
            channels = outputs
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, 2)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        pooled = nn.functional.adaptive_avg_pool2d(self.features(windows), 1).flatten(1)
        logits: torch.Tensor = self.head(self.dropout(pooled))
        return logits


def count_parameters(network: nn.Module) -> int:
    """Trained values of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, frames: int, bands: int) -> int:
    """Multiply-accumulates of one window in the convolutions and linear layers."""
    total = 0

    def add(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        total += output[0].numel() * weight[0].numel()

    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, frames, bands))
    for hook in hooks:
        hook.remove()
    return total


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )

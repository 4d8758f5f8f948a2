"""What comes before the classes: the CRNN's autoencoder, YAMNet's body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from babycry_convert.data.feature_cache import ClipWindows
from babycry_convert.zoo import crnn, yamnet_head
from babycry_convert.zoo_training.batches import Batches
from babycry_convert.zoo_training.budgets import Budget, Phase
from babycry_convert.zoo_training.train import run_phase

YAMNET_FILE = "yamnet_spectra_in.tflite"
EMBEDDING_BATCH = 64


def pretrain_encoder(network: nn.Module, batches: Batches, budget: Budget, phase: Phase) -> None:
    """Train the CRNN's convolutions as an autoencoder of standardised log-mel images."""
    pretrainer = crnn.autoencoder().train()

    def loss(windows: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        image = windows.transpose(-2, -1)
        wanted = (image - image.mean()) / image.std()
        return nn.functional.mse_loss(pretrainer(image), wanted)

    parameters = list(pretrainer.parameters())
    run_phase("crnn autoencoder", parameters, loss, batches, replace(budget, masks=False), phase)
    encoder = pretrainer.get_submodule("encoder").state_dict()
    network.get_submodule("encoder").load_state_dict(encoder)


def freeze_yamnet_body(network: nn.Module, models: Path) -> None:
    """Load the body and train it no further.

    Raises:
        BabycryError: the file is absent or is no YAMNet.
    """
    yamnet_head.load_yamnet_body(network, models / YAMNET_FILE)
    network.get_submodule("body").requires_grad_(False)


def embeddings(network: nn.Module, clips: Sequence[ClipWindows]) -> list[ClipWindows]:
    """The clips with YAMNet's 1024 values in the place of each window, ``(k, 1, 1024)``."""
    body = nn.Sequential(
        network.get_submodule("body"), network.get_submodule("avgpool"), nn.Flatten()
    ).eval()
    patches = np.concatenate([clip.windows for clip in clips])[:, None]
    with torch.no_grad():
        rows = [
            body(torch.from_numpy(patches[start : start + EMBEDDING_BATCH]))
            for start in range(0, len(patches), EMBEDDING_BATCH)
        ]
    values = torch.cat(rows).numpy()[:, None]
    ends = np.cumsum([len(clip.windows) for clip in clips])[:-1]
    return [
        replace(clip, windows=part)
        for clip, part in zip(clips, np.split(values, ends), strict=True)
    ]

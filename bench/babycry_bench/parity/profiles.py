"""The front-end configurations whose parity the bench checks."""

from __future__ import annotations

from dataclasses import replace

from babycry_bench.clips import Clip
from babycry_edge import Frontend
from babycry_edge.config import FrontendConfig

PROFILES = ("babycry", "librosa", "torchaudio", "yamnet")
"""Every profile of this release, at its own constants."""

LIBROSA_PROFILES = ("babycry", "librosa")
"""Those that librosa itself computes."""


def streamable(name: str) -> FrontendConfig:
    """Profile ``name`` without the normalisation that needs a whole window."""
    return FrontendConfig.from_profile(name, normalize="none")


def power_mel(config: FrontendConfig) -> FrontendConfig:
    """``config`` before its compression: what the filter bank gives."""
    return replace(config, compression="none", normalize="none")


def clips_at_rate(frontend: Frontend, clips: list[Clip]) -> list[Clip]:
    """Those clips that have the front-end's sample rate."""
    return [clip for clip in clips if clip.sample_rate == frontend.config.sample_rate]

"""The front-end configurations whose parity the bench checks."""

from __future__ import annotations

from dataclasses import replace

from babycry_edge import FrontendConfig
from babycry_edge.config import profile_names

PROFILES = tuple(sorted(profile_names()))
"""Every profile of this release, at its own constants."""

LIBROSA_PROFILES = ("babycry", "librosa")
"""Those that librosa itself computes."""


def streamable(name: str) -> FrontendConfig:
    """Profile ``name`` without the normalisation of the model's windows."""
    return FrontendConfig.from_profile(name, normalize="none")


def power_mel(config: FrontendConfig) -> FrontendConfig:
    """``config`` before its compression: what the filter bank gives."""
    return replace(config, compression="none", normalize="none")

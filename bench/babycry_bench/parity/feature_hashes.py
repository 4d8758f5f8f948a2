"""The features' bits against the published hashes: the same on every target, or it shows here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.clips import Clip
from babycry_bench.expected import Expected
from babycry_bench.parity.profiles import PROFILES
from babycry_edge import Frontend


def features_sha256(features: npt.NDArray[np.float32]) -> str:
    """SHA-256 of the features' little-endian float32 bytes, time-major."""
    return hashlib.sha256(np.ascontiguousarray(features, dtype="<f4").tobytes()).hexdigest()


def clip_hash(profile: str, clip: Clip) -> str:
    """The hash of one clip's features by ``profile``, computed here and now."""
    frontend = Frontend.from_profile(profile)
    return features_sha256(frontend(clip.samples, sample_rate=clip.sample_rate))


def check_feature_hashes(
    clips: list[Clip], expected: Expected, on_clip: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """How many clips of each profile have other bits than the published ones, and which."""
    profiles = []
    for profile in PROFILES:
        different = []
        for clip in clips:
            if clip_hash(profile, clip) != expected.features_sha256(profile, clip.name):
                different.append(clip.name)
            on_clip()
        profiles.append(
            {
                "profile": profile,
                "clips": len(clips),
                "mismatches": len(different),
                "mismatched_clips": different,
            }
        )
    return {"profiles": profiles}

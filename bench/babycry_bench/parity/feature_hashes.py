"""The features' bits against the published hashes: the same on every target, or it shows here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.clip_audio import features_of_recorded_samples
from babycry_bench.clips import Clip
from babycry_bench.expected import Expected
from babycry_bench.parity.profiles import PROFILES
from babycry_edge import Frontend, FrontendConfig
from babycry_edge.frontend import instruction_sets


def features_sha256(features: npt.NDArray[np.float32]) -> str:
    """SHA-256 of the features' little-endian float32 bytes, time-major."""
    return hashlib.sha256(np.ascontiguousarray(features, dtype="<f4").tobytes()).hexdigest()


def clip_hash(frontend: Frontend, clip: Clip) -> str:
    """The hash of one clip's features, computed here and now."""
    return features_sha256(features_of_recorded_samples(frontend, clip))


def check_feature_hashes(
    clips: list[Clip], expected: Expected, on_clip: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """How many clips of each profile have other bits than the published ones, and which.

    Every instruction set of this machine computes every clip.
    """
    profiles = []
    for profile in PROFILES:
        config = FrontendConfig.from_profile(profile)
        frontends = {isa: Frontend(config, isa=isa) for isa in instruction_sets()}
        different = []
        for clip in clips:
            published = expected.features_sha256(profile, clip.name)
            different += [
                f"{clip.name} ({isa})"
                for isa, frontend in frontends.items()
                if clip_hash(frontend, clip) != published
            ]
            on_clip()
        profiles.append(
            {
                "profile": profile,
                "clips": len(clips),
                "mismatches": len(different),
                "mismatched_clips": different,
            }
        )
    return {"instruction_sets": instruction_sets(), "profiles": profiles}

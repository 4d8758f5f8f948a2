"""The features' bits against the published hashes: the same on every target, or it shows here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from babycry_bench.clip_audio import features_of_recorded_samples
from babycry_bench.clips import Clip
from babycry_bench.expected import Expected
from babycry_bench.parity.profiles import PROFILES
from babycry_edge import Frontend, FrontendConfig
from babycry_edge.frontend import instruction_sets
from babycry_edge.model import features_sha256


def clip_hash(frontend: Frontend, clip: Clip) -> str:
    """SHA-256 of one clip's features as little-endian float32, time-major."""
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

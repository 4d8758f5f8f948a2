"""What a device's features must be: the hashes of this machine's front-end on the same samples."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.parity.profiles import streamable
from babycry_bench.serial.device import DeviceStage
from babycry_edge import Frontend, FrontendConfig
from babycry_edge.config import profile_names
from babycry_edge.integer import IntegerFrontend

Pcm = npt.NDArray[np.int16]

_FNV_START = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_BITS_64 = 0xFFFFFFFFFFFFFFFF


def fnv1a(data: bytes) -> str:
    """The 64-bit FNV-1a hash as 16 hexadecimal digits, as ``csrc/ports/fnv1a.h`` has it."""
    value = _FNV_START
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & _BITS_64
    return f"{value:016x}"


def is_known(stage: DeviceStage) -> bool:
    """Whether this release has the front-end that ``stage`` runs."""
    is_frontend = stage.stage in ("frontend_clip", "frontend_hop")
    return is_frontend and stage.of in profile_names() and stage.variant in ("float", "integer")


def sample_rate_of(stage: DeviceStage) -> int:
    """Hz, of a front-end's stage."""
    return FrontendConfig.from_profile(stage.of).sample_rate


def runs_before_rows(stage: DeviceStage) -> int:
    """Hops that a stream takes until every further one gives a frame."""
    return -(-FrontendConfig.from_profile(stage.of).n_fft // max(stage.samples, 1)) + 1


def expected_hash(stage: DeviceStage, samples: Pcm, n_runs: int) -> str:
    """Of the stage's output: of the clip, or of ``n_runs`` hops as a stream, and its end.

    Hops go through the whole ones of ``samples`` again and again, as ``frontend_stages.c`` does.
    """
    frontend = _frontend(stage.of, stage.variant, stage.stage == "frontend_hop")
    rate = frontend.config.sample_rate
    if stage.stage == "frontend_clip":
        return fnv1a(_bytes(frontend(samples, rate)))
    whole = len(samples) // stage.samples * stage.samples
    streamed = np.resize(samples[:whole], n_runs * stage.samples)
    stream = frontend.stream()
    return fnv1a(_bytes(stream.push(streamed)) + _bytes(stream.flush()))


@lru_cache(maxsize=64)
def _frontend(profile: str, variant: str, is_stream: bool) -> Frontend | IntegerFrontend:
    config = streamable(profile) if is_stream else FrontendConfig.from_profile(profile)
    return IntegerFrontend(config) if variant == "integer" else Frontend(config)


def _bytes(features: npt.NDArray[Any]) -> bytes:
    return features.astype(features.dtype.newbyteorder("<")).tobytes()

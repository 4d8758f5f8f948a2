"""The C front-end against librosa in double precision, clip by clip."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.clip_audio import features_of_recorded_samples
from babycry_bench.clips import Clip
from babycry_bench.parity.profiles import LIBROSA_PROFILES, power_mel, streamable
from babycry_edge import Frontend, FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

_COMPARED_RANGE_DB = 80.0
_PAD_MODE = {"left": "constant", "center-zero": "constant", "center-reflect": "reflect"}

Features = npt.NDArray[Any]


@dataclass(frozen=True)
class ClipError:
    """How far one clip is from the oracle; ``snr_db`` is None where both are zero or equal."""

    clip: str
    snr_db: float | None
    max_error_db: float
    sum_error_db: float
    compared: int
    frame_counts_equal: bool


def check_against_librosa(
    clips: list[Clip], on_clip: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """The largest error of each librosa profile over ``clips``, or why nothing was compared.

    The signal-to-noise ratio is that of the power mel values before compression; the errors in
    dB are those of bins within 80 dB of the clip's peak.
    """
    try:
        librosa = require("librosa", "oracle")
    except BabycryError:
        return {"skipped": "librosa not installed"}
    profiles = []
    for name in LIBROSA_PROFILES:
        errors = []
        for clip in clips:
            errors.append(compare_clip(librosa, streamable(name), clip))
            on_clip()
        profiles.append({"profile": name, **_worst(errors)})
    return {"oracle": f"librosa {librosa.__version__}", "profiles": profiles}


def compare_clip(librosa: ModuleType, config: FrontendConfig, clip: Clip) -> ClipError:
    """One clip through both. The C side takes int16, the oracle the same values in double."""
    samples = clip.samples.astype(np.float64) / 32768.0
    expected_mel = librosa_power_mel(librosa, config, samples)
    expected_db = 10.0 * np.log10(np.maximum(config.amin, expected_mel))
    mel = features_of_recorded_samples(Frontend(power_mel(config)), clip)
    decibels = features_of_recorded_samples(Frontend(config), clip)
    if mel.shape != expected_mel.shape or decibels.shape != expected_db.shape:
        return ClipError(clip.name, None, math.inf, math.inf, 1, frame_counts_equal=False)
    compared = expected_db >= expected_db.max(initial=-math.inf) - _COMPARED_RANGE_DB
    errors_db = np.abs(decibels.astype(np.float64) - expected_db)[compared]
    return ClipError(
        clip=clip.name,
        snr_db=signal_to_noise_db(expected_mel, mel.astype(np.float64)),
        max_error_db=float(errors_db.max(initial=0.0)),
        sum_error_db=float(errors_db.sum()),
        compared=errors_db.size,
        frame_counts_equal=True,
    )


def librosa_power_mel(librosa: ModuleType, config: FrontendConfig, samples: Features) -> Features:
    """librosa's mel power of ``samples`` (n,) float64 for ``config``, as (n_frames, n_mels)."""
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        window=config.window,
        center=config.framing != "left",
        pad_mode=_PAD_MODE[config.framing],
        power=2.0,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        htk=config.mel_scale == "htk",
        norm="slaney" if config.mel_norm == "slaney" else None,
    )
    power: Features = np.asarray(mel).T
    return power


def signal_to_noise_db(expected: Features, actual: Features) -> float | None:
    """Power of ``expected`` over power of the difference, in dB; None where either is zero."""
    signal = float(np.sum(expected**2))
    noise = float(np.sum((actual - expected) ** 2))
    if signal == 0.0 or noise == 0.0:
        return None
    return 10.0 * math.log10(signal / noise)


def _worst(errors: list[ClipError]) -> dict[str, Any]:
    ratios = [error.snr_db for error in errors if error.snr_db is not None]
    compared = sum(error.compared for error in errors)
    worst = max(errors, key=lambda error: error.max_error_db)
    return {
        "clips": len(errors),
        "min_snr_db": min(ratios) if ratios else None,
        "max_error_db": worst.max_error_db,
        "mean_error_db": sum(error.sum_error_db for error in errors) / max(1, compared),
        "frame_count_mismatches": sum(not error.frame_counts_equal for error in errors),
        "worst_clip": worst.clip,
    }

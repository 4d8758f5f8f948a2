"""Measured errors of the C front-end.

``PYTHONSAFEPATH=1 PYTHONPATH=tests python -m oracles.error_table [-o FILE]`` prints one JSON
object: per profile the worst signal-to-noise ratio of the mel bands before compression, and the
largest and the mean error after it, over the bundled clips and over the signals that break
front-ends, each with the signal that gave it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_bench.clips import load_clips
from babycry_edge import Frontend, FrontendConfig
from oracles import librosa_oracle, torchaudio_oracle, yamnet_oracle
from oracles.signals import SAMPLE_RATE, as_double, at_16_khz, hard_signals
from oracles.tolerance import log_error, snr_db

ORACLES: dict[str, tuple[str, Callable[[NDArray[Any], FrontendConfig], NDArray[np.float64]]]] = {
    "librosa": ("librosa, float64", librosa_oracle.features),
    "torchaudio": ("torch.stft and torchaudio's formulas, float64", torchaudio_oracle.features),
    "yamnet": ("features.py in numpy, float64", yamnet_oracle.features),
}


@dataclass(frozen=True)
class SignalError:
    """Errors on one signal; ``snr_db`` is None where not one bit of the bands' value is lost."""

    signal: str
    n_frames: int
    frames_equal: bool
    snr_db: float | None
    largest: float
    mean: float
    below_peak_db: float


def measure(profile: str, name: str, samples: NDArray[Any]) -> SignalError:
    """Errors of profile on samples, (n,) int16 or float32 at 16 kHz."""
    oracle = ORACLES[profile][1]
    config = FrontendConfig.from_profile(profile)
    bands = replace(config, compression="none")
    expected_mel = oracle(as_double(samples), bands)
    mel = Frontend(bands)(samples, SAMPLE_RATE)
    expected = oracle(as_double(samples), config)
    error = log_error(Frontend(config)(samples, SAMPLE_RATE), expected, expected_mel, config)
    snr = snr_db(mel, expected_mel)
    return SignalError(
        signal=name,
        n_frames=len(mel),
        frames_equal=len(mel) == len(expected_mel),
        snr_db=round(snr, 2) if np.isfinite(snr) else None,
        largest=error.largest,
        mean=error.mean,
        below_peak_db=round(error.below_peak_db, 1) if np.isfinite(error.below_peak_db) else 0.0,
    )


def worst(errors: Sequence[SignalError]) -> dict[str, Any]:
    """The worst of each figure over some signals, and the signal that gave it."""
    lossy = [error for error in errors if error.snr_db is not None]
    by_snr = min(lossy, key=lambda error: error.snr_db or 0.0)
    by_largest = max(errors, key=lambda error: error.largest)
    by_mean = max(errors, key=lambda error: error.mean)
    return {
        "n_signals": len(errors),
        "frame_counts_equal": all(error.frames_equal for error in errors),
        "snr_db": {"value": by_snr.snr_db, "signal": by_snr.signal},
        "largest_log_error": {"value": by_largest.largest, "signal": by_largest.signal},
        "mean_log_error": {"value": by_mean.mean, "signal": by_mean.signal},
    }


def error_table() -> dict[str, Any]:
    """The whole table, per profile, in plain values."""
    clips = {clip.name: at_16_khz(clip) for clip in load_clips()}
    table: dict[str, Any] = {}
    for profile, (oracle, _) in ORACLES.items():
        on_clips = [measure(profile, name, samples) for name, samples in clips.items()]
        on_hard = [measure(profile, name, samples) for name, samples in hard_signals().items()]
        table[profile] = {
            "oracle": oracle,
            "log_unit": "ln" if profile == "yamnet" else "dB",
            "bundled_clips": worst(on_clips),
            "hard_signals": worst(on_hard),
            "signals": [asdict(error) for error in on_clips + on_hard],
        }
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or write it; returns the exit status."""
    parser = argparse.ArgumentParser(description="Errors of the C front-end, as JSON.")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    text = json.dumps(error_table(), indent=1) + "\n"
    if options.output is None:
        sys.stdout.write(text)
        return 0
    part = options.output.with_name(options.output.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

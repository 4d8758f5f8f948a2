"""Measured errors of the C front-end.

``PYTHONSAFEPATH=1 PYTHONPATH=tests python -m oracles.error_table [-o FILE] [--markdown FILE]``
prints or writes one JSON object, and the same as Markdown: for each profile, form of cepstra,
descriptor and vector, the worst over the bundled clips and over the signals that break front-ends,
with the signal that gave it. It exits with 1 where an error is outside its bounds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babycry_bench.clips import load_clips
from babycry_edge import Frontend, FrontendConfig
from oracles import librosa_descriptors
from oracles.descriptor_tolerance import descriptor_errors
from oracles.error_markdown import markdown
from oracles.librosa_descriptors import NAMES
from oracles.profiles import HARD_SIGNALS, ORACLES, VECTORS, WORDS, bands_only
from oracles.signals import SAMPLE_RATE, as_double, at_16_khz, hard_signals
from oracles.tolerance import (
    MIN_SNR_DB,
    UNITS,
    bounds,
    cepstral_bounds,
    cepstral_error,
    log_error,
    snr_db,
)
from oracles.vector_tolerance import as_recorded, vector_error

Signals = Mapping[str, NDArray[Any]]

PROFILES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in ORACLES},
    "kaldi, 80 bands": ("kaldi", {"n_mels": 80}),
    "kaldi, snip_edges false": ("kaldi", {"framing": "kaldi-mirror"}),
    "whisper, 128 bands": ("whisper", {"n_mels": 128}),
    "librosa, PCEN": ("librosa", {"compression": "pcen"}),
}
"""Each row of the table: a profile and what is changed in it."""

CEPSTRA: dict[str, tuple[str, dict[str, Any]]] = {
    "librosa, 13": ("librosa", {"top_db": 80.0, "n_mfcc": 13}),
    "librosa, 20, lifter 22": ("librosa", {"top_db": 80.0, "n_mfcc": 20, "lifter": 22}),
    "librosa, 40": ("librosa", {"top_db": 80.0, "n_mfcc": 40}),
    "librosa, 20, no norm": ("librosa", {"top_db": 80.0, "n_mfcc": 20, "dct_norm": "none"}),
    "librosa, 20, htk": ("librosa", {"top_db": 80.0, "n_mfcc": 20, "dct_norm": "htk"}),
    "librosa, 13, both differences": ("librosa", {"top_db": 80.0, "n_mfcc": 13, "delta": 2}),
    "kaldi, 13, lifter 22": ("kaldi", {"n_mfcc": 13, "lifter": 22}),
}

UNITS_OF_DESCRIPTORS = {"centroid": "Hz", "rolloff": "Hz", "bandwidth": "Hz", "zcr": "", "rms": ""}


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
    within_bounds: bool


def measure(row: tuple[str, dict[str, Any]], name: str, samples: NDArray[Any]) -> SignalError:
    """Errors of a profile's bands and of its features on samples, (n,) at 16 kHz."""
    profile, changes = row
    oracle = ORACLES[profile]
    config = FrontendConfig.from_profile(profile, **changes)
    bands = bands_only(config)
    expected_mel = oracle(as_double(samples), bands)
    mel = Frontend(bands)(samples, SAMPLE_RATE)
    expected = oracle(as_double(samples), config)
    features = Frontend(config)(samples, SAMPLE_RATE)
    if config.n_mfcc:
        error = cepstral_error(features, expected, expected_mel, config)
        allowed = cepstral_bounds(expected, config)
    else:
        error = log_error(features, expected, expected_mel, config)
        allowed = bounds(config)
    snr = snr_db(mel, expected_mel)
    return SignalError(
        signal=name,
        n_frames=len(features),
        frames_equal=features.shape == expected.shape and mel.shape == expected_mel.shape,
        snr_db=round(snr, 2) if np.isfinite(snr) else None,
        largest=error.largest,
        mean=error.mean,
        below_peak_db=round(error.below_peak_db, 1) if np.isfinite(error.below_peak_db) else 0.0,
        within_bounds=snr >= MIN_SNR_DB and allowed.hold(error),
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
        "within_bounds": all(error.within_bounds for error in errors),
        "snr_db": {"value": by_snr.snr_db, "signal": by_snr.signal},
        "largest_log_error": {"value": by_largest.largest, "signal": by_largest.signal},
        "mean_log_error": {"value": by_mean.mean, "signal": by_mean.signal},
    }


def band_table(rows: Mapping[str, tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Errors of each row, per signal and their worst."""
    clips = {clip.name: at_16_khz(clip) for clip in load_clips()}
    table: dict[str, Any] = {}
    for title, (profile, changes) in rows.items():
        on_clips = [measure((profile, changes), *signal) for signal in clips.items()]
        hard = {n: s for n, s in hard_signals().items() if n in HARD_SIGNALS.get(profile, (n,))}
        on_hard = [measure((profile, changes), *signal) for signal in hard.items()]
        compression = FrontendConfig.from_profile(profile, **changes).compression
        table[title] = {
            "oracle": "librosa.pcen, float64" if compression == "pcen" else WORDS[profile],
            "log_unit": UNITS[compression],
            "bundled_clips": worst(on_clips),
            "hard_signals": worst(on_hard),
            "signals": [asdict(error) for error in on_clips + on_hard],
        }
    return table


def descriptor_table() -> dict[str, Any]:
    """Errors of each descriptor, in librosa's default frames; the roll-off at 0.85."""
    config = FrontendConfig.from_profile("librosa", descriptors=NAMES, rolloff=0.85)
    clips = {clip.name: as_recorded(clip) for clip in load_clips()}
    on = {
        "bundled_clips": _descriptors_on(clips, config),
        "hard_signals": _descriptors_on(hard_signals(), config),
    }
    return {
        name: {
            "oracle": "librosa, float64",
            "unit": UNITS_OF_DESCRIPTORS[name],
            **{where: errors[name] for where, errors in on.items()},
        }
        for name in NAMES
    }


def _descriptors_on(signals: Signals, config: FrontendConfig) -> dict[str, Any]:
    errors: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    for signal, samples in signals.items():
        expected = librosa_descriptors.descriptors(as_double(samples), config)
        rows = Frontend(config)(samples, SAMPLE_RATE)[:, config.n_mels :]
        measured = dict(zip(config.descriptors, rows.T.astype(np.float64), strict=True))
        magnitudes = librosa_descriptors.magnitudes(as_double(samples), config)
        of_signal = descriptor_errors(measured, expected, magnitudes, config)
        for name, error in of_signal.items():
            snr = snr_db(measured[name], expected[name])
            errors[name].append(
                {**asdict(error), "snr_db": snr, "signal": signal, "n_frames": len(rows)}
            )
    return {name: _worst_descriptor(of_name) for name, of_name in errors.items()}


def _worst_descriptor(errors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def by(key: str, pick: Callable[..., Any]) -> dict[str, Any]:
        found = pick(errors, key=lambda error: error[key])
        value = found[key] if np.isfinite(found[key]) else None
        return {"value": value, "signal": found["signal"]}

    return {
        "n_signals": len(errors),
        "n_frames": sum(error["n_frames"] for error in errors),
        "n_other": sum(error["n_other"] for error in errors),
        "within_bounds": all(error["share_of_bound"] <= 1 for error in errors),
        "snr_db": by("snr_db", min),
        "largest": by("largest", max),
        "share_of_bound": by("share_of_bound", max),
    }


def vector_table() -> dict[str, Any]:
    """Errors of the guides' vectors, over int16 clips."""
    clips = {clip.name: as_recorded(clip) for clip in load_clips()}
    return {
        profile: {
            "oracle": "librosa and numpy, float64",
            "bundled_clips": _vectors_on(clips, profile),
            "hard_signals": _vectors_on(hard_signals(), profile),
        }
        for profile in VECTORS
    }


def _vectors_on(signals: Signals, profile: str) -> dict[str, Any]:
    config = FrontendConfig.from_profile(profile)
    errors = {}
    for signal, samples in signals.items():
        expected = librosa_descriptors.vector(as_double(samples), config)
        (vector,) = Frontend(config)(samples, SAMPLE_RATE)
        errors[signal] = vector_error(vector, expected, as_double(samples), config)
    found: dict[str, Any] = {"n_signals": len(errors)}
    found["within_bounds"] = all(error.share_of_bound <= 1 for error in errors.values())
    for key in ("largest_db", "largest_relative", "share_of_bound"):
        signal = max(errors, key=lambda name: getattr(errors[name], key))
        found[key] = {"value": getattr(errors[signal], key), "signal": signal}
    return found


def error_table() -> dict[str, Any]:
    """The whole table in plain values."""
    return {
        "profiles": band_table(PROFILES),
        "cepstra": band_table(CEPSTRA),
        "descriptors": descriptor_table(),
        "vectors": vector_table(),
    }


def outside_bounds(table: Mapping[str, Any]) -> list[str]:
    """Which rows are."""
    return [
        f"{title}, {where}"
        for rows in table.values()
        for title, row in rows.items()
        for where in ("bundled_clips", "hard_signals")
        if not (row[where]["within_bounds"] and row[where].get("frame_counts_equal", True))
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or write it; returns the exit status."""
    parser = argparse.ArgumentParser(description="Errors of the C front-end, as JSON.")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--markdown", type=Path, help="write the tables of the documentation too")
    options = parser.parse_args(arguments)
    table = error_table()
    text = json.dumps(table, indent=1, allow_nan=False) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        _write(options.output, text)
    if options.markdown is not None:
        _write(options.markdown, markdown(table))
    failed = outside_bounds(table)
    if failed:
        sys.stderr.write("outside the bounds: " + "; ".join(failed) + "\n")
    return 1 if failed else 0


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())

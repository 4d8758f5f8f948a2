"""Per-channel energy normalisation equals ``librosa.pcen`` with its defaults."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from babycry_bench.clips import Clip
from babycry_edge import Frontend, FrontendConfig
from oracles import librosa_oracle
from oracles.profiles import bands_only
from oracles.signals import SAMPLE_RATE, as_double, at_16_khz, hard_signals
from oracles.tolerance import bounds, log_error

CONFIGS: dict[str, dict[str, Any]] = {
    "power": {},
    "magnitude": {"spectrum": "magnitude"},
    "512 every 160, 64 bands": {"n_fft": 512, "hop_length": 160, "n_mels": 64},
    "magnitude, 400 every 160": {
        "spectrum": "magnitude",
        "n_fft": 400,
        "hop_length": 160,
        "n_mels": 40,
    },
    "left": {"framing": "left", "n_fft": 1024, "hop_length": 256, "n_mels": 80},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_pcen_equals_librosas(name: str, clips: list[Clip]) -> None:
    """Relative error of 0.0012, for bins within 80 dB of the peak, as after a logarithm."""
    pytest.importorskip("librosa")
    config = FrontendConfig.from_profile("librosa", compression="pcen", **CONFIGS[name])
    for samples in [at_16_khz(clip) for clip in clips] + list(hard_signals().values()):
        mel = librosa_oracle.features(as_double(samples), bands_only(config))
        expected = librosa_oracle.features(as_double(samples), config)
        features = Frontend(config)(samples, SAMPLE_RATE)
        assert features.shape == expected.shape
        error = log_error(features, expected, mel, config)
        assert bounds(config).hold(error), error


def test_pcen_of_silence_is_zero() -> None:
    frontend = Frontend.from_profile("librosa", compression="pcen")
    assert not frontend(np.zeros(SAMPLE_RATE, np.int16), SAMPLE_RATE).any()


def test_pcen_of_a_stream_is_that_of_the_clip(clips: list[Clip]) -> None:
    config = FrontendConfig.from_profile("librosa", compression="pcen", framing="left", n_fft=512)
    for clip in clips[::5]:
        samples = at_16_khz(clip)
        stream = Frontend(config).stream()
        rows = [stream.push(samples[i : i + 1000]) for i in range(0, len(samples), 1000)]
        rows.append(stream.flush())
        whole = Frontend(config)(samples, SAMPLE_RATE)
        assert np.array_equal(np.concatenate(rows).view(np.uint32), whole.view(np.uint32))

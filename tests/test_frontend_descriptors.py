"""Centroid, roll-off, bandwidth, zero crossings, rms and the guides' vectors equal librosa's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from babycry_bench.clips import Clip
from babycry_edge import Frontend, FrontendConfig
from oracles import librosa_descriptors
from oracles.descriptor_tolerance import descriptor_errors
from oracles.librosa_descriptors import NAMES
from oracles.signals import SAMPLE_RATE, as_double, at_16_khz, hard_signals
from oracles.tolerance import snr_db
from oracles.vector_tolerance import as_recorded, vector_error

CONFIGS: dict[str, dict[str, Any]] = {
    "librosa's defaults": {},
    "roll-off of 0.90": {"rolloff": 0.9},
    "512 every 160": {"n_fft": 512, "hop_length": 160, "n_mels": 64},
    "not centred": {"n_fft": 512, "hop_length": 160, "n_mels": 64, "framing": "left"},
    "mirrored ends": {"n_fft": 1024, "hop_length": 256, "framing": "center-reflect"},
    "magnitude bands": {"n_fft": 1024, "hop_length": 256, "spectrum": "magnitude"},
    "FFT of 400": {"n_fft": 400, "hop_length": 160, "n_mels": 40, "rolloff": 0.5},
}


def config_with(name: str, **changes: Any) -> FrontendConfig:
    """librosa's profile with every descriptor."""
    axes = {"descriptors": NAMES, "rolloff": 0.85, **CONFIGS[name], **changes}
    return FrontendConfig.from_profile("librosa", **axes)


def measured(samples: NDArray[Any], config: FrontendConfig) -> dict[str, NDArray[Any]]:
    """The C code's descriptors, taken from behind the bands."""
    rows = Frontend(config)(samples, SAMPLE_RATE)
    behind = rows[:, config.n_features - len(config.descriptors) :]
    return dict(zip(config.descriptors, behind.T, strict=True))


@pytest.mark.parametrize("name", CONFIGS)
def test_descriptors_equal_librosas(name: str, clips: list[Clip]) -> None:
    pytest.importorskip("librosa")
    config = config_with(name)
    for samples in [at_16_khz(clip) for clip in clips] + list(hard_signals().values()):
        expected = librosa_descriptors.descriptors(as_double(samples), config)
        magnitudes = librosa_descriptors.magnitudes(as_double(samples), config)
        errors = descriptor_errors(measured(samples, config), expected, magnitudes, config)
        for descriptor, error in errors.items():
            assert error.share_of_bound <= 1, (descriptor, error)


@pytest.mark.parametrize("name", ["librosa's defaults", "512 every 160"])
def test_of_a_recording_they_are_as_near_as_the_bands_are(name: str, clips: list[Clip]) -> None:
    """The bounds above are per frame, and wide for silence; over int16 clips it is 120 dB."""
    pytest.importorskip("librosa")
    config = config_with(name)
    n_frames = n_other_bin = 0
    for clip in clips:
        samples = as_recorded(clip)
        expected = librosa_descriptors.descriptors(as_double(samples), config)
        ours = measured(samples, config)
        for descriptor in ("centroid", "bandwidth", "rms"):
            assert snr_db(ours[descriptor], expected[descriptor]) >= 120, (clip.name, descriptor)
        n_frames += len(expected["rolloff"])
        n_other_bin += int(np.sum(np.abs(ours["rolloff"] - expected["rolloff"]) > 1e-3))
        assert np.array_equal(ours["zcr"], expected["zcr"].astype(np.float32))
    assert n_other_bin <= n_frames / 1000


@pytest.mark.parametrize(
    "present", [("centroid",), ("rolloff", "rms"), ("bandwidth", "zcr"), NAMES]
)
def test_a_descriptor_is_the_same_whatever_stands_beside_it(
    present: tuple[str, ...], clips: list[Clip]
) -> None:
    samples = at_16_khz(clips[0])
    every = measured(samples, config_with("512 every 160"))
    for name, values in measured(
        samples, config_with("512 every 160", descriptors=present)
    ).items():
        assert np.array_equal(values.view(np.uint32), every[name].view(np.uint32)), name


def test_bands_are_the_same_with_descriptors_behind_them(clips: list[Clip]) -> None:
    config = config_with("512 every 160")
    alone = config_with("512 every 160", descriptors=())
    samples = at_16_khz(clips[0])
    bands = Frontend(alone)(samples, SAMPLE_RATE)
    rows = Frontend(config)(samples, SAMPLE_RATE)
    assert np.array_equal(rows[:, : alone.n_mels], bands)


@pytest.mark.parametrize("n_samples", [1, 2, 255, 256, 257, 511, 512, 513, 2047, 2048, 2049])
def test_descriptors_of_clips_shorter_than_a_frame(n_samples: int) -> None:
    pytest.importorskip("librosa")
    config = config_with("librosa's defaults")
    samples = np.random.default_rng(5).integers(-20000, 20000, n_samples).astype(np.int16)
    expected = librosa_descriptors.descriptors(as_double(samples), config)
    magnitudes = librosa_descriptors.magnitudes(as_double(samples), config)
    errors = descriptor_errors(measured(samples, config), expected, magnitudes, config)
    assert max(error.share_of_bound for error in errors.values()) <= 1, errors


@pytest.mark.parametrize("profile", ["guide-88", "guide-18"])
def test_a_guides_vector_is_numpys_mean_and_deviation_of_librosas_rows(
    profile: str, clips: list[Clip]
) -> None:
    pytest.importorskip("librosa")
    config = FrontendConfig.from_profile(profile)
    for samples in [as_recorded(clip) for clip in clips] + list(hard_signals().values()):
        expected = librosa_descriptors.vector(as_double(samples), config)
        vector = Frontend(config)(samples, SAMPLE_RATE)
        assert vector.shape == (1, int(profile.removeprefix("guide-")))
        error = vector_error(vector[0], expected, as_double(samples), config)
        assert error.share_of_bound <= 1, error

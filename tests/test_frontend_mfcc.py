"""Cepstra and their differences equal librosa's and Kaldi's, in every form and number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from babycry_bench.clips import Clip
from babycry_edge import BabycryError, Frontend, FrontendConfig
from oracles import kaldi_oracle, librosa_oracle
from oracles.cepstra import cepstra, dct_rows
from oracles.profiles import Oracle, bands_only
from oracles.signals import SAMPLE_RATE, as_double, at_16_khz, hard_signals
from oracles.tolerance import bounds, cepstral_bounds, cepstral_error

FORMS: dict[str, dict[str, Any]] = {
    "13": {"n_mfcc": 13},
    "20": {"n_mfcc": 20},
    "40": {"n_mfcc": 40},
    "13, lifter 22": {"n_mfcc": 13, "lifter": 22},
    "20, lifter 22": {"n_mfcc": 20, "lifter": 22},
    "40, lifter 80": {"n_mfcc": 40, "lifter": 80},
    "20, no norm": {"n_mfcc": 20, "dct_norm": "none"},
    "20, no norm, lifter 22": {"n_mfcc": 20, "dct_norm": "none", "lifter": 22},
    "20, htk": {"n_mfcc": 20, "dct_norm": "htk"},
    "13, htk, lifter 22": {"n_mfcc": 13, "dct_norm": "htk", "lifter": 22},
    "13, kaldi, lifter 22": {"n_mfcc": 13, "dct_norm": "kaldi", "lifter": 22},
    "as many as bands": {"n_mfcc": 40, "n_mels": 40},
    "13 of 26 bands of 512": {"n_mfcc": 13, "n_mels": 26, "n_fft": 512, "hop_length": 160},
    "relative to the maximum": {"n_mfcc": 20, "ref": "max"},
    "13 and first differences": {"n_mfcc": 13, "delta": 1},
    "13 and both differences": {"n_mfcc": 13, "delta": 2},
    "20, lifter 22 and both differences": {"n_mfcc": 20, "lifter": 22, "delta": 2},
}


def assert_cepstra_within_tolerance(
    config: FrontendConfig, samples: NDArray[Any], oracle: Oracle
) -> None:
    """Cepstra of config against the oracle's."""
    expected = oracle(as_double(samples), config)
    features = Frontend(config)(samples, SAMPLE_RATE)
    assert features.shape == expected.shape == (len(expected), config.n_mfcc * (1 + config.delta))
    mel = oracle(as_double(samples), bands_only(config))
    error = cepstral_error(features, expected, mel, config)
    assert cepstral_bounds(expected, config).hold(error), error


@pytest.mark.parametrize("name", FORMS)
def test_cepstra_equal_librosas(name: str, clips: list[Clip]) -> None:
    pytest.importorskip("librosa")
    config = FrontendConfig.from_profile("librosa", top_db=80.0, **FORMS[name])
    for samples in [at_16_khz(clip) for clip in clips] + list(hard_signals().values()):
        assert_cepstra_within_tolerance(config, samples, librosa_oracle.features)


def test_the_first_cepstrum_alone_is_within_the_largest_error(clips: list[Clip]) -> None:
    """It is a sum of up to -1131 in float32, whose 128 roundings of equal terms all go one way."""
    pytest.importorskip("librosa")
    config = FrontendConfig.from_profile("librosa", top_db=80.0, n_mfcc=1)
    for samples in [at_16_khz(clip) for clip in clips] + list(hard_signals().values()):
        expected = librosa_oracle.features(as_double(samples), config)
        features = Frontend(config)(samples, SAMPLE_RATE)
        assert features.shape == expected.shape
        assert np.abs(features - expected).max() <= bounds(config).largest


@pytest.mark.parametrize("n_mfcc", [13, 20, 40])
@pytest.mark.parametrize("lifter", [0, 22])
def test_the_oracle_is_one_call_of_librosa(n_mfcc: int, lifter: int, clips: list[Clip]) -> None:
    """``librosa.feature.mfcc(y=...)`` with nothing else said but float64."""
    librosa = pytest.importorskip("librosa")
    config = FrontendConfig.from_profile("librosa", top_db=80.0, n_mfcc=n_mfcc, lifter=lifter)
    for clip in clips[::4]:
        audio = as_double(at_16_khz(clip))
        rows = librosa.feature.mfcc(
            y=audio, sr=SAMPLE_RATE, n_mfcc=n_mfcc, lifter=lifter, dtype=np.float64
        )
        assert np.allclose(librosa_oracle.features(audio, config), rows.T, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dct_norm", ["none", "ortho"])
def test_the_written_transform_is_librosas(dct_norm: str) -> None:
    pytest.importorskip("librosa")
    bands = np.random.default_rng(3).normal(-40, 20, (7, 64))
    for lifter in (0, 22):
        config = FrontendConfig.from_profile(
            "librosa", n_mels=64, n_mfcc=20, lifter=lifter, dct_norm=dct_norm
        )
        assert np.allclose(bands @ dct_rows(config).T, cepstra(bands, config), rtol=0, atol=1e-9)


@pytest.mark.parametrize("framing", ["kaldi-snip", "kaldi-mirror"])
@pytest.mark.parametrize("n_mels", [23, 80])
def test_cepstra_equal_kaldis(framing: str, n_mels: int, clips: list[Clip]) -> None:
    config = FrontendConfig.from_profile(
        "kaldi", n_mfcc=13, lifter=22, framing=framing, n_mels=n_mels
    )
    for samples in [at_16_khz(clip) for clip in clips] + list(hard_signals().values()):
        assert_cepstra_within_tolerance(config, samples, kaldi_oracle.features)


@pytest.mark.parametrize("lifter", [0, 22])
def test_kaldi_native_fbanks_own_cepstra(lifter: int, clips: list[Clip]) -> None:
    """As near to the library, which is float32, as its own distance from float64 allows."""
    pytest.importorskip("kaldi_native_fbank")
    config = FrontendConfig.from_profile("kaldi", n_mfcc=13, lifter=lifter)
    for samples in [at_16_khz(clip) for clip in clips]:
        mel = kaldi_oracle.features(as_double(samples), bands_only(config))
        expected = kaldi_oracle.features(as_double(samples), config)
        library = kaldi_oracle.library_features(as_double(samples), config)
        features = Frontend(config)(samples, SAMPLE_RATE)
        of_library = cepstral_error(library, expected, mel, config)
        between = cepstral_error(features, library, mel, config)
        assert of_library.largest < 0.0012  # what is written in the oracle is what it computes
        assert between.largest <= bounds(config).largest + of_library.largest


def test_differences_of_bands_are_librosas(clips: list[Clip]) -> None:
    """Without cepstra, the bands themselves are followed by their differences."""
    pytest.importorskip("librosa")
    config = FrontendConfig.from_profile("librosa", top_db=80.0, delta=2, n_mels=40)
    for clip in clips:
        samples = at_16_khz(clip)
        expected = librosa_oracle.features(as_double(samples), config)
        features = Frontend(config)(samples, SAMPLE_RATE)
        assert features.shape == expected.shape == (len(expected), 3 * 40)
        assert np.abs(features - expected).max() <= bounds(config).largest


def test_nine_frames_are_the_fewest_for_differences_as_in_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    config = FrontendConfig.from_profile("librosa", top_db=80.0, n_mfcc=13, delta=1)
    noise = np.random.default_rng(4).integers(-9000, 9000, 512 * 8).astype(np.int16)
    assert_cepstra_within_tolerance(config, noise, librosa_oracle.features)  # 9 frames
    with pytest.raises(BabycryError, match="frames"):
        Frontend(config)(noise[:-1], SAMPLE_RATE)
    with pytest.raises(librosa.util.exceptions.ParameterError):
        librosa_oracle.features(as_double(noise[:-1]), config)


def test_a_wrong_form_would_be_noticed(clips: list[Clip]) -> None:
    """The bounds tell the four forms and the two lifters apart."""
    pytest.importorskip("librosa")
    config = FrontendConfig.from_profile("librosa", top_db=80.0, n_mfcc=13, lifter=22)
    samples = at_16_khz(clips[0])
    features = Frontend(config)(samples, SAMPLE_RATE)
    mel = librosa_oracle.features(as_double(samples), bands_only(config))
    for changes in (
        {"dct_norm": "none"},
        {"dct_norm": "htk"},
        {"dct_norm": "kaldi"},
        {"lifter": 21},
    ):
        other = replace(config, **changes)
        expected = librosa_oracle.features(as_double(samples), other)
        error = cepstral_error(features, expected, mel, other)
        assert not cepstral_bounds(expected, other).hold(error), changes

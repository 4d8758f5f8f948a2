"""The C front-end equals the libraries that models were trained with, within stated tolerances."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from babycry_bench.clips import Clip
from babycry_edge import BabycryError, Frontend, FrontendConfig
from babycry_edge.config import profile_names
from oracles import (
    kaldi_oracle,
    librosa_oracle,
    torchaudio_oracle,
    whisper_oracle,
    yamnet_oracle,
)
from oracles.compression import normalize
from oracles.profiles import HARD_SIGNALS, ORACLES, VECTORS, Oracle, bands_only, needs
from oracles.signals import (
    SAMPLE_RATE,
    as_double,
    at_16_khz,
    hard_signals,
    out_of_band_signals,
    short_signals,
)
from oracles.tolerance import (
    MAX_DB_ERROR,
    MIN_SNR_DB,
    bounds,
    log_error,
    snr_db,
)

LIBROSA_CONFIGS: dict[str, dict[str, Any]] = {
    "mel of the first guides": {"n_fft": 512, "hop_length": 160, "n_mels": 64},
    "htk, no norm, 40 bands": {
        "n_fft": 1024,
        "hop_length": 256,
        "n_mels": 40,
        "mel_scale": "htk",
        "mel_norm": "none",
    },
    "relative to the maximum": {"ref": "max", "top_db": 80.0},
    "relative to 0.5, 60 dB": {"ref": 0.5, "top_db": 60.0, "n_fft": 512, "hop_length": 200},
    "window shorter than the frame": {"n_fft": 512, "win_length": 400, "hop_length": 160},
    "odd window shorter than the frame": {"n_fft": 512, "win_length": 301, "hop_length": 160},
    "magnitude": {"spectrum": "magnitude", "n_fft": 1024, "hop_length": 320, "n_mels": 80},
    "reflected ends": {"framing": "center-reflect", "n_fft": 1024, "hop_length": 256},
    "not centred": {"framing": "left", "n_fft": 512, "win_length": 400, "hop_length": 160},
    "50 to 4000 Hz": {"fmin": 50.0, "fmax": 4000.0, "n_mels": 64},
    "amin 1e-5": {"amin": 1e-5},
    "natural logarithm": {"compression": "log", "log_offset": 1e-6, "n_fft": 512},
    "natural logarithm with a floor": {"compression": "log_max", "log_offset": 1e-7},
    "FFT of 64": {"n_fft": 64, "hop_length": 32, "n_mels": 12},
    "FFT of 128": {"n_fft": 128, "hop_length": 64, "n_mels": 20},
    "FFT of 256": {"n_fft": 256, "hop_length": 100, "n_mels": 26},
    "FFT of 400": {"n_fft": 400, "hop_length": 160, "n_mels": 80},
    "FFT of 480": {"n_fft": 480, "hop_length": 160, "n_mels": 64},
    "FFT of 4096": {"n_fft": 4096, "hop_length": 1024, "n_mels": 256},
    "one band": {"n_mels": 1},
}


def error_message(features: NDArray[Any], mel: NDArray[Any], oracle: NDArray[Any], c: Any) -> str:
    """Why a comparison failed: the worst bin."""
    error = log_error(features, oracle, mel, c)
    frame, band = error.frame, error.band
    return f"{error}: {features[frame, band]} and not {oracle[frame, band]}"


def assert_within_tolerance(
    config: FrontendConfig, samples: NDArray[Any], oracle: Oracle = librosa_oracle.features
) -> None:
    """Mel bands and compressed features of config against the oracle's."""
    bands = bands_only(config)
    expected_mel = oracle(as_double(samples), bands)
    mel = Frontend(bands)(samples, SAMPLE_RATE)
    assert mel.shape == expected_mel.shape
    assert mel.dtype == np.float32
    assert snr_db(mel, expected_mel) >= MIN_SNR_DB
    if config.compression == "none":
        return
    expected = oracle(as_double(samples), config)
    features = Frontend(config)(samples, SAMPLE_RATE)
    assert features.shape == expected.shape
    error = log_error(features, expected, expected_mel, config)
    why = error_message(features, expected_mel, expected, config) if features.size else ""
    assert bounds(config).hold(error), why


def test_every_profile_has_an_oracle() -> None:
    integers = {"tflm-micro"}  # judged bit for bit, elsewhere
    assert set(profile_names()) - integers == set(ORACLES) | set(VECTORS)


@pytest.mark.parametrize("profile", ORACLES)
def test_profile_equals_its_library_on_every_bundled_clip(profile: str, clips: list[Clip]) -> None:
    needs(profile)
    for clip in clips:
        config = FrontendConfig.from_profile(profile)
        assert_within_tolerance(config, at_16_khz(clip), ORACLES[profile])


@pytest.mark.parametrize("name", hard_signals())
@pytest.mark.parametrize("profile", [name for name in ORACLES if name != "babycry"])
def test_profile_equals_its_library_on_signals_that_break_front_ends(
    profile: str, name: str
) -> None:
    needs(profile)
    config = FrontendConfig.from_profile(profile)
    assert_within_tolerance(config, hard_signals()[name], ORACLES[profile])


@pytest.mark.parametrize("name", HARD_SIGNALS["babycry"])
def test_the_detectors_own_front_end_equals_librosa(name: str) -> None:
    needs("babycry")
    config = FrontendConfig.from_profile("babycry")
    assert_within_tolerance(config, hard_signals()[name], ORACLES["babycry"])


@pytest.mark.parametrize("name", out_of_band_signals())
@pytest.mark.parametrize("profile", ORACLES)
def test_what_lies_outside_the_bands_leaks_into_them_140_db_below_full_scale(
    profile: str, name: str
) -> None:
    """Where the bands hold nearly nothing, the error is judged against what is outside them."""
    needs(profile)
    config = FrontendConfig.from_profile(profile, compression="none", normalize="none")
    samples = out_of_band_signals()[name]
    mel = Frontend(config)(samples, SAMPLE_RATE).astype(np.float64)
    expected = ORACLES[profile](as_double(samples), config)
    if config.spectrum == "power":
        mel, expected = np.sqrt(mel), np.sqrt(expected)
    full_scale = config.win_length / 2  # the spectrum of a constant 1 under a Hann window
    assert np.abs(mel - expected).max() <= 1e-7 * full_scale


@pytest.mark.parametrize("name", LIBROSA_CONFIGS)
def test_librosa_with_other_arguments(name: str, clips: list[Clip]) -> None:
    needs("librosa")
    changes = dict(LIBROSA_CONFIGS[name])
    if changes.get("win_length", 0) and "window_position" not in changes:
        changes["window_position"] = "center"
    config = FrontendConfig.from_profile("librosa", **changes)
    for clip in clips:
        assert_within_tolerance(config, at_16_khz(clip))
    for samples in hard_signals().values():
        assert_within_tolerance(config, samples)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_fft": 512, "hop_length": 160, "n_mels": 64},
        {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 40},
        {"n_fft": 1024, "hop_length": 512, "n_mels": 80, "fmin": 60.0, "fmax": 7600.0},
        {"framing": "center-zero", "n_mels": 64},
        {"framing": "left", "n_mels": 64},
        {"spectrum": "magnitude", "compression": "log", "log_offset": 1e-6, "n_mels": 40},
        {"top_db": 80.0},
    ],
    ids=lambda changes: ",".join(f"{k}={v}" for k, v in changes.items()),
)
def test_torchaudio_with_other_arguments(changes: dict[str, Any], clips: list[Clip]) -> None:
    needs("torchaudio")
    config = FrontendConfig.from_profile("torchaudio", **changes)
    for clip in clips:
        assert_within_tolerance(config, at_16_khz(clip), torchaudio_oracle.features)


KALDI_CONFIGS: dict[str, dict[str, Any]] = {
    "80 bands": {"n_mels": 80},
    "mirrored ends": {"framing": "kaldi-mirror"},
    "80 bands, mirrored ends": {"n_mels": 80, "framing": "kaldi-mirror"},
    "no pre-emphasis": {"preemphasis": 0.0},
    "with direct current": {"remove_dc": 0},
    "magnitude": {"spectrum": "magnitude", "n_mels": 40},
    "20 ms, 300 to 4000 Hz": {"win_length": 320, "fmin": 300.0, "fmax": 4000.0},
    "30 ms every 15": {"win_length": 480, "hop_length": 240, "framing": "kaldi-mirror"},
}


@pytest.mark.parametrize("name", KALDI_CONFIGS)
def test_kaldi_with_other_options(name: str, clips: list[Clip]) -> None:
    config = FrontendConfig.from_profile("kaldi", **KALDI_CONFIGS[name])
    for clip in clips:
        assert_within_tolerance(config, at_16_khz(clip), kaldi_oracle.features)
    if config.spectrum == "magnitude":
        return  # a full-scale sine leaks 75 to 80 dB down into every band: a mean of 6e-5 there
    for signal, samples in hard_signals().items():
        if config.remove_dc or not signal.startswith("direct current"):  # outside the bands
            assert_within_tolerance(config, samples, kaldi_oracle.features)


def test_whisper_with_the_128_bands_of_its_large_models(clips: list[Clip]) -> None:
    needs("whisper")
    config = FrontendConfig.from_profile("whisper", n_mels=128)
    for clip in clips:
        assert_within_tolerance(config, at_16_khz(clip), whisper_oracle.features)


@pytest.mark.parametrize("kind", ["window_mean", "window_mean_std", "min_max"])
def test_normalised_features_err_by_as_much_as_the_levels_do(kind: str, clips: list[Clip]) -> None:
    """In dB: an error of a normalised value times what it was divided by."""
    needs("librosa")
    config = FrontendConfig.from_profile("librosa", top_db=80.0, normalize=kind)
    levels = replace(config, normalize="none")
    for clip in clips:
        samples = at_16_khz(clip)
        db = librosa_oracle.features(as_double(samples), levels)
        expected = normalize(db, config)
        divisor = np.ptp(db) / np.ptp(expected)
        error = np.abs(Frontend(config)(samples, SAMPLE_RATE) - expected) * divisor
        assert error.max() <= 2 * MAX_DB_ERROR  # the bin's own and that of the mean or the ends


@pytest.mark.parametrize(
    ("profile", "changes"),
    [
        ("librosa", {}),
        ("librosa-0.8", {}),
        ("librosa", {"framing": "left"}),
        ("torchaudio", {}),
        ("yamnet", {}),
        ("vggish", {}),
        ("kaldi", {}),
        ("kaldi", {"framing": "kaldi-mirror"}),
        ("whisper", {}),
        ("babycry", {}),
    ],
)
def test_frame_counts_of_every_length_around_the_multiples_of_a_hop(
    profile: str, changes: dict[str, Any]
) -> None:
    needs(profile)
    config = FrontendConfig.from_profile(profile, **changes)
    hop, half = config.hop_length, config.n_fft // 2
    lengths = {k * hop + d for k in (0, 1, 2, 5, 13) for d in (-1, 0, 1, hop // 2 - 1, hop // 2)}
    lengths |= {config.win_length - 1, config.win_length, config.win_length + 1, half + 1}
    shortest = {"center-reflect": half + 1, "left": config.win_length}.get(config.framing, 0)
    frontend = Frontend(config)
    for n in sorted(length for length in lengths if length >= shortest):
        samples = short_signal(n)
        assert len(frontend(samples, SAMPLE_RATE)) == len(
            ORACLES[profile](as_double(samples), config)
        ), n


@pytest.mark.parametrize("framing", ["kaldi-snip", "kaldi-mirror"])
def test_kaldi_takes_clips_of_hardly_any_samples(framing: str) -> None:
    """One sample mirrored 400 times is a constant; two of them alternate in pairs."""
    config = FrontendConfig.from_profile("kaldi", framing=framing)
    for samples in short_signals(512, 160).values():
        assert_within_tolerance(config, samples, kaldi_oracle.features)


def test_whisper_and_librosa_0_8_refuse_what_cannot_be_mirrored() -> None:
    for profile, n_fft in (("whisper", 400), ("librosa-0.8", 2048)):
        frontend = Frontend.from_profile(profile)
        for n_samples in (0, 1, n_fft // 2):
            with pytest.raises(BabycryError, match="too short to be mirrored"):
                frontend(np.zeros(n_samples, np.int16), SAMPLE_RATE)
        needs(profile)
        samples = short_signal(n_fft // 2 + 1)
        assert_within_tolerance(frontend.config, samples, ORACLES[profile])


@pytest.mark.parametrize("n_samples", [0, 1, 2, 511, 512, 1023, 1024, 1025, 2047, 2048, 2049])
def test_librosa_takes_a_clip_of_any_length_even_an_empty_one(n_samples: int) -> None:
    needs("librosa")
    samples = short_signals(2048, 512)[f"{n_samples} samples"]
    config = FrontendConfig.from_profile("librosa")
    assert_within_tolerance(config, samples)
    assert len(Frontend(config)(samples, SAMPLE_RATE)) == 1 + n_samples // 512


@pytest.mark.parametrize(("n_fft", "hop"), [(400, 200), (512, 160), (512, 500)])
def test_torchaudio_refuses_what_the_library_refuses_and_takes_the_rest(
    n_fft: int, hop: int
) -> None:
    needs("torchaudio")
    config = FrontendConfig.from_profile("torchaudio", n_fft=n_fft, hop_length=hop)
    for samples in short_signals(n_fft, hop).values():
        try:
            torchaudio_oracle.features(as_double(samples), config)
        except RuntimeError:
            with pytest.raises(BabycryError, match="too short to be mirrored"):
                Frontend(config)(samples, SAMPLE_RATE)
            assert len(samples) <= n_fft // 2
        else:
            assert_within_tolerance(config, samples, torchaudio_oracle.features)


def test_yamnet_gives_no_frame_before_its_window_is_full() -> None:
    config = FrontendConfig.from_profile("yamnet")
    for samples in short_signals(400, 160).values():
        assert_within_tolerance(config, samples, yamnet_oracle.features)
        vggish = FrontendConfig.from_profile("vggish")
        assert_within_tolerance(vggish, samples, yamnet_oracle.features)
    frames = {n: len(Frontend(config)(np.zeros(n, np.int16), SAMPLE_RATE)) for n in (0, 399, 400)}
    assert frames == {0: 0, 399: 0, 400: 1}
    assert len(Frontend(config)(np.zeros(15600, np.int16), SAMPLE_RATE)) == 96


def test_silence_is_exactly_the_floor() -> None:
    silence = np.zeros(SAMPLE_RATE, np.int16)
    floors = {
        "librosa": -100.0,
        "librosa-0.8": -100.0,
        "torchaudio": -100.0,
        "yamnet": np.log(0.001),
        "vggish": np.log(0.01),
        "kaldi": np.log(np.finfo(np.float32).eps),
        "whisper": -1.5,
    }
    for profile, floor in floors.items():
        features = Frontend.from_profile(profile)(silence, SAMPLE_RATE)
        assert np.unique(features).tolist() == pytest.approx([floor], abs=1e-5)
        assert not Frontend.from_profile(profile, compression="none")(silence, SAMPLE_RATE).any()


def test_silence_relative_to_its_own_maximum_is_zero_db() -> None:
    frontend = Frontend.from_profile("librosa", ref="max", top_db=80.0)
    assert not frontend(np.zeros(SAMPLE_RATE, np.int16), SAMPLE_RATE).any()


@pytest.mark.parametrize("profile", [*ORACLES, *VECTORS])
def test_int16_and_float_input_give_the_same_bits(profile: str, clips: list[Clip]) -> None:
    frontend = Frontend.from_profile(profile)
    signals = [clip.samples for clip in clips if clip.sample_rate == SAMPLE_RATE]
    for samples in signals + list(hard_signals().values()):
        as_float = samples.astype(np.float32) / np.float32(32768)
        from_int16 = frontend(samples, SAMPLE_RATE)
        assert np.array_equal(_bits(from_int16), _bits(frontend(as_float, SAMPLE_RATE)))


def test_torchaudio_the_library_agrees_with_its_documented_formulas(clips: list[Clip]) -> None:
    torchaudio_oracle.torchaudio_or_skip()
    config = FrontendConfig.from_profile("torchaudio")
    for clip in clips:
        samples = at_16_khz(clip)
        ours = torchaudio_oracle.stft_mel_spectrogram(samples, config)
        assert snr_db(torchaudio_oracle.library_mel_spectrogram(samples, config), ours) > 200
        in_db = torchaudio_oracle.library_features(samples, config)
        assert np.allclose(in_db, torchaudio_oracle.features(samples, config), atol=1e-9)


def test_torchaudio_formulas_agree_with_librosa_asked_for_the_same(clips: list[Clip]) -> None:
    needs("torchaudio")
    needs("librosa")
    config = FrontendConfig.from_profile("torchaudio")
    for clip in clips:
        samples = at_16_khz(clip)
        ours = torchaudio_oracle.stft_mel_spectrogram(samples, config)
        assert snr_db(librosa_oracle.mel_spectrogram(samples, config), ours) > 200


def test_torchaudio_the_library_itself_is_the_oracle(clips: list[Clip]) -> None:
    torchaudio_oracle.torchaudio_or_skip()
    config = FrontendConfig.from_profile("torchaudio")
    for samples in [at_16_khz(clip) for clip in clips] + list(hard_signals().values()):
        assert_within_tolerance(config, samples, torchaudio_oracle.library_features)


@pytest.mark.parametrize("name", ["23 bands", *KALDI_CONFIGS])
def test_kaldi_native_fbank_agrees_with_the_definition(name: str, clips: list[Clip]) -> None:
    """The library's float32 bands lie within 100 dB, so its log within the bounds, of float64."""
    pytest.importorskip("kaldi_native_fbank")
    config = FrontendConfig.from_profile("kaldi", **KALDI_CONFIGS.get(name, {}))
    for samples in [at_16_khz(clip) for clip in clips[::3]] + list(hard_signals().values()):
        bands = bands_only(config)
        expected = kaldi_oracle.features(as_double(samples), bands)
        library = kaldi_oracle.library_features(as_double(samples), bands)
        assert library.shape == expected.shape
        assert snr_db(library, expected) >= 100


@pytest.mark.parametrize("framing", ["kaldi-snip", "kaldi-mirror"])
def test_kaldi_native_fbank_itself_gives_the_same_features(framing: str, clips: list[Clip]) -> None:
    """Within the bounds of the float64 oracle and the library's own distance from it."""
    pytest.importorskip("kaldi_native_fbank")
    config = FrontendConfig.from_profile("kaldi", framing=framing)
    for samples in [at_16_khz(clip) for clip in clips] + list(hard_signals().values()):
        library = kaldi_oracle.library_features(as_double(samples), config)
        mel = kaldi_oracle.features(as_double(samples), bands_only(config))
        expected = kaldi_oracle.features(as_double(samples), config)
        features = Frontend(config)(samples, SAMPLE_RATE)
        assert features.shape == library.shape
        between = log_error(features, library, mel, config)
        of_library = log_error(library, expected, mel, config)
        assert between.largest <= bounds(config).largest + of_library.largest


def test_kaldi_native_fbank_counts_frames_as_we_do() -> None:
    pytest.importorskip("kaldi_native_fbank")
    for framing in ("kaldi-snip", "kaldi-mirror"):
        config = FrontendConfig.from_profile("kaldi", framing=framing)
        for n in (
            0,
            1,
            79,
            80,
            81,
            159,
            160,
            239,
            240,
            241,
            399,
            400,
            401,
            559,
            560,
            561,
            719,
            720,
        ):
            library = kaldi_oracle.library_features(as_double(short_signal(n)), config)
            assert len(Frontend(config)(short_signal(n), SAMPLE_RATE)) == len(library), (framing, n)


def test_whisper_the_library_itself_is_the_oracle(clips: list[Clip]) -> None:
    for n_mels in (80, 128):
        config = FrontendConfig.from_profile("whisper", n_mels=n_mels)
        for samples in [at_16_khz(clip) for clip in clips[::3]] + list(hard_signals().values()):
            mel = whisper_oracle.features(as_double(samples), bands_only(config))
            library = whisper_oracle.library_features(as_double(samples), config)
            features = Frontend(config)(samples, SAMPLE_RATE)
            assert features.shape == library.shape
            assert bounds(config).hold(log_error(features, library, mel, config))


def test_yamnet_spectrum_is_that_inside_the_published_model(
    yamnet: yamnet_oracle.YamnetModel, clips: list[Clip]
) -> None:
    config = FrontendConfig.from_profile("yamnet")
    for waveform in _patches(clips):
        published = yamnet.steps(waveform).spectrum
        assert snr_db(published, yamnet_oracle.magnitude_spectrum(waveform, config)) > MIN_SNR_DB


def test_yamnet_mel_matrix_is_that_inside_the_published_model(
    yamnet: yamnet_oracle.YamnetModel,
) -> None:
    steps = yamnet.steps(np.zeros(yamnet_oracle.PATCH_SAMPLES, np.float32))
    config = FrontendConfig.from_profile("yamnet")
    matrix = yamnet_oracle.mel_weight_matrix(config).T
    assert np.array_equal(np.round(matrix / steps.matrix_scale).astype(np.int8), steps.matrix)
    assert steps.log_offset == pytest.approx(config.log_offset, rel=1e-6)


def test_yamnet_log_mel_is_that_of_the_published_model_once_rounded_to_int8_as_there(
    yamnet: yamnet_oracle.YamnetModel, clips: list[Clip]
) -> None:
    config = FrontendConfig.from_profile("yamnet")
    matrix = yamnet_oracle.mel_weight_matrix(config)
    for waveform in _patches(clips):
        steps = yamnet.steps(waveform)
        mel = yamnet_oracle.int8_matrix_product(steps.spectrum, matrix, steps.matrix_scale)
        error = np.abs(np.log(mel + config.log_offset) - steps.log_mel)
        assert np.mean(error > 1e-6) < 1e-3  # a tie may be rounded the other way
        assert error.max() < 0.01


@pytest.fixture(scope="module")
def yamnet(shared: Path) -> yamnet_oracle.YamnetModel:
    """The published TFLite model."""
    pytest.importorskip("ai_edge_litert")
    path = shared / "models" / "yamnet.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return yamnet_oracle.YamnetModel(path)


def _patches(clips: list[Clip]) -> list[NDArray[np.float32]]:
    samples = yamnet_oracle.PATCH_SAMPLES
    return [np.ascontiguousarray(at_16_khz(clip)[20000 : 20000 + samples]) for clip in clips]


def short_signal(n_samples: int) -> NDArray[np.int16]:
    """Noise of n_samples."""
    return np.random.default_rng(9).integers(-20000, 20000, n_samples).astype(np.int16)


def _bits(features: NDArray[np.float32]) -> NDArray[np.uint32]:
    return features.view(np.uint32)

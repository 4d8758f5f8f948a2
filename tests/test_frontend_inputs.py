"""What the front-end refuses, and that it says what is wrong and what mends it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from babycry_edge import BabycryError, Frontend, FrontendConfig
from babycry_edge.config import profile_names
from babycry_edge.frontend import normalize_window

SAMPLE_RATE = 16000
PROFILES = ("librosa", "torchaudio", "yamnet", "babycry")

INVALID: list[tuple[str, Any]] = [
    ("sample_rate", 0),
    ("sample_rate", -16000),
    ("sample_rate", 10**9),
    ("sample_rate", 16000.5),
    ("n_fft", 0),
    ("n_fft", 511),
    ("n_fft", 8192),
    ("n_fft", 2 * 7 * 32),
    ("n_fft", "512"),
    ("n_fft", None),
    ("n_fft", True),
    ("n_fft", 2**40),
    ("win_length", 0),
    ("win_length", 4096),
    ("win_length", -400),
    ("hop_length", 0),
    ("hop_length", -1),
    ("hop_length", 65536),
    ("window", "hamming"),
    ("window_position", "right"),
    ("framing", "centre"),
    ("framing", 1),
    ("window", "hann_integer"),
    ("preemphasis", 1.01),
    ("preemphasis", -0.1),
    ("preemphasis", math.nan),
    ("remove_dc", 2),
    ("remove_dc", -1),
    ("spectrum", "log"),
    ("mel_scale", "bark"),
    ("mel_slopes", "octave"),
    ("mel_norm", "area"),
    ("n_mels", 0),
    ("n_mels", -64),
    ("n_mels", 513),
    ("n_mels", 64.5),
    ("fmin", -1.0),
    ("fmin", math.nan),
    ("fmin", 9000.0),
    ("fmax", 0.0),
    ("fmax", 8001.0),
    ("fmax", math.inf),
    ("compression", "sqrt"),
    ("amin", 0.0),
    ("amin", -1e-10),
    ("amin", math.nan),
    ("ref", 0.0),
    ("ref", -1.0),
    ("ref", "median"),
    ("ref", math.inf),
    ("top_db", 0.0),
    ("top_db", -80.0),
    ("top_db", math.nan),
    ("n_mfcc", -1),
    ("n_mfcc", 129),
    ("dct_norm", "scipy"),
    ("lifter", -1),
    ("lifter", 10001),
    ("delta", -1),
    ("delta", 3),
    ("descriptors", ("flux",)),
    ("descriptors", "zcr"),
    ("descriptors", 3),
    ("rolloff", math.nan),
    ("normalize", "std"),
    ("pooling", "max"),
]


@pytest.mark.parametrize(
    ("field", "value"), INVALID, ids=[f"{field}={value}" for field, value in INVALID]
)
def test_an_invalid_configuration_names_the_field(field: str, value: Any) -> None:
    with pytest.raises(BabycryError) as refusal:
        Frontend.from_profile("librosa", **{field: value})
    assert_one_line(refusal, field)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("compression", ["log", "log_max"])
def test_a_logarithm_without_an_offset_names_the_field(compression: str, value: float) -> None:
    with pytest.raises(BabycryError) as refusal:
        FrontendConfig.from_profile("librosa", compression=compression, log_offset=value)
    assert_one_line(refusal, "log_offset")


def test_an_unknown_profile_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BabycryError) as refusal:
        Frontend.from_profile("librosaurus")
    assert_one_line(refusal, "librosaurus", *PROFILES)


def test_an_unknown_axis_is_named() -> None:
    with pytest.raises(BabycryError) as refusal:
        Frontend.from_profile("librosa", n_bands=64)
    assert_one_line(refusal, "n_bands")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("profile", PROFILES)
def test_nan_and_infinity_are_refused_wherever_they_stand(profile: str, bad: float) -> None:
    frontend = Frontend.from_profile(profile)
    for at in (0, 1, 7777, 15999):
        samples = np.zeros(SAMPLE_RATE, np.float32)
        samples[at] = bad
        with pytest.raises(BabycryError) as refusal:
            frontend(samples, SAMPLE_RATE)
        assert_one_line(refusal, "NaN", "infinite")


def test_nan_is_refused_even_in_samples_that_no_frame_uses() -> None:
    samples = np.zeros(500, np.float32)
    samples[-1] = np.nan
    with pytest.raises(BabycryError):
        Frontend.from_profile("yamnet")(samples, SAMPLE_RATE)


def test_a_double_too_large_for_float32_is_refused() -> None:
    with pytest.raises(BabycryError, match="infinite"):
        Frontend.from_profile("librosa")(np.array([0.0, 1e300]), SAMPLE_RATE)


def test_float_samples_beyond_full_scale_are_taken_as_they_are() -> None:
    frontend = Frontend.from_profile("librosa", compression="none")
    samples = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    loud = frontend(samples * np.float32(1024), SAMPLE_RATE)
    assert np.array_equal(loud, frontend(samples, SAMPLE_RATE) * np.float32(2**20))


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 0, -1])
def test_another_sample_rate_is_refused_with_the_mend(sample_rate: int) -> None:
    with pytest.raises(BabycryError) as refusal:
        Frontend.from_profile("librosa")(np.zeros(100, np.int16), sample_rate)
    assert_one_line(refusal, str(sample_rate), "16000", "resample")


@pytest.mark.parametrize("shape", [(1000, 2), (2, 1000), (1000, 1), (1, 1, 1)])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_more_than_one_channel_is_refused_with_the_mend(
    shape: tuple[int, ...], dtype: type
) -> None:
    with pytest.raises(BabycryError) as refusal:
        Frontend.from_profile("librosa")(np.zeros(shape, dtype), SAMPLE_RATE)
    assert_one_line(refusal, "one channel", "mix")
    with pytest.raises(BabycryError):
        Frontend.from_profile("librosa").stream().push(np.zeros(shape, dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.complex64, np.bool_, object])
def test_samples_of_another_kind_are_refused(dtype: type) -> None:
    with pytest.raises(BabycryError) as refusal:
        Frontend.from_profile("librosa")(np.zeros(100, dtype), SAMPLE_RATE)
    assert_one_line(refusal, "int16", "float")


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_converted(dtype: type) -> None:
    samples = np.random.default_rng(2).uniform(-1, 1, 4000).astype(np.float16)
    frontend = Frontend.from_profile("yamnet")
    expected = frontend(samples.astype(np.float32), SAMPLE_RATE)
    assert np.array_equal(frontend(samples.astype(dtype), SAMPLE_RATE), expected)


def test_views_with_steps_and_read_only_samples_are_taken() -> None:
    samples = np.random.default_rng(3).integers(-9999, 9999, 8000).astype(np.int16)
    frontend = Frontend.from_profile("torchaudio")
    for view in (samples[::2], samples[::-1]):
        copy = np.ascontiguousarray(view, np.int16)
        copy.flags.writeable = False
        assert np.array_equal(frontend(view, SAMPLE_RATE), frontend(copy, SAMPLE_RATE))


@pytest.mark.parametrize("profile", PROFILES)
def test_computing_leaves_the_samples_untouched(profile: str) -> None:
    samples = np.random.default_rng(4).standard_normal(5000).astype(np.float32)
    before = samples.copy()
    Frontend.from_profile(profile)(samples, SAMPLE_RATE)
    assert np.array_equal(samples, before)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_survives_json(profile: str) -> None:
    config = FrontendConfig.from_profile(profile, n_mels=40)
    again = FrontendConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    samples = np.random.default_rng(5).integers(-9999, 9999, 8000).astype(np.int16)
    assert np.array_equal(
        Frontend(again)(samples, SAMPLE_RATE), Frontend(config)(samples, SAMPLE_RATE)
    )


def test_a_missing_or_unknown_field_is_named() -> None:
    values = FrontendConfig.from_profile("yamnet").to_dict()
    for field in values:
        fewer = {key: value for key, value in values.items() if key != field}
        with pytest.raises(BabycryError, match=f"'{field}' is missing"):
            FrontendConfig.from_dict(fewer)
    with pytest.raises(BabycryError, match="'dither'"):
        FrontendConfig.from_dict({**values, "dither": 0.0})


@pytest.mark.parametrize("junk", [None, [], {}, "x", math.nan, math.inf, -1, 1e300, True, "max"])
def test_any_junk_in_any_field_is_a_clear_error_or_a_working_front_end(junk: Any) -> None:
    values = FrontendConfig.from_profile("librosa").to_dict()
    for field in values:
        try:
            config = FrontendConfig.from_dict({**values, field: junk})
        except BabycryError as error:
            assert field in str(error)
            assert "\n" not in str(error)
        else:
            assert len(Frontend(config)(np.zeros(3000, np.int16), config.sample_rate)) > 0


def test_the_profiles_are_those_of_this_release() -> None:
    assert set(PROFILES) <= set(profile_names())


def test_profiles_have_the_constants_of_their_definition() -> None:
    shapes = {
        "librosa": (2048, 2048, 512, 128, 0.0, 8000.0, "power", "slaney", "slaney", "hz"),
        "torchaudio": (400, 400, 200, 128, 0.0, 8000.0, "power", "htk", "none", "hz"),
        "yamnet": (512, 400, 160, 64, 125.0, 7500.0, "magnitude", "htk", "none", "mel"),
    }
    for profile, expected in shapes.items():
        c = FrontendConfig.from_profile(profile)
        lengths = (c.n_fft, c.win_length, c.hop_length, c.n_mels, c.fmin, c.fmax)
        assert (*lengths, c.spectrum, c.mel_scale, c.mel_norm, c.mel_slopes) == expected


def test_the_shape_is_frames_by_bands() -> None:
    frontend = Frontend.from_profile("librosa", n_mels=40)
    features: NDArray[np.float32] = frontend(np.zeros(5120, np.int16), SAMPLE_RATE)
    assert features.shape == (11, 40) == (11, frontend.n_features)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous


def test_window_mean_subtracts_one_number_from_the_whole_clip() -> None:
    samples = np.random.default_rng(6).integers(-9999, 9999, 32000).astype(np.int16)
    plain = Frontend.from_profile("babycry", normalize="none")(samples, SAMPLE_RATE)
    centred = Frontend.from_profile("babycry")(samples, SAMPLE_RATE)
    assert np.abs(centred - (plain - plain.astype(np.float64).mean())).max() < 1e-5
    assert np.array_equal(centred, normalize_window(plain, "window_mean"))
    assert np.array_equal(plain, normalize_window(plain, "none"))


def test_an_unknown_normalisation_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BabycryError) as refusal:
        normalize_window(np.zeros((2, 3), np.float32), "l2")
    assert_one_line(refusal, "window_mean", "none")


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(BabycryError, match="instruction set"):
        Frontend(FrontendConfig.from_profile("librosa"), isa="avx1024")


def assert_one_line(refusal: pytest.ExceptionInfo[BabycryError], *words: str) -> None:
    """The message is one line and has all the words."""
    message = str(refusal.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("n_frames", [1, 2, 100])
@pytest.mark.parametrize("framing", ["left", "center-zero"])
@pytest.mark.parametrize("window_position", ["left", "center"])
def test_samples_for_a_number_of_frames_are_the_fewest_that_give_it(
    profile: str, n_frames: int, framing: str, window_position: str
) -> None:
    frontend = Frontend.from_profile(
        profile, framing=framing, window_position=window_position, normalize="none"
    )
    enough = frontend.config.samples_for(n_frames)
    assert len(frontend(np.zeros(enough, np.int16), SAMPLE_RATE)) == n_frames
    if enough > 0:
        assert len(frontend(np.zeros(enough - 1, np.int16), SAMPLE_RATE)) == n_frames - 1

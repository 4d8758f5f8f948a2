"""Down-mix, silence trim, peak normalisation and lengths, against librosa's definitions."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_bench.clips import Clip, load_clips
from babycry_edge import BabycryError
from babycry_edge.binding import ffi, lib
from babycry_edge.conditioning import (
    as_float,
    fit_length,
    normalize_peak,
    to_mono,
    trim_silence,
)

CLIPS = load_clips()
lengths = st.integers(0, 400)


def clip_id(clip: Clip) -> str:
    return clip.name


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    """White, float32."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.fixture(scope="module")
def librosa():
    return pytest.importorskip("librosa", reason="pip install 'babycry-edge[oracle]'")


@pytest.mark.parametrize("n_channels", [1, 2, 3, 6, 64])
def test_mono_is_librosas(librosa, n_channels: int) -> None:
    audio = noise(1000, n_channels)
    rows = np.ascontiguousarray(audio.T)  # numpy's order of sums depends on how they lie in memory
    np.testing.assert_array_equal(to_mono(audio), librosa.to_mono(rows))


def test_mono_of_int16_is_the_mean_rounded_halves_away_from_zero() -> None:
    pairs = np.array([[1, 2], [-1, -2], [1, 1], [-32768, -32768], [32767, 32767], [0, -1]])
    expected = [2, -2, 1, -32768, 32767, -1]
    assert to_mono(pairs.astype(np.int16)).tolist() == expected
    triples = np.random.default_rng(2).integers(-32768, 32768, (5000, 3)).astype(np.int16)
    exact = triples.astype(np.int64).sum(axis=1)
    rounded = np.sign(exact) * ((2 * np.abs(exact) + 3) // 6)
    np.testing.assert_array_equal(to_mono(triples), rounded)


def test_mono_in_place_in_c() -> None:
    stereo = noise(500, 2)
    expected = to_mono(stereo)
    buffer = ffi.cast("float *", ffi.from_buffer(stereo))
    assert lib.bc_to_mono(buffer, 500, 2, buffer) == lib.BC_OK
    np.testing.assert_array_equal(stereo.reshape(-1)[:500], expected)


@pytest.mark.parametrize("n_channels", [0, 65])
def test_channels_out_of_range_are_refused(n_channels: int) -> None:
    with pytest.raises(BabycryError, match="n_channels must be 1 to 64"):
        to_mono(np.zeros((5, n_channels), np.float32))


def with_silence(clip: Clip, level: float) -> np.ndarray:
    """The clip between a second and half a second of faint noise."""
    before, after = (level * noise(n, seed=n) for n in (clip.sample_rate, clip.sample_rate // 2))
    return np.concatenate([before, as_float(clip.samples), after])


@pytest.mark.parametrize("clip", CLIPS, ids=clip_id)
@pytest.mark.parametrize("top_db", [10, 20, 40, 60])
def test_trim_is_librosas(librosa, clip: Clip, top_db: float) -> None:
    for level in (0.0, 1e-4):
        audio = with_silence(clip, level)
        _, (start, end) = librosa.effects.trim(audio, top_db=top_db)
        assert trim_silence(audio, top_db) == (start, end)


@pytest.mark.parametrize(
    ("frame_length", "hop_length"), [(2, 1), (400, 160), (401, 100), (64, 200)]
)
def test_trim_with_other_frames_is_librosas(librosa, frame_length: int, hop_length: int) -> None:
    for clip in CLIPS[:4]:
        audio = with_silence(clip, 1e-3)[:30000]
        _, (start, end) = librosa.effects.trim(
            audio, top_db=20, frame_length=frame_length, hop_length=hop_length
        )
        assert trim_silence(audio, 20, frame_length, hop_length) == (start, end)


@pytest.mark.parametrize("n_samples", [1, 2, 511, 512, 513, 1024, 2047, 2048, 2049])
def test_trim_of_short_clips_is_librosas(librosa, n_samples: int) -> None:
    audio = noise(n_samples)
    _, (start, end) = librosa.effects.trim(audio, top_db=20)
    assert trim_silence(audio, 20) == (start, end)


@pytest.mark.parametrize("level", [0.0, 1e-7, 1e-5])
def test_a_clip_below_librosas_floor_is_kept_whole(librosa, level: float) -> None:
    audio = np.full(5000, level, np.float32)
    _, (start, end) = librosa.effects.trim(audio, top_db=20)
    assert trim_silence(audio, 20) == (start, end) == (0, 5000)


def test_trim_of_int16_is_that_of_float() -> None:
    for clip in CLIPS:
        pcm = np.concatenate([np.zeros(9000, np.int16), clip.samples, np.zeros(7000, np.int16)])
        assert trim_silence(pcm, 20) == trim_silence(as_float(pcm), 20)
        assert trim_silence(pcm, 20)[0] > 0


def test_trim_of_nothing_is_nothing() -> None:
    assert trim_silence(np.zeros(0, np.float32)) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top_db": 0}, "top_db must be above 0"),
        ({"top_db": float("nan")}, "top_db must be above 0"),
        ({"frame_length": 1}, "frame_length must be 2 to 65535"),
        ({"hop_length": 0}, "hop_length must be 1 to 65535"),
        ({"hop_length": 1.5}, "hop_length must be a whole number"),
    ],
)
def test_trim_names_the_argument_at_fault(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(BabycryError, match=message):
        trim_silence(noise(3000), **arguments)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(bad: float) -> None:
    audio = noise(3000)
    audio[1234] = bad
    for function in (trim_silence, normalize_peak):
        with pytest.raises(BabycryError, match="NaN, infinite"):
            function(audio)


@pytest.mark.parametrize("clip", CLIPS, ids=clip_id)
def test_peak_normalisation_is_librosas(librosa, clip: Clip) -> None:
    audio = as_float(clip.samples)
    normalized = normalize_peak(audio)
    np.testing.assert_array_equal(normalized, librosa.util.normalize(audio))
    np.testing.assert_array_equal(normalize_peak(clip.samples), normalized)
    assert np.abs(normalized).max() == 1


def test_silence_and_nothing_stay_what_they_are(librosa) -> None:
    for audio in (np.zeros(10, np.float32), np.full(10, 1e-39, np.float32)):
        np.testing.assert_array_equal(normalize_peak(audio), librosa.util.normalize(audio))
    assert normalize_peak(np.zeros(0, np.float32)).size == 0


def test_peak_normalisation_in_place_and_into_a_wrong_array() -> None:
    audio = noise(100)
    expected = normalize_peak(audio)
    assert normalize_peak(audio, out=audio) is audio
    np.testing.assert_array_equal(audio, expected)
    for wrong in (np.zeros(99, np.float32), np.zeros(100), np.zeros(200, np.float32)[::2]):
        with pytest.raises(BabycryError, match="out must be writable contiguous float32"):
            normalize_peak(audio, out=wrong)


@given(n=lengths, length=lengths)
@settings(deadline=None)
def test_fit_at_the_end_is_librosas_fix_length(n: int, length: int) -> None:
    librosa = pytest.importorskip("librosa", reason="pip install 'babycry-edge[oracle]'")
    audio = noise(n)
    fixed = librosa.util.fix_length(audio, size=length)
    np.testing.assert_array_equal(fit_length(audio, length), fixed)
    pcm = (audio * 32767).astype(np.int16)
    np.testing.assert_array_equal(
        fit_length(pcm, length), librosa.util.fix_length(pcm, size=length)
    )


@given(n=lengths, length=lengths)
@settings(deadline=None)
def test_fit_at_the_center_is_librosas_pad_center_or_the_middle(n: int, length: int) -> None:
    librosa = pytest.importorskip("librosa", reason="pip install 'babycry-edge[oracle]'")
    audio = noise(n)
    if length >= n:
        expected = librosa.util.pad_center(audio, size=length)
    else:
        start = (n - length) // 2
        expected = audio[start : start + length]
    np.testing.assert_array_equal(fit_length(audio, length, "center"), expected)


@given(n=lengths, length=lengths, fit=st.sampled_from(["end", "center"]))
@settings(deadline=None)
def test_fit_in_place_in_c(n: int, length: int, fit: str) -> None:
    audio = noise(n)
    expected = fit_length(audio, length, fit)  # type: ignore[arg-type]
    memory = np.concatenate([audio, np.full(400, 7, np.float32)])
    buffer = ffi.cast("float *", ffi.from_buffer(memory))
    kind = {"end": lib.BC_FIT_END, "center": lib.BC_FIT_CENTER}[fit]
    assert lib.bc_fit_length(buffer, n, buffer, length, kind) == lib.BC_OK
    np.testing.assert_array_equal(memory[:length], expected)


def test_fit_names_what_is_wrong() -> None:
    with pytest.raises(BabycryError, match="fit must be end or center, not 'left'"):
        fit_length(noise(5), 9, "left")  # type: ignore[arg-type]
    with pytest.raises(BabycryError, match="length must be 0 or more, not -1"):
        fit_length(noise(5), -1)
    assert lib.bc_fit_length(ffi.NULL, 0, ffi.NULL, 0, 9) == lib.BC_BAD_FIT
    assert lib.bc_fit_length(ffi.NULL, 3, ffi.NULL, 0, lib.BC_FIT_END) == lib.BC_NULL_POINTER


def test_the_right_type_is_not_copied() -> None:
    audio = noise(100)
    assert to_mono(audio) is audio


def test_threads_compute_side_by_side() -> None:
    audio = noise(200000)
    expected = normalize_peak(audio)
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: found.append(normalize_peak(audio))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(result, expected) for result in found)

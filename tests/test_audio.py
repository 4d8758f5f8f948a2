"""Reading, mixing and resampling audio files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from babycry_edge import BabycryError
from babycry_edge.audio import open_audio, read_audio, resample, to_mono


def tone(rate: int, seconds: float = 1.0, hz: float = 440.0) -> np.ndarray:
    """A sine at half of full scale, float32."""
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def test_int16_wav_is_read_exactly(tmp_path: Path) -> None:
    pcm = np.array([0, 1, -1, 32767, -32768], np.int16)
    soundfile.write(tmp_path / "x.wav", pcm, 16000)
    samples, rate = read_audio(tmp_path / "x.wav")
    assert rate == 16000
    np.testing.assert_array_equal(samples, pcm.astype(np.float32) / 32768)


def test_stereo_is_mixed_to_the_mean(tmp_path: Path) -> None:
    left, right = tone(16000), -0.5 * tone(16000, hz=100)
    soundfile.write(tmp_path / "x.wav", np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    samples, _ = read_audio(tmp_path / "x.wav")
    np.testing.assert_array_equal(samples, ((left + right) / np.float32(2)))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_a_long_file_in_blocks_resamples_like_the_whole(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "x.flac", tone(rate, seconds=25.0), rate, subtype="PCM_24")
    blocks = np.concatenate(list(open_audio(tmp_path / "x.flac").blocks(16000)))
    signal, _ = read_audio(tmp_path / "x.flac")
    np.testing.assert_array_equal(blocks, resample(signal, rate, 16000))
    assert len(blocks) == 25 * 16000


def test_resampling_keeps_a_tone(tmp_path: Path) -> None:
    out = resample(tone(44100), 44100, 16000)
    assert np.abs(out[200:-200] - tone(16000)[200 : len(out) - 200]).max() < 1e-3


def test_unreadable_audio_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"this is no sound" * 10)
    with pytest.raises(BabycryError, match=r"x\.wav: cannot be read as audio .*: give a WAV"):
        open_audio(tmp_path / "x.wav")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"none\.wav: no such file"):
        open_audio(tmp_path / "none.wav")


def test_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(0, np.int16), 16000)
    with pytest.raises(BabycryError, match="holds no audio"):
        open_audio(tmp_path / "x.wav")


def test_mono_needs_samples_by_channels() -> None:
    with pytest.raises(BabycryError, match=r"\(n_samples, n_channels\)"):
        to_mono(np.zeros((2, 3, 4), np.float32))

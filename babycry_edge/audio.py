"""Audio files to mono float32 at the rate that a front-end wants, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

Samples = npt.NDArray[np.float32]

BLOCK_S = 10.0
"""Seconds of audio that are read at a time."""


@dataclass(frozen=True)
class AudioFile:
    """What a sound file says of itself. ``duration_s`` is in seconds, ``sample_rate`` in Hz."""

    path: Path
    sample_rate: int
    n_channels: int
    duration_s: float

    def blocks(self, sample_rate: int) -> Iterator[Samples]:
        """The audio, mixed to mono and at ``sample_rate``, in blocks of about ten seconds.

        Another rate than the file's is reached with soxr (quality HQ), as a stream.
        """
        resampler = None
        if sample_rate != self.sample_rate:
            soxr = require("soxr", "audio")
            resampler = soxr.ResampleStream(self.sample_rate, sample_rate, 1, dtype="float32")
        previous = np.zeros(0, np.float32)
        for block in self._mono_blocks():
            if len(previous):
                yield _next(resampler, previous, last=False)
            previous = block
        yield _next(resampler, previous, last=True)

    def read(self, sample_rate: int) -> Samples:
        """The whole audio at once, as :meth:`blocks` gives it."""
        return np.concatenate(list(self.blocks(sample_rate)))

    def _mono_blocks(self) -> Iterator[Samples]:
        soundfile = require("soundfile", "audio")
        try:
            with soundfile.SoundFile(str(self.path)) as file:
                size = max(1, int(BLOCK_S * self.sample_rate))
                for block in file.blocks(blocksize=size, dtype="float32", always_2d=True):
                    yield to_mono(block)
        except soundfile.LibsndfileError as error:
            raise _unreadable(self.path, error) from None


def open_audio(path: str | Path) -> AudioFile:
    """Read a sound file's header: WAV, FLAC, OGG, MP3 and whatever else libsndfile knows.

    Raises:
        BabycryError: the file is absent, unreadable or holds no audio.
    """
    soundfile = require("soundfile", "audio")
    path = Path(path)
    if not path.is_file():
        raise BabycryError(f"{path}: no such file")
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error) from None
    if info.frames == 0:
        raise BabycryError(f"{path}: the file holds no audio (0 samples)")
    return AudioFile(path, info.samplerate, info.channels, info.frames / info.samplerate)


def read_audio(path: str | Path, sample_rate: int | None = None) -> tuple[Samples, int]:
    """A whole file as mono float32, and its rate.

    Args:
        path: the sound file.
        sample_rate: resample to this rate in Hz; by default the file's own is kept.

    Returns:
        Samples of shape ``(n_samples,)`` with full scale 1.0, and their rate in Hz.

    Raises:
        BabycryError: as for :func:`open_audio`.
    """
    file = open_audio(path)
    rate = sample_rate or file.sample_rate
    return file.read(rate), rate


def resample(samples: npt.NDArray[Any], sample_rate: int, to_rate: int) -> Samples:
    """A clip, shape ``(n_samples,)``, from one rate (Hz) to another, by soxr (quality HQ).

    int16 becomes float32 with full scale 1.0.
    """
    audio = as_float(samples)
    if sample_rate == to_rate:
        return audio
    soxr = require("soxr", "audio")
    result: Samples = soxr.resample(audio, sample_rate, to_rate, quality="HQ")
    return result


def to_mono(samples: npt.NDArray[Any]) -> Samples:
    """The mean of the channels: ``(n_samples, n_channels)`` to ``(n_samples,)``, float32."""
    audio = as_float(samples)
    if audio.ndim == 1:
        return audio
    if audio.ndim != 2 or audio.shape[1] == 0:
        raise BabycryError(f"audio must be (n_samples, n_channels), not of shape {audio.shape}")
    return np.asarray(audio.mean(axis=1, dtype=np.float32))


def as_float(samples: npt.NDArray[Any]) -> Samples:
    """int16 divided by 32768 (exact); float as it is, as float32."""
    if samples.dtype == np.int16:
        return np.asarray(samples / np.float32(32768))
    return np.asarray(samples, np.float32)


def _next(resampler: Any, block: Samples, last: bool) -> Samples:
    if resampler is None:
        return block
    result: Samples = resampler.resample_chunk(block, last=last)
    return result


def _unreadable(path: Path, error: Exception) -> BabycryError:
    reason = str(error).split(":")[-1].strip().rstrip(".")
    return BabycryError(f"{path}: cannot be read as audio ({reason}): give a WAV, FLAC or OGG file")

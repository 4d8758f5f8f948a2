"""Audio files to mono float32 at the rate that a front-end wants, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge import conditioning
from babycry_edge.conditioning import Resampler, as_float
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

__all__ = ["AudioFile", "Samples", "as_float", "open_audio", "read_audio", "resample", "to_mono"]

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

        Another rate than the file's is reached with :class:`~babycry_edge.conditioning.Resampler`.
        """
        if sample_rate == self.sample_rate:
            yield from self._mono_blocks()
            return
        resampler = Resampler(self.sample_rate, sample_rate)
        for block in self._mono_blocks():
            yield resampler.push(block)
        yield resampler.flush()

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
    """A clip, shape ``(n_samples,)``, from one rate (Hz) to another, the same bits on every target.

    int16 becomes float32 with full scale 1.0. See :func:`babycry_edge.conditioning.resample`.
    """
    if sample_rate == to_rate:
        return as_float(samples)
    return conditioning.resample(samples, sample_rate, to_rate)


def to_mono(samples: npt.NDArray[Any]) -> Samples:
    """The mean of the channels: ``(n_samples, n_channels)`` to ``(n_samples,)``, float32."""
    return as_float(conditioning.to_mono(as_float(samples)))


def _unreadable(path: Path, error: Exception) -> BabycryError:
    reason = str(error).split(":")[-1].strip().rstrip(".")
    return BabycryError(f"{path}: cannot be read as audio ({reason}): give a WAV, FLAC or OGG file")

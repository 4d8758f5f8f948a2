"""A corpus of any length: ``python -m babycry_bench.corpus.synthesise OUT [--hours H] ...``.

The bundled cries in a loop, each at its own loudness and after its own pause, over a floor of
noise; every fifth recording holds noises alone. Where the cries are is written down as events.
The same options give the same samples.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babycry_bench.clip_audio import at_rate
from babycry_bench.clips import Clip, load_clips
from babycry_edge.audio import as_float
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.whole_file import write_whole

SAMPLE_RATE = 16000
NEGATIVE_EVERY = 5
"""Every fifth recording has no cry."""

_PAUSE_S = (4.0, 40.0)
_GAIN_DB = (-24.0, 0.0)
_FLOOR = 10.0 ** (-60.0 / 20.0)
_FORMATS = {"flac": "PCM_16", "wav": "PCM_16"}

Sound = NDArray[np.float32]
Piece = tuple[Sound, bool]


@dataclass(frozen=True)
class CorpusShape:
    """``count`` recordings of ``seconds`` each, as FLAC or WAV, from ``seed``."""

    count: int
    seconds: float
    file_format: str = "flac"
    seed: int = 1


def synthesise(folder: Path, shape: CorpusShape) -> Path:
    """Write the recordings and, last, their ``manifest.csv``, whose path is returned.

    Raises:
        BabycryError: the folder cannot be made, the shape is not one, or the disk is full.
    """
    if shape.file_format not in _FORMATS:
        raise BabycryError(f"format {shape.file_format!r}: choose from {', '.join(_FORMATS)}")
    if shape.count < 1 or not 1.0 <= shape.seconds < 1e6:
        raise BabycryError("give 1 recording or more, each of 1 second or more")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BabycryError(f"{folder}: cannot be made: {error.strerror}") from None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "events"])
    cries = [_sound(clip) for clip in load_clips("cry")]
    noises = [_sound(clip) for clip in load_clips("noise")]
    for index in range(shape.count):
        negative = index % NEGATIVE_EVERY == NEGATIVE_EVERY - 1
        name = f"night-{index:04d}.{shape.file_format}"
        events = _write(folder / name, shape, index, noises if negative else cries, not negative)
        spans = ";".join(f"{start:.3f}-{end:.3f}" for start, end in events)
        writer.writerow([name, "other" if negative else "cry", spans])
    manifest = folder / "manifest.csv"
    write_whole(manifest, text.getvalue().encode())
    return manifest


def _write(
    path: Path, shape: CorpusShape, index: int, sounds: Sequence[Sound], marked: bool
) -> list[tuple[float, float]]:
    """One recording, piece by piece; returns the spans of its sounds if they are ``marked``."""
    soundfile = require("soundfile", "audio")
    left = round(shape.seconds * SAMPLE_RATE)
    events, written = [], 0
    rng = np.random.default_rng([shape.seed, index])
    try:
        with soundfile.SoundFile(
            str(path), "w", SAMPLE_RATE, 1, _FORMATS[shape.file_format]
        ) as file:
            for piece, is_sound in _pieces(rng, sounds):
                piece = piece[: left - written]
                file.write(piece)
                if is_sound and marked and len(piece):
                    events.append((written / SAMPLE_RATE, (written + len(piece)) / SAMPLE_RATE))
                written += len(piece)
                if written >= left:
                    break
    except (OSError, soundfile.LibsndfileError) as error:
        raise BabycryError(f"{path}: cannot be written: {error}") from None
    return events


def _pieces(rng: np.random.Generator, sounds: Sequence[Sound]) -> Iterator[Piece]:
    """Pause, sound, pause, sound, without end."""
    while True:
        yield _floor(rng, round(rng.uniform(*_PAUSE_S) * SAMPLE_RATE)), False
        sound = sounds[int(rng.integers(len(sounds)))]
        gain = 10.0 ** (rng.uniform(*_GAIN_DB) / 20.0)
        yield (sound * np.float32(gain) + _floor(rng, len(sound))).clip(-1.0, 1.0), True


def _floor(rng: np.random.Generator, n_samples: int) -> Sound:
    return _FLOOR * rng.standard_normal(n_samples, np.float32)


def _sound(clip: Clip) -> Sound:
    return as_float(at_rate(clip, SAMPLE_RATE))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a corpus; 2 where an option or the disk is at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m babycry_bench.corpus.synthesise", description=__doc__.splitlines()[0]
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("--hours", type=float, default=10.0, metavar="H", help="of audio in all")
    parser.add_argument("--recordings", type=int, default=60, metavar="N", help="equally long")
    parser.add_argument("--format", choices=sorted(_FORMATS), default="flac")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    args = parser.parse_args(arguments)
    try:
        seconds = args.hours * 3600.0 / max(1, args.recordings)
        shape = CorpusShape(args.recordings, seconds, args.format, args.seed)
        manifest = synthesise(args.out, shape)
    except BabycryError as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 2
    sys.stdout.write(f"{manifest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

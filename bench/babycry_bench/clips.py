"""The recordings and noises that travel with the bench, so that it runs with nothing else.

Twelve verified cries of the donate-a-cry corpus (ODbL 1.0 / DbCL 1.0, see ``clips/LICENSE``) and
five synthesised noises. ``clips/manifest.csv`` describes each; ``make_clips.py`` makes them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require


@dataclass(frozen=True)
class ClipEntry:
    """One line of ``clips/manifest.csv``.

    Attributes:
        path: name of the FLAC file beside the manifest.
        label: ``"cry"`` or ``"noise"``.
        kind: the cry's reason as its uploader gave it, or what the noise is.
        source: the corpus and its file name, or the synthesis and its seed.
        license: SPDX expression.
        sample_rate: Hz.
        duration_s: seconds.
        sha256: of the samples as little-endian int16, not of the file.
    """

    path: str
    label: str
    kind: str
    source: str
    license: str
    sample_rate: int
    duration_s: float
    sha256: str

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.removesuffix(".flac")


@dataclass(frozen=True)
class Clip:
    """A bundled clip.

    Attributes:
        name: unique, for example ``"cry_hungry_1"``.
        label: ``"cry"`` or ``"noise"``.
        kind: the cry's reason, or what the noise is.
        samples: (n,) int16 PCM, read-only.
        sample_rate: Hz; 16000, or 8000 for the recordings of phones that recorded so.
    """

    name: str
    label: str
    kind: str
    samples: NDArray[np.int16]
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def clips_folder() -> Path:
    """The folder of the FLAC files, wherever the package is installed."""
    return Path(str(resources.files("babycry_bench"))) / "clips"


def read_manifest() -> list[ClipEntry]:
    """Every entry of the manifest, in its order."""
    with (clips_folder() / "manifest.csv").open(encoding="utf-8") as stream:
        return [manifest_entry(row) for row in csv.DictReader(stream)]


def manifest_entry(row: dict[str, str]) -> ClipEntry:
    """One row of the manifest, with its numbers read."""
    return ClipEntry(
        path=row["path"],
        label=row["label"],
        kind=row["kind"],
        source=row["source"],
        license=row["license"],
        sample_rate=int(row["sample_rate"]),
        duration_s=float(row["duration_s"]),
        sha256=row["sha256"],
    )


def load_clips(label: str | None = None) -> list[Clip]:
    """All bundled clips in manifest order, or those of one label.

    Raises:
        BabycryError: soundfile is not installed, or a file is not the one in the manifest.
    """
    return list(_loaded(label))


def pcm_sha256(samples: NDArray[np.int16]) -> str:
    """Hex SHA-256 of samples as little-endian int16 bytes."""
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


def _loaded(label: str | None) -> Iterator[Clip]:
    soundfile = require("soundfile", "audio")
    for entry in read_manifest():
        if label not in (None, entry.label):
            continue
        with (clips_folder() / entry.path).open("rb") as stream:
            samples, sample_rate = soundfile.read(stream, dtype="int16")
        if sample_rate != entry.sample_rate or pcm_sha256(samples) != entry.sha256:
            raise BabycryError(f"{entry.path} is not the clip in manifest.csv: reinstall the bench")
        samples.flags.writeable = False
        yield Clip(entry.name, entry.label, entry.kind, samples, sample_rate)

"""The recordings' manifest and their audio and features."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.audio import read_audio, resample
from babycry_edge.config import FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.frontend import Frontend
from babycry_edge.windows import Windows, windows

Audio = npt.NDArray[np.float32]
Features = npt.NDArray[np.float32]

PROFILE = "babycry"
SAMPLE_RATE = 16000
WINDOW_FRAMES = 100
HOP_FRAMES = 25
N_FOLDS = 5
TARGET = "cry"
NEGATIVES = ("laugh", "noise", "animal", "speech", "music", "silence")

_CONFIG = FrontendConfig.from_profile(PROFILE)
_WINDOW_SAMPLES = _CONFIG.samples_for(WINDOW_FRAMES)


@dataclass(frozen=True)
class Clip:
    """A labelled recording. ``path`` is relative to the data folder; ``fold`` is 0 to 4."""

    path: str
    label: str
    group: str
    fold: int
    source: str

    @property
    def is_cry(self) -> bool:
        return self.label == TARGET


def read_manifest(data: Path) -> list[Clip]:
    """The clips with a listened-to label, in the order of ``data/manifest.csv``.

    Raises:
        BabycryError: the manifest is absent, lacks a column, or splits a group over folds.
    """
    path = data / "manifest.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        clips = [Clip(r["path"], r["label"], r["group"], int(r["fold"]), r["source"]) for r in rows]
    except FileNotFoundError:
        raise BabycryError(f"{path}: no such file: give the folder of recordings") from None
    except (KeyError, ValueError) as error:
        raise BabycryError(f"{path}: column {error} is missing or wrong") from None
    labelled = [clip for clip in clips if clip.label in (TARGET, *NEGATIVES)]
    folds: dict[str, int] = {}
    for clip in labelled:
        if folds.setdefault(clip.group, clip.fold) != clip.fold:
            raise BabycryError(f"{path}: group {clip.group} is in two folds")
    return labelled


def load_audio(data: Path, clip: Clip) -> Audio:
    """A clip's audio, ``(n_samples,)`` float32 at 16 kHz, full scale 1.0."""
    return read_audio(data / clip.path, SAMPLE_RATE)[0]


def quieter(audio: Audio) -> npt.NDArray[np.int16]:
    """What a distant microphone gives: 20 dB down, int16."""
    return np.asarray(np.clip(np.rint(audio * 3276.8), -32768, 32767), np.int16)


def degrade(audio: Audio) -> npt.NDArray[np.int16]:
    """What a distant microphone behind a telephone band gives: through 8 kHz, then quieter."""
    return quieter(resample(resample(audio, SAMPLE_RATE, 8000), 8000, SAMPLE_RATE))


class FeatureExtractor:
    """The project's front-end as training uses it: whole clips, before normalisation."""

    def __init__(self) -> None:
        self._frontend = Frontend(FrontendConfig.from_profile(PROFILE, normalize="none"))

    def __call__(self, audio: npt.NDArray[Any]) -> Features:
        """``(n_frames, 64)`` dB; a clip shorter than one window is followed by silence."""
        missing = max(0, _WINDOW_SAMPLES - len(audio))
        return self._frontend(np.pad(audio, (0, missing)), SAMPLE_RATE)


def model_windows(features: Features) -> Windows:
    """A clip's windows as the model sees them, ``(k, 100, 64)``."""
    return windows(features, WINDOW_FRAMES, HOP_FRAMES, _CONFIG.normalize)

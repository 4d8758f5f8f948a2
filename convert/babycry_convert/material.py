"""The recordings of one conversion: those that calibrate, choose, judge, and the golden one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babycry_convert.data.feature_cache import ClipWindows, LoadedWindows, load_windows
from babycry_convert.data.manifest import Recording, Recordings, read_recordings
from babycry_convert.data.sampling import CalibrationWindows, sample_windows
from babycry_convert.data.split import split
from babycry_convert.recipe import Recipe
from babycry_edge.audio import read_audio
from babycry_edge.progress import Track

#: Windows on which candidates are compared; they are none of those that set the ranges.
CHOICE_WINDOWS = 192

#: Recordings that are tried as the golden one.
GOLDEN_CANDIDATES = 8


@dataclass(frozen=True)
class Material:
    """``calibration`` sets the int8 ranges, ``choice`` compares candidates, ``held_out`` judges.

    No group of recordings is in two of them, unless the user gave the same recordings twice.
    ``golden``: samples ``(n,)`` float32 at the model's rate that may become the golden recording.
    ``notes``: what was left out, skipped or assumed, for people.
    """

    calibration: CalibrationWindows
    choice: CalibrationWindows
    held_out: tuple[ClipWindows, ...]
    golden: tuple[npt.NDArray[np.float32], ...]
    notes: tuple[str, ...]


def gather(
    recipe: Recipe,
    calibration: Path,
    held_out: Path | None,
    cache: Path | None,
    jobs: int,
    track: Track,
) -> Material:
    """Read the recordings and take their windows through the C front-end.

    Raises:
        BabycryError: nothing there, nothing readable, only silence, or labels that the recipe does
            not name.
    """
    labels, rest_label = recipe.labels.names, recipe.labels.rest or None
    given = read_recordings(calibration, labels, rest=rest_label)
    notes = [given.describe_left_out()]
    if held_out is None:
        rest, judged = split(given, seed=recipe.calibration.seed)
        notes.append(
            f"judged on {len(judged)} of the {len(given)} calibration recordings, held out by "
            "group: give --held-out for a set of your own"
        )
    else:
        read = read_recordings(held_out, labels, rest=rest_label)
        notes.append(read.describe_left_out())
        rest, judged = given.items, read.items

    def windows(title: str, recordings: tuple[Recording, ...]) -> LoadedWindows:
        advance = track(title, len(recordings))
        loaded = load_windows(
            Recordings(recordings),
            recipe.frontend,
            recipe.window.frames,
            recipe.window.hop_frames,
            cache=cache,
            jobs=jobs,
            progress=lambda done, total: advance(),
        )
        notes.append(loaded.describe_skipped())
        return loaded

    known = windows("features of the calibration set", tuple(rest))
    fit, choice = _divide(known.clips, recipe.calibration.seed)
    seed, count = recipe.calibration.seed, recipe.calibration.count
    return Material(
        calibration=sample_windows(fit, count, seed),
        choice=sample_windows(choice, CHOICE_WINDOWS, seed + 1),
        held_out=windows("features of the held-out set", tuple(judged)).clips,
        golden=_golden_samples(known.clips, recipe),
        notes=tuple(note for note in notes if note),
    )


def _divide(
    clips: tuple[ClipWindows, ...], seed: int
) -> tuple[tuple[ClipWindows, ...], tuple[ClipWindows, ...]]:
    """A part to calibrate and a part to choose by; one recording alone serves for both."""
    recordings = [clip.recording for clip in clips]
    if len({recording.group for recording in recordings}) < 2:
        return clips, clips
    _, held_out = split(recordings, seed=seed)
    chosen = {recording.name for recording in held_out}
    return (
        tuple(clip for clip in clips if clip.recording.name not in chosen),
        tuple(clip for clip in clips if clip.recording.name in chosen),
    )


def _golden_samples(
    clips: tuple[ClipWindows, ...], recipe: Recipe
) -> tuple[npt.NDArray[np.float32], ...]:
    """The loudest recordings of the target, or of all where there are no labels."""
    target = [clip for clip in clips if clip.recording.label == recipe.labels.target]

    def loudness(clip: ClipWindows) -> tuple[float, str]:
        return -float(np.max(clip.levels_db)), clip.recording.name

    chosen = sorted(target or clips, key=loudness)[:GOLDEN_CANDIDATES]
    rate = recipe.frontend.sample_rate
    return tuple(read_audio(clip.recording.path, rate)[0] for clip in chosen)

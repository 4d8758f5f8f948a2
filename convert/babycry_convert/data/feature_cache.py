"""Recordings through the C front-end to model windows, kept on disk so that no work is done twice.

A cached clip is two files: its windows' levels, then its windows; the second says that it is
complete. Both are written whole, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

import babycry_edge
from babycry_convert.data.manifest import Recording, Recordings
from babycry_edge.audio import Samples, read_audio
from babycry_edge.config import FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import ModelMetadata
from babycry_edge.whole_file import write_whole
from babycry_edge.windows import Windows, clip_windows

Levels = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

#: The level of digital silence, dBFS: no window is below it.
FLOOR_DB = -120.0


@dataclass(frozen=True)
class ClipWindows:
    """A recording's windows ``(k, rows, F)`` as the model sees them, float32, k of 1 or more.

    ``levels_db``, shape ``(k,)``: RMS of each window's samples in dBFS (full scale 1.0), -120 for
    silence. ``hop_frames``: from one window to the next.
    """

    recording: Recording
    windows: Windows
    levels_db: Levels
    hop_frames: int

    def window_name(self, index: int) -> str:
        """``path#first_frame`` of a window."""
        return f"{self.recording.name}#{index * self.hop_frames}"


@dataclass(frozen=True)
class Skipped:
    """A recording that could not be used, and why, in one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class LoadedWindows:
    """The clips in the order of the recordings, without those that were skipped."""

    clips: tuple[ClipWindows, ...]
    skipped: tuple[Skipped, ...] = ()

    def describe_skipped(self) -> str:
        """For the user: how many recordings could not be used, and which; empty if none."""
        if not self.skipped:
            return ""
        each = "; ".join(f"{item.name}: {item.reason}" for item in self.skipped)
        return f"{len(self.skipped)} recordings skipped: {each}"


@dataclass(frozen=True)
class WindowPlan:
    """How recordings become windows; ``frames`` and ``hop_frames`` as in the metadata."""

    frontend: FrontendConfig
    frames: int
    hop_frames: int

    def cut(self, samples: Samples) -> Windows:
        """The windows of a clip at the front-end's rate, by the way that detection takes."""
        described = _Described(self.frontend, self.frames, self.hop_frames)
        rate = self.frontend.sample_rate
        return clip_windows(samples, rate, cast(ModelMetadata, described))

    def levels(self, samples: Samples, count: int) -> Levels:
        """The RMS of the first ``count`` windows' samples, dBFS, shape ``(count,)``."""
        step = self.hop_frames * self.frontend.hop_length
        length = self.frontend.samples_for(self.frames)
        power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
        starts = np.minimum(np.arange(count) * step, len(samples))
        ends = np.minimum(starts + length, len(samples))
        mean = np.maximum(power[ends] - power[starts], 0.0) / np.maximum(ends - starts, 1)
        floor = 10.0 ** (FLOOR_DB / 10.0)
        return np.asarray(10.0 * np.log10(np.maximum(mean, floor)), np.float32)

    def key(self, data: bytes) -> str:
        """The cache key of a recording with this content."""
        settings = {
            "frontend": self.frontend.to_dict(),
            "frames": self.frames,
            "hop_frames": self.hop_frames,
            "version": babycry_edge.__version__,
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode("ascii"))
        digest.update(hashlib.sha256(data).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class _Described:
    """What :func:`clip_windows` reads of a model's metadata."""

    frontend: FrontendConfig
    window_frames: int
    hop_frames: int


def compute_windows(path: Path, plan: WindowPlan) -> tuple[Windows, Levels]:
    """One file's windows and their levels; a clip shorter than a window is followed by silence.

    Raises:
        BabycryError: the file is absent or damaged, or the front-end refuses its samples.
    """
    samples, _ = read_audio(path, plan.frontend.sample_rate)
    missing = plan.frontend.samples_for(plan.frames) - len(samples)
    samples = np.pad(samples, (0, max(0, missing)))
    windows = plan.cut(samples)
    if not np.isfinite(windows).all():
        raise BabycryError(f"{path}: the front-end gives values that are not finite")
    return windows, plan.levels(samples, len(windows))


def load_windows(
    recordings: Recordings | Sequence[Recording],
    frontend: FrontendConfig,
    window_frames: int,
    hop_frames: int,
    cache: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> LoadedWindows:
    """The windows of every recording.

    Args:
        recordings: which files.
        frontend: the model's front-end; pooling gives windows of one row, and what depends on the
            whole clip (ref="max", top_db, normalize) is taken of each window.
        window_frames: frames in a window.
        hop_frames: frames from one window to the next.
        cache: folder of cached windows, made if absent; None computes anew, in memory. The key is
            a hash of the file's content, the front-end, the window and the package's version.
        jobs: processes. They are spawned: a script that asks for more than one needs the usual
            ``if __name__ == "__main__"``.
        progress: called with the number of recordings done and their total.

    Returns:
        The clips; a recording that cannot be read or that the front-end refuses is skipped, counted
        and named. The same recordings give the same windows, whatever the cache and ``jobs``.

    Raises:
        BabycryError: no recording could be used, or the cache cannot be written.
    """
    items = recordings.items if isinstance(recordings, Recordings) else tuple(recordings)
    if not items:
        raise BabycryError("there are no recordings to take windows of")
    if not 1 <= hop_frames <= window_frames:
        raise BabycryError(f"hop_frames must lie between 1 and {window_frames}, not {hop_frames}")
    if cache is not None:
        _make_folder(cache)
    task = _Task(WindowPlan(frontend, window_frames, hop_frames), cache)
    clips: list[ClipWindows] = []
    skipped: list[Skipped] = []
    for done, (item, result) in enumerate(zip(items, _run(task, items, jobs), strict=True), 1):
        if isinstance(result, str):
            skipped.append(Skipped(item.name, result))
        else:
            clips.append(ClipWindows(item, *_arrays(result, cache), hop_frames))
        if progress is not None:
            progress(done, len(items))
    if not clips:
        raise BabycryError(
            f"none of the {len(items)} recordings can be used: {skipped[0].name}: "
            f"{skipped[0].reason}"
        )
    return LoadedWindows(tuple(clips), tuple(skipped))


@dataclass(frozen=True)
class _Task:
    """One recording: its cache key or its windows, or why it is skipped. Runs in any process."""

    plan: WindowPlan
    cache: Path | None

    def __call__(self, path: Path) -> bytes | tuple[Windows, Levels] | str:
        if self.cache is None:
            try:
                return compute_windows(path, self.plan)
            except BabycryError as error:
                return _reason(error, path)
        try:
            key = self.plan.key(path.read_bytes())
        except OSError as error:
            return error.strerror or str(error)
        if not _is_cached(self.cache, key):
            try:
                windows, levels = compute_windows(path, self.plan)
            except BabycryError as error:
                return _reason(error, path)
            write_whole(_levels_path(self.cache, key), _npy(levels))
            write_whole(_windows_path(self.cache, key), _npy(windows))
        return bytes.fromhex(key)


def _run(task: _Task, items: Sequence[Recording], jobs: int) -> Iterator[Any]:
    paths = [item.path for item in items]
    if jobs <= 1 or len(items) == 1:
        yield from map(task, paths)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(items)), mp_context=context)
    try:
        yield from pool.map(task, paths, chunksize=max(1, min(8, len(items) // (4 * jobs))))
    finally:
        pool.shutdown(cancel_futures=True)


def _arrays(result: bytes | tuple[Windows, Levels], cache: Path | None) -> tuple[Windows, Levels]:
    if isinstance(result, tuple):
        return result
    assert cache is not None
    key = result.hex()
    return np.load(_windows_path(cache, key)), np.load(_levels_path(cache, key))


def _is_cached(cache: Path, key: str) -> bool:
    """Both files are there and can be opened; a damaged one is computed again."""
    try:
        windows = np.load(_windows_path(cache, key), mmap_mode="r")
        return len(np.load(_levels_path(cache, key))) == len(windows)
    except (OSError, ValueError, EOFError):
        return False


def _windows_path(cache: Path, key: str) -> Path:
    return cache / f"{key}.npy"


def _levels_path(cache: Path, key: str) -> Path:
    return cache / f"{key}.levels.npy"


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BabycryError(f"{path}: cannot be made: {error.strerror}") from None


def _reason(error: BabycryError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")

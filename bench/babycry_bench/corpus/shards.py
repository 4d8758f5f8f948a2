"""A corpus cut into shards, and the plan that says which results belong to it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from babycry_bench.accuracy.answer import Recording, SystemSpec
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.whole_file import write_whole

PLAN_NAME = "plan.json"
PLAN_VERSION = 1

LARGEST_SHARD = 1024
"""Recordings in a shard at most, however short they are."""

_SETTLED = ("recordings", "models", "packages", "shard_minutes")
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Fingerprint:
    """What tells whether a file is still the one that was planned: -1, -1 where there is none."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """The file's, now."""
        try:
            found = path.stat()
        except OSError:
            return cls(-1, -1)
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class ShardItem:
    """A recording, the file's fingerprint, and its length by its header (0: unreadable)."""

    recording: Recording
    fingerprint: Fingerprint
    duration_s: float


@dataclass(frozen=True)
class Shard:
    """Recordings that are worked on together; ``index`` counts from 0 in the order of names."""

    index: int
    items: tuple[ShardItem, ...]

    @property
    def file_name(self) -> str:
        """Of its results."""
        return f"shard-{self.index:06d}.parquet"


@dataclass(frozen=True)
class CorpusPlan:
    """The whole order. ``sha256`` is that of ``settled``: hashes of all that moves a result."""

    shards: tuple[Shard, ...]
    settled: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Of everything that the results depend on."""
        return _sha256_of(self.settled)

    @property
    def recordings(self) -> int:
        """How many there are."""
        return sum(len(shard.items) for shard in self.shards)

    def to_json(self) -> str:
        """The plan file: some hashes, and no list of recordings."""
        record = {
            "version": PLAN_VERSION,
            "sha256": self.sha256,
            "shards": len(self.shards),
            "count": self.recordings,
            **self.settled,
        }
        return json.dumps(record, indent=2) + "\n"


def survey(
    recordings: Iterable[Recording], on_recording: Callable[[], object] = lambda: None
) -> list[ShardItem]:
    """Look at each file's size, time and header."""
    items = []
    for recording in recordings:
        fingerprint = Fingerprint.of(recording.path)
        items.append(ShardItem(recording, fingerprint, _header_duration_s(recording.path)))
        on_recording()
    return items


def make_plan(
    items: Sequence[ShardItem],
    specs: Sequence[SystemSpec],
    packages: dict[str, str],
    shard_minutes: float,
) -> CorpusPlan:
    """Cut ``items`` into shards of about ``shard_minutes`` of audio, in their order.

    A recording is never cut, so that a longer one is a shard by itself.

    Raises:
        BabycryError: ``shard_minutes`` is not above 0, or a model file cannot be read.
    """
    if not 0.0 < shard_minutes < math.inf:
        raise BabycryError(f"shards of {shard_minutes:g} minutes: give a number above 0")
    settled = {
        "recordings": _sha256_of([_identity(item) for item in items]),
        "models": _sha256_of([_model_identity(spec) for spec in specs]),
        "packages": dict(sorted(packages.items())),
        "shard_minutes": shard_minutes,
    }
    return CorpusPlan(tuple(_cut(items, 60.0 * shard_minutes)), settled)


def settle(folder: Path, plan: CorpusPlan) -> None:
    """Write the plan into a new results folder, or find that ``folder`` is this plan's own.

    Raises:
        BabycryError: the folder holds the results of another plan, a plan that cannot be read, or
            shards without one; the message says what differs and how to go on.
    """
    path = folder / PLAN_NAME
    mend = "give another results folder, or delete this one"
    if not path.exists():
        if any(folder.glob("shard-*.parquet")):
            raise BabycryError(f"{folder}: shards without their {PLAN_NAME}: {mend}")
        write_whole(path, plan.to_json().encode())
        return
    differing = _differences(path, plan, mend)
    if differing:
        raise BabycryError(
            f"{folder}: it holds the results of other {' and '.join(differing)}: {mend}"
        )


def _differences(path: Path, plan: CorpusPlan, mend: str) -> list[str]:
    try:
        written = json.loads(path.read_bytes()[:_CHUNK])
        if written["version"] != PLAN_VERSION:
            return ["versions of the plan"]
        differing = [key for key in _SETTLED if written[key] != plan.settled[key]]
        if not differing and written["sha256"] != plan.sha256:
            raise ValueError("its hash is not that of its content")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BabycryError(f"{path}: not a plan that can be read ({error}): {mend}") from None
    words = {"packages": "versions of packages", "shard_minutes": "shard lengths"}
    return [words.get(key, key) for key in differing]


def _cut(items: Sequence[ShardItem], longest_s: float) -> Iterable[Shard]:
    group: list[ShardItem] = []
    index, total_s = 0, 0.0
    for item in items:
        full = total_s + item.duration_s > longest_s or len(group) == LARGEST_SHARD
        if group and full:
            yield Shard(index, tuple(group))
            group, index, total_s = [], index + 1, 0.0
        group.append(item)
        total_s += item.duration_s
    if group:
        yield Shard(index, tuple(group))


def _header_duration_s(path: Path) -> float:
    """Seconds of audio by the file's header; 0.0 of a file that is no audio."""
    soundfile = require("soundfile", "audio")
    if not path.is_file():
        return 0.0
    try:
        return float(soundfile.info(str(path)).duration)
    except (OSError, ValueError, ZeroDivisionError, soundfile.LibsndfileError):
        return 0.0


def _identity(item: ShardItem) -> list[Any]:
    recording = item.recording
    file = item.fingerprint
    return [recording.name, recording.label, recording.events, file.size, file.mtime_ns]


def _model_identity(spec: SystemSpec) -> dict[str, Any]:
    """The spec with the content of its files in place of where they are."""
    identity = asdict(spec)
    for key, value in identity.items():
        if isinstance(value, Path):
            identity[key] = [value.name, _file_sha256(value)]
    return identity


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise BabycryError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def _sha256_of(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

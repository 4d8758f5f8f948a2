"""Recordings on disk: a CSV manifest, a folder of labelled sub-folders, or a flat folder."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from babycry_edge.errors import BabycryError

#: Endings of the files that count as recordings in a folder.
SOUND_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd"),
    *(".w64", ".rf64", ".caf", ".sph", ".nist", ".voc"),
)

MANIFEST_NAME = "manifest.csv"

#: How a recording without a label is counted where labels are wanted.
UNLABELLED = "(no label)"


@dataclass(frozen=True)
class Recording:
    """A sound file. ``name`` is its path below the folder that all recordings share.

    Recordings of one ``group`` (a speaker, a device, a source file) stay on one side of a split.
    """

    path: Path
    name: str
    label: str | None
    group: str
    fold: int | None = None


@dataclass(frozen=True)
class Recordings:
    """What a manifest or folder holds; ``left_out`` counts the rows of each unknown label."""

    items: tuple[Recording, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def counts(self) -> dict[str, int]:
        """Recordings of each label, in alphabetical order; without labels it is empty."""
        found = Counter(item.label for item in self.items if item.label is not None)
        return dict(sorted(found.items()))

    def describe_left_out(self) -> str:
        """For the user: how many rows of which label were left out; empty if none."""
        if not self.left_out:
            return ""
        each = ", ".join(f"{label} {count}" for label, count in sorted(self.left_out.items()))
        return f"{sum(self.left_out.values())} recordings left out for their labels: {each}"


def read_recordings(
    path: Path,
    labels: Sequence[str] | None = None,
    root: Path | None = None,
    rest: str | None = None,
) -> Recordings:
    """Read a manifest or a folder.

    Args:
        path: a CSV file with the columns path and, if wanted, label, group and fold (a whole
            number); a folder with a ``manifest.csv``; a folder with one sub-folder a label; or a
            folder of sound files, which then have no labels.
        labels: what to keep; other labels are counted and left out. None keeps all.
        rest: the one of ``labels`` that recordings with any other label count as; None leaves
            those out.
        root: where a manifest's paths begin; by default the manifest's own folder.

    Returns:
        The recordings in the order of the manifest, of a folder in alphabetical order. The files
        are not opened here. Without a group column each recording is a group of its own.

    Raises:
        BabycryError: nothing there, no recording, a column that is missing or wrong, labels of
            which none is wanted, or a group in two folds.
    """
    path = Path(path)
    if path.is_dir() and not (path / MANIFEST_NAME).is_file():
        found = _read_folder(path)
    else:
        manifest = path / MANIFEST_NAME if path.is_dir() else path
        found = _read_manifest(manifest, root or manifest.parent)
    _check_folds(path, found)
    if rest is not None and labels is not None:
        found = [_relabelled(item, labels, rest) for item in found]
    return _keep_labels(path, found, labels)


def _relabelled(item: Recording, labels: Sequence[str], rest: str) -> Recording:
    known = item.label is None or item.label in labels
    return item if known else replace(item, label=rest)


def _read_manifest(path: Path, root: Path) -> list[Recording]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            rows = list(reader)
    except FileNotFoundError:
        raise BabycryError(f"{path}: no such folder or manifest") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BabycryError(f"{path}: cannot be read as a CSV manifest: {error}") from None
    if "path" not in columns:
        raise BabycryError(f"{path}: no column path: the first line must name the columns")
    if not rows:
        raise BabycryError(f"{path}: the manifest lists no recording")
    paths = [_row_path(path, root, number, row) for number, row in enumerate(rows, start=2)]
    names = _names(paths)
    return [
        Recording(
            path=where,
            name=name,
            label=row.get("label") or None,
            group=row.get("group") or name,
            fold=_fold(path, number, row.get("fold")),
        )
        for number, (row, where, name) in enumerate(zip(rows, paths, names, strict=True), start=2)
    ]


def _row_path(manifest: Path, root: Path, number: int, row: Mapping[str, str | None]) -> Path:
    value = row["path"]
    if not value or "\n" in value or "\0" in value:
        raise BabycryError(f"{manifest}: row {number}: the path is empty or has a line break")
    return root / value


def _names(paths: Sequence[Path]) -> list[str]:
    """Paths below the folder that they share, so that names do not tell where that folder is."""
    whole = [os.path.normpath(path.absolute()) for path in paths]
    shared = os.path.commonpath([os.path.dirname(path) for path in whole])  # noqa: PTH120
    return [Path(os.path.relpath(path, shared)).as_posix() for path in whole]


def _fold(manifest: Path, number: int, value: str | None) -> int | None:
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise BabycryError(
            f"{manifest}: row {number}: the fold is {value!r}, not a whole number"
        ) from None


def _read_folder(path: Path) -> list[Recording]:
    folders = sorted(item for item in path.iterdir() if item.is_dir())
    labelled = [(item, folder.name) for folder in folders for item in _sound_files(folder)]
    files = [item for item in sorted(path.iterdir()) if _is_sound(item)]
    found = [(item, None) for item in files] + labelled
    if not found:
        raise BabycryError(f"{path}: the folder holds no recording ({' '.join(SOUND_SUFFIXES)})")
    return [
        Recording(item, name, label, group=name)
        for item, label in found
        for name in [item.relative_to(path).as_posix()]
    ]


def _sound_files(folder: Path) -> list[Path]:
    return sorted(item for item in folder.rglob("*") if _is_sound(item))


def _is_sound(path: Path) -> bool:
    return (
        path.suffix.lower() in SOUND_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _check_folds(path: Path, found: Iterable[Recording]) -> None:
    folds: dict[str, int | None] = {}
    for item in found:
        if folds.setdefault(item.group, item.fold) != item.fold:
            raise BabycryError(f"{path}: group {item.group} is in two folds")


def _keep_labels(
    path: Path, found: Sequence[Recording], labels: Sequence[str] | None
) -> Recordings:
    if labels is None or all(item.label is None for item in found):
        return Recordings(tuple(found))
    kept = tuple(item for item in found if item.label in labels)
    left_out = Counter(item.label or UNLABELLED for item in found if item.label not in labels)
    if not kept:
        raise BabycryError(
            f"{path}: no recording has one of the labels {', '.join(labels)}: "
            f"found {', '.join(sorted(left_out))}"
        )
    return Recordings(kept, dict(left_out))

"""The recordings of a corpus: a folder of sound files, or a manifest with labels and events."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from babycry_bench.accuracy.answer import Recording
from babycry_convert.data.manifest import MANIFEST_NAME, read_recordings
from babycry_edge.errors import BabycryError

MANIFEST_BYTES = 256 * 1024 * 1024
"""A longer manifest is refused: a million rows take less."""

_LONGEST_NAME = 4096


def find_recordings(path: Path) -> list[Recording]:
    """Every recording of a corpus, in the order of their names.

    Args:
        path: a CSV file with the columns path and, if wanted, label and events
            (``start-end;start-end`` in seconds; an empty field: annotated, and there are none); a
            folder with a ``manifest.csv``; or a folder of sound files, those of a sub-folder
            labelled with its name.

    Returns:
        The recordings; ``events`` is None where the manifest has no such column. The files are
        not opened.

    Raises:
        BabycryError: nothing there, no recording, one that is listed twice, a manifest that is too
            long or not CSV, or events that are not spans in order; the message names the row.
    """
    manifest = _manifest_of(path)
    if manifest is not None:
        _check_size(manifest)
    items = read_recordings(path).items
    events = [None] * len(items) if manifest is None else _read_events(manifest, len(items))
    found = [
        Recording(path=item.path, name=item.name, label=item.label, events=spans)
        for item, spans in zip(items, events, strict=True)
    ]
    found.sort(key=lambda recording: recording.name)
    _check_names(path, found)
    return found


def parse_events(text: str) -> tuple[tuple[float, float], ...]:
    """``"1.5-4;10-12.25"`` as ((1.5, 4.0), (10.0, 12.25)), in seconds; ``""`` as ().

    Raises:
        BabycryError: not spans of numbers, one that ends before it starts, or an overlap.
    """
    spans = tuple(_parse_span(part) for part in text.split(";") if part.strip())
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise BabycryError(f"the events overlap or are out of order at {start:g} s: sort them")
    return spans


def _parse_span(text: str) -> tuple[float, float]:
    start, dash, end = text.partition("-")
    try:
        span = (float(start), float(end))
    except ValueError:
        span = (math.nan, math.nan)
    if not dash or not all(map(math.isfinite, span)) or not 0.0 <= span[0] < span[1]:
        raise BabycryError(
            f"the event {text.strip()[:60]!r} is not start-end in seconds: write 1.5-4;10-12.25"
        )
    return span


def _manifest_of(path: Path) -> Path | None:
    if not path.is_dir():
        return path
    manifest = path / MANIFEST_NAME
    return manifest if manifest.is_file() else None


def _check_size(manifest: Path) -> None:
    if not manifest.exists():
        raise BabycryError(f"{manifest}: no such folder or manifest")
    if not manifest.is_file():
        raise BabycryError(f"{manifest}: neither a folder nor a file: give a folder or a CSV file")
    size = manifest.stat().st_size
    if size > MANIFEST_BYTES:
        raise BabycryError(
            f"{manifest}: {size} bytes are too many for a manifest (at most {MANIFEST_BYTES}): "
            "give the CSV file that lists the recordings, or split it"
        )


def _read_events(manifest: Path, count: int) -> Sequence[tuple[tuple[float, float], ...] | None]:
    """The events of each row, in the order of the rows, which ``read_recordings`` has checked."""
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, strict=True)
            if "events" not in (rows.fieldnames or []):
                return [None] * count
            return [
                _row_events(manifest, number, row["events"]) for number, row in enumerate(rows, 2)
            ]
    except (OSError, csv.Error) as error:
        raise BabycryError(f"{manifest}: cannot be read as a CSV manifest: {error}") from None


def _row_events(
    manifest: Path, number: int, text: str | None
) -> tuple[tuple[float, float], ...] | None:
    if text is None:
        raise BabycryError(f"{manifest}: row {number}: it has fewer fields than the first line")
    try:
        return parse_events(text)
    except BabycryError as error:
        raise BabycryError(f"{manifest}: row {number}: {error}") from None


def _check_names(path: Path, found: Sequence[Recording]) -> None:
    for one, other in pairwise(found):
        if one.name == other.name:
            raise BabycryError(f"{path}: {one.name} is listed twice: keep one of the rows")
    for recording in found:
        if len(recording.name) > _LONGEST_NAME:
            raise BabycryError(f"{path}: a name of {len(recording.name)} characters is too long")
        try:
            f"{recording.name}{recording.label}".encode()
        except UnicodeEncodeError:
            raise BabycryError(
                f"{path}: the name {recording.name!a} is not UTF-8: rename the file"
            ) from None

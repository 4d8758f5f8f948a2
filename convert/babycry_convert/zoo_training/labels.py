"""Which recordings a recipe's system is trained on, and the manifests that say so."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole

#: Never trained on, never calibrated on.
HELD_OUT_FOLD = 4

#: Every recording without a cry is this where a recipe has it.
OTHER = "other"
CRY = "cry"

#: What listeners have confirmed; "unverified" uploads are not used.
LISTENED = ("cry", "laugh", "noise", "silence", "animal", "speech", "music")

_COLUMNS = ("path", "label", "kind", "group", "fold")


@dataclass(frozen=True)
class Row:
    """A line of the data's manifest with the recipe's label."""

    path: str
    label: str
    group: str
    fold: int


def label_of(label: str, kind: str, names: Sequence[str]) -> str | None:
    """The recipe's label of a recording: its kind ("cat") before its label ("animal"), or other.

    None for a recording that the recipe has no label for.
    """
    if label not in LISTENED:
        return None
    for wanted in (kind, label):
        if wanted in names:
            return wanted
    return OTHER if OTHER in names and label != CRY else None


def labelled_rows(data: Path, names: Sequence[str]) -> list[Row]:
    """The recordings of ``data/manifest.csv`` that a recipe with these labels can use.

    Raises:
        BabycryError: the manifest is absent, lacks a column, or one of the labels is in no
            training fold.
    """
    path = data / "manifest.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [[row[column] for column in _COLUMNS] for row in csv.DictReader(file)]
        found = [
            Row(where, own, group, int(fold))
            for where, label, kind, group, fold in rows
            if (own := label_of(label, kind, names)) is not None
        ]
    except FileNotFoundError:
        raise BabycryError(f"{path}: no such file: give the folder of recordings") from None
    except (KeyError, ValueError) as error:
        raise BabycryError(f"{path}: column {error} is missing or wrong") from None
    trained = {row.label for row in found if row.fold != HELD_OUT_FOLD}
    absent = [name for name in names if name not in trained]
    if absent:
        raise BabycryError(f"{path}: no recording outside fold 4 is labelled {', '.join(absent)}")
    return found


def write_manifests(data: Path, names: Sequence[str], folder: Path) -> tuple[Path, Path]:
    """Write ``calibration.csv`` (training recordings) and ``held_out.csv`` into ``folder``.

    Paths are relative to ``folder``. A group is in one of the two.

    Raises:
        BabycryError: as for :func:`labelled_rows`, or the files cannot be written.
    """
    rows = labelled_rows(data, names)
    folder.mkdir(parents=True, exist_ok=True)
    calibration, held_out = folder / "calibration.csv", folder / "held_out.csv"
    _write(calibration, data, [row for row in rows if row.fold != HELD_OUT_FOLD])
    _write(held_out, data, [row for row in rows if row.fold == HELD_OUT_FOLD])
    return calibration, held_out


def _write(path: Path, data: Path, rows: Sequence[Row]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label", "group", "fold"))
    for row in rows:
        where = Path(os.path.relpath(data / row.path, path.parent)).as_posix()
        writer.writerow((where, row.label, row.group, row.fold))
    write_whole(path, text.getvalue().encode("utf-8"))

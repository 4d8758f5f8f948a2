"""The reports in a folder, oldest first, and how each stage's median moved over them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from babycry_bench.ingest import read_report
from babycry_bench.reports.quantity_text import duration, ratio_text, stage_title
from babycry_edge.errors import BabycryError

_BARS = "▁▂▃▄▅▆▇█"
_LEAST_SPAN = 0.1
_COUNTED = "instructions (emulated)"
_KEY_FIELDS = ("target", "model", "profile", "stage", "clock", "cpu")

Record = dict[str, Any]


@dataclass
class History:
    """What a folder holds.

    Attributes:
        folder: its path.
        reports: those that could be read, oldest first.
        files: their names, in that order.
        skipped: the other JSON files: ``file`` and ``reason``.
    """

    folder: Path
    reports: list[Record] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    @property
    def series(self) -> list[Record]:
        """For each stage of each target and model its ``points`` (``created, file, p50, ...``).

        Times of another processor are another series; layers are left out.
        """
        series: dict[tuple[Any, ...], Record] = {}
        for report, file in zip(self.reports, self.files, strict=True):
            for record in (report, *report["targets"]):
                for stage in record["stages"]:
                    if stage["stage"] == "layer":
                        continue
                    key = _key(record, stage)
                    entry = series.setdefault(key, _new_series(key, stage))
                    entry["points"].append(_point(report, file, stage))
        return list(series.values())

    def to_dict(self) -> Record:
        """For JSON and for the page: the reports by name, and the series."""
        return {
            "kind": "history",
            "schema_version": 1,
            "folder": str(self.folder),
            "reports": [
                {
                    "file": file,
                    "created": report["created"],
                    "git_commit": report["build"]["git_commit"],
                    "passed": report["passed"],
                }
                for report, file in zip(self.reports, self.files, strict=True)
            ],
            "skipped": self.skipped,
            "series": self.series,
        }


def read_history(folder: Path) -> History:
    """Every report (``*.json``) of ``folder``, sorted by when it was made.

    A file that is damaged, of another schema version or no report is named in ``skipped``.

    Raises:
        BabycryError: there is no such folder, or it holds no report that can be read.
    """
    if not folder.is_dir():
        raise BabycryError(f"{folder}: no such folder")
    history = History(folder)
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append((path.name, _read_report(path)))
        except BabycryError as error:
            reason = str(error).removeprefix(f"{path}: ")
            history.skipped.append({"file": path.name, "reason": reason})
    found.sort(key=lambda entry: (entry[1]["created"], entry[0]))
    history.files = [file for file, _ in found]
    history.reports = [report for _, report in found]
    if not found:
        if not history.skipped:
            raise BabycryError(f"{folder}: holds no JSON file: write reports there with --json")
        count = len(history.skipped)
        first = f": {path_reason(history.skipped[0])}" if count else ""
        raise BabycryError(f"{folder}: none of its {count} JSON files is a report{first}")
    return history


def path_reason(skipped: Mapping[str, str]) -> str:
    """A skipped file and why, on one line."""
    return f"{skipped['file']}: {skipped['reason']}"


def _read_report(path: Path) -> Record:
    report = read_report(path)
    if report["created"] is None:
        raise BabycryError(f"{path}: does not say when it was made")
    return report


def _key(record: Record, stage: Record) -> tuple[Any, ...]:
    cpu = None if stage["clock"] == _COUNTED else record["machine"]["cpu"]
    return (record["target"], *(stage.get(name) for name in _KEY_FIELDS[1:-1]), cpu)


def _new_series(key: tuple[Any, ...], stage: Record) -> Record:
    return {**dict(zip(_KEY_FIELDS, key, strict=True)), "unit": stage["unit"], "points": []}


def _point(report: Record, file: str, stage: Record) -> Record:
    return {
        "created": report["created"],
        "git_commit": report["build"]["git_commit"],
        "file": file,
        "p50": stage["p50"],
        "p50_interval": stage["p50_interval"],
    }


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """``values`` as bars; the newest of them on the right.

    The height is the spread of the values, and at least 10 % of them: noise stays flat. Values
    beyond ``width`` are joined to medians of neighbours.
    """
    if not values:
        return ""
    per_bar = math.ceil(len(values) / width)
    first = len(values) % per_bar
    cuts = [0, *range(first or per_bar, len(values) + 1, per_bar)]
    heights = [median(values[start:end]) for start, end in pairwise(cuts)]
    middle = (min(heights) + max(heights)) / 2
    span = max(max(heights) - min(heights), _LEAST_SPAN * middle) or 1.0
    top = len(_BARS) - 1
    return "".join(_BARS[round(top * (0.5 + (height - middle) / span))] for height in heights)


def print_history(history: History, file: TextIO, width: int | None = None) -> None:
    """Print a line for every series, and what was skipped."""
    from babycry_bench.reports.terminal_table import line, number_table, shown_in

    columns = ("reports", "first", "newest", "change", "over time")
    with shown_in(file, width) as show:
        first, newest = history.reports[0]["created"], history.reports[-1]["created"]
        show("")
        show(line(f"{len(history.reports)} reports in {history.folder}, {first} to {newest}"))
        show("")
        rows = number_table("p50", columns)
        for name, series in _groups(history.series).items():
            rows.add_row(name)
            for entry in series:
                rows.add_row(f"  {stage_title(entry)}", *_cells(entry))
        show(rows)
        show("")
        for skipped in history.skipped:
            show(line(f"left out: {path_reason(skipped)}", "yellow"))


def _groups(series: Sequence[Record]) -> dict[str, list[Record]]:
    """By target and model; by processor, too, where a target had several."""
    processors: dict[str, set[str]] = {}
    for entry in series:
        if entry["clock"] != _COUNTED:
            processors.setdefault(entry["target"], set()).add(entry["cpu"])
    groups: dict[str, list[Record]] = {}
    for entry in series:
        words = [entry["target"], entry["model"] or entry["profile"]]
        if len(processors.get(entry["target"], ())) > 1:
            words.append(entry["cpu"])
        groups.setdefault(": ".join(word for word in words if word), []).append(entry)
    return groups


def _cells(entry: Record) -> list[str]:
    values = [point["p50"] for point in entry["points"]]
    unit = entry["unit"]
    change = values[-1] / values[0] if values[0] > 0 else None
    return [
        str(len(values)),
        duration(values[0], unit),
        duration(values[-1], unit),
        ratio_text(change) if len(values) > 1 else "",
        sparkline(values, 16),
    ]

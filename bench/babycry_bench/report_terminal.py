"""The report as a firmware engineer reads it in a terminal, at most 100 columns wide."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from babycry_bench.report import Record, Report

MAX_COLUMNS = 100

_STAGE_TITLES = {
    "frontend_window": "front-end, one window",
    "frontend_clip": "front-end, one clip",
    "capture": "recording from its file",
    "resample": "resampling",
    "frontend_hop": "front-end, one hop",
    "network": "network, one window",
    "smoothing": "smoothing, one window",
    "pipeline": "whole pipeline, one clip",
}
_COLD_START_TITLES = {
    "to_first_features_ms": "import and first features",
    "load_ms": "load the model",
    "first_inference_ms": "first inference",
    "total_ms": "import to first score",
    "self_check_ms": "golden self-check",
}
_VERDICTS = {
    True: Text("pass", style="green"),
    False: Text("FAIL", style="bold red"),
    None: Text("skip", style="yellow"),
}


def print_report(report: Report, file: TextIO) -> None:
    """Print latency, footprint, gates and verdict; colour only on a terminal."""
    width = shutil.get_terminal_size().columns if file.isatty() else MAX_COLUMNS
    console = Console(file=file, width=min(width, MAX_COLUMNS), highlight=False)
    with console.capture() as capture:
        console.print()
        for line in _header(report):
            console.print(line)
        for table in (_latency(report), _footprint(report), _gates(report)):
            console.print()
            console.print(table)
        console.print()
        for note in _notes(report):
            console.print(Padding(Text(f"note: {note}", style="yellow"), (0, 1)))
        for failure in _failures(report):
            console.print(Padding(Text(failure, style="red"), (0, 1)))
        console.print(Padding(_verdict(report), (0, 1)))
    for row in capture.get().splitlines():
        print(row.rstrip(), file=file)


def _header(report: Report) -> Iterable[Text]:
    build, machine = report.build, report.machine
    cores = machine["cores"]
    governor = f", governor {machine['governor']}" if machine["governor"] else ""
    yield Text.assemble(
        " ",
        (f"babycry-edge bench {build['babycry_edge']}", "bold"),
        f", front-end in {build['instruction_set']}",
    )
    yield Text(
        f" {machine['cpu'] or 'unknown CPU'}, cores: {cores}, "
        f"{machine['architecture']}, {machine['operating_system']}, Python {build['python']}"
        f"{governor}"
    )


def _table(title: str, *number_columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 0, 0, 1))
    # On a narrow terminal the titles wrap and the numbers stay whole.
    table.add_column(Text(title, style="bold not dim"))
    for name in number_columns:
        table.add_column(name, justify="right", no_wrap=True, min_width=6)
    return table


def _latency(report: Report) -> Table:
    table = _table("Latency", "p50 ms", "p95 ms", "p99 ms", "max ms", "count", "RTF p95")
    for model in report.models:
        table.add_row(f"{model['model']}, {model['engine']} {model['engine_version'] or ''}")
        for stage in report.stages:
            if stage["model"] == model["model"] and stage["stage"] != "layer":
                table.add_row(*_latency_cells(stage))
    return table


def _latency_cells(stage: Record) -> list[str]:
    times = [f"{stage[key]:.3f}" for key in ("p50", "p95", "p99", "max")]
    factor = f"{stage['real_time_factor']['p95']:.5f}"
    title = f"  {_STAGE_TITLES.get(stage['stage'], stage['stage'])}"
    if stage["stage"].startswith("frontend"):
        title += f" ({stage['audio_s']:.3g} s)"
    return [title, *times, str(stage["count"]), factor]


def _footprint(report: Report) -> Table:
    table = _table("Cold start and footprint", *(model["model"] for model in report.models))
    starts = [model["cold_start"] for model in report.models]
    for key, title in _COLD_START_TITLES.items():
        table.add_row(f"  {title}", *(_milliseconds(start[key]) for start in starts))
    for key, title in (
        ("peak_rss_bytes", "peak memory of the process"),
        ("frontend_rss_bytes", "of which before the engine"),
    ):
        table.add_row(f"  {title}", *(_bytes(start[key]) for start in starts))
    table.add_row("  model file", *(_bytes(model["size_bytes"]) for model in report.models))
    return table


def _gates(report: Report) -> Table:
    table = _table("Gates", "worst value", "bound", "checks", "verdict")
    for name in dict.fromkeys(record["gate"] for record in report.gates):
        records = [record for record in report.gates if record["gate"] == name]
        worst = _worst(records)
        unit = "bytes" if worst["unit"] == "bytes" else ""
        limit = f"{worst['operator']} {_value(worst['bound'], unit)}"
        value = "skipped" if "skipped" in worst else _value(worst["value"], worst["unit"])
        table.add_row(f"  {name}", value, limit, str(len(records)), _VERDICTS[worst["passed"]])
    return table


def _worst(records: list[Record]) -> Record:
    """The record to show of one gate: a failed one first, then the one closest to its bound."""

    def badness(record: Record) -> tuple[int, float]:
        rank = {False: 2, True: 1, None: 0}[record["passed"]]
        value = record["value"]
        number = float(value) if isinstance(value, (int, float)) else 0.0
        return rank, -number if record["operator"].startswith(">") else number

    return max(records, key=badness)


def _notes(report: Report) -> list[str]:
    """The warnings, and once each the reasons why a gate was skipped."""
    skipped: dict[str, list[str]] = {}
    for record in report.gates:
        if "skipped" in record and record["gate"] not in skipped.get(record["skipped"], []):
            skipped.setdefault(record["skipped"], []).append(record["gate"])
    reasons = [f"{len(gates)} gates skipped: {reason}" for reason, gates in skipped.items()]
    return [*report.warnings, *reasons]


def _failures(report: Report) -> list[str]:
    return [
        f"failed: {record['name']}: {_value(record['value'], record['unit'])}, "
        f"bound {record['operator']} {_value(record['bound'], record['unit'])}"
        for record in report.gates
        if record["passed"] is False
    ]


def _verdict(report: Report) -> Text:
    verdicts = [record["passed"] for record in report.gates]
    word = ("PASSED", "bold green") if report.passed else ("FAILED", "bold red")
    return Text.assemble(
        word,
        f"  {verdicts.count(True)} checks passed, {verdicts.count(False)} failed, "
        f"{verdicts.count(None)} skipped",
    )


def _value(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (int, float)):
        return "none"
    if unit == "bytes":
        return _bytes(value)
    return f"{value:.3g} {unit}".rstrip() if abs(value) < 1000 else f"{value:.0f} {unit}".rstrip()


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def _bytes(count: float) -> str:
    return f"{count / 1024:.0f} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.0f} MiB"

"""The report as a firmware engineer reads it in a terminal, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.table import Table
from rich.text import Text

from babycry_bench.gates.places import ABSENT
from babycry_bench.gates.verdict import NO_BASELINE
from babycry_bench.reports.accuracy_rows import accuracy_rows, data_line
from babycry_bench.reports.junit import verdict_line
from babycry_bench.reports.quantity_text import (
    NOTHING,
    count,
    gate_value,
    milliseconds,
    percent,
    short_stage_title,
    size,
)
from babycry_bench.reports.target_summary import COLUMNS, divergence_lines, summarize
from babycry_bench.reports.terminal_table import columns_of, line, number_table, shown_in

Record = Mapping[str, Any]

_COLD_START_TITLES = {
    "to_first_features_ms": "import and first features",
    "load_ms": "load the model",
    "first_inference_ms": "first inference",
    "total_ms": "import to first score",
    "self_check_ms": "golden self-check",
}
_MEMORY_TITLES = {
    "peak_rss_bytes": "peak memory of the process",
    "frontend_rss_bytes": "of which before the engine",
}
_VERDICTS = {
    True: Text("pass", style="green"),
    False: Text("FAIL", style="bold red"),
    None: Text("skip", style="yellow"),
}
_NOT_ASKED_FOR = (ABSENT, NO_BASELINE)
_SLOWEST_LAYERS = 3
_MODELS_ABREAST = 3
_SHORT_NAME, _LONG_NAME = 13, 20  # columns of a target's name
_WIDE = 95
_ONLY_WIDE = ("front-end", "work RAM")
_UNIT_TITLES = {"ms": "ms", "cycles": "cycles", "instructions": "instr"}


def print_report(
    report: Record, file: TextIO, html_path: Path | None = None, width: int | None = None
) -> None:
    """Print latency, targets, footprint, accuracy, gates and verdict; colour only on a terminal.

    Args:
        report: as the schema has it.
        file: where to.
        html_path: of the page, when one is written; it is the last line.
        width: columns, at most 100; that of the terminal unless given.
    """
    with shown_in(file, width) as show:
        show("")
        for text in _header(report):
            show(text)
        for table in _tables(report, columns_of(file, width)):
            show("")
            show(table)
        show("")
        for note in _notes(report):
            show(line(f"note: {note}", "yellow"))
        for found in divergence_lines(report):
            show(line(found, "red"))
        for failure in _failures(report):
            show(line(failure, "red"))
        show(_verdict(report))
    if html_path is not None:
        # Never wrapped: it is there to be copied.
        print(f" report: {html_path}", file=file)


def _header(report: Record) -> Iterable[Text]:
    build, machine = report["build"], report["machine"]
    commit = f" ({build['git_commit'][:12]})" if build["git_commit"] else ""
    yield Text.assemble(
        " ",
        (f"babycry-edge bench {build['babycry_edge']}", "bold"),
        f"{commit}, front-end in {build['instruction_set']}",
    )
    facts = [
        machine["cpu"] or "unknown CPU",
        f"cores: {machine['cores']}",
        machine["architecture"],
        machine["operating_system"],
        f"Python {build['python']}" if build["python"] else None,
        f"governor {machine['governor']}" if machine["governor"] else None,
        f"on core {machine['pinned_core']}" if machine["pinned_core"] is not None else None,
    ]
    yield Text(" " + ", ".join(str(fact) for fact in facts if fact))


def _tables(report: Record, columns: int) -> Iterator[Table]:
    units = dict.fromkeys(stage["unit"] for stage in report["stages"])
    for unit in units:
        yield _latency(report, unit)
    if report["targets"]:
        yield _targets(report, columns)
    started = [model for model in report["models"] if model.get("cold_start")]
    for models in _abreast(started):
        yield _footprint(models)
    if report.get("energy"):
        yield _energy(report["energy"])
    for accuracy in _abreast(report.get("accuracy", [])):
        yield _accuracy(accuracy)
    yield _gates(report)


def _abreast(items: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """``items`` in groups that a terminal holds side by side."""
    for start in range(0, len(items), _MODELS_ABREAST):
        yield items[start : start + _MODELS_ABREAST]


def _latency(report: Record, unit: str) -> Table:
    """This machine's stages by one clock."""
    short = _UNIT_TITLES[unit]
    columns = [f"p50 {short}", "+/-", "p95", "p99", "max", "calls"]
    factors = any(stage["real_time_factor"] for stage in report["stages"] if stage["unit"] == unit)
    table = number_table("Latency", [*columns, *(["RTF p95"] if factors else [])])
    described = {model["model"]: model for model in report["models"]}
    groups: dict[str | None, list[Record]] = {}
    for stage in report["stages"]:
        if stage["unit"] == unit:
            groups.setdefault(stage["model"], []).append(stage)
    for name, stages in groups.items():
        table.add_row(_model_title(name, described.get(name or "")))
        layers = [stage for stage in stages if stage["stage"] == "layer"]
        slowest = sorted(layers, key=lambda layer: -layer["p50"])[:_SLOWEST_LAYERS]
        for stage in stages:
            if stage["stage"] != "layer":
                table.add_row(*_latency_cells(stage, factors))
        for stage in slowest:
            table.add_row(*_latency_cells(stage, factors))
        if len(layers) > len(slowest):
            table.add_row(Text(f"  ({len(layers) - len(slowest)} faster layers)", style="dim"))
    return table


def _model_title(name: str | None, model: Record | None) -> str:
    if name is None:
        return "no model"
    if model is None:
        return name
    threads = f", {model['threads']} threads" if model["threads"] > 1 else ""
    engine = f"{model['engine']} {model['engine_version'] or ''}".rstrip()
    return f"{name}, {model['precision']}, {engine}{threads}"


def _latency_cells(stage: Record, factors: bool) -> list[str]:
    figures = [_figure(stage[key], stage["unit"]) for key in ("p50", "p95", "p99", "max")]
    factor = stage["real_time_factor"]
    title = f"  {short_stage_title(stage)}"
    if stage["profile"]:
        title += f", {stage['profile']}"
    if stage["audio_s"] and stage["stage"].startswith("frontend"):
        title += f" ({stage['audio_s']:.3g} s)"
    cells = [title, figures[0], _half_width(stage), *figures[1:], str(stage["count"])]
    if factors:
        cells.append(NOTHING if factor is None else f"{factor['p95']:.5f}")
    return cells


def _figure(value: float, unit: str) -> str:
    if unit != "ms":
        return count(value)
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}"


def _half_width(stage: Record) -> str:
    """Half of the interval of p50, relative to p50."""
    ends = stage["p50_interval"]
    if ends is None or not stage["p50"]:
        return NOTHING
    return percent((ends[1] - ends[0]) / 2 / stage["p50"])


def _targets(report: Record, columns: int) -> Table:
    table = number_table("Targets", ())
    longest = max(len(record["target"]) + 2 for record in report["targets"])
    table.columns[0].min_width = min(max(longest, _SHORT_NAME), _LONG_NAME)
    table.add_column("parity", overflow="fold")
    left_out = _ONLY_WIDE if columns < _WIDE or longest > _SHORT_NAME else ()
    shown = [name for name in COLUMNS if name not in left_out]
    for name in shown:
        table.add_column(name, justify="right")
    for record in report["targets"]:
        one = summarize(record)
        style = {True: "bold red", False: "green", None: "yellow"}[one.differs]
        figures = dict(zip(COLUMNS, one.figures, strict=True))
        cells = (figures[name] for name in shown)
        table.add_row(f"  {one.name}", Text(one.parity, style=style), *cells)
    return table


def _footprint(models: Sequence[Record]) -> Table:
    table = number_table("Cold start and footprint", (model["model"] for model in models))
    starts = [model["cold_start"] for model in models]
    for key, title in _COLD_START_TITLES.items():
        table.add_row(f"  {title}", *(milliseconds(start.get(key)) for start in starts))
    for key, title in _MEMORY_TITLES.items():
        table.add_row(f"  {title}", *(size(start.get(key)) for start in starts))
    table.add_row("  model file", *(size(model["size_bytes"]) for model in models))
    return table


def _energy(energy: Record) -> Table:
    table = number_table("Energy", (energy["sensor"],))
    table.add_row("  in all", f"{energy['joules']:.3g} J in {energy['seconds']:.3g} s")
    if energy.get("joules_per_audio_s") is not None:
        table.add_row("  for a second of audio", f"{1e3 * energy['joules_per_audio_s']:.3g} mJ")
    return table


def _accuracy(accuracy: Sequence[Record]) -> Table:
    table = number_table("Accuracy on recordings", (one["model"] for one in accuracy))
    for title, *cells in accuracy_rows(accuracy):
        table.add_row(f"  {title}", *cells)
    return table


def _gates(report: Record) -> Table:
    table = number_table("Gates", ("worst value", "bound", "checks", "verdict"))
    for name in dict.fromkeys(record["gate"] for record in report["gates"]):
        records = [record for record in report["gates"] if record["gate"] == name]
        if all(record.get("skipped") in _NOT_ASKED_FOR for record in records):
            continue  # a note counts them
        worst = worst_of(records)
        value = "skipped" if worst["passed"] is None else gate_value(worst["value"], worst["unit"])
        table.add_row(
            f"  {name}", value, _bound(worst), str(len(records)), _VERDICTS[worst["passed"]]
        )
    return table


def _bound(record: Record) -> str:
    if record["bound"] is None:
        return "of baseline"
    unit = "bytes" if record["unit"] == "bytes" else ""
    return f"{record['operator']} {gate_value(record['bound'], unit)}"


def worst_of(records: Sequence[Record]) -> Record:
    """The record to show of one gate: a failed one first, then the one closest to its bound."""

    def badness(record: Record) -> tuple[int, float]:
        rank = {False: 2, True: 1, None: 0}[record["passed"]]
        value, bound = record["value"], record["bound"]
        if isinstance(value, str) or isinstance(bound, str) or value is None or bound is None:
            return rank, 0.0
        # Each against its own bound: those of a relative gate differ.
        distance = float(value) - float(bound)
        if "baseline" in record:
            distance /= float(bound) or 1.0
        return rank, -distance if record["operator"].startswith(">") else distance

    return max(records, key=badness)


def skip_reasons(report: Record) -> list[str]:
    """Once each, why gates were skipped."""
    skipped: dict[str, dict[str, None]] = {}
    for record in report["gates"]:
        if record["passed"] is None:
            skipped.setdefault(str(record.get("skipped", "")), {})[record["gate"]] = None
    return [f"{len(gates)} gates skipped: {reason}" for reason, gates in skipped.items()]


def _notes(report: Record) -> list[str]:
    """The warnings of all targets, what the accuracy is of, and why gates were skipped."""
    of_targets = [
        f"{record['target']}: {warning}"
        for record in report["targets"]
        for warning in record["warnings"]
    ]
    data = dict.fromkeys(data_line(one) for one in report.get("accuracy", []))
    return [*report["warnings"], *of_targets, *data, *skip_reasons(report)]


def _failures(report: Record) -> list[str]:
    return [
        f"failed: {record['name']}: {verdict_line(record)}"
        for record in report["gates"]
        if record["passed"] is False
    ]


def verdict_counts(report: Record) -> str:
    """How many checks passed, failed and were skipped."""
    verdicts = [record["passed"] for record in report["gates"]]
    return (
        f"{verdicts.count(True)} checks passed, {verdicts.count(False)} failed, "
        f"{verdicts.count(None)} skipped"
    )


def _verdict(report: Record) -> Text:
    word = ("PASSED", "bold green") if report["passed"] else ("FAILED", "bold red")
    return Text.assemble(" ", word, f"  {verdict_counts(report)}")

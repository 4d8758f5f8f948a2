"""The report in Markdown, for a pull request: the verdict, what failed, then the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from babycry_bench.comparison.text import comparison_markdown
from babycry_bench.reports.accuracy_rows import accuracy_rows, data_line
from babycry_bench.reports.junit import verdict_line
from babycry_bench.reports.markdown_table import escaped, table
from babycry_bench.reports.quantity_text import (
    NOTHING,
    count,
    duration,
    gate_value,
    milliseconds,
    size,
    stage_title,
)
from babycry_bench.reports.target_summary import COLUMNS, divergence_lines, summarize

Record = Mapping[str, Any]


def render_markdown(report: Record, comparison: Record | None = None) -> str:
    """``report``, and how it compares with a baseline, if given, as a comment on a pull request."""
    parts = [_headline(report), _machine(report), *_failures(report)]
    if comparison is not None:
        parts.append(comparison_markdown(comparison, heading="###").rstrip())
    parts += [*_latency(report), *_targets(report), *_footprint(report), *_accuracy(report)]
    parts += [_gates(report), *_notes(report)]
    return "\n\n".join(parts) + "\n"


def _headline(report: Record) -> str:
    verdicts = [gate["passed"] for gate in report["gates"]]
    word = "PASSED" if report["passed"] else "FAILED"
    return (
        f"## babycry-edge bench: {word}\n\n{verdicts.count(True)} checks passed, "
        f"**{verdicts.count(False)} failed**, {verdicts.count(None)} skipped"
    )


def _machine(report: Record) -> str:
    build, machine = report["build"], report["machine"]
    facts = [
        f"babycry-edge {build['babycry_edge']}",
        (build["git_commit"] or "")[:12],
        machine["cpu"] or "unknown CPU",
        f"front-end in {build['instruction_set']}",
        report["created"],
    ]
    return escaped(", ".join(str(fact) for fact in facts if fact))


def _failures(report: Record) -> Iterator[str]:
    failed = [gate for gate in report["gates"] if gate["passed"] is False]
    if failed:
        lines = [f"- **{escaped(gate['name'])}**: {escaped(verdict_line(gate))}" for gate in failed]
        yield "### Failed\n\n" + "\n".join(lines)
    found = [f"- {escaped(line)}" for line in divergence_lines(report)]
    if found:
        yield "### Where the answers part\n\n" + "\n".join(found)


def _latency(report: Record) -> Iterator[str]:
    stages = [stage for stage in report["stages"] if stage["stage"] != "layer"]
    if not stages:
        return
    header = ("model", "stage", "p50", "p95", "p99", "max", "calls", "real-time factor p95")
    yield "### Latency here\n\n" + table(header, (_latency_cells(stage) for stage in stages))


def _latency_cells(stage: Record) -> list[str]:
    figures = [duration(stage[key], stage["unit"]) for key in ("p50", "p95", "p99", "max")]
    factor = stage["real_time_factor"]
    return [
        stage["model"] or stage["profile"] or NOTHING,
        stage_title(stage),
        *figures,
        count(stage["count"]),
        NOTHING if factor is None else f"{factor['p95']:.5f}",
    ]


def _targets(report: Record) -> Iterator[str]:
    if not report["targets"]:
        return
    header = ("target", "parity", *COLUMNS)
    summaries = [summarize(record) for record in report["targets"]]
    rows = [[one.name, one.parity, *one.figures] for one in summaries]
    yield "### Targets\n\n" + table(header, rows)


def _footprint(report: Record) -> Iterator[str]:
    if not report["models"]:
        return
    header = ("model", "engine", "file", "import to first score", "peak memory")
    rows = []
    for model in report["models"]:
        start = model.get("cold_start", {})
        engine = f"{model['engine']} {model['engine_version'] or ''}".rstrip()
        figures = (milliseconds(start.get("total_ms")), size(start.get("peak_rss_bytes")))
        rows.append([model["model"], engine, size(model["size_bytes"]), *figures])
    yield "### Cold start and footprint\n\n" + table(header, rows)


def _accuracy(report: Record) -> Iterator[str]:
    accuracy: Sequence[Record] = report.get("accuracy", [])
    if not accuracy:
        return
    lines = dict.fromkeys(data_line(one) for one in accuracy)
    rows = table(("", *(one["model"] for one in accuracy)), accuracy_rows(accuracy))
    yield f"### Accuracy\n\n{rows}\n\n" + "\n\n".join(escaped(line) for line in lines)


def _gates(report: Record) -> str:
    words = {True: "pass", False: "FAIL", None: "skipped"}
    rows = (
        [
            gate["name"],
            gate_value(gate["value"], gate["unit"]),
            _bound(gate),
            words[gate["passed"]],
        ]
        for gate in report["gates"]
    )
    body = table(("gate", "value", "bound", "verdict"), rows)
    number = len(report["gates"])
    return f"<details><summary>All {number} checks</summary>\n\n{body}\n\n</details>"


def _bound(gate: Record) -> str:
    if gate["bound"] is None:
        return f"{gate['operator']} a multiple of the baseline"
    return f"{gate['operator']} {gate_value(gate['bound'], gate['unit'])}"


def _notes(report: Record) -> Iterator[str]:
    warnings = list(report["warnings"])
    for record in report["targets"]:
        warnings += [f"{record['target']}: {warning}" for warning in record["warnings"]]
    if warnings:
        yield "\n".join(f"- {escaped(warning)}" for warning in warnings)

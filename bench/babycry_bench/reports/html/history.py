"""Earlier runs: the median of each target's stages, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from babycry_bench.reports.html.figures import NONE, attributes, figure, shown, text, trimmed
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.plots import Axis, legend_of, linear_axis
from babycry_bench.reports.html.tables import cell, folded, head, mark, number, table
from babycry_bench.reports.html.words import QUANTITIES, STAGES

_FOLLOWED = ("frontend_hop", "frontend_window", "network", "pipeline")
_COLOURS = ("blue", "orange", "teal", "purple", "grey")
_HEIGHT = 120
_MOST_RUNS = 100
_MOST_RUNS_LISTED = 20


def condensed(history: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> list[Any]:
    """What the page needs of the runs, in the order of time, this one last.

    Args:
        history: reports; this one may be among them.
        report: this one.

    Returns:
        For each run ``created``, ``git_commit``, ``passed`` and ``points``: target, stage, subject,
        unit, cpu, p50, p50_interval. Empty where there is no earlier run.
    """
    earlier = [run for run in history if run != report]
    if not earlier:
        return []
    runs = sorted(earlier, key=lambda run: str(run.get("created") or ""))
    return [_run(run) for run in (*runs[-_MOST_RUNS:], report)]


def _run(report: Mapping[str, Any]) -> dict[str, Any]:
    points = [
        {
            "target": record["target"],
            "stage": stage["stage"],
            "subject": stage["model"] or stage["profile"],
            "unit": stage["unit"],
            "cpu": record["machine"]["cpu"],
            "p50": stage["p50"],
            "p50_interval": stage["p50_interval"],
        }
        for record in (report, *report.get("targets", ()))
        for stage in record["stages"]
        if stage["stage"] in _FOLLOWED
    ]
    return {
        "created": report.get("created"),
        "git_commit": report["build"].get("git_commit"),
        "passed": report.get("passed"),
        "points": points,
    }


def plots(runs: Place) -> str:
    """One small plot for each target, stage and processor, a line for each model."""
    series: dict[tuple[str, str, str, str], dict[str, list[tuple[int, Place]]]] = {}
    for index, run in enumerate(runs):
        for point in run["points"]:
            value = point.value
            cpu = str(value["cpu"] or "")
            key = (value["target"], value["stage"], value["unit"], cpu)
            lines = series.setdefault(key, {})
            lines.setdefault(str(value["subject"] or ""), []).append((index, point))
    count = len(runs.value)
    drawn = [
        _plot(key, lines, count, text(runs[0].get("created"))[:10])
        for key, lines in series.items()
        if any(len(line) > 1 for line in lines.values())
    ]
    return f'<div class="small">{"".join(drawn)}</div>' + _table(runs) if drawn else ""


def _plot(
    key: tuple[str, str, str, str],
    lines: Mapping[str, Sequence[tuple[int, Place]]],
    count: int,
    first: str,
) -> str:
    target, stage, unit, cpu = key
    values = [
        value
        for line in lines.values()
        for _, point in line
        for value in (point.value["p50"], *(point.value["p50_interval"] or ()))
    ]
    axis = linear_axis(values, unit)
    grid = "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{_up(axis, tick)}" y2="{_up(axis, tick)}"/>'
        f'<text x="0" dx="-6" y="{_up(axis, tick)}" dy="4" text-anchor="end">'
        f"{escape(trimmed(tick, unit))}</text>"
        for tick in axis.ticks()
    )
    colours = [_COLOURS[index % len(_COLOURS)] for index in range(len(lines))]
    drawn = "".join(
        _line(line, axis, count, colour)
        for line, colour in zip(lines.values(), colours, strict=True)
    )
    title = f"{target}: {STAGES.get(stage, stage)}, {QUANTITIES[unit]}"
    small = f" <small>{escape(cpu)}</small>" if cpu else ""
    legend = legend_of(
        [(colour, name) for colour, name in zip(colours, lines, strict=True) if name]
    )
    return (
        f'<figure class="plot over-time"><figcaption>{escape(title)}{small}{legend}</figcaption>'
        f'<svg height="{_HEIGHT}" role="img" aria-label="{escape(title)} over {count} runs">'
        f"{grid}{drawn}</svg>"
        f'<p class="ends"><span>{first}</span><span>this run</span></p></figure>'
    )


def _line(line: Sequence[tuple[int, Place]], axis: Axis, count: int, colour: str) -> str:
    marks = []
    for (first, point), (second, after) in pairwise(line):
        marks.append(
            f'<line class="{colour} run" x1="{_across(first, count)}" '
            f'y1="{_up(axis, point.value["p50"])}" x2="{_across(second, count)}" '
            f'y2="{_up(axis, after.value["p50"])}"/>'
        )
    for index, point in line:
        x = _across(index, count)
        ends = point.value["p50_interval"]
        if ends:
            marks.append(
                f'<line class="{colour} fine" x1="{x}" x2="{x}" y1="{_up(axis, ends[0])}" '
                f'y2="{_up(axis, ends[1])}"/>'
            )
        words = escape(shown(point.value["p50"], point.value["unit"]))
        marks.append(
            f'<circle class="{colour}" cx="{x}" cy="{_up(axis, point.value["p50"])}" r="3"'
            f"{attributes(point['p50'])}><title>{words}</title></circle>"
        )
    return "".join(marks)


def _across(index: int, count: int) -> str:
    return f"{100 * index / max(1, count - 1):.2f}%"


def _up(axis: Axis, value: float) -> str:
    return f"{100 - axis.at(value):.2f}%"


def _table(runs: Place) -> str:
    rows = []
    for run in list(runs)[-_MOST_RUNS_LISTED:]:
        for point in run["points"]:
            unit = point.value["unit"]
            ends = point.get("p50_interval")
            rows.append(
                [
                    head(text(run.get("created"))),
                    cell(f"<code>{text(run.get('git_commit'))}</code>"),
                    cell(mark(run.value["passed"], none=NONE)),
                    cell(text(point["target"])),
                    cell(escape(STAGES.get(point.value["stage"], point.value["stage"]))),
                    cell(text(point.get("subject"))),
                    number(figure(point["p50"], unit)),
                    number(f"{figure(ends[0], unit)} to {figure(ends[1], unit)}" if ends else NONE),
                ]
            )
    headings = [
        "Run",
        "Commit",
        "Verdict",
        "Target",
        "Stage",
        "Of",
        ">p50",
        ">95 % interval",
    ]
    return folded("Figures of the last runs", table("Medians, run by run", headings, rows))

"""A comparison for a terminal and for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, TextIO

from babycry_bench.reports.markdown_table import escaped, table
from babycry_bench.reports.quantity_text import (
    NOTHING,
    duration,
    ratio_text,
    short_stage_title,
    stage_title,
)

Record = Mapping[str, Any]

_STYLES = {"slower": "bold red", "faster": "green", "no difference": "dim", "not known": "yellow"}
_MOST_CHANGES = 40


def print_comparison(result: Record, file: TextIO, width: int | None = None) -> None:
    """Print every comparison of ``result``, at most 100 columns wide."""
    from rich.text import Text

    from babycry_bench.reports.terminal_table import line, number_table, shown_in

    with shown_in(file, width) as show:
        for comparison in result["comparisons"]:
            show("")
            show(line(_title(result, comparison), "bold"))
            for warning in comparison["warnings"]:
                show(line(f"note: {warning}", "yellow"))
            rows = number_table(
                "Median of rounds", ("before", "after", "change", "95 % interval", "verdict")
            )
            for name, stages in _groups(comparison).items():
                rows.add_row(name)
                for stage in stages:
                    verdict = Text(_verdict(stage), style=_STYLES[stage["verdict"]])
                    rows.add_row(f"  {short_stage_title(stage)}", *_cells(stage), verdict)
            show("")
            show(rows)
            show("")
            for text in _closing_lines(comparison):
                show(line(text))
        show(line(_summary(result), "bold red" if result["slower"] else "bold"))


def comparison_markdown(result: Record, *, heading: str = "##") -> str:
    """``result`` as Markdown: what changed first, all stages folded away."""
    parts = [f"{heading} {escaped(_summary(result))}"]
    for comparison in result["comparisons"]:
        parts.append(escaped(_title(result, comparison)))
        parts += [f"> {escaped(warning)}" for warning in comparison["warnings"]]
        moved = [s for s in comparison["stages"] if s["verdict"] in ("slower", "faster")]
        if moved:
            parts.append(_stage_table(moved))
        if comparison["changes"]:
            parts.append(_change_table(comparison["changes"]))
        parts.append(
            f"<details><summary>All {len(comparison['stages'])} stages</summary>\n\n"
            f"{_stage_table(comparison['stages'])}\n\n</details>"
        )
        for entry in comparison["not_compared"]:
            parts.append(f"- {escaped(_name(entry))}: {escaped(entry['reason'])}")
    return "\n\n".join(parts) + "\n"


def _title(result: Record, comparison: Record) -> str:
    first = result["reports"][0]
    (other,) = (r for r in result["reports"][1:] if r["name"] == comparison["report"])
    return f"{_short(other)} against {_short(first)}"


def _short(report: Record) -> str:
    facts = [report["created"] or "", (report["git_commit"] or "")[:12]]
    name = PurePath(report["name"]).name
    known = ", ".join(fact for fact in facts if fact)
    return f"{name} ({known})" if known else name


def _summary(result: Record) -> str:
    changed = [
        f"{result[word]} stages {word}" if result[word] != 1 else f"1 stage {word}"
        for word in ("slower", "faster")
        if result[word]
    ]
    bounds = f"times: beyond {100 * result['threshold']:.3g} % and the noise; counts: beyond 0.1 %"
    return f"{', '.join(changed) or 'no difference'} ({bounds})"


def _groups(comparison: Record) -> dict[str, list[Record]]:
    """Stages by target and model; of layers only those that changed."""
    groups: dict[str, list[Record]] = {}
    for stage in comparison["stages"]:
        if stage["stage"] == "layer" and stage["verdict"] not in ("slower", "faster"):
            continue
        model = stage["model"] or stage["profile"]
        name = f"{stage['target']}: {model}" if model else stage["target"]
        groups.setdefault(name, []).append(stage)
    return groups


def _closing_lines(comparison: Record) -> Iterator[str]:
    layers = [s["verdict"] for s in comparison["stages"] if s["stage"] == "layer"]
    for verdict in ("no difference", "not known"):
        if verdict in layers:
            yield f"{layers.count(verdict)} of {len(layers)} layers: {verdict}"
    for reason in dict.fromkeys(s["reason"] for s in comparison["stages"] if "reason" in s):
        yield f"not known: {reason}"
    for entry in comparison["not_compared"]:
        yield f"not compared: {_name(entry)}: {entry['reason']}"
    for change in comparison["changes"][:_MOST_CHANGES]:
        yield f"changed: {_change_name(change)}: {_change_text(change)}"
    more = len(comparison["changes"]) - _MOST_CHANGES
    if more > 0:
        yield f"and {more} more changes: see --json"


def _name(entry: Record) -> str:
    what = entry["model"] or entry["profile"]
    return ": ".join(part for part in (entry["target"], what, stage_title(entry)) if part)


def _cells(stage: Record) -> list[str]:
    unit = stage["unit"]
    low, high = stage["ratio_interval"] or (None, None)
    interval = NOTHING
    if low is not None and high is not None and low != high:
        interval = f"{100 * (low - 1):+.1f} to {100 * (high - 1):+.1f} %"
    return [
        duration(stage["before"], unit),
        duration(stage["after"], unit),
        ratio_text(stage["ratio"]),
        interval,
    ]


def _verdict(stage: Record) -> str:
    if stage["verdict"] in ("slower", "faster") and not stage["same_machine"]:
        return f"{stage['verdict']} (other machine)"
    return str(stage["verdict"])


def _change_name(change: Record) -> str:
    return ", ".join(part for part in (change["target"], change["of"], change["what"]) if part)


def _change_text(change: Record) -> str:
    word = {True: " (worse)", False: " (better)", None: ""}[change["worse"]]
    return f"{change['before_text']} -> {change['after_text']}{word}"


def _stage_table(stages: Iterable[Record]) -> str:
    header = ("stage", "before", "after", "change", "95 % interval", "verdict")
    return table(header, ([_name(s), *_cells(s), _verdict(s)] for s in stages))


def _change_table(changes: Iterable[Record]) -> str:
    words = {True: "worse", False: "better", None: ""}
    rows = (
        [_change_name(change), change["before_text"], change["after_text"], words[change["worse"]]]
        for change in changes
    )
    return table(("changed", "before", "after", ""), rows)

"""This run beside another one: what became slower or faster, and what else changed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from babycry_bench.reports.html.figures import NONE, figure, text
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.plots import Axis, Row, dot, row_plot
from babycry_bench.reports.html.tables import cell, folded, head, number, table
from babycry_bench.reports.html.words import STAGES

_COLOURS = {"slower": "bad", "faster": "good"}


def comparison(found: Place) -> str:
    """Every comparison of :func:`babycry_bench.comparison.compare.compare`."""
    reports = found.value["reports"]
    first = escape(str(reports[0]["name"]))
    return "".join(_pair(pair, first) for pair in found.rows("comparisons"))


def _pair(pair: Place, first: str) -> str:
    stages = pair.rows("stages")
    warnings = "".join(f"<li>{text(warning)}</li>" for warning in pair.rows("warnings"))
    return (
        f"<h3>{text(pair['report'])} against {first}</h3>"
        f"<p>{figure(pair['slower'])} stages slower, {figure(pair['faster'])} faster.</p>"
        + (f'<ul class="note">{warnings}</ul>' if warnings else "")
        + _plot(pair, first, [stage for stage in stages if stage.value["stage"] != "layer"])
        + folded("Figures of the comparison", _stages(stages))
        + _changes(pair)
    )


def _plot(pair: Place, first: str, stages: Sequence[Place]) -> str:
    known = [stage for stage in stages if stage.value["ratio"] is not None]
    rows = [
        Row(
            f"{_title(stage)} <small>{_subject(stage)}</small>",
            f"{figure(stage['ratio'])} <small>{text(stage['verdict'])}</small>",
            dot(
                stage["ratio"],
                stage["ratio_interval"][0] if stage.get("ratio_interval") else None,
                stage["ratio_interval"][1] if stage.get("ratio_interval") else None,
                _COLOURS.get(stage.value["verdict"], "blue"),
            ),
        )
        for stage in known
    ]
    ends = [
        value
        for stage in known
        for value in (stage.value["ratio"], *(stage.value["ratio_interval"] or ()))
    ]
    reach = max([1.1, *(max(end, 1 / end) for end in ends if end > 0)])
    axis = Axis(1 / reach, reach, "", log=True)
    title = f"{pair.value['report']}: medians over those of {first}, above 1 is slower"
    return row_plot(title, axis, [("", rows)], kind="compared")


def _title(stage: Place) -> str:
    if stage.get("layer") is not None:
        return f"layer {text(stage['layer'])}"
    return escape(STAGES.get(stage.value["stage"], str(stage.value["stage"])))


def _subject(stage: Place) -> str:
    who = text(stage.get("model") or stage.get("profile"))
    return f"{who}, {text(stage['target'])}" if who != NONE else text(stage["target"])


def _stages(stages: Sequence[Place]) -> str:
    rows = [
        [
            head(f"{_title(stage)} <small>{_subject(stage)}</small>"),
            number(figure(stage["before"], stage.value["unit"])),
            number(figure(stage["after"], stage.value["unit"])),
            number(_ratio(stage)),
            number(figure(stage.get("p_adjusted"))),
            cell(text(stage["verdict"])),
            cell(text(stage.get("reason"))),
        ]
        for stage in stages
    ]
    headings = ["Stage", ">Before", ">After", ">Ratio (95 % interval)", ">p", "Verdict", "Reason"]
    return table("Stages of both runs", headings, rows)


def _ratio(stage: Place) -> str:
    ends = stage.get("ratio_interval")
    words = figure(stage.get("ratio"))
    if ends is None:
        return words
    return f'{words} <small class="range">{figure(ends[0])} to {figure(ends[1])}</small>'


def _changes(pair: Place) -> str:
    verdicts = {True: '<span class="no">worse</span>', False: '<span class="ok">better</span>'}
    rows = [
        [
            head(f"{text(change.get('what'))} <small>{text(change.get('of'))}</small>"),
            cell(text(change["target"])),
            number(text(change["before_text"])),
            number(text(change["after_text"])),
            cell(verdicts.get(change.value["worse"], "")),
        ]
        for change in pair.rows("changes")
    ]
    headings = ["What", "Target", ">Before", ">After", "Verdict"]
    return folded("What else changed", table("What else changed", headings, rows))

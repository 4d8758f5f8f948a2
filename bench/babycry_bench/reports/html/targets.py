"""Targets side by side: parity, clock, cost of a hop and a window, memory."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from babycry_bench.reports.html.figures import NONE, figure, text
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.plots import Row, bar, box, linear_axis, log_axis, row_plot
from babycry_bench.reports.html.tables import cell, head, mark, number, table
from babycry_bench.reports.html.words import (
    CLOCKS,
    QUANTITIES,
    STAGES,
    UNITS,
    clock_note,
    records,
    stage_colour,
    subject,
    target_name,
)
from babycry_bench.reports.target_summary import PROFILE

_COMPARED = ("frontend_hop", "frontend_window", "network", "pipeline")
_FIRMWARE = (
    ("flash_bytes", "flash", "purple"),
    ("ram_bytes", "static RAM", "blue"),
    ("frontend_ram_bytes", "RAM of the front-end", "teal"),
    ("stack_bytes", "deepest stack", "orange"),
)


def side_by_side(report: Place) -> str:
    """One row for each target."""
    rows = [
        [
            head(f"{target_name(record)}<br><small>{_kind(record)}</small>"),
            cell(parity_verdict(record)),
            cell(_clock(record)),
            *(number(_median(record, name)) for name in _COMPARED),
            *(number(figure(record["memory"].get(key), "bytes")) for key, _, _ in _FIRMWARE[:2]),
            number(figure(record["memory"].get("stack_bytes"), "bytes")),
            number(figure(record["memory"].get("peak_rss_bytes"), "bytes")),
        ]
        for record in records(report)
    ]
    headings = [
        "Target",
        "Parity",
        "Clock",
        ">Front-end, a hop",
        ">Front-end, a window",
        ">Network, a window",
        ">Whole pipeline",
        ">Flash",
        ">Static RAM",
        ">Stack",
        ">Process memory",
    ]
    return table(
        "Medians; where a target has several models or front-ends, of one", headings, rows, "wide"
    )


def costs(report: Place) -> str:
    """A plot for each unit, so that counts never stand on an axis of time."""
    parts = []
    for unit in UNITS:
        groups = []
        for name in _COMPARED:
            rows = [
                Row(
                    f"{target_name(record)} <small>{subject(stage)}</small>",
                    figure(stage["p50"], unit),
                    box(stage, stage_colour(stage)),
                )
                for record in records(report)
                for stage in record.rows("stages")
                if stage.value["stage"] == name and stage.value["unit"] == unit
            ]
            if rows:
                groups.append((STAGES[name], rows))
        values = [
            value
            for record in records(report)
            for stage in record.rows("stages")
            if stage.value["unit"] == unit and stage.value["stage"] in _COMPARED
            for value in (*stage.value["quantiles"], stage.value["max"])
        ]
        # One target's own times are told by the latency section.
        if groups and (unit != "ms" or _targets_with(report, unit) > 1):
            parts.append(
                row_plot(
                    f"Every target: {QUANTITIES[unit]} of one call",
                    log_axis(values, unit),
                    groups,
                    "Counts, which are no times." if unit == "instructions" else "",
                )
            )
    return "".join(parts)


def memory(report: Place) -> str:
    """Flash, RAM and stack of firmware; resident memory of processes."""
    groups: list[tuple[str, Sequence[Row]]] = []
    for key, title, colour in _FIRMWARE:
        rows = [
            Row(
                target_name(record),
                figure(record["memory"][key], "bytes"),
                bar(record["memory"][key], colour),
            )
            for record in records(report)
            if record["memory"].get(key)
        ]
        groups.append((title, rows))
    firmware = [
        record.value["memory"][key]
        for record in records(report)
        for key, _, _ in _FIRMWARE
        if record["memory"].get(key)
    ]
    processes = [record for record in records(report) if record["memory"].get("peak_rss_bytes")]
    peaks = [record.value["memory"]["peak_rss_bytes"] for record in processes]
    return (
        row_plot("Firmware: flash, RAM and stack", linear_axis(firmware, "bytes"), groups)
        + row_plot(
            "Peak resident memory of the process",
            linear_axis(peaks, "bytes"),
            [
                (
                    "",
                    [
                        Row(
                            target_name(record),
                            figure(record["memory"]["peak_rss_bytes"], "bytes"),
                            bar(record["memory"]["peak_rss_bytes"], "grey"),
                        )
                        for record in processes
                    ],
                )
            ],
        )
        + _memory_of_stages(report)
    )


def energy(report: Place) -> str:
    """What sensors told."""
    rows = [
        [
            head(target_name(record)),
            cell(text(record["energy"]["sensor"])),
            number(figure(record["energy"]["joules"], "J")),
            number(figure(record["energy"]["seconds"], "s")),
            number(figure(record["energy"].get("idle_watts"), "W")),
            number(figure(record["energy"].get("joules_per_audio_s"), "J")),
        ]
        for record in records(report)
        if record.get("energy")
    ]
    headings = ["Target", "Sensor", ">Energy", ">Over", ">Idle power", ">For a second of audio"]
    return table("Energy", headings, rows)


def parity_verdict(record: Place) -> str:
    """Whether a target's answers are those of the reference, in a few words."""
    parity = record["parity"]
    wrong, checked = [], False
    for key, title in (("feature_hashes", "features"), ("streaming", "streaming")):
        below = parity.get(key)
        for profile in below.rows("profiles") if below else []:
            checked = True
            if profile.value["mismatches"]:
                wrong.append(
                    f"{title} of {text(profile['profile'])}: {figure(profile['mismatches'])} "
                    f"of {figure(profile['clips'])} clips"
                )
    for scores in parity.rows("scores"):
        checked = True
        if scores.value["mismatches"]:
            wrong.append(
                f"scores of {text(scores['model'])}: {figure(scores['mismatches'])} of "
                f"{figure(scores['windows'])} windows, at most "
                f"{figure(scores['max_difference'])}"
            )
    for golden in parity.rows("golden"):
        checked = True
        if golden.value.get("passed") is False:
            wrong.append(f"golden check of {text(golden['model'])}")
    if not checked:
        return mark(None, none="not checked")
    return mark(not wrong, "exact", "differs") + "".join(f"<br><small>{w}</small>" for w in wrong)


def _kind(record: Place) -> str:
    machine = record["machine"]
    name = machine.value["kind"]
    return (
        "with Python"
        if name == "machine" and record["build"].get("python")
        else text(machine["kind"])
    )


def _clock(record: Place) -> str:
    clocks = dict.fromkeys(stage.value["clock"] for stage in record.rows("stages"))
    words = ", ".join(CLOCKS.get(clock, "unknown") for clock in clocks) or NONE
    frequency = record["machine"].get("clock_hz")
    return words + (f" at {figure(frequency, 'Hz')}" if frequency else "")


def _median(record: Place, name: str) -> str:
    """The median of a stage: of the front-end ``PROFILE`` where the target has it, else of its
    first model or front-end; the others have rows of their own below."""
    stages = [stage for stage in record.rows("stages") if stage.value["stage"] == name]
    if not stages:
        return NONE
    wanted = [stage for stage in stages if stage.value["profile"] == PROFILE]
    stage = (wanted or stages)[0]
    who = subject(stage)
    small = ", ".join(
        words for words in (clock_note(stage).strip(), who) if words not in ("", NONE)
    )
    return f"{figure(stage['p50'], stage.value['unit'])}<br><small>{small}</small>"


def _targets_with(report: Place, unit: str) -> int:
    return sum(
        any(
            stage.value["unit"] == unit and stage.value["stage"] in _COMPARED
            for stage in record.rows("stages")
        )
        for record in records(report)
    )


def _memory_of_stages(report: Place) -> str:
    """What each stage of a board needs: its own RAM and its deepest stack."""
    return "".join(
        _stage_plot(report, key, title, colour)
        for key, title, colour in (
            ("ram_bytes", "RAM, stage by stage", "blue"),
            ("stack_bytes", "Deepest stack, stage by stage", "orange"),
        )
    )


def _stage_plot(report: Place, key: str, title: str, colour: str) -> str:
    stages = [
        (record, stage)
        for record in records(report)
        for stage in record["memory"].rows("stages")
        if stage.get(key)
    ]
    rows = []
    for record, stage in stages:
        name = STAGES.get(stage.value["stage"], str(stage.value["stage"]))
        profile = f" {text(stage['profile'])}" if stage.get("profile") else ""
        rows.append(
            Row(
                f"{target_name(record)} <small>{escape(name)}{profile}</small>",
                figure(stage[key], "bytes"),
                bar(stage[key], colour),
            )
        )
    axis = linear_axis([stage.value[key] for _, stage in stages], "bytes")
    return row_plot(title, axis, [("", rows)], kind="layers")
